"""Reference paths, which identify one place: names and indexes alone. ResultPath and its like write there.

https://states-language.net/spec.html#ref-paths
"""

from functools import lru_cache
from typing import Any

from cumulet.expressions.jsonpath.path import Path, compile
from cumulet.expressions.jsonpath.tree import Indexes, JsonPathError, Names

_CACHED = 4096


class CannotSet(ValueError):
    """A place that a document has no room for: below a value that is no object, or beyond an array's elements."""


class Reference:
    """A place in documents; `keys` are the names and indexes that lead there, none for the document itself."""

    __slots__ = ("_name", "_path", "keys", "text")

    def __init__(self, path: Path, keys: tuple[str | int, ...]) -> None:
        self._path = path
        self.text = path.text
        self.keys = keys
        # The only key, as that of most ResultPaths is.
        self._name = keys[0] if len(keys) == 1 and isinstance(keys[0], str) else None

    def __repr__(self) -> str:
        return f"Reference({self.text!r})"

    def get(self, document: Any) -> Any:
        """The value at this place; raises PathNotFound."""
        return self._path.read(document)

    def set(self, document: Any, value: Any) -> Any:
        """A document with `value` at this place, sharing with `document`, which stays as it is, what is not on the way.

        Objects that are missing on the way are made; elements of arrays must exist. Raises CannotSet.
        """
        name = self._name
        if name is not None and isinstance(document, dict):
            return {**document, name: value}
        if not self.keys:
            return value
        return _with(document, self.keys, 0, value)


def _with(node: Any, keys: tuple[str | int, ...], at: int, value: Any) -> Any:
    if at == len(keys):
        return value
    key = keys[at]
    if isinstance(key, str):
        if not isinstance(node, dict):
            raise CannotSet(f"cannot set '{key}' in a value that is no object")
        below = node.get(key, {} if at + 1 < len(keys) and isinstance(keys[at + 1], str) else None)
        return {**node, key: _with(below, keys, at + 1, value)}
    if not isinstance(node, list) or not -len(node) <= key < len(node):
        raise CannotSet(f"there is no element {key} to set")
    changed = list(node)
    changed[key] = _with(node[key], keys, at + 1, value)
    return changed


@lru_cache(_CACHED)
def reference(text: str) -> Reference:
    """The reference path that a text is; raises JsonPathError, also for a path that could have several results."""
    path = compile(text)
    keys: list[str | int] = []
    for step in path.steps.steps:
        match step:
            case Names(names=(name,)):
                keys.append(name)
            case Indexes(indexes=(index,)):
                keys.append(index)
            case _:
                raise JsonPathError("a reference path identifies one place: only names and indexes can be in it", 0)
    return Reference(path, tuple(keys))
