"""Expressions and templates of JSONata states, compiled once and evaluated over what the state may see.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cumulet.expressions.jsonata import syntax
from cumulet.expressions.jsonata.growth import Growth
from cumulet.services.stepfunctions.asl.errors import QUERY_EVALUATION, StatesError
from cumulet.services.stepfunctions.asl.payload import encode, loads
from cumulet.services.stepfunctions.asl.scope import Scope

OPEN, CLOSE = "{%", "%}"

# What an expression may come to hold in this process; more than that, and it is evaluated in one of its own.
_BYTES_HERE = 32 * 1024 * 1024
# Milliseconds an evaluation may keep this process; what takes longer is tried again in one of its own, with more time.
_MILLIS_HERE = 10
# Characters of an expression that is looked through on a thread.
_LONG = 4_000

_ALL_MEMBERS = frozenset(("input", "result", "context", "errorOutput"))


def is_expression(value: Any) -> bool:
    """Whether ``value`` is a string with an expression in it."""
    return isinstance(value, str) and value.startswith(OPEN) and value.endswith(CLOSE) and len(value) > 3


def inner(value: str) -> str:
    """The expression between the delimiters."""
    return value[len(OPEN) : -len(CLOSE)].strip()


class Frame:
    """What expressions of one state see at one moment: ``$states`` and variables. Texts are made when first needed."""

    __slots__ = ("_texts", "members", "scope")

    def __init__(self, scope: Scope, **members: Any) -> None:
        self.scope = scope
        self.members = members
        self._texts: dict[str, bytes] = {}

    def _text(self, member: str) -> bytes | None:
        text = self._texts.get(member)
        if text is None:
            if member == "context":
                text = encode(self.scope.context)
            elif member in self.members:
                text = encode(self.members[member])
            else:
                return None
            self._texts[member] = text
        return text

    def document(self, members: frozenset[str], names: tuple[str, ...]) -> str:
        """The JSON text an expression is evaluated over."""
        parts: list[bytes] = []
        if members:
            inside = [
                b'"%s":%s' % (member.encode(), text)
                for member in sorted(members & _ALL_MEMBERS)
                if (text := self._text(member)) is not None
            ]
            parts.append(b'"states":{' + b",".join(inside) + b"}")
        variables = self.scope.variables
        parts.extend(b'"%s":%s' % (name.encode(), encode(variables[name])) for name in names)
        return (b"{" + b",".join(parts) + b"}").decode()


class Expression:
    """One expression, compiled when it is first evaluated."""

    __slots__ = ("_direct", "_growth", "_members", "_names", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._direct = _DIRECT.fullmatch(text)
        self._growth: Growth | None = None
        self._members: frozenset[str] = frozenset()
        self._names: tuple[str, ...] = ()

    def _analysed(self) -> Growth:
        """What the text refers to, and how much it may hold; found out at the first evaluation."""
        members = syntax.states_members(self.text)
        self._members = _ALL_MEMBERS if members is None else members
        self._names = tuple(sorted(syntax.variables(self.text) - {"states"}))
        self._growth = Growth(self.text)
        return self._growth

    def evaluate(self, frame: Frame, field: str) -> Any:
        """The value; raises StatesError, with ``field`` as its location."""
        if self._direct is not None:
            value = _read(frame, self._direct)
            if value is not _UNSURE:
                return value
        patience = frame.scope.patience
        patience.check()
        if self._growth is None and len(self.text) > _LONG:
            patience.leave()
        growth = self._growth or self._analysed()
        variables = frame.scope.variables
        names = tuple(name for name in self._names if name in variables) if variables else ()
        bound = (*names, "states") if self._members else names
        document = frame.document(self._members, names)
        here = growth.bytes(document) + len(self.text) <= _BYTES_HERE
        found = self._run(document, bound, frame.scope, field, here)
        if found is None:
            raise _failure(
                f"The JSONata expression '{self.text}' specified for the field '{field}' returned nothing (undefined).",
                field,
            )
        patience.take(len(found))
        return loads(found)

    def _run(self, document: str, bound: tuple[str, ...], scope: Scope, field: str, here: bool) -> str | None:
        from cumulet.expressions.jsonata import library  # noqa: PLC0415  # loaded when first needed

        millis = 0 if scope.now is None else scope.now()
        try:
            if here:
                program = library.program(self.text, bound)
                try:
                    return program.run(document, scope.random, millis, _MILLIS_HERE)
                except library.JsonataError as failed:
                    if not isinstance(failed, library.TooLong):
                        raise
            scope.patience.leave()  # whoever asks the other process waits for it
            from cumulet.expressions.jsonata.bounded import bounded  # noqa: PLC0415  # seldom needed

            found, seconds = bounded.run(self.text, bound, document, scope.random.getrandbits(64), millis)
        except library.JsonataError as failed:
            raise self._failed(failed, field) from None
        scope.patience.spend(seconds)
        return found

    def _failed(self, failed: Any, field: str) -> StatesError:
        about = f"The JSONata expression '{self.text}' specified for the field '{field}'"
        if failed.code == "unsupported":
            return _failure(f"{about} returned an unsupported result type.", field)
        if failed.code:
            return _failure(f"{about} threw an error during evaluation. {failed.code}: {failed.message}", field)
        return _failure(f"{about} threw an error during evaluation: {failed.message}", field)


# `$states.input.a.b`, `$states.result` and `$name.a`: read without the library where only objects are met on the way.
_DIRECT = re.compile(r"\$(?:states\.(input|result|errorOutput)|([A-Za-z_]\w*))((?:\.[A-Za-z_]\w*)*)", re.ASCII)
_UNSURE: Any = object()


def _read(frame: Frame, direct: re.Match[str]) -> Any:
    """The value of a direct reference, or ``_UNSURE``: arrays on the way and what is not there are the library's matter."""
    member, name, rest = direct.groups()
    value = (frame.members if member else frame.scope.variables).get(member or name, _UNSURE)
    if not rest:
        return value
    for step in rest.split(".")[1:]:
        if type(value) is not dict:
            return _UNSURE
        value = value.get(step, _UNSURE)
    return _UNSURE if type(value) is list else value


