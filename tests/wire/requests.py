"""Requests as tests write them."""

from cumulet.kernel.streams import BytesStream
from cumulet.wire.http import HttpRequest


def request(
    method: str = "GET",
    target: str = "/",
    *,
    headers: dict[str, str] | None = None,
    content: bytes = b"",
    scope: str = "",
) -> HttpRequest:
    """A request to `target` (path and query); `scope` is the service that its signature is for."""
    path, _, query = target.partition("?")
    signed = {"authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{scope}/aws4_request, Signature=0"}
    sent = {"host": "localhost:4566", **(signed if scope else {}), **(headers or {})}
    return HttpRequest(method, path, query, sent, BytesStream(content), content=content)


def form(text: str, target: str = "/", *, scope: str = "") -> HttpRequest:
    """A call in the query protocol."""
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    return request("POST", target, headers=headers, content=text.encode(), scope=scope)


def json(target: str, content: bytes, *, scope: str = "") -> HttpRequest:
    """A call in awsJson; `target` is `Prefix.Operation`."""
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.0"}
    return request("POST", "/", headers=headers, content=content, scope=scope)
