"""`http:invoke`: HTTP endpoints elsewhere, authorized by a connection of EventBridge's.

https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from msgspec import Struct

from cumulet.kernel.call import Call
from cumulet.kernel.connections import (
    OPERATION,
    ConnectionCredentials,
    HttpParameters,
    RetrieveConnectionCredentials,
)
from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import WebAnswer, WebRequest
from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.asl.errors import RUNTIME
from cumulet.services.stepfunctions.asl.payload import LIMIT, loads, too_large
from cumulet.services.stepfunctions.engine.ports import Done, Facts, HttpExchange, TaskCall
from cumulet.services.stepfunctions.tasks.forms import form, text_of
from cumulet.services.stepfunctions.tasks.http_checks import connection_of, values_of
from cumulet.services.stepfunctions.tasks.parts import Parts
from cumulet.services.stepfunctions.tasks.resources import Resource
from cumulet.services.stepfunctions.tasks.shapes import to_json

PERMISSION = "InvokeHTTPEndpoint"
_SECONDS = 60.0
_SOCKET = "States.Http.Socket"
_AGAIN = (401, 407)
_CONNECTION_ERRORS = {
    "AccessDeniedException": "AccessDenied",
    "AuthInProgress": "AuthInProgress",
    "InvalidConnectionState": "InvalidConnectionState",
    "ResourceNotFoundException": "ResourceNotFound",
}
_NO_TEXT = ("application/octet-stream", "image/", "video/", "audio/")
_NO_PARAMETERS = HttpParameters()


class InvokeHttpEndpoint(Struct, frozen=True, kw_only=True):
    """What the permission `states:InvokeHTTPEndpoint` is asked for; its last members are condition keys."""

    state_machine_arn: str
    api_endpoint: str
    method: str


async def permitted(_: Any, __: Call, request: InvokeHttpEndpoint) -> None:
    """Nothing to be done: whoever may ask for it may."""


class _Sent(Struct):
    url: str
    lines: list[tuple[str, str]]
    content: bytes


async def invoke(parts: Parts, task: TaskCall, _: Resource) -> Done:
    """Call the endpoint; a status that is none of success fails the task as `States.Http.StatusCode.NNN`."""
    given = task.arguments
    call = await parts.call_for(task)
    await _permission(parts, call, task.facts, given)
    credentials = await _credentials(parts, call, given, 0)
    try:
        async with asyncio.timeout(_SECONDS):
            answer, content = await _send(parts, call, task, credentials.parameters)
            if answer.status in _AGAIN and credentials.renewable:
                credentials = await _credentials(parts, call, given, credentials.serial)
                answer, content = await _send(parts, call, task, credentials.parameters)
    except TimeoutError:
        raise StatesError(_SOCKET, f"{given['ApiEndpoint']} did not answer within {_SECONDS:g} seconds.") from None
    except (ConnectionError, ValueError) as error:
        raise StatesError(_SOCKET, f"{given['ApiEndpoint']} cannot be reached: {error}") from error
    headers: dict[str, list[str]] = {}
    for name, value in answer.headers:
        headers.setdefault(name.lower(), []).append(value)
    _tell_answer(task.exchange, answer, content)
    if not 200 <= answer.status < 300:
        raise StatesError(f"States.Http.StatusCode.{answer.status}", _phrase(answer.status))
    return Done(
        {
            "Headers": headers,
            "ResponseBody": _body(content, (headers.get("content-type") or [""])[0]),
            "StatusCode": answer.status,
            "StatusText": _phrase(answer.status),
        }
    )


async def _permission(parts: Parts, call: Call, facts: Facts, given: dict[str, Any]) -> None:
    wanted = InvokeHttpEndpoint(
        state_machine_arn=facts.machine_arn, api_endpoint=given["ApiEndpoint"], method=given["Method"]
    )
    try:
        await parts.calls.run(call, "stepfunctions", PERMISSION, wanted)
    except AwsError as error:
        raise StatesError("States.Http.AccessDenied", error.message) from error


async def _credentials(parts: Parts, call: Call, given: dict[str, Any], refused: int) -> ConnectionCredentials:
    request = RetrieveConnectionCredentials(connection_arn=connection_of(given), refused=refused)
    try:
        found: ConnectionCredentials = await parts.calls.run(call, "events", OPERATION, request)
    except AwsError as error:
        name = _CONNECTION_ERRORS.get(error.code, "InternalError")
        raise StatesError(f"Events.ConnectionResource.{name}", error.message) from error
    return found


async def _send(parts: Parts, call: Call, task: TaskCall, parameters: HttpParameters) -> tuple[WebAnswer, bytes]:
    given, region = task.arguments, task.facts.region
    sent = _sent(given, parameters, region)
    if task.exchange is not None:
        shown = sent if task.exchange.reveal else _sent(given, _NO_PARAMETERS, region)
        _tell_request(task.exchange, given, shown)
    lines = [*sent.lines, *([("X-Amzn-Trace-Id", call.trace)] if call.trace else ())]
    request = WebRequest(method=given["Method"], path="", lines=lines, content=sent.content)
    if parts.client is None:
        raise ConnectionError("there is no way out of this node")
    answer = await parts.client.send(sent.url, request, seconds=_SECONDS, stream=True)
    return answer, await _content(answer.body)


def _sent(given: dict[str, Any], parameters: HttpParameters, region: str) -> _Sent:
    """The request: what the connection adds takes the place of what the task has under the same name."""
    fixed = [("User-Agent", f"Amazon|StepFunctions|HttpInvoke|{region}"), ("Range", f"bytes=0-{LIMIT}")]
    own = [
        (name, text_of(value)) for name, values in (given.get("Headers") or {}).items() for value in values_of(values)
    ]
    added = [(each.key, each.value) for each in parameters.headers]
    taken = {name.lower() for name, _ in added} | {name.lower() for name, _ in fixed}
    lines = [line for line in own if line[0].lower() not in taken] + added
    content = _request_body(given, parameters)
    if content and not any(name.lower() == "content-type" for name, _ in lines):
        lines.append(("Content-Type", "application/json; charset=UTF-8"))
    return _Sent(_url(given, parameters), lines + fixed, content)


def _url(given: dict[str, Any], parameters: HttpParameters) -> str:
    added = [(each.key, each.value) for each in parameters.query]
    taken = {name for name, _ in added}
    pairs = [pair for pair in _pairs(given.get("QueryParameters")) if pair[0] not in taken] + added
    url = quote(given["ApiEndpoint"], safe="%/:?[]@!$&'()*+,;=~")
    query = urlencode(pairs, quote_via=quote)
    return url if not query else f"{url}{'&' if '?' in url else '?'}{query}"


def _pairs(query: Any) -> list[tuple[str, str]]:
    if isinstance(query, dict):
        return [(name, text_of(value)) for name, values in query.items() for value in values_of(values)]
    return [pair for text in values_of(query) if text for pair in parse_qsl(text, keep_blank_values=True)]


def _request_body(given: dict[str, Any], parameters: HttpParameters) -> bytes:
    body = given.get("RequestBody")
    if parameters.body:
        if body is not None and not isinstance(body, dict):
            raise StatesError(
                RUNTIME, "The RequestBody must be an object, since the connection has body parameters to merge with it."
            )
        body = {**(body or {}), **{each.key: each.value for each in parameters.body}}
    if body is None:
        return b""
    transform = given.get("Transform") or {}
    if transform.get("RequestBodyEncoding") == "URL_ENCODED" and isinstance(body, dict):
        options = transform.get("RequestEncodingOptions") or {}
        return form(body, options.get("ArrayFormat", "INDICES")).encode()
    return body.encode() if isinstance(body, str) else to_json(body)


async def _content(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    content = bytearray()
    async with aclosing(body) as pieces:
        async for piece in pieces:
            content += piece
            if len(content) > LIMIT:
                raise too_large("http:invoke")
    return bytes(content)


def _body(content: bytes, kind: str) -> Any:
    """JSON where it says that it is some, else its text. Raises States.Runtime for what is no text."""
    kind = kind.partition(";")[0].strip().lower()
    if content and kind.startswith(_NO_TEXT):
        raise StatesError(RUNTIME, f"The response has the content type {kind}, which an HTTP Task cannot take.")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise StatesError(RUNTIME, "The response cannot be read as text in UTF-8.") from None
    if kind.endswith("json") or not kind:
        try:
            return loads(text)
        except (msgspec.DecodeError, RecursionError):
            return text
    return text


def _tell_request(exchange: HttpExchange, given: dict[str, Any], sent: _Sent) -> None:
    exchange.request = {
        "protocol": sent.url.partition(":")[0],
        "method": given["Method"],
        "url": sent.url,
        "headers": _shown(sent.lines),
        "body": sent.content.decode(),
    }


def _tell_answer(exchange: HttpExchange | None, answer: WebAnswer, content: bytes) -> None:
    if exchange is not None:
        exchange.response = {
            "protocol": exchange.request["protocol"],
            "statusCode": str(answer.status),
            "statusMessage": _phrase(answer.status),
            "headers": _shown([(name.lower(), value) for name, value in answer.headers]),
            "body": content.decode(errors="replace"),
        }


def _shown(lines: list[tuple[str, str]]) -> str:
    return f"[{', '.join(f'{name}: {value}' for name, value in lines)}]"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
