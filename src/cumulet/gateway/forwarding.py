"""Requests that a service answers by passing them on: from the wire to its terms, and back."""

from collections.abc import AsyncIterable

from cumulet.kernel.web import WebAnswer, WebRequest
from cumulet.wire.http import HttpRequest, HttpResponse


def web_request(request: HttpRequest) -> WebRequest:
    """Everything but the body."""
    return WebRequest(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=request.headers,
        lines=[(name.decode("latin-1"), value.decode("latin-1").strip(" \t")) for name, value in request.lines],
        scheme=request.scheme,
        peer=request.peer,
    )


def body_of(request: HttpRequest) -> tuple[bytes | AsyncIterable[bytes], int | None]:
    """The body, whole where it came so, and its length in bytes; None where the client did not tell it."""
    if not request.content and request.body.length != 0:
        return request.body, request.body.length
    return request.content, len(request.content)


def http_response(answer: WebAnswer) -> HttpResponse:
    """A body's length goes where the connection looks for it."""
    framing = {name: value for name, value in answer.headers if name.lower() == "content-length"}
    return HttpResponse(answer.status, framing, answer.body, (), answer.headers)
