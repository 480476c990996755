"""`apigateway:invoke`: APIs of API Gateway, those of this node without a socket.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-api-gateway.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from cumulet.kernel.credentials import Credential
from cumulet.kernel.ids import token
from cumulet.kernel.web import WebAnswer, WebRequest
from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.asl.payload import LIMIT, loads, too_large
from cumulet.services.stepfunctions.engine.ports import Done, Pending, TaskCall
from cumulet.services.stepfunctions.tasks.failures import not_here
from cumulet.services.stepfunctions.tasks.parts import Parts
from cumulet.services.stepfunctions.tasks.resources import Resource
from cumulet.services.stepfunctions.tasks.shapes import BadField, to_json

_PARAMETERS = frozenset(
    (
        *("ApiEndpoint", "Method", "Headers", "Stage", "Path", "QueryParameters", "AllowNullValues"),
        *("RequestBody", "AuthType"),
    )
)
_METHODS = frozenset(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"))
_AUTH_TYPES = frozenset(("NO_AUTH", "IAM_ROLE", "RESOURCE_POLICY"))
_OWN_HEADERS = re.compile(
    r"(x-forwarded|x-amz|x-amzn).*|authorization|connection|content-md5|expect|host|max-forwards|proxy-authenticate|server|te"
    r"|transfer-encoding|trailer|upgrade|via|www-authenticate",
    re.IGNORECASE,
)
_BY_PATH = re.compile(r"/(?:restapis|_aws/execute-api)/([^/]+)/?")
_ELSEWHERE = re.compile(r"[0-9a-z]+\.execute-api\.[0-9a-z-]+\.amazonaws\.com(?:\.cn)?", re.ASCII)
"""APIs of others; nothing else is called, such as servers of the network that the node is in."""
_SECONDS = 30.0


def check(arguments: Any) -> None:
    """Raises BadField."""
    if not isinstance(arguments, dict):
        raise BadField("The field 'ApiEndpoint' is required but was missing")
    for name in ("ApiEndpoint", "Method"):
        if arguments.get(name) is None:
            raise BadField(f"The field '{name}' is required but was missing")
    for name, value in arguments.items():
        if name not in _PARAMETERS:
            raise BadField(f"The field '{name}' is not supported by Step Functions")
        if not _fits(name, value):
            raise BadField(f"The value of the field '{name}' has an invalid format")


def _fits(name: str, value: Any) -> bool:
    if value is None or name == "RequestBody":
        return True
    if name in ("Headers", "QueryParameters"):
        lists = isinstance(value, dict) and all(isinstance(item, list) for item in value.values())
        return lists and not (name == "Headers" and any(_OWN_HEADERS.fullmatch(key) for key in value))
    if name == "AllowNullValues":
        return isinstance(value, bool)
    if not isinstance(value, str):
        return False
    if name == "Method":
        return value in _METHODS
    return name != "AuthType" or value in _AUTH_TYPES


async def invoke(parts: Parts, task: TaskCall, resource: Resource) -> Done | Pending:
    """Call the API; an answer that is none of success fails the task as `ApiGateway.STATUS`."""
    given = task.arguments
    signed = given.get("AuthType", "NO_AUTH") != "NO_AUTH"
    call, credential = await parts.acting(task.facts, task.credentials)
    answer = await _send(parts, given, credential if signed else None, call.trace)
    body = await _content(answer.body)
    text = body.decode(errors="replace")
    if not 200 <= answer.status < 300:
        raise StatesError(f"ApiGateway.{answer.status}", text)
    output = {
        "Headers": _lists(answer.headers),
        "ResponseBody": _body(text),
        "StatusCode": answer.status,
        "StatusText": _phrase(answer.status),
    }
    return Pending(output) if resource.pattern == "token" else Done(output)


async def _send(parts: Parts, given: dict[str, Any], credential: Credential | None, trace: str) -> WebAnswer:
    host, path = _address(given)
    request = _request(given, host, path, trace)
    answer = await parts.apis.send(host, request, credential) if parts.apis is not None else None
    if answer is not None:
        told = {name.lower() for name, _ in answer.headers}
        answer.headers += [header for header in _edge_headers(parts.clock.now()) if header[0].lower() not in told]
        return answer
    if _ELSEWHERE.fullmatch(host) is None:
        raise StatesError(
            "ApiGateway.SdkClientException", f"{host} is no API: it has to be ID.execute-api.REGION.amazonaws.com."
        )
    if credential is not None or parts.client is None:
        raise not_here(
            "ApiGateway",
            f"{host} is no API of this node, and calls of others cannot be signed yet: use the AuthType NO_AUTH for them.",
        )
    try:
        url = f"https://{host}{path}" + (f"?{request.query}" if request.query else "")
        return await parts.client.send(url, request, seconds=_SECONDS)
    except TimeoutError:
        raise StatesError("ApiGateway.SdkClientException", f"{host} did not answer within {_SECONDS:g} s.") from None
    except (ConnectionError, ValueError) as error:
        raise StatesError("ApiGateway.SdkClientException", f"{host} cannot be reached: {error}") from error


def _address(given: dict[str, Any]) -> tuple[str, str]:
    """The host, and the path with its stage. An endpoint may be given as this node shows it, with a path of its own."""
    endpoint = given["ApiEndpoint"].partition("://")[2] or given["ApiEndpoint"]
    host, slash, base = endpoint.partition("/")
    prefix = f"{slash}{base}".rstrip("/")
    found = _BY_PATH.fullmatch(prefix)
    if found is not None:
        prefix = f"/_aws/execute-api/{found[1]}"
    parts = [given.get("Stage"), given.get("Path")]
    return host, prefix + "".join(
        f"/{quote(part.strip('/'), safe='/$-_.~%:@!*+,;=()')}" for part in parts if part
    ) or "/"


def _request(given: dict[str, Any], host: str, path: str, trace: str) -> WebRequest:
    lines = [("Host", host)]
    for name, values in (given.get("Headers") or {}).items():
        lines += [(name, _text(value)) for value in values]
    body = given.get("RequestBody")
    content = b"" if body is None else to_json(body)
    if not any(name.lower() == "content-type" for name, _ in lines):
        lines.append(("Content-Type", "application/json"))
    if trace:
        lines.append(("X-Amzn-Trace-Id", trace))
    headers: dict[str, str] = {}
    for name, value in lines:
        key = name.lower()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    query = given.get("QueryParameters") or {}
    pairs = [(name, _text(value)) for name, values in query.items() for value in values]
    return WebRequest(
        method=given["Method"],
        path=path,
        query=urlencode(pairs),
        headers=headers,
        lines=lines,
        content=content,
        scheme="https",
    )


def _edge_headers(now: float) -> list[tuple[str, str]]:
    """What the way to an edge-optimized API adds to its answers, which a call within the node does not take."""
    edge = token(16)
    return [
        ("Connection", "keep-alive"),
        ("Date", formatdate(now, usegmt=True)),
        ("Via", f"1.1 {edge}.cloudfront.net (CloudFront)"),
        ("X-Amz-Cf-Id", token(28)),
        ("X-Amz-Cf-Pop", "IAD12-P1"),
        ("X-Cache", "Miss from cloudfront"),
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value).decode()


async def _content(body: Any) -> bytes:
    if isinstance(body, bytes):
        content = body
    else:
        content = b""
        async for piece in body:
            content += piece
            if len(content) > LIMIT:
                break
    if len(content) > LIMIT:
        raise too_large("apigateway")
    return content


def _lists(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return found


def _body(text: str) -> Any:
    """JSON where it is some, else its text."""
    try:
        return loads(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
