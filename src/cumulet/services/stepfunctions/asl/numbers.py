"""Fields that are numbers: as written, by a path, or by an expression; with what AWS says of those that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cumulet.services.stepfunctions.asl import paths
from cumulet.services.stepfunctions.asl.errors import runtime
from cumulet.services.stepfunctions.asl.jsonata import expressions
from cumulet.services.stepfunctions.asl.payload import encode
from cumulet.services.stepfunctions.asl.scope import Scope

Read = Callable[[Any, Scope], Any]


def shown(value: Any) -> str:
    """A value in a message: strings bare."""
    return value if isinstance(value, str) else encode(value).decode()


def constant(value: Any) -> Read:
    """Reads ``value``."""
    return lambda input, scope: value


def field(state: dict[str, Any], name: str, *, where: str = "", whole: bool = True) -> Read | None:
    """What reads the field ``name`` or ``<name>Path`` of a Map, a reader or a batcher; None where neither is there."""
    path = state.get(f"{name}Path")
    if path is not None:
        return _by_path(f"{name}Path", path, whole)
    value = state.get(name)
    if value is None:
        return None
    if not expressions.is_expression(value):
        return constant(value)
    return by_expression(value, where + name)


def by_expression(value: str, name: str) -> Read:
    """What evaluates an expression that gives a number."""
    evaluate = expressions.typed(value, name, "number")
    return lambda input, scope: evaluate(expressions.Frame(scope, input=input))


def _by_path(name: str, path: str, whole: bool) -> Read:
    source = paths.source(path)

    def read(input: Any, scope: Scope) -> int | float:
        try:
            value = source.read(input, scope)
        except paths.NotFound as missing:
            raise runtime(f"Invalid path '{path}' : {missing}") from None
        number = _parsed(value, whole)
        if number is None:
            kind = "integer" if whole else "float"
            raise runtime(f'The {name} field refers to value "{shown(value)}" which is not a valid {kind}: {path}')
        return number

    return read


def _parsed(value: Any, whole: bool) -> int | float | None:
    """As AWS: the value's text is parsed, so "2" is a number too, and 2.0 no whole one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    text = shown(value)
    try:
        if not whole:
            return float(text)
        return int(text) if text.lstrip("+-").isdigit() else None
    except ValueError:
        return None


def seconds(state: dict[str, Any], name: str) -> Read | None:
    """What reads ``Seconds``, ``TimeoutSeconds`` or ``HeartbeatSeconds``, or its Path."""
    path = state.get(f"{name}Path")
    if path is not None:
        return _seconds_by_path(f"{name}Path", path)
    value = state.get(name)
    if value is None:
        return None
    return by_expression(value, name) if expressions.is_expression(value) else constant(value)


def _seconds_by_path(name: str, path: str) -> Read:
    source = paths.source(path)

    def read(input: Any, scope: Scope) -> int:
        try:
            value = source.read(input, scope)
        except paths.NotFound as missing:
            if name == "SecondsPath":
                raise runtime(f"The SecondsPath parameter does not reference an input value: {path}") from None
            raise runtime(f"Invalid path '{path}' : {missing}") from None
        if value is None:
            raise runtime(f"The {name} parameter does not reference an input value: {path}")
        number = _parsed(value, True)
        if number is None:
            raise runtime(f"The {name} parameter cannot be parsed as a long value: {path} == {shown(value)}")
        if number < 0:
            raise runtime(f"The {name} parameter references a negative value: {path} == {shown(value)}")
        return int(number)

    return read
