"""The methods that templates can call on values: those of Java's String, List, Map, Boolean and Number that Velocity reaches.

Nothing of Python's own is reachable: a method is one of these tables', or there is none.
"""

import re
from collections.abc import Callable
from typing import Any

from cumulet.expressions.regexes import InvalidExpression, TooComplex
from cumulet.expressions.velocity import strings
from cumulet.expressions.velocity.tree import VelocityError
from cumulet.expressions.velocity.values import Entry, Host, NoSuchMethod, is_number, same, to_text

__all__ = ["call", "index", "property_of"]

Function = Callable[..., Any]
_MOST_ELEMENTS = 1_000_000
_INVALID = (TypeError, ValueError, IndexError, KeyError, OverflowError, InvalidExpression, TooComplex, re.error)


def call(value: Any, name: str, arguments: list[Any]) -> Any:
    """What a method gives; raises NoSuchMethod, or VelocityError when it fails as Java's would throw."""
    if isinstance(value, Host):
        return value.call(name, arguments)
    table = _table(value)
    function = table.get((name, len(arguments))) or _COMMON.get((name, len(arguments)))
    if function is None:
        if isinstance(value, str) and name in {"format", "join"}:
            return strings.variadic(name, value, arguments)
        raise NoSuchMethod(name)
    try:
        return function(value, *arguments)
    except NoSuchMethod:
        raise
    except _INVALID as error:
        raise VelocityError(f"{name} failed: {error}") from error


def _table(value: Any) -> dict[tuple[str, int], Function]:
    if isinstance(value, str):
        return strings.METHODS
    if isinstance(value, dict):
        return _MAP
    if isinstance(value, list | tuple | range):
        return _LIST
    if isinstance(value, bool):
        return _BOOLEAN
    return _NUMBER if is_number(value) else {}


def property_of(value: Any, name: str) -> Any:
    """`.name`: a map's member, or what a getter of this name gives; None when there is none."""
    if isinstance(value, Host):
        return value.get(name)
    if isinstance(value, dict):
        found = value.get(name)
        return (not value) if found is None and name == "empty" and name not in value else found
    if name == "empty" and isinstance(value, str | list | tuple | range):
        return len(value) == 0
    if name == "bytes" and isinstance(value, str):
        return [byte - 256 if byte > 127 else byte for byte in value.encode()]
    return None


def index(value: Any, key: Any) -> Any:
    """`[key]`: an element, from the end when negative, or a member. Raises VelocityError beyond the ends."""
    if isinstance(value, Host):
        return value.get(to_text(key)) if isinstance(key, str) else None
    if isinstance(value, dict):
        return value.get(_key(key))
    if isinstance(value, list | tuple | range) and is_number(key):
        try:
            return value[int(key)]
        except IndexError:
            raise VelocityError(f"there is no element {int(key)}") from None
    return None


def _key(key: Any) -> Any:
    """What can be looked up in a map; lists cannot, here."""
    if isinstance(key, list | dict):
        raise VelocityError("a list or map cannot be a key")
    return key


def _position(values: Any, at: Any) -> int:
    if not is_number(at) or isinstance(at, float) or not 0 <= at < len(values):
        raise IndexError(f"Index: {to_text(at)}, Size: {len(values)}")
    return int(at)


def _room(values: Any, more: int) -> None:
    if len(values) + more > _MOST_ELEMENTS:
        raise VelocityError("a list or map is too large")


