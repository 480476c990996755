"""What a handler returns, as JSON: the text that AWS's runtime for Python makes of it.

That runtime writes with simplejson, as https://github.com/aws/aws-lambda-python-runtime-interface-client shows: unlike with the
standard library, a named tuple is an object, bytes are a string, and a Decimal is a number with all its digits.
"""

from __future__ import annotations

import decimal
import json
import marshal
import sys
from typing import Any, Callable, Iterable

ASCII_ONLY = sys.version_info < (3, 12)
"""Whether other characters are escaped, as the runtimes before python3.12 do."""

_quote = json.encoder.encode_basestring_ascii if ASCII_ONLY else json.encoder.encode_basestring
_WITHOUT_REFERENCES = 2
"""The version of marshal's format in which what holds itself has no end, and so is refused."""


def encoder() -> Callable[[Any], str]:
    """Makes a function that writes values. What it cannot write raises TypeError or ValueError, with simplejson's text."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # an interpreter without what is written in C
        return _of_any
    chunks = make(None, None, _quote, None, ": ", ", ", False, False, True)

    def encode(value: Any) -> str:
        try:
            # Which takes values of Python's own types alone, and none that holds itself: those both libraries write alike.
            marshal.dumps(value, _WITHOUT_REFERENCES)
            return "".join(chunks(value, 0))
        except Exception:  # noqa: BLE001 - whatever is unusual about it
            return _of_any(value)

    return encode


def _of_any(value: Any) -> str:
    return _Writer().text(value)


class _Writer:
    """Writes one value of whatever types."""

    def __init__(self) -> None:
        self._within: set[int] = set()

    def text(self, value: Any) -> str:
        """The value's JSON. What it is taken for is looked for in simplejson's order."""
        scalar = _of_scalar(value)
        if scalar is not None:
            return scalar
        if id(value) in self._within:
            raise ValueError("Circular reference detected")
        self._within.add(id(value))
        text = self._of_container(value)
        self._within.remove(id(value))
        return text

    def _of_container(self, value: Any) -> str:
        members = _as_dict(value)
        if members is not None:
            return self._object(members)
        if isinstance(value, (list, tuple)):
            return self._array(value)
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, decimal.Decimal):
            return "NaN" if value.is_nan() else str(value)
        raise TypeError(f"Object of type {value.__class__.__name__} is not JSON serializable")

    def _array(self, values: Iterable[Any]) -> str:
        return f"[{', '.join([self.text(value) for value in values])}]"

    def _object(self, members: dict[Any, Any]) -> str:
        return "{" + ", ".join([f"{_name(name)}: {self.text(value)}" for name, value in members.items()]) + "}"


def _of_scalar(value: Any) -> str | None:
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, bytes):
        return _quote(value.decode())
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _of_float(value)
    return None


def _of_float(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(float(value))


def _name(name: Any) -> str:
    """A member's name; of what is no string, the JSON of it."""
    scalar = _of_scalar(name)
    if scalar is None:
        return json.dumps({name: None})  # which raises TypeError in the words that simplejson has
    return scalar if isinstance(name, (str, bytes)) else f'"{scalar}"'


def _as_dict(value: Any) -> dict[Any, Any] | None:
    """The members of a named tuple, or of anything else with that method."""
    method = getattr(value, "_asdict", None)
    if not callable(method):
        return None
    try:
        members = method()
    except TypeError:  # as a class of named tuples raises, which is no named tuple
        return None
    if not isinstance(members, dict):
        raise TypeError(f"_asdict() must return a dict, not {type(members).__name__}")
    return members
