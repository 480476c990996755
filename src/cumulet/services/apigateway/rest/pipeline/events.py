"""What functions get: the event of a proxy integration (payload format 1.0), and those of authorizers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from cumulet.services.apigateway.rest.pipeline.bodies import as_text
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange
from cumulet.services.apigateway.rest.pipeline.variables import proxy_context

Multi = dict[str, list[str]]


def proxy_event(ex: Exchange) -> dict[str, Any]:
    """The event of AWS_PROXY."""
    headers, query = forwarded(ex), ex.query
    content = ex.request.content
    binary = bool(content) and ex.program.media.has(ex.header("content-type") or "")
    body: str | None = None
    if content:
        body = base64.b64encode(content).decode() if binary else as_text(content)
    return {
        "resource": ex.method.resource_path,
        "path": _path(ex),
        "httpMethod": ex.request.method,
        "headers": _last(headers) if headers else None,
        "multiValueHeaders": headers or None,
        "queryStringParameters": _last(query) if query else None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": ex.path_values or None,
        "stageVariables": ex.stage_variables or None,
        "requestContext": proxy_context(ex),
        "body": body,
        "isBase64Encoded": binary,
    }


def forwarded(ex: Exchange) -> Multi:
    """The client's headers with those that say where it came from."""
    headers = dict(ex.headers.values())
    if ex.test:
        return headers
    request = ex.request
    host = request.headers.get("host", "")
    port = host.rpartition(":")[2] if ":" in host else "443" if request.scheme == "https" else "80"
    through = ex.header("x-forwarded-for")
    for name in [name for name in headers if name.lower() in _OURS]:
        del headers[name]
    headers["X-Amzn-Trace-Id"] = [ex.trace]
    headers["X-Forwarded-For"] = [f"{through}, {request.peer}" if through else request.peer]
    headers["X-Forwarded-Port"] = [port]
    headers["X-Forwarded-Proto"] = [request.scheme]
    return headers


_OURS = frozenset({"x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"})


def token_event(ex: Exchange, token: str) -> dict[str, Any]:
    """For an authorizer of type TOKEN."""
    return {"type": "TOKEN", "methodArn": ex.resource_arn, "authorizationToken": token}


def request_event(ex: Exchange) -> dict[str, Any]:
    """For an authorizer of type REQUEST: the proxy event without its body."""
    event = proxy_event(ex)
    del event["body"], event["isBase64Encoded"]
    for name in _NEVER_NULL:
        if event[name] is None:
            event[name] = {}
    return {"type": "REQUEST", "methodArn": ex.resource_arn, **event}


_NEVER_NULL = (
    "headers",
    "multiValueHeaders",
    "queryStringParameters",
    "multiValueQueryStringParameters",
    "pathParameters",
    "stageVariables",
)


def _path(ex: Exchange) -> str:
    """The path after the stage; slashes before it are one."""
    path = "/" + ex.path.lstrip("/")
    return f"/{ex.base_path}{path}" if ex.base_path else path


def _last(values: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: each[-1] for name, each in values.items()}
