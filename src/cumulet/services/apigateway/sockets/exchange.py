"""Expressions of WebSocket APIs: what `$request.body.action`, `route.request.header.x` and `$context.connectionId` are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cumulet.services.apigateway.http.expressions import Find, in_body
from cumulet.services.apigateway.plane.context import look_up
from cumulet.services.apigateway.sockets.events import Moment, context


def finder(moment: Moment, variables: Mapping[str, str], handshake: Mapping[str, Any] | None = None) -> Find:
    """What expressions find in something that happens; `handshake` is the event of one."""
    shaken = handshake or {}

    def find(path: tuple[str, ...]) -> Any:
        match path:
            case ("request", "body"):
                return moment.body
            case ("request", "body", name):
                return in_body(moment.body or "", name)
            case ("request", "header", name):
                return _without_case(shaken.get("headers") or {}, name)
            case ("request", "querystring", name):
                return (shaken.get("queryStringParameters") or {}).get(name)
            case ("stageVariables", name):
                return variables.get(name)
            case ("context", *rest):
                return look_up(context(moment), tuple(rest))
        return None

    return find


def _without_case(headers: Mapping[str, str], name: str) -> str | None:
    lower = name.lower()
    return next((value for held, value in headers.items() if held.lower() == lower), None)


def source(text: str, find: Find) -> str | None:
    """The value of an authorizer's identity source: `route.request.header.Auth`, `context.x`, `stageVariables.y`."""
    plain = text.removeprefix("$").removeprefix("route.")
    names = plain.split(".")
    if names[0] == "request" and len(names) > 2:
        path: tuple[str, ...] = ("request", names[1], ".".join(names[2:]))
    elif names[0] == "stageVariables":
        path = (names[0], ".".join(names[1:]))
    else:
        path = tuple(names)
    value = find(path)
    return str(value) if value not in (None, "") else None
