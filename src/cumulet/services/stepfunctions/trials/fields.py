"""Whether a mocked result has the fields that the service's operation gives, by its model."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from cumulet.api import stepfunctions as api
from cumulet.api.model import Member, Model, Shape, load
from cumulet.services.stepfunctions.tasks.optimised import MODULES
from cumulet.services.stepfunctions.tasks.resources import Resource
from cumulet.services.stepfunctions.tasks.vocabulary import SERVICES, java_name, operation_name, pascal_name

_OPTIMISED = {**MODULES, "states": "stepfunctions", "lambda": "lambda_"}
_NUMBERS = frozenset({"integer", "long", "float", "double", "bigdecimal", "biginteger"})
_TEXTS = frozenset({"string", "character", "blob", "timestamp"})
# The function's answer, which optimised integrations have parsed.
_FREE = frozenset({("lambda", "Payload")})


def check(resource: Resource, result: Any, *, strict: bool) -> None:
    """Fields that are there need the right type and size; `strict`: those that are required have to be there.

    Fields that the operation does not have, and operations without a model here, are not looked at. Raises ValidationException.
    """
    if resource.family == "sdk":
        found = SERVICES.get(resource.service)
        module = found.module if found is not None else ""
    else:
        module = _OPTIMISED.get(resource.service, "") if resource.family == "service" else ""
    if not module:
        return
    model = load(module)
    operation = model.operations.get(operation_name(resource.action))
    if operation is None or not operation.output:
        return
    name = java_name if resource.family == "sdk" else pascal_name
    free = {field for service, field in _FREE if service == resource.service and resource.family == "service"}
    if not isinstance(result, dict):
        raise _problem("Mock result must be an object")
    _Check(model, name, strict=strict, free=free).structure(model.shape(operation.output), result)


class _Check:
    def __init__(self, model: Model, name: Any, *, strict: bool, free: set[str]) -> None:
        self._model = model
        self._name = name
        self._strict = strict
        self._free = free

    def structure(self, shape: Shape, value: dict[str, Any]) -> None:
        for name, member in shape.members.items():
            field = self._name(name)
            if field in value:
                if field not in self._free and value[field] is not None:
                    self._value(field, member, value[field])
            elif self._strict and name in shape.required:
                raise _problem(f"Required field '{field}' is missing")

    def _value(self, field: str, member: Member, value: Any) -> None:
        shape = self._model.shape(member.shape)
        kind = shape.type
        if kind == "structure":
            _typed(field, value, dict, "an object")
            self.structure(shape, value)
        elif kind == "list" and shape.member is not None:
            _typed(field, value, list, "an array")
            _bounds(field, shape, len(value))
            for item in value:
                self._value(field, shape.member, item)
        elif kind == "map" and shape.value is not None:
            _typed(field, value, dict, "an object")
            for item in value.values():
                self._value(field, shape.value, item)
        elif kind == "boolean":
            _typed(field, value, bool, "a boolean")
        elif kind in _NUMBERS:
            _number(field, shape, value)
        elif kind in _TEXTS:
            _typed(field, value, str, "a string")
            _text(field, shape, value)


def _number(field: str, shape: Shape, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _problem(f"Field '{field}' must be a number")
    if shape.min is not None and value < shape.min:
        raise _problem(f"Field '{field}' is less than the minimum value")
    if shape.max is not None and value > shape.max:
        raise _problem(f"Field '{field}' exceeds the maximum value")


def _text(field: str, shape: Shape, value: str) -> None:
    if shape.enum and value not in shape.enum:
        raise _problem(f"Field '{field}' is not an expected value")
    if shape.type == "string":
        _bounds(field, shape, len(value))
    elif shape.type == "blob":
        try:
            _bounds(field, shape, len(base64.b64decode(value, validate=True)))
        except (binascii.Error, ValueError):
            _bounds(field, shape, len(value))


def _bounds(field: str, shape: Shape, length: int) -> None:
    if shape.min is not None and length < shape.min:
        raise _problem(f"Field '{field}' is smaller than the minimum length")
    if shape.max is not None and length > shape.max:
        raise _problem(f"Field '{field}' exceeds the maximum length")


def _typed(field: str, value: Any, kind: type, words: str) -> None:
    if not isinstance(value, kind):
        raise _problem(f"Field '{field}' must be {words}")


def _problem(text: str) -> api.ValidationException:
    return api.ValidationException(f"Mock result schema validation error: {text}")
