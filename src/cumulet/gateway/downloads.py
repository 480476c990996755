"""Addresses that carry their own permission: what services hand out for a while (a function's code), fetched with GET."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from cumulet.gateway.connection import Beside
from cumulet.wire.http import HttpRequest, HttpResponse


class Download(NamedTuple):
    """What an address gives."""

    length: int
    body: AsyncIterator[bytes]


Find = Callable[[str, Mapping[str, str]], Awaitable[Download | None]]
"""Takes the rest of the path and the query; None when the address is not, or no longer, good."""


def answers(prefix: str, find: Find) -> Beside:
    """What answers addresses under `prefix`."""

    async def download(request: HttpRequest) -> HttpResponse:
        found = None
        if request.method == "GET":
            found = await find(request.path.removeprefix(prefix), dict(parse_qsl(request.query)))
        if found is None:
            body = b'{"message":"This address is not good, or no longer: ask for a new one."}'
            return HttpResponse(403, {"content-type": "application/json"}, body)
        headers = {"content-type": "application/zip", "content-length": str(found.length)}
        return HttpResponse(200, headers, found.body)

    return lambda request: download(request) if request.path.startswith(prefix) else None
