"""Values as Java has them: how they are printed, compared and counted with.

Texts, numbers, truth values, lists and dictionaries stand for Java's String, Integer, Double, Boolean, ArrayList and LinkedHashMap.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cumulet.expressions.velocity.tree import VelocityError

LARGEST = 10 * 1024 * 1024
"""Characters of a text made by a template, or of all it prints; API Gateway's limit of a body."""
_DEEPEST = 100


class Host:
    """An object that its maker gives to templates: only what `call` and `get` answer can be reached."""

    def call(self, name: str, arguments: list[Any]) -> Any:
        """What a method gives; raises NoSuchMethod."""
        raise NoSuchMethod(name)

    def get(self, name: str) -> Any:
        """A property, or None."""
        return None

    def text(self) -> str:
        """How it is printed."""
        return ""


class NoSuchMethod(LookupError):
    """A value has no method of this name that takes these arguments: the reference has no value then."""


class Entry(Host):
    """A key and its value, of a map's `entrySet`."""

    def __init__(self, owner: dict[Any, Any], key: Any) -> None:
        self.owner = owner
        self.key = key

    def call(self, name: str, arguments: list[Any]) -> Any:
        if not arguments and name in {"getKey", "getValue"}:
            return self.get(name[3:].lower())
        if not arguments and name == "toString":
            return self.text()
        if len(arguments) == 1 and name == "setValue":
            before = self.owner.get(self.key)
            self.owner[self.key] = arguments[0]
            return before
        raise NoSuchMethod(name)

    def get(self, name: str) -> Any:
        return self.key if name == "key" else self.owner.get(self.key) if name == "value" else None

    def text(self) -> str:
        return f"{to_text(self.key)}={to_text(self.owner.get(self.key))}"


class JsonList(list[Any]):
    """A list that came from JSON, which is printed as JSON."""


def to_text(value: Any, depth: int = 0) -> str:
    """A value as Java's `toString` has it; of None, `null`."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _digits(value)
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, Host):
        return value.text()
    if depth > _DEEPEST:
        raise VelocityError("a value is nested too deeply to be printed")
    if isinstance(value, JsonList):
        return to_json(value, depth)
    return _held(value, depth)


def _held(value: Any, depth: int) -> str:
    if isinstance(value, Mapping):
        members = (f"{to_text(key, depth + 1)}={to_text(item, depth + 1)}" for key, item in value.items())
        return _joined("{", members, "}")
    if isinstance(value, list | tuple | range):
        return _joined("[", (to_text(item, depth + 1) for item in value), "]")
    return ""


def _joined(opening: str, parts: Iterable[str], closing: str, between: str = ", ") -> str:
    """Parts in brackets; raises VelocityError when they are too long together."""
    kept: list[str] = []
    size = 0
    for part in parts:
        size += len(part) + 2
        if size > LARGEST:
            raise VelocityError("a text is too long")
        kept.append(part)
    return opening + between.join(kept) + closing


def to_json(value: Any, depth: int = 0) -> str:
    """A value as JSON, without blanks."""
    if depth > _DEEPEST:
        raise VelocityError("a value is nested too deeply to be printed")
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        return _joined(
            "{", (f"{quoted(to_text(key))}:{to_json(item, depth + 1)}" for key, item in value.items()), "}", ","
        )
    if isinstance(value, list | tuple | range):
        return _joined("[", (to_json(item, depth + 1) for item in value), "]", ",")
    if isinstance(value, Host):
        return quoted(value.text())
    return to_text(value)


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"} | {
    chr(code): f"\\u{code:04X}" for code in (*range(8), 11, *range(14, 32), *range(127, 160))
}
_TABLE = str.maketrans(_ESCAPES)


def quoted(text: str) -> str:
    """A text as JSON."""
    return f'"{text.translate(_TABLE)}"'


_MOST_DIGITS = 4_000


def _digits(value: int) -> str:
    if value.bit_length() > _MOST_DIGITS * 3:
        raise VelocityError("a number is too large")
    return str(value)


def double_text(value: float) -> str:
    """A number as Java's `Double.toString`: 1.0, 0.001, 1.0E7, 1.5E-5."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    size = abs(value)
    if size == 0 or 1e-3 <= size < 1e7:
        text = repr(value)
        return text if "." in text and "e" not in text else f"{value:f}".rstrip("0")
    mantissa, _, exponent = f"{value!r}".partition("e")
    if exponent:
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"
    power = math.floor(math.log10(size))
    digits = repr(size).replace(".", "").strip("0")
    rest = digits[1:] or "0"
    return f"{'-' if value < 0 else ''}{digits[0]}.{rest}E{power}"


