"""The events that requests to HTTP APIs become, for integrations and authorizers, in payload formats 2.0 and 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from cumulet.delivery.proxied import as_text
from cumulet.services.apigateway.http.serving.exchange import HOPS, Exchange
from cumulet.services.apigateway.plane.context import request_time

_NOBODY = (
    "accessKey",
    "accountId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "user",
    "userArn",
)


def proxy_event(exchange: Exchange, version: str) -> bytes:
    """The event of a Lambda proxy integration, as JSON."""
    event = _second(exchange) if version == "2.0" else _first(exchange)
    body, encoded = _body(exchange)
    if version == "2.0":
        if body is not None:
            event["body"] = body
    else:
        event["body"] = body
    event["isBase64Encoded"] = encoded
    return msgspec.json.encode(event)


def authorizer_event(exchange: Exchange, version: str, sources: list[str]) -> dict[str, Any]:
    """The event of a Lambda authorizer. `sources` are the values of its identity sources."""
    arn = exchange.invoke_arn
    if version == "2.0":
        event = _second(exchange)
        event["requestContext"].pop("authorizer", None)
        return {"type": "REQUEST", "routeArn": arn, "identitySource": sources or None} | event
    event = _first(exchange)
    event["requestContext"].pop("authorizer", None)
    given = ",".join(sources)
    return event | {"type": "REQUEST", "methodArn": arn, "identitySource": given, "authorizationToken": given}


def _second(exchange: Exchange) -> dict[str, Any]:
    headers = dict(exchange.headers)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": exchange.key,
        "rawPath": exchange.path,
        "rawQueryString": exchange.request.query,
    }
    if (cookie := headers.pop("cookie", None)) is not None:
        event["cookies"] = [part.strip() for part in cookie.replace(",", ";").split(";") if part.strip()]
    event["headers"] = headers
    if exchange.query:
        event["queryStringParameters"] = exchange.query
    context: dict[str, Any] = {"accountId": exchange.account, "apiId": exchange.api_id}
    if (certificate := exchange.client_cert) is not None:
        context["authentication"] = {"clientCert": certificate}
    if exchange.authorizer:
        context["authorizer"] = _authorizer_second(exchange)
    event["requestContext"] = context | {
        "domainName": exchange.domain,
        "domainPrefix": exchange.domain.partition(".")[0],
        "http": {
            "method": exchange.request.method,
            "path": exchange.path,
            "protocol": "HTTP/1.1",
            "sourceIp": exchange.request.peer,
            "userAgent": exchange.request.headers.get("user-agent", ""),
        },
        "requestId": exchange.id,
        "routeKey": exchange.key,
        "stage": exchange.stage,
        "time": request_time(exchange.now),
        "timeEpoch": int(exchange.now * 1000),
    }
    if exchange.path_parameters:
        event["pathParameters"] = exchange.path_parameters
    if exchange.program.variables:
        event["stageVariables"] = exchange.program.variables
    return event


def _authorizer_second(exchange: Exchange) -> dict[str, Any]:
    held = exchange.authorizer
    if "jwt" in held:
        return {"jwt": held["jwt"]}
    return {"iam": held["iam"]} if "iam" in held else {"lambda": held.get("lambda", {})}


def _first(exchange: Exchange) -> dict[str, Any]:
    request = exchange.request
    lines = [(name, value) for name, value in request.lines if name.lower() not in HOPS]
    seen = {name.lower() for name, _ in lines}
    lines = [
        (name, exchange.headers.get(name.lower(), value) if name.lower() in _ADDED else value) for name, value in lines
    ]
    lines += [(_SHOWN.get(name, name), value) for name, value in exchange.headers.items() if name not in seen]
    several: dict[str, list[str]] = {}
    for name, value in lines:
        several.setdefault(name, []).append(value)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    key = exchange.key
    resource = key.partition(" ")[2] or key
    return {
        "version": "1.0",
        "resource": resource,
        "path": exchange.path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in several.items()},
        "multiValueHeaders": several,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": _context_first(exchange, resource),
        "pathParameters": exchange.path_parameters or None,
        "stageVariables": dict(exchange.program.variables) or None,
    }


_ADDED = frozenset({"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"})
_SHOWN = {
    "x-forwarded-for": "X-Forwarded-For",
    "x-forwarded-port": "X-Forwarded-Port",
    "x-forwarded-proto": "X-Forwarded-Proto",
    "x-amzn-trace-id": "X-Amzn-Trace-Id",
    "content-length": "Content-Length",
}


def _context_first(exchange: Exchange, resource: str) -> dict[str, Any]:
    request, caller = exchange.request, exchange.caller
    identity: dict[str, Any] = dict.fromkeys(_NOBODY)
    identity |= {"sourceIp": request.peer, "userAgent": request.headers.get("user-agent", "")}
    if caller is not None:
        identity |= {
            "accessKey": caller.access_key,
            "accountId": caller.principal.account,
            "caller": caller.principal.id,
            "user": caller.principal.id,
            "userArn": caller.principal.arn,
        }
    if (certificate := exchange.client_cert) is not None:
        identity["clientCert"] = certificate
    context: dict[str, Any] = {"accountId": exchange.account, "apiId": exchange.api_id}
    if exchange.authorizer:
        context["authorizer"] = _authorizer_first(exchange)
    return context | {
        "domainName": exchange.domain,
        "domainPrefix": exchange.domain.partition(".")[0],
        "extendedRequestId": exchange.id,
        "httpMethod": request.method,
        "identity": identity,
        "path": exchange.path,
        "protocol": "HTTP/1.1",
        "requestId": exchange.id,
        "requestTime": request_time(exchange.now),
        "requestTimeEpoch": int(exchange.now * 1000),
        "resourceId": exchange.key,
        "resourcePath": resource,
        "stage": exchange.stage,
    }


def _authorizer_first(exchange: Exchange) -> dict[str, Any]:
    held = exchange.authorizer
    if "jwt" in held:
        return {"claims": held["jwt"]["claims"], "scopes": held["jwt"]["scopes"]}
    if "iam" in held:
        return {}
    return {name: value for name, value in held.items() if name != "lambda"}


def _body(exchange: Exchange) -> tuple[str | None, bool]:
    content = exchange.request.content
    if not content:
        return None, False
    text = as_text(content, exchange.request.headers.get("content-type", ""))
    return (base64.b64encode(content).decode(), True) if text is None else (text, False)
