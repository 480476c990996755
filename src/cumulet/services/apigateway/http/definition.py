"""An HTTP or WebSocket API as a whole: what a deployment froze, or what a document describes."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

from cumulet.api import apigatewayv2 as v2
from cumulet.services.apigateway.http.store import DEPLOYED, decode_api


class Definition(Struct, kw_only=True):
    """Parts by their ids; responses by their route's or integration's id."""

    api: v2.Api
    routes: dict[str, v2.Route] = {}
    route_responses: dict[str, list[v2.RouteResponse]] = {}
    integrations: dict[str, v2.Integration] = {}
    integration_responses: dict[str, list[v2.IntegrationResponse]] = {}
    authorizers: dict[str, v2.Authorizer] = {}
    models: dict[str, v2.Model] = {}

    def add(self, table: str, parent: str, part: Any) -> None:
        """Put a part, as the store has it, where it belongs."""
        kind = _KINDS[table]
        held = getattr(self, f"{table}s")
        if parent:
            held.setdefault(parent, []).append(part)
        else:
            held[kind.id_of(part)] = part


class _Frozen(Struct):
    api: Raw
    parts: list[tuple[str, str, Raw]]


_KINDS = {kind.table: kind for kind in DEPLOYED}


@cache
def _decoder() -> msgspec.json.Decoder[_Frozen]:
    return msgspec.json.Decoder(_Frozen)


def thaw(body: bytes) -> Definition:
    """The definition that a deployment froze."""
    frozen = _decoder().decode(body)
    definition = Definition(api=decode_api(bytes(frozen.api)))
    for table, parent, raw in frozen.parts:
        definition.add(table, parent, _KINDS[table].decode(bytes(raw)))
    return definition