def is_number(value: Any) -> bool:
    """Whether Java would call it a Number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Any, right: Any, blank: bool) -> bool:
    """`==`: numbers by value, what is of one kind as such, all else by its text. `blank`: None is an empty text."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if left is None or right is None:
        if left is right:
            return True
        return blank and (left == "" or right == "")
    if isinstance(left, list | dict) and isinstance(right, list | dict):
        return same(left, right)
    return to_text(left) == to_text(right)


def same(left: Any, right: Any, depth: int = 0) -> bool:
    """Java's `equals`: true is not 1, and 1 is not "1"."""
    if depth > _DEEPEST:
        raise VelocityError("a value is nested too deeply to be compared")
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key], depth + 1) for key in left)
    if isinstance(left, list | tuple | range) and isinstance(right, list | tuple | range):
        return len(left) == len(right) and all(
            same(one, other, depth + 1) for one, other in zip(left, right, strict=True)
        )
    return type(left) is type(right) and bool(left == right)


_HEAVIEST = 200_000
_A_STEP = 64


def weight(value: Any, most: int = _HEAVIEST) -> int:
    """What going through a value costs, in steps: a part of a text's length, the number of all that a list or map holds.

    What costs more than `most` is not gone through to its end.
    """
    if isinstance(value, str):
        return len(value) // _A_STEP
    if not isinstance(value, list | dict):
        return 0
    found, most = 0, min(most, _HEAVIEST)
    waiting: list[Any] = [value]
    while waiting and found < most:
        inner = waiting.pop()
        if isinstance(inner, str):
            found += len(inner) // _A_STEP
        elif isinstance(inner, list | dict):
            found += len(inner)
            waiting.extend(inner.values() if isinstance(inner, dict) else inner)
    return found


def _divided(left: Any, right: Any) -> Any:
    if right == 0:
        return None
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


def _remainder(left: Any, right: Any) -> Any:
    """The sign is that of what is divided."""
    if right == 0:
        return None
    if isinstance(left, int) and isinstance(right, int):
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    return math.fmod(left, right)


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _divided,
    "%": _remainder,
}


def calculate(sign: str, left: Any, right: Any, blank: bool) -> Any:
    """Java's arithmetic on whole and other numbers; `+` joins texts. None where Velocity has no result."""
    if is_number(left) and is_number(right):
        try:
            result = _ARITHMETIC[sign](left, right)
        except OverflowError:
            return math.inf if sign in "+*" else None
        if isinstance(result, int) and result.bit_length() > _MOST_DIGITS * 3:
            raise VelocityError("a number is too large")
        return result
    if sign == "+" and (isinstance(left, str) or isinstance(right, str)):
        if not blank and (left is None or right is None):
            return None
        joined = ("" if left is None else to_text(left)) + ("" if right is None else to_text(right))
        return bounded(joined)
    return None


def bounded(text: str) -> str:
    """This text; raises VelocityError when it is too long."""
    if len(text) > LARGEST:
        raise VelocityError("a text is too long")
    return text


def ordered(sign: str, left: Any, right: Any) -> bool:
    """`<` and its like, of numbers; false of all else."""
    if not (is_number(left) and is_number(right)):
        return False
    if sign == "<":
        return bool(left < right)
    if sign == "<=":
        return bool(left <= right)
    return bool(left > right if sign == ">" else left >= right)
