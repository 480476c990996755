"""A compiled path."""

from functools import lru_cache
from typing import Any

from cumulet.expressions.jsonpath.parse import parse
from cumulet.expressions.jsonpath.tree import Function, Indexes, JsonPathError, Names, Scan, Steps
from cumulet.expressions.jsonpath.walk import MOST_WORK, PathNotFound, Run, Walk, build, is_definite

_CACHED = 4096


class Path:
    """What a path's text means. `definite`: it has at most one result; otherwise its result is the list of all."""

    __slots__ = ("_keys", "_walk", "definite", "steps", "text")

    def __init__(self, text: str, steps: Steps) -> None:
        self.text = text
        self.steps = steps
        self.definite = is_definite(steps.steps)
        self._keys = _plain_keys(steps)
        self._walk: Walk | None = None if self._keys is not None else build(_function_last(steps))
        if _function_last(steps) is not steps:
            self.definite = True

    def __repr__(self) -> str:
        return f"Path({self.text!r})"

    def read(self, document: Any) -> Any:
        """The value at a definite path, else the list of what was found, which may be empty.

        Raises PathNotFound when a definite path leads nowhere, or a slice or filter of any path meets, behind names alone,
        something it cannot be applied to; raises JsonPathError when the evaluation takes too much work. An indefinite path
        behind a missing name gives an empty list, as Step Functions does (the library itself raises an error there).
        """
        if self._keys is not None:
            return _follow(self._keys, document, self.text)
        return self.read_within(document, MOST_WORK)[0]

    def read_within(self, document: Any, work: int) -> tuple[Any, int]:
        """As `read`, for many evaluations that share their work: the value, and what of `work` (values looked at) is left."""
        if self._keys is not None:
            return _follow(self._keys, document, self.text), work - len(self._keys)
        run = Run(document, work)
        try:
            found = self._run(run)
        except PathNotFound as error:
            if self.definite or error.unfit:
                raise PathNotFound(f"No results for path: {self.text}: {error.message}", unfit=error.unfit) from None
            return [], run.left
        if not self.definite:
            return found, run.left
        if not found:
            raise PathNotFound(f"No results for path: {self.text}")
        return found[-1], run.left

    def find(self, document: Any) -> list[Any]:
        """All matches; none where the path leads nowhere. Raises JsonPathError when the evaluation takes too much work."""
        try:
            if self._keys is not None:
                return [_follow(self._keys, document, self.text)]
            return self._run(Run(document))
        except PathNotFound:
            return []

    def _run(self, run: Run) -> list[Any]:
        assert self._walk is not None
        try:
            self._walk(run.root, run)
        except RecursionError as error:
            raise JsonPathError("the document is nested too deeply for this path") from error
        return run.found


def _plain_keys(path: Steps) -> tuple[str | int, ...] | None:
    """Of a path of single names and indexes alone, those."""
    keys: list[str | int] = []
    for step in path.steps:
        match step:
            case Names(names=(name,)):
                keys.append(name)
            case Indexes(indexes=(index,)):
                keys.append(index)
            case _:
                return None
    return tuple(keys)


def _follow(keys: tuple[str | int, ...], node: Any, text: str) -> Any:
    for key in keys:
        if isinstance(key, str):
            if not isinstance(node, dict) or key not in node:
                raise PathNotFound(f"No results for path: {text}: no member '{key}' at this place")
        elif not isinstance(node, list) or not -len(node) <= key < len(node):
            raise PathNotFound(f"No results for path: {text}: no element {key} at this place")
        node = node[key]
    return node


def _function_last(path: Steps) -> Steps:
    """`$..price.max()` is the function of all that the scan finds: it becomes `$.max($..price)`, as Jayway's library does."""
    steps = path.steps
    if len(steps) > 1 and isinstance(steps[0], Scan) and isinstance(steps[-1], Function):
        return Steps(path.relative, (Function(steps[-1].name, (Steps(path.relative, steps[:-1]),)),))
    return path


@lru_cache(_CACHED)
def compile(text: str) -> Path:
    """The path that a text is, compiled once; raises JsonPathError with the position of what is wrong."""
    return Path(text, parse(text))
