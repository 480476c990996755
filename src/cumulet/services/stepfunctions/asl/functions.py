"""What each intrinsic function computes, and what it accepts.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import re
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from cumulet.services.stepfunctions.asl.payload import LIMIT, encode
from cumulet.services.stepfunctions.asl.scope import Scope

_ELEMENTS = 1000  # of ArrayRange
_CHARACTERS = 10_000  # that Base64Encode, Base64Decode and Hash take
_INTEGERS = (-(2**31), 2**31 - 1)
_DIGESTS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_ANY: tuple[type, ...] = (object,)
_NUMBER = (int, float)


class Failed(Exception):
    """The function cannot do this with these arguments; ``str()`` says why."""


Run = Callable[[list[Any], Scope], Any]


class Function:
    """A function: how many arguments it takes, of which types, and what it computes of them."""

    __slots__ = ("fewest", "most", "run", "types")

    def __init__(self, run: Run, types: tuple[tuple[type, ...], ...], fewest: int, most: int) -> None:
        self.run = run
        self.types = types
        self.fewest = fewest
        self.most = most

    def fits(self, index: int, value: Any) -> bool:
        """Whether ``value`` (a literal) can be the argument at ``index``."""
        types = self.types[min(index, len(self.types) - 1)]
        if isinstance(value, bool):
            return bool in types or types is _ANY
        return isinstance(value, types)


def text_of(value: Any) -> str:
    """How ``States.Format`` writes a value: strings bare, objects and arrays as Java does."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={text_of(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    return encode(value).decode()


def _need(value: Any, types: tuple[type, ...], what: str, index: int) -> Any:
    if (isinstance(value, bool) and bool not in types) or not isinstance(value, types):
        raise Failed(f"Argument {index} of the function is not {what}.")
    return value


def _array(value: Any, index: int) -> list[Any]:
    return list(_need(value, (list,), "an array", index)) if not isinstance(value, list) else value


def _string(value: Any, index: int) -> str:
    return str(_need(value, (str,), "a string", index))


def _integer(value: Any, index: int) -> int:
    """Numbers with a fraction are rounded half up, as AWS does."""
    number: float = _need(value, _NUMBER, "a number", index)
    return number if isinstance(number, int) else math.floor(number + 0.5)


def _format(given: list[Any], scope: Scope) -> str:
    template, values = _string(given[0], 1), iter(given[1:])
    parts: list[str] = []
    place = used = 0
    for found in re.finditer(r"\\([{}\\])|\{\}|[{}]", template):
        parts.append(template[place : found.start()])
        place = found.end()
        if found.group(1) is not None:
            parts.append(found.group(1))
        elif found.group(0) == "{}":
            try:
                parts.append(text_of(next(values)))
            except StopIteration:
                raise Failed("The template has more occurrences of {} than there are arguments.") from None
            used += 1
        else:
            raise Failed("Matching '}' or '{' not found in the template; escape braces by a backslash.")
    parts.append(template[place:])
    if used != len(given) - 1:
        raise Failed("The number of arguments is not the number of occurrences of {} in the template.")
    return "".join(parts)


def _string_to_json(given: list[Any], scope: Scope) -> Any:
    text = _string(given[0], 1)
    if not text.strip():
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise Failed("Unable to parse the argument as JSON.") from None


def _json_to_string(given: list[Any], scope: Scope) -> str:
    return encode(given[0]).decode()


def _array_of(given: list[Any], scope: Scope) -> list[Any]:
    return list(given)


def _partition(given: list[Any], scope: Scope) -> list[Any]:
    array, size = _array(given[0], 1), _integer(given[1], 2)
    if size < 1:
        raise Failed("The chunk size must be a positive integer.")
    return [array[start : start + size] for start in range(0, len(array), size)]


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def _contains(given: list[Any], scope: Scope) -> bool:
    return any(same(item, given[1]) for item in _array(given[0], 1))


def _range(given: list[Any], scope: Scope) -> list[int]:
    start, end, step = (_integer(value, index) for index, value in enumerate(given, 1))
    if step == 0:
        raise Failed("The increment must not be 0.")
    if (end - start) // step >= _ELEMENTS:
        raise Failed(f"The array would have more than {_ELEMENTS} elements.")
    return list(range(start, end + (1 if step > 0 else -1), step))


def _get_item(given: list[Any], scope: Scope) -> Any:
    array, index = _array(given[0], 1), _integer(given[1], 2)
    if not 0 <= index < len(array):
        raise Failed(f"Index {index} is out of bounds for an array of length {len(array)}.")
    return array[index]


def _length(given: list[Any], scope: Scope) -> int:
    return len(_array(given[0], 1))


