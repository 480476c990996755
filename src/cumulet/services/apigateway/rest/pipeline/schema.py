"""JSON schemas of models, compiled, whose work is bounded: nothing is fetched for them, and no body takes long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulet.services.apigateway.rest.models.schemas import Described, flatten

_MOST_TRIES = 10_000
"""Steps that a pattern with look-around or back references may take; others take time in proportion to the text."""
_MOST_WORK = 30_000_000
"""Schemas for one place in a body, times the body's bytes."""
_FEW = 16
_SMALL = 4_096
"""Bytes of a body that is told all that is wrong with it: each error costs some 20 microseconds."""
_MOST_TOLD = 10
_LONGEST = 1_024
_BESIDE = ("allOf", "anyOf", "oneOf")
_BELOW_NAMED = ("properties", "patternProperties")
_BELOW = ("items", "additionalItems", "additionalProperties")


class InvalidSchema(ValueError):
    """A model's schema that is none, refers to what is not there, or would be too much work."""


class Schema:
    """A model's schema with those it refers to. Raises InvalidSchema."""

    def __init__(self, text: str, models: Mapping[str, Described]) -> None:
        import jsonschema_rs  # noqa: PLC0415  few APIs validate bodies, and its library is large

        try:
            document = msgspec.json.decode(flatten(text, models))
            self._weight = _weight(document, document, [], {})
            self._validator: Any = jsonschema_rs.Draft4Validator(
                document,
                offline=True,
                pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_MOST_TRIES),
            )
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise InvalidSchema(str(error)[:_LONGEST]) from error
        except jsonschema_rs.ValidationError as error:
            raise InvalidSchema(error.message[:_LONGEST]) from error

    def problem(self, content: bytes) -> str:
        """What is wrong with a body, in a sentence or several; empty when nothing is. Raises InvalidSchema."""
        try:
            document = msgspec.json.decode(content or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return "Invalid JSON"
        if self._weight > _FEW and self._weight * len(content) > _MOST_WORK:
            raise InvalidSchema("the model is too much work for a body of this size")
        try:
            if self._validator.is_valid(document):
                return ""
            if len(content) > _SMALL:
                return "The body does not fit the model"
            errors = list(self._validator.iter_errors(document))[:_MOST_TOLD]
        except (ValueError, OverflowError, RecursionError):
            return "Invalid JSON"
        return ", ".join(error.message for error in errors)[:_LONGEST] or "invalid"


def _weight(node: Any, root: Any, within: list[str], known: dict[str, int]) -> int:
    """How many schemas one place of a body is looked at with, at most: references to each other can double that with each."""
    if not isinstance(node, dict):
        return 1
    reference = node.get("$ref")
    if isinstance(reference, str):
        if reference in known:
            return known[reference]
        if reference in within:
            return 1
        known[reference] = found = 1 + _weight(_at(root, reference), root, [*within, reference], known)
        return found
    total = 1
    for name in _BESIDE:
        inner = node.get(name)
        total += sum(_weight(each, root, within, known) for each in inner) if isinstance(inner, list) else 0
    for each in (node.get("not"), *_values(node.get("dependencies"))):
        total += _weight(each, root, within, known)
    below = [each for name in _BELOW_NAMED for each in _values(node.get(name))]
    for name in _BELOW:
        inner = node.get(name)
        below += inner if isinstance(inner, list) else [inner]
    deepest = max((_weight(each, root, within, known) for each in below), default=0)
    return max(total, deepest)


def _values(node: Any) -> list[Any]:
    return list(node.values()) if isinstance(node, dict) else []


def _at(root: Any, reference: str) -> Any:
    """What a reference within the document leads to; None where it leads nowhere."""
    if not reference.startswith("#"):
        return None
    node = root
    for part in reference.lstrip("#/").split("/") if reference.lstrip("#/") else ():
        name = part.replace("~1", "/").replace("~0", "~")
        node = node.get(name) if isinstance(node, dict) else None
    return node