def _writable(values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise NoSuchMethod("this list cannot be changed")
    return values


def _add(values: Any, element: Any) -> bool:
    _room(values, 1)
    _writable(values).append(element)
    return True


def _insert(values: Any, at: Any, element: Any) -> None:
    if at != len(values):
        _position(values, at)
    _room(values, 1)
    _writable(values).insert(int(at), element)


def _add_all(values: Any, others: Any) -> bool:
    added = list(others) if isinstance(others, list | tuple | range) else None
    if added is None:
        raise NoSuchMethod("addAll")
    _room(values, len(added))
    _writable(values).extend(added)
    return bool(added)


def _set(values: Any, at: Any, element: Any) -> Any:
    place = _position(values, at)
    before = values[place]
    _writable(values)[place] = element
    return before


def _remove(values: Any, what: Any) -> Any:
    if is_number(what):
        return _writable(values).pop(_position(values, what))
    place = _index_of(values, what)
    if place >= 0:
        del _writable(values)[place]
    return place >= 0


def _index_of(values: Any, element: Any) -> int:
    return next((place for place, other in enumerate(values) if same(other, element)), -1)


def _last_index_of(values: Any, element: Any) -> int:
    return next((place for place in range(len(values) - 1, -1, -1) if same(values[place], element)), -1)


def _sub_list(values: Any, start: Any, end: Any) -> list[Any]:
    if not 0 <= start <= end <= len(values):
        raise IndexError(f"fromIndex: {start}, toIndex: {end}, Size: {len(values)}")
    return list(values[start:end])


def _kept(values: Any, others: Any, wanted: bool) -> bool:
    kept = [element for element in values if (_index_of(others, element) >= 0) is wanted]
    changed = len(kept) != len(values)
    _writable(values)[:] = kept
    return changed


_LIST: dict[tuple[str, int], Function] = {
    ("size", 0): len,
    ("isEmpty", 0): lambda values: not values,
    ("get", 1): lambda values, at: values[_position(values, at)],
    ("set", 2): _set,
    ("add", 1): _add,
    ("add", 2): _insert,
    ("addAll", 1): _add_all,
    ("remove", 1): _remove,
    ("removeAll", 1): lambda values, others: _kept(values, others, False),
    ("retainAll", 1): lambda values, others: _kept(values, others, True),
    ("clear", 0): lambda values: _writable(values).clear(),
    ("contains", 1): lambda values, element: _index_of(values, element) >= 0,
    ("containsAll", 1): lambda values, others: all(_index_of(values, element) >= 0 for element in others),
    ("indexOf", 1): _index_of,
    ("lastIndexOf", 1): _last_index_of,
    ("subList", 2): _sub_list,
    ("toArray", 0): list,
    ("iterator", 0): list,
    ("listIterator", 0): list,
}


def _put(values: dict[Any, Any], key: Any, value: Any) -> Any:
    _room(values, 1)
    before = values.get(_key(key))
    values[key] = value
    return before


def _put_if_absent(values: dict[Any, Any], key: Any, value: Any) -> Any:
    before = values.get(_key(key))
    if before is None:
        _put(values, key, value)
    return before


def _put_all(values: dict[Any, Any], others: Any) -> None:
    if not isinstance(others, dict):
        raise NoSuchMethod("putAll")
    _room(values, len(others))
    values.update(others)


_MAP: dict[tuple[str, int], Function] = {
    ("size", 0): len,
    ("isEmpty", 0): lambda values: not values,
    ("get", 1): lambda values, key: values.get(_key(key)),
    ("getOrDefault", 2): lambda values, key, other: values.get(_key(key), other),
    ("put", 2): _put,
    ("putIfAbsent", 2): _put_if_absent,
    ("putAll", 1): _put_all,
    ("remove", 1): lambda values, key: values.pop(_key(key), None),
    ("clear", 0): lambda values: values.clear(),
    ("containsKey", 1): lambda values, key: _key(key) in values,
    ("containsValue", 1): lambda values, value: any(same(other, value) for other in values.values()),
    ("keySet", 0): list,
    ("values", 0): lambda values: list(values.values()),
    ("entrySet", 0): lambda values: [Entry(values, key) for key in values],
}


def _parsed(_: Any, text: Any) -> int:
    if not isinstance(text, str) or not re.fullmatch(r"[+-]?\d{1,19}", text):
        raise ValueError(f'For input string: "{to_text(text)}"')
    return int(text)


def _parsed_double(_: Any, text: Any) -> float:
    return float(to_text(text))


def _compared(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


_NUMBER: dict[tuple[str, int], Function] = {
    ("intValue", 0): int,
    ("longValue", 0): int,
    ("doubleValue", 0): float,
    ("floatValue", 0): float,
    ("compareTo", 1): _compared,
    ("compare", 2): lambda _, left, right: _compared(left, right),
    ("parseInt", 1): _parsed,
    ("parseLong", 1): _parsed,
    ("parseDouble", 1): _parsed_double,
    ("valueOf", 1): _parsed,
    ("toString", 1): lambda _, value: to_text(value),
    ("max", 2): lambda _, left, right: max(left, right),
    ("min", 2): lambda _, left, right: min(left, right),
    ("isNaN", 0): lambda value: value != value,
}
_BOOLEAN: dict[tuple[str, int], Function] = {
    ("booleanValue", 0): bool,
    ("parseBoolean", 1): lambda _, text: to_text(text).lower() == "true",
    ("valueOf", 1): lambda _, text: to_text(text).lower() == "true",
    ("compareTo", 1): _compared,
}
_COMMON: dict[tuple[str, int], Function] = {
    ("toString", 0): to_text,
    ("equals", 1): same,
    ("hashCode", 0): lambda value: strings.hash_code(to_text(value)),
}
