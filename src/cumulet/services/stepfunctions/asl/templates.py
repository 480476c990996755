"""Payload templates: JSON in which keys that end in ``.$`` have paths or intrinsic function calls as their values.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-inputpath-params.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cumulet.services.stepfunctions.asl import intrinsics, paths
from cumulet.services.stepfunctions.asl.errors import StatesError, runtime
from cumulet.services.stepfunctions.asl.payload import encode
from cumulet.services.stepfunctions.asl.scope import Scope

Evaluate = Callable[[Any, Scope], Any]


class BadTemplate(Exception):
    """``field`` of the template (such as ``name.$``) has no path and no call as its value."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def reader(text: str) -> paths.Source | intrinsics.Call:
    """The path or call that ``text`` is; raises BadPath or BadCall."""
    return intrinsics.call(text) if text.lstrip().startswith("States.") else paths.source(text)


def template(value: Any) -> Evaluate:
    """What makes a payload of (input, scope); raises BadTemplate. The payload may share parts with the template."""
    evaluate = _build(value)
    if evaluate is None:
        return lambda input, scope: value
    return evaluate


def _build(value: Any) -> Evaluate | None:
    """None where there is nothing to evaluate."""
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, list):
        built = [_build(item) for item in value]
        if not any(built):
            return None
        pairs = list(zip(value, built, strict=True))
        return lambda input, scope: [item if make is None else make(input, scope) for item, make in pairs]
    return None


def _object(value: dict[str, Any]) -> Evaluate | None:
    made: list[tuple[str, Any, Evaluate | None]] = []
    for key, inner in value.items():
        if key.endswith(".$"):
            made.append((key[:-2], None, leaf(key, inner)))
        else:
            made.append((key, inner, _build(inner)))
    if all(make is None for _, _, make in made):
        return None
    return lambda input, scope: {key: inner if make is None else make(input, scope) for key, inner, make in made}


def leaf(field: str, text: Any) -> Evaluate:
    """What reads a path or makes a call for ``field``; raises BadTemplate."""
    if not isinstance(text, str):
        raise BadTemplate(field)
    try:
        found = reader(text)
    except (paths.BadPath, intrinsics.BadCall):
        raise BadTemplate(field) from None
    if text == "$":
        return lambda input, scope: input
    read = found.read
    if isinstance(found, intrinsics.Call):

        def call(input: Any, scope: Scope) -> Any:
            try:
                return read(input, scope)
            except paths.NotFound:
                raise _unresolved(found, field, input, scope) from None

        return call

    def path(input: Any, scope: Scope) -> Any:
        try:
            return read(input, scope)
        except paths.NotFound:
            raise not_found(text, field, input) from None

    return path


def not_found(path: str, field: str, input: Any) -> StatesError:
    """``States.Runtime`` for a path of a template, or an ErrorPath or CausePath, that leads nowhere."""
    return runtime(
        f"The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{encode(input).decode()}'"
    )


def _unresolved(call: intrinsics.Call, field: str, input: Any, scope: Scope) -> StatesError:
    """The same for the first path of a call that leads nowhere."""
    for source in call.sources():
        try:
            source.read(input, scope)
        except paths.NotFound:
            return not_found(source.text, field, input)
    return not_found(call.text, field, input)
