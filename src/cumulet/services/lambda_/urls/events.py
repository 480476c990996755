"""The event that a request to a function's URL becomes: payload format 2.0.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.delivery.proxied import as_text, parameters
from cumulet.kernel.call import Call, Principal

_HOPS = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect", "proxy-connection"})


class UrlRequest(Struct, kw_only=True):
    """An HTTP request as it came: header names in lower case, path and query percent-encoded. `port` is where it came in."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    scheme: str
    port: str


def make_event(call: Call, url_id: str, request: UrlRequest, now: float, trace: str) -> bytes:
    """The event as JSON. `call` tells who asks, anonymous where the URL asks nobody who he is; `now` is real time."""
    headers = _headers(call, request, trace)
    host = request.headers.get("host", "").partition(":")[0]
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
    }
    if "cookie" in headers:
        event["cookies"] = [part.strip() for part in headers["cookie"].split(";") if part.strip()]
    event["headers"] = headers
    if request.query:
        event["queryStringParameters"] = parameters(request.query)
    context: dict[str, Any] = {"accountId": call.principal.account or "anonymous", "apiId": url_id}
    if call.principal.kind != "anonymous":
        context |= {"authentication": None, "authorizer": {"iam": _caller(call.principal, call.access_key)}}
    event["requestContext"] = context | {
        "domainName": host,
        "domainPrefix": url_id,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": call.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": call.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now * 1000),
    }
    event["isBase64Encoded"] = False
    if request.body:
        text = as_text(request.body, headers.get("content-type", ""))
        event["isBase64Encoded"] = text is None
        event["body"] = base64.b64encode(request.body).decode() if text is None else text
    return msgspec.json.encode(event)


def _headers(call: Call, request: UrlRequest, trace: str) -> dict[str, str]:
    headers = {name: value for name, value in request.headers.items() if name not in _HOPS}
    if call.principal.kind != "anonymous":
        headers.pop("authorization", None)
    through = headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = f"{through}, {call.source_ip}" if through else call.source_ip
    headers["x-forwarded-port"] = request.port
    headers["x-forwarded-proto"] = request.scheme
    headers["x-amzn-trace-id"] = trace
    return headers


def _caller(principal: Principal, access_key: str) -> dict[str, str | None]:
    return {
        "accessKey": access_key,
        "accountId": principal.account,
        "callerId": principal.id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": principal.arn,
        "userId": principal.id,
    }