def _unique(given: list[Any], scope: Scope) -> list[Any]:
    seen: set[bytes] = set()
    kept: list[Any] = []
    for item in _array(given[0], 1):
        key = msgspec.json.encode(item, order="sorted")
        if key not in seen:
            seen.add(key)
            kept.append(item)
    return kept


def _limited(value: Any) -> str:
    text = _string(value, 1)
    if len(text) > _CHARACTERS:
        raise Failed(f"The argument is longer than {_CHARACTERS} characters.")
    return text


def _base64_encode(given: list[Any], scope: Scope) -> str:
    return base64.b64encode(_limited(given[0]).encode()).decode()


def _base64_decode(given: list[Any], scope: Scope) -> str:
    try:
        return base64.b64decode(_limited(given[0]), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise Failed("The argument is not Base64.") from None


def _hash(given: list[Any], scope: Scope) -> str:
    algorithm = _DIGESTS.get(_string(given[1], 2))
    if algorithm is None:
        raise Failed(f"The algorithm must be one of {', '.join(_DIGESTS)}.")
    data = _limited(given[0]) if isinstance(given[0], str) else _limited(encode(given[0]).decode())
    return hashlib.new(algorithm, data.encode(), usedforsecurity=False).hexdigest()


def _merge(given: list[Any], scope: Scope) -> dict[str, Any]:
    first = _need(given[0], (dict,), "an object", 1)
    second = _need(given[1], (dict,), "an object", 2)
    if _need(given[2], (bool,), "a boolean", 3):
        raise Failed("Only shallow merging is supported: argument 3 must be false.")
    merged: dict[str, Any] = {**first, **second}
    return merged


def java_random(seed: int) -> float:
    """The first double of Java's generator with that seed, which is what AWS draws with a seed."""
    state = (seed ^ 0x5DEECE66D) & ((1 << 48) - 1)
    state = (state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
    high = state >> 22
    state = (state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
    return float((high << 27) + (state >> 21)) / (1 << 53)


def _random(given: list[Any], scope: Scope) -> int:
    start, end = _integer(given[0], 1), _integer(given[1], 2)
    if start >= end:
        raise Failed("The start must be less than the end.")
    drawn = java_random(_integer(given[2], 3)) if len(given) > 2 else scope.random.random()
    return start + math.floor(drawn * (end - start))


def _add(given: list[Any], scope: Scope) -> int:
    first, second = _integer(given[0], 1), _integer(given[1], 2)
    low, high = _INTEGERS
    if not (low <= first <= high and low <= second <= high):
        raise Failed("The arguments must be integers of 32 bits.")
    return first + second


def _split(given: list[Any], scope: Scope) -> list[str]:
    text, delimiters = _string(given[0], 1), _string(given[1], 2)
    if not delimiters:
        return [text]
    return [part for part in re.split(f"[{re.escape(delimiters)}]", text) if part]


def _uuid(given: list[Any], scope: Scope) -> str:
    return str(uuid.UUID(int=scope.random.getrandbits(128), version=4))


FUNCTIONS: dict[str, Function] = {
    "States.Array": Function(_array_of, (_ANY,), 0, LIMIT),
    "States.ArrayContains": Function(_contains, ((list,), _ANY), 2, 2),
    "States.ArrayGetItem": Function(_get_item, ((list,), _NUMBER), 2, 2),
    "States.ArrayLength": Function(_length, ((list,),), 1, 1),
    "States.ArrayPartition": Function(_partition, ((list,), _NUMBER), 2, 2),
    "States.ArrayRange": Function(_range, (_NUMBER,), 3, 3),
    "States.ArrayUnique": Function(_unique, ((list,),), 1, 1),
    "States.Base64Decode": Function(_base64_decode, ((str,),), 1, 1),
    "States.Base64Encode": Function(_base64_encode, ((str,),), 1, 1),
    "States.Format": Function(_format, ((str,), _ANY), 1, LIMIT),
    "States.Hash": Function(_hash, (_ANY, (str,)), 2, 2),
    "States.JsonMerge": Function(_merge, ((dict,), (dict,), (bool,)), 3, 3),
    "States.JsonToString": Function(_json_to_string, (_ANY,), 1, 1),
    "States.MathAdd": Function(_add, (_NUMBER,), 2, 2),
    "States.MathRandom": Function(_random, (_NUMBER,), 2, 3),
    "States.StringSplit": Function(_split, ((str,),), 2, 2),
    "States.StringToJson": Function(_string_to_json, ((str,),), 1, 1),
    "States.UUID": Function(_uuid, (_ANY,), 0, 0),
}
