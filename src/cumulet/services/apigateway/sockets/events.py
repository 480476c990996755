"""The events of WebSocket APIs: a client connects, says something, goes.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
"""

from __future__ import annotations

import base64
import os
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct

from cumulet.kernel.web import WebRequest
from cumulet.services.apigateway.plane.context import request_time
from cumulet.services.apigateway.plane.execution_log import ExecutionLog
from cumulet.services.apigateway.sockets.hub import Connection


class Moment(Struct, kw_only=True):
    """Something that happens on a connection: what `$context` says of it. `kind` is CONNECT, MESSAGE or DISCONNECT.

    `error` is why it came to nothing, `invalid` what is wrong with a message; `log` is there where its route has one.
    """

    connection: Connection
    kind: str
    key: str
    now: float
    id: str
    body: str | None = None
    encoded: bool = False
    message_id: str = ""
    code: int = 0
    reason: str = ""
    error: str = ""
    invalid: str = ""
    log: ExecutionLog | None = None


def new_request_id() -> str:
    """A request's id, as API Gateway makes them: `ACKM_FtWoAMFzDw=`."""
    return base64.urlsafe_b64encode(os.urandom(11)).decode()


def context(moment: Moment) -> dict[str, Any]:
    """`requestContext`, which templates know as `$context`."""
    connection = moment.connection
    identity: dict[str, Any] = {"sourceIp": connection.source_ip}
    if connection.user_agent:
        identity["userAgent"] = connection.user_agent
    identity |= connection.identity or {}
    found: dict[str, Any] = {"routeKey": moment.key}
    if connection.authorizer is not None:
        found["authorizer"] = connection.authorizer
    if moment.message_id:
        found["messageId"] = moment.message_id
    if moment.kind == "DISCONNECT":
        found |= {"disconnectStatusCode": moment.code, "disconnectReason": moment.reason}
    return found | {
        "eventType": moment.kind,
        "extendedRequestId": moment.id,
        "requestTime": request_time(moment.now),
        "messageDirection": "IN",
        "stage": connection.stage,
        "connectedAt": int(connection.connected * 1000),
        "requestTimeEpoch": int(moment.now * 1000),
        "identity": identity,
        "requestId": moment.id,
        "domainName": connection.domain,
        "connectionId": connection.id,
        "apiId": connection.api_id,
    }


def connect_event(moment: Moment, request: WebRequest, trace: str) -> dict[str, Any]:
    """The event of a handshake, without `requestContext`."""
    several: dict[str, list[str]] = {}
    for name, value in request.lines:
        if name.lower() not in ("connection", "upgrade"):
            several.setdefault(name, []).append(value)
    port = request.headers.get("host", "").rpartition(":")[2]
    several |= {
        "X-Amzn-Trace-Id": [trace],
        "X-Forwarded-For": [request.peer],
        "X-Forwarded-Port": [port if port.isdigit() else "443"],
        "X-Forwarded-Proto": ["https" if request.scheme == "https" else "http"],
    }
    event: dict[str, Any] = {
        "headers": {name: values[-1] for name, values in several.items()},
        "multiValueHeaders": several,
    }
    if request.query:
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(request.query, keep_blank_values=True):
            query.setdefault(name, []).append(value)
        event["queryStringParameters"] = {name: values[-1] for name, values in query.items()}
        event["multiValueQueryStringParameters"] = query
    return event


def proxy_event(moment: Moment, variables: dict[str, str], handshake: dict[str, Any] | None = None) -> dict[str, Any]:
    """The event of a proxy integration."""
    event: dict[str, Any] = dict(handshake or {})
    if moment.kind == "DISCONNECT":
        host = moment.connection.host
        event["headers"] = {"Host": host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
        event["multiValueHeaders"] = {name: [value] for name, value in event["headers"].items()}
    event["requestContext"] = context(moment)
    if variables:
        event["stageVariables"] = variables
    if moment.body is not None:
        event["body"] = moment.body
    event["isBase64Encoded"] = moment.encoded
    return event