def _failure(cause: str, field: str) -> StatesError:
    return StatesError(QUERY_EVALUATION, cause, location=field, inner=True)


@lru_cache(maxsize=4096)
def expression(text: str) -> Expression:
    """The compiled expression of ``text`` (without delimiters)."""
    return Expression(text)


Evaluate = Callable[[Frame], Any]


def template(value: Any, field: str) -> Evaluate:
    """What makes a value of a frame: every string that is an expression becomes its result."""
    made = _build(value, field)
    return made if made is not None else lambda frame: value


def _build(value: Any, field: str) -> Evaluate | None:
    if isinstance(value, str):
        if not is_expression(value):
            return None
        compiled = expression(inner(value))
        return lambda frame: compiled.evaluate(frame, field)
    if isinstance(value, dict):
        made = [(key, item, _build(item, f"{field}/{key}")) for key, item in value.items()]
        if all(make is None for _, _, make in made):
            return None
        return lambda frame: {key: item if make is None else make(frame) for key, item, make in made}
    if isinstance(value, list):
        items = [(item, _build(item, f"{field}[{index}]")) for index, item in enumerate(value)]
        if all(make is None for _, make in items):
            return None
        return lambda frame: [item if make is None else make(frame) for item, make in items]
    return None


_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


def type_name(value: Any) -> str:
    """JSONata's name of a value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return next(name for name, types in _TYPES.items() if isinstance(value, types))


def typed(value: Any, field: str, *wanted: str) -> Evaluate:
    """As ``template`` for a field that takes only some types; the first of ``wanted`` is what the message names."""
    if not is_expression(value):
        return lambda frame: value
    compiled = expression(inner(value))

    def evaluate(frame: Frame) -> Any:
        found = compiled.evaluate(frame, field)
        kind = type_name(found)
        if kind not in wanted:
            raise _failure(
                f"The JSONata expression '{compiled.text}' specified for the field '{field}' returned an unexpected "
                f"result type. Expected '{wanted[0]}', but was '{kind}' for value: {encode(found).decode()}",
                field,
            )
        return found

    return evaluate
