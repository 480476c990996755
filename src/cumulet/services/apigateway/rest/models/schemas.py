"""What can be made of a model's JSON schema: one document without references, and a template for its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from cumulet.api import apigateway as api
from cumulet.services.apigateway.rest.json_text import document

_DEEPEST = 32
_INDENT = "  "


class Described(Protocol):
    """A model of a REST API or of a WebSocket API."""

    @property
    def schema(self) -> str | None: ...


def flatten(schema: str, models: Mapping[str, Described]) -> str:
    """The schema with the models it refers to put in its `definitions`."""
    flat = document(schema)
    definitions: dict[str, Any] = {}
    _inline(flat, models, definitions)
    if definitions:
        flat["definitions"] = definitions | flat.get("definitions", {})
    return msgspec.json.encode(flat).decode()


def template(model: api.Model, models: Mapping[str, api.Model]) -> str:
    """A mapping template that copies a body of this shape, member by member."""
    schema = document(model.schema or "{}")
    inner, _ = _value(schema, "$inputRoot", 0, "inputRoot", models, 0)
    return f"#set($inputRoot = $input.path('$'))\n{inner}"


def referred(reference: str) -> str:
    """The name of the model in the address of one: `https://apigateway.amazonaws.com/restapis/ID/models/NAME`."""
    return reference.rsplit("/", 1)[-1]


def _inline(part: Any, models: Mapping[str, Described], definitions: dict[str, Any]) -> None:
    if isinstance(part, list):
        for each in part:
            _inline(each, models, definitions)
    elif isinstance(part, dict):
        reference = part.get("$ref")
        if isinstance(reference, str) and "/models/" in reference:
            name = referred(reference)
            part["$ref"] = f"#/definitions/{name}"
            if name not in definitions and (model := models.get(name)) is not None:
                definitions[name] = document(model.schema or "{}")
                _inline(definitions[name], models, definitions)
        for each in list(part.values()):
            _inline(each, models, definitions)


def _value(
    schema: Any, path: str, depth: int, name: str, models: Mapping[str, api.Model], level: int
) -> tuple[str, bool]:
    """The template of one value, and whether it is text, which needs quotes."""
    if not isinstance(schema, dict) or level > _DEEPEST:
        return path, False
    reference = schema.get("$ref")
    if isinstance(reference, str) and (model := models.get(referred(reference))) is not None:
        return _value(document(model.schema or "{}"), path, depth, name, models, level + 1)
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        inside = _INDENT * (depth + 1)
        members = [
            f'{inside}"{key}" : {_quoted(*_value(each, f"{path}.{key}", depth + 1, key, models, level + 1))}'
            for key, each in schema.get("properties", {}).items()
        ]
        if not members:
            return "{ }", False
        return "{\n" + ",\n".join(members) + "\n" + _INDENT * depth + "}", False
    if kind == "array":
        item = "$elem" if level == 0 else f"$elem{level}"
        inner = _quoted(*_value(schema.get("items", {}), item, depth + 1, name, models, level + 1))
        inside = _INDENT * (depth + 1)
        return (
            f"[\n#foreach({item} in {path})\n{inside}{inner}#if($foreach.hasNext),#end\n\n#end\n{_INDENT * depth}]",
            False,
        )
    return path, kind == "string"


def _quoted(text: str, is_text: bool) -> str:
    return f'"{text}"' if is_text else text
