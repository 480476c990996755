"""HTTP and functions: what of a request an event says, and what HTTP answer a function's response means.

Function URLs and HTTP APIs have both in common.
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-response-payload
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import binascii
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

WITH_METADATA = "application/vnd.awslambda.http-integration-response"
"""The content type of streamed responses that begin with status and headers."""
BETWEEN = b"\0" * 8
MAX_METADATA = 64 * 1024
_JSON = "application/json"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS = re.compile(r"[\r\n\0]")
_TEXT = re.compile(
    r"\s*(text/[^;]*|application/(json|javascript|xml|[^;]*\+(json|xml)))\s*(;.*)?", re.IGNORECASE | re.DOTALL
)
_REMAPPED = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding", "upgrade", "www-authenticate"}
)
"""Headers that are the platform's: the function's go by another name."""


class ProxyAnswer(Struct, kw_only=True):
    """`cookies` are whole values of Set-Cookie."""

    status: int
    headers: dict[str, str]
    cookies: tuple[str, ...] = ()
    body: bytes | AsyncIterator[bytes] = b""


class BadAnswer(Exception):
    """The function's response cannot be made an HTTP answer."""


def parameters(query: str) -> dict[str, str]:
    """The parameters of a query, as sent, decoded; those that come several times joined by commas."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def as_text(body: bytes, content_type: str) -> str | None:
    """The body as text, where its type is one of text; None for what goes to the function base64-encoded."""
    if not _TEXT.fullmatch(content_type):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def whole(payload: bytes, content_type: str) -> ProxyAnswer:
    """The answer for a response that came whole. Raises BadAnswer."""
    if content_type == WITH_METADATA:
        metadata, found, body = payload.partition(BETWEEN)
        if not found:
            raise BadAnswer("The response has no end of its metadata.")
        return with_metadata(metadata, body)
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        return ProxyAnswer(status=200, headers={"Content-Type": content_type or _JSON}, body=payload)
    if isinstance(value, dict) and "statusCode" in value:
        return _structured(value)
    body = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
    return ProxyAnswer(status=200, headers={"Content-Type": _JSON}, body=body)


def with_metadata(metadata: bytes, body: bytes | AsyncIterator[bytes]) -> ProxyAnswer:
    """The answer for a response that begins with its status and headers. Raises BadAnswer."""
    try:
        value = msgspec.json.decode(metadata)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadAnswer("The metadata of the response is no JSON.") from error
    if not isinstance(value, dict):
        raise BadAnswer("The metadata of the response is no object.")
    status = _status(value.get("statusCode", 200))
    headers = _headers(value, "application/octet-stream")
    return ProxyAnswer(status=status, headers=headers, cookies=_cookies(value), body=body)


def failure(message: str = "Internal Server Error", status: int = 502) -> ProxyAnswer:
    """The answer when the function failed, or said something that is no answer."""
    return ProxyAnswer(status=status, headers={"Content-Type": _JSON}, body=message.encode())


def _structured(value: Mapping[str, Any]) -> ProxyAnswer:
    body = value.get("body")
    data = b"" if body is None else body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    if value.get("isBase64Encoded") is True:
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise BadAnswer("The body is not base64.") from error
    return ProxyAnswer(status=_status(value["statusCode"]), headers=_headers(value), cookies=_cookies(value), body=data)


def _status(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:4])
    if not isinstance(value, int) or isinstance(value, bool) or not 100 <= value <= 599:
        raise BadAnswer("The status code is none.")
    return max(value, 200)


def _headers(value: Mapping[str, Any], default: str = _JSON) -> dict[str, str]:
    given = value.get("headers")
    if not isinstance(given, dict | None):
        raise BadAnswer("The headers are no object.")
    headers: dict[str, str] = {}
    typed = False
    for name, held in (given or {}).items():
        if isinstance(held, list | dict) or not _TOKEN.fullmatch(name):
            raise BadAnswer(f"The header {name} is none.")
        text = held if isinstance(held, str) else "" if held is None else msgspec.json.encode(held).decode()
        if _BREAKS.search(text):
            raise BadAnswer(f"The header {name} is more than a line.")
        lower = name.lower()
        typed = typed or lower == "content-type"
        headers[f"x-amzn-remapped-{lower}" if lower in _REMAPPED else name] = text
    if not typed:
        headers["Content-Type"] = default
    return headers


def _cookies(value: Mapping[str, Any]) -> tuple[str, ...]:
    cookies = value.get("cookies") or []
    if not isinstance(cookies, list) or not all(isinstance(one, str) and not _BREAKS.search(one) for one in cookies):
        raise BadAnswer("The cookies are no list of lines.")
    return tuple(cookies)
