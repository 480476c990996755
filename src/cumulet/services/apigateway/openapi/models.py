"""Models made of a document's schemas."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cumulet.api import apigateway as api
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.openapi.document import Document, table
from cumulet.services.apigateway.rest.apis.fresh import part_id

_PLACES = ("#/definitions/", "#/components/schemas/")
_NAME = re.compile(r"[a-zA-Z0-9]+")
_GENERATED = 6


class Models:
    """The models of an API that is being imported; schemas without a name get one."""

    def __init__(self, document: Document, address: str, models: dict[str, api.Model], errors: list[str]) -> None:
        """`address` is where the API's models are, without a slash at its end."""
        self._address = address
        self._models = models
        self._errors = errors
        for name, schema in document.schemas.items():
            self._add(name, schema)

    def _add(self, name: str, schema: Any) -> None:
        if not _NAME.fullmatch(name):
            self._errors.append(f"Unable to create model for '{name}': Model name must be alphanumeric: {name}")
            return
        before = self._models.get(name)
        description = table(schema).get("description")
        self._models[name] = api.Model(
            id=(before.id if before else None) or part_id(),
            name=name,
            description=str(description) if description else None,
            schema=msgspec.json.encode(self._referring(schema)).decode(),
            content_type="application/json",
        )

    def _referring(self, node: Any) -> Any:
        """The schema with references to other models by their addresses."""
        if isinstance(node, list):
            return [self._referring(each) for each in node]
        if not isinstance(node, dict):
            return node
        reference = node.get("$ref")
        if isinstance(reference, str) and (name := referred(reference)):
            return {**node, "$ref": f"{self._address}/{name}"}
        return {name: self._referring(each) for name, each in node.items()}

    def has(self, name: str) -> bool:
        """Whether there is a model of this name."""
        return name in self._models

    def name_of(self, schema: Any) -> str | None:
        """The name of the model for a schema in a method: the one it refers to, or a new one's."""
        schema = table(schema)
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return referred(reference)
        if not schema:
            return None
        items = table(schema.get("items")).get("$ref")
        if schema.get("type") == "array" and isinstance(items, str) and (inner := referred(items)):
            name = f"ArrayOf{inner}"
        else:
            name = f"MODEL{short_id(_GENERATED)}"
        self._add(name, schema)
        return name


def referred(reference: str) -> str | None:
    """The name of the schema that a `$ref` leads to."""
    for place in _PLACES:
        if reference.startswith(place):
            return reference[len(place) :]
    return None
