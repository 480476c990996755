"""Rules of HTTP and WebSocket APIs that need no store."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

S = TypeVar("S", bound=Struct)


@cache
def _common(kind: type[Struct], source: type[Struct]) -> tuple[str, ...]:
    theirs = set(source.__struct_fields__)
    return tuple(name for name in kind.__struct_fields__ if name in theirs)


def copied(kind: type[S], source: Any, **more: Any) -> S:
    """A struct of `kind` with the members that `source` has by the same names; `more` wins."""
    values = {name: getattr(source, name) for name in _common(kind, source.__class__)}
    return kind(**(values | more))


def updated(item: S, request: Struct, **more: Any) -> S:
    """`item` with the members that a request for an update gives; an empty text takes a member away."""
    given = {}
    for name in _common(type(item), type(request)):
        value = getattr(request, name)
        if value is not None:
            given[name] = None if value == "" else value
    return msgspec.structs.replace(item, **(given | more))


def merged(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Two maps of an update: an empty value takes its key away."""
    if new is None:
        return dict(old) if old is not None else None
    return {key: value for key, value in {**(old or {}), **new}.items() if value not in ("", {}, None)}


def one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    """Raises BadRequestException when a value is not of an enumeration."""
    if value and value not in allowed:
        from cumulet.services.apigateway.http.errors import bad  # noqa: PLC0415  makes a class for an error alone

        raise bad(f"Invalid {name} specified. Must be one of [{', '.join(allowed)}]")


def host_of(api_id: str, region: str, endpoint: str) -> str:
    """The host, with its port, that an API has for a client which reached this node at `endpoint`.

    A subdomain of the client's own name for the node; of `localhost`, which browsers and curl find by themselves, where it
    came by an address.
    """
    parts = urlsplit(endpoint)
    name = parts.hostname or "localhost"
    try:
        ipaddress.ip_address(name)
        name = "localhost"
    except ValueError:
        pass
    if ".execute-api." in name:  # an API's own function asks: the node's name is what follows the region
        name = name.partition(".execute-api.")[2].partition(".")[2] or "localhost"
    port = f":{parts.port}" if parts.port else ""
    return f"{api_id}.execute-api.{region}.{name}{port}"


def endpoint_of(api_id: str, region: str, protocol: str, endpoint: str) -> str:
    """`ApiEndpoint`: http or ws, with TLS where the client came with TLS."""
    secure = endpoint.startswith("https")
    scheme = ("wss" if secure else "ws") if protocol == "WEBSOCKET" else ("https" if secure else "http")
    return f"{scheme}://{host_of(api_id, region, endpoint)}"
