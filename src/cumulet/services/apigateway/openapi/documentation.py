"""`x-amazon-apigateway-documentation`."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.api import apigateway as api
from cumulet.services.apigateway.openapi.document import table, tables
from cumulet.services.apigateway.rest.apis.fresh import part_id

EXTENSION = "x-amazon-apigateway-documentation"
_ANYWHERE = ("API", "AUTHORIZER", "MODEL")
"""Kinds of parts that have no path."""


def read(root: dict[str, Any], parts: dict[str, api.DocumentationPart]) -> list[str]:
    """Put a document's parts to `parts`, those for places that have one in their stead; gives their ids."""
    ids = {_key(part.location): id for id, part in parts.items() if part.location is not None}
    described = list(tables(table(root.get(EXTENSION)).get("documentationParts")))
    # Parts are listed in the order of their ids: theirs is the document's.
    fresh = iter(sorted(part_id() for _ in described))
    changed = []
    for each, new in zip(described, fresh, strict=True):
        location = _location(table(each.get("location")))
        if location is None:
            continue
        id = ids.setdefault(_key(location), new)
        properties = each.get("properties")
        text = properties if isinstance(properties, str) else msgspec.json.encode(properties).decode()
        parts[id] = api.DocumentationPart(id=id, location=location, properties=text)
        changed.append(id)
    return changed


def _key(location: api.DocumentationPartLocation) -> bytes:
    return msgspec.json.encode(location)


def _location(described: dict[str, Any]) -> api.DocumentationPartLocation | None:
    """Where a part belongs: at the root, where it could have a path and has none."""
    kind = described.get("type")
    if not isinstance(kind, str):
        return None
    location = api.DocumentationPartLocation(type=kind)
    location.name = _text(described.get("name"))
    if kind not in _ANYWHERE:
        location.path = _text(described.get("path")) or "/"
        location.method = _text(described.get("method"))
        location.status_code = _text(described.get("statusCode"))
    return location


def write(parts: dict[str, api.DocumentationPart], version: str | None) -> dict[str, Any]:
    """The extension that describes these parts."""
    described = [
        {
            "location": msgspec.to_builtins(part.location),
            "properties": msgspec.json.decode(part.properties) if part.properties else {},
        }
        for part in parts.values()
    ]
    return ({"version": version} if version else {}) | {"documentationParts": described}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
