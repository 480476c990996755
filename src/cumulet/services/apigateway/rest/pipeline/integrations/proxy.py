"""AWS_PROXY: the function gets the request as it is, and its answer is the client's.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from cumulet.kernel.web import WebAnswer
from cumulet.services.apigateway.plane.execution_log import cut
from cumulet.services.apigateway.plane.lambdas import CannotInvoke, FunctionUri
from cumulet.services.apigateway.plane.pacing import paced
from cumulet.services.apigateway.rest.pipeline import bodies, events
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.pipeline.headers import UNMAPPABLE_FOR_SERVICES, answer_name
from cumulet.services.apigateway.rest.pipeline.integrations.invoking import (
    broken,
    client,
    invoke,
    malformed,
    pace,
    refused,
    target,
    timed_out,
)
from cumulet.services.apigateway.rest.pipeline.integrations.plan import Plan
from cumulet.services.apigateway.rest.pipeline.log import tell_answer, tell_request

_MEMBERS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded", "cookies"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS = re.compile(r"[\r\n\0]")
_BETWEEN = b"\0" * 8
_LONGEST_HEAD = 16_384
_encode = msgspec.json.Encoder().encode


class ProxyIntegration:
    """A function that speaks HTTP in payload format 1.0."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        # Mappings change nothing here, but for those of headers that cannot be mapped at all.
        self._broken = any(
            mapping.place == "header" and mapping.name.lower() in UNMAPPABLE_FOR_SERVICES for mapping in plan.mappings
        )

    async def run(self, ex: Exchange) -> WebAnswer:
        plan = self.plan
        function = target(ex, plan)
        if self._broken:
            raise broken(
                "Execution failed due to configuration error: a header of the request parameters cannot be mapped"
            )
        payload = _encode(events.proxy_event(ex))
        if ex.log is not None:
            tell_request(ex, function.function, payload)
        if plan.streams or function.streams:
            return await self._stream(ex, function, payload)
        invoked = await invoke(ex, plan, function, payload)
        ex.integration["status"] = ex.integration["integrationStatus"] = 200
        if ex.log is not None:
            tell_answer(ex, "200", invoked.payload)
        if invoked.error is not None:
            failed = malformed()
            failed.reason = "Lambda execution failed with status 200 due to customer function error: " + _message(
                invoked.payload
            )
            raise failed
        return answer_of(ex, invoked.payload)

    async def _stream(self, ex: Exchange, function: FunctionUri, payload: bytes) -> WebAnswer:
        plan, front = self.plan, ex.front
        try:
            async with asyncio.timeout(plan.timeout):
                pieces = await front.functions.stream(
                    ex.call(plan.arn), function.function, payload, role=plan.role, client=client(ex, plan)
                )
                head, rest = await _head(pieces)
        except TimeoutError as error:
            raise timed_out() from error
        except CannotInvoke as error:
            raise refused(error) from error
        except _NoHead as error:
            raise malformed() from error
        answer = answer_of(ex, head)
        answer.body = paced(_joined(rest, pieces), pace(ex))
        return answer


class _NoHead(Exception):
    """A streamed answer does not begin with its status and headers."""


async def _head(pieces: AsyncIterator[bytes]) -> tuple[bytes, bytes]:
    head = b""
    try:
        async for piece in pieces:
            head += piece
            if _BETWEEN in head:
                metadata, _, rest = head.partition(_BETWEEN)
                return metadata, rest
            if len(head) > _LONGEST_HEAD:
                break
    except Exception as error:
        raise _NoHead from error
    raise _NoHead


async def _joined(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in pieces:
        yield piece


def answer_of(ex: Exchange, payload: bytes) -> WebAnswer:
    """The client's answer in what a function returned. Raises Refused (502)."""
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise malformed() from None
    if not isinstance(value, dict) or not _MEMBERS.issuperset(value):
        raise malformed()
    status = _status(value.get("statusCode", 200))
    headers = _headers(value)
    body = value.get("body")
    if body is not None and not isinstance(body, str):
        body = _scalar(body)
    data = (body or "").encode()
    if value.get("isBase64Encoded") is True and data and ex.program.media.has(ex.header("accept") or "*/*"):
        try:
            data = bodies.decoded(data)
        except bodies.NotBase64:
            raise Refused(
                "API_CONFIGURATION_ERROR",
                "Internal server error",
                reason="Execution failed due to configuration error: Unable to base64 decode the body.",
            ) from None
    return WebAnswer(status=status, headers=headers, body=data)


def _status(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 200 <= value <= 599:
        raise malformed()
    return value


def _headers(value: dict[str, Any]) -> list[tuple[str, str]]:
    found = _merged(value.get("headers"), value.get("multiValueHeaders"))
    found.setdefault("content-type", ("Content-Type", ["application/json"]))
    lines = []
    for name, values in found.values():
        if not _TOKEN.fullmatch(name) or any(_BREAKS.search(text) for text in values):
            raise malformed()
        if given := answer_name(name):
            lines += [(given, text) for text in values]
    return lines


def _merged(single: object, multi: object) -> dict[str, tuple[str, list[str]]]:
    """Those with several values first; one that is named in both has all its values, in the first's casing."""
    if not isinstance(single, dict | None) or not isinstance(multi, dict | None):
        raise malformed()
    found: dict[str, tuple[str, list[str]]] = {}
    for name, values in (multi or {}).items():
        if not isinstance(values, list):
            raise malformed()
        found[name.lower()] = (name, [_scalar(one) for one in values])
    for name, one in (single or {}).items():
        text = _scalar(one)
        known = found.setdefault(name.lower(), (name, []))
        if text not in known[1]:
            known[1].append(text)
    return found


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        raise malformed()
    return "" if value is None else msgspec.json.encode(value).decode()


def _message(payload: bytes) -> str:
    text = payload.decode("utf-8", "replace")
    return f"{cut(text)}."
