"""Paths as closures: each step is given a value, and hands what it finds on to the next.

What a step does with a value it does not fit depends on what is in front of it, as in Jayway's library: behind names and single
indexes alone (`definite`) that is an error, behind wildcards, slices, filters and scans nothing is found there.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from cumulet.expressions.jsonpath.tree import (
    Every,
    Filter,
    Function,
    Indexes,
    JsonPathError,
    Names,
    Scan,
    Slice,
    Step,
    Steps,
    TooMuchWork,
)

MOST_WORK = 1_000_000
"""Values one evaluation looks at: three scans in a path can otherwise take the cube of a document's size."""


class PathNotFound(LookupError):
    """A path with one result, which is not in the document. `unfit`: a slice or filter was to be applied to something else than it can be."""

    def __init__(self, message: str, *, unfit: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.unfit = unfit


class Run:
    """One evaluation: the document, what was found, and how much work is left."""

    __slots__ = ("found", "left", "root")

    def __init__(self, root: Any, left: int = MOST_WORK) -> None:
        self.root = root
        self.found: list[Any] = []
        self.left = left

    def work(self, values: int) -> None:
        """Count values looked at; raises JsonPathError when they are too many."""
        self.left -= values
        if self.left < 0:
            raise TooMuchWork("the path takes too much work on this document")


Walk = Callable[[Any, Run], None]
Accept = Callable[[Any, Run], bool]


def is_definite(steps: Sequence[Step]) -> bool:
    """Whether a path has at most one result."""
    return all(
        isinstance(step, Function) or (isinstance(step, Names | Indexes) and _single(step, index == len(steps) - 1))
        for index, step in enumerate(steps)
    )


def _single(step: Names | Indexes, last: bool) -> bool:
    """Several names at the end make one object."""
    return last or len(step.names) == 1 if isinstance(step, Names) else len(step.indexes) == 1


def build(path: Steps) -> Walk:
    """The closure of a whole path."""
    steps = path.steps
    walk: Walk = _found
    for index in range(len(steps) - 1, -1, -1):
        step = steps[index]
        if isinstance(step, Scan):
            walk = _scan(steps[index + 1], walk)
        elif isinstance(step, Names) and len(step.names) > 1 and index < len(steps) - 1:
            walk = partial(_refused, f"Multi properties can only be used as path leafs: {list(step.names)}")
        else:
            walk = _step(step, walk, is_definite(steps[:index]))
    return walk


def _refused(message: str, _value: Any, _run: Run) -> None:
    """What the version of the library that Step Functions has refuses when a path is evaluated."""
    raise JsonPathError(message)


def _found(value: Any, run: Run) -> None:
    run.found.append(value)


def _step(step: Step, then: Walk, definite: bool) -> Walk:
    match step:
        case Names(names=(name,)):
            return partial(_member, name, then, definite)
        case Names(names=names):
            return partial(_members, names, then, definite)
        case Indexes(indexes=(index,)):
            return partial(_element, index, then, definite)
        case Indexes(indexes=indexes):
            return partial(_elements, indexes, then, definite)
        case Slice():
            return partial(_slice, step, then, definite)
        case Every():
            return partial(_every, then)
        case Filter():
            return _filter(step, then, definite)
        case Function():
            from cumulet.expressions.jsonpath.functions import call  # noqa: PLC0415  (their parameters are paths)

            return call(step, then)
    raise AssertionError(step)


def _member(name: str, then: Walk, definite: bool, value: Any, run: Run) -> None:
    if isinstance(value, dict) and name in value:
        then(value[name], run)
    elif definite:
        raise PathNotFound(f"no member '{name}' at this place")


def _members(names: Sequence[str], then: Walk, definite: bool, value: Any, run: Run) -> None:
    if isinstance(value, dict):
        then({name: value[name] for name in names if name in value}, run)
    elif definite:
        raise PathNotFound("expected an object to take several members of")


def _array(value: Any, definite: bool) -> bool:
    if isinstance(value, list):
        return True
    if definite:
        raise PathNotFound("an index or slice can only be applied to arrays", unfit=value is not None)
    return False


def _element(index: int, then: Walk, definite: bool, value: Any, run: Run) -> None:
    if not _array(value, definite):
        return
    if -len(value) <= index < len(value):
        then(value[index], run)
    elif definite:
        raise PathNotFound(f"no element {index} at this place")


def _elements(indexes: Sequence[int], then: Walk, definite: bool, value: Any, run: Run) -> None:
    if _array(value, definite):
        run.work(len(indexes))
        for index in indexes:
            _element(index, then, False, value, run)


def _slice(step: Slice, then: Walk, definite: bool, value: Any, run: Run) -> None:
    """An end that counts from the back does so only where the other is missing: that is how Jayway's library has it."""
    if not _array(value, definite):
        return
    size = len(value)
    if step.first is None:
        beyond = step.beyond or 0
        indexes = range(min(size, beyond + size if beyond < 0 else beyond))
    elif step.beyond is None:
        indexes = range(max(0, step.first + size if step.first < 0 else step.first), size)
    else:
        indexes = range(max(step.first, -size), min(size, step.beyond))
    run.work(len(indexes))
    for index in indexes:
        _element(index, then, False, value, run)


def _every(then: Walk, value: Any, run: Run) -> None:
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    run.work(len(values))
    for inner in values:
        then(inner, run)


def _filter(step: Filter, then: Walk, definite: bool) -> Walk:
    from cumulet.expressions.jsonpath.filters import accept  # noqa: PLC0415  (filters contain paths)

    accepts = accept(step.test)

    def walk(value: Any, run: Run) -> None:
        if isinstance(value, dict):
            run.work(1)
            if accepts(value, run):
                then(value, run)
        elif isinstance(value, list):
            run.work(len(value))
            for element in value:
                if accepts(element, run):
                    then(element, run)
        elif definite:
            raise PathNotFound(f"Filter: {step.text} can not be applied to primitives.", unfit=True)

    return walk


def _scan(target: Step, walk: Walk) -> Walk:
    """Look at a value and all below it, the outer first."""
    wanted = _wanted(target)

    def scan(value: Any, run: Run) -> None:
        waiting = [value]
        while waiting:
            node = waiting.pop()
            is_object = isinstance(node, dict)
            if not is_object and not isinstance(node, list):
                continue
            run.work(1)
            if wanted(node, run):
                walk(node, run)
            below = list(node.values()) if is_object else node
            waiting.extend(reversed(below))

    return scan


def _wanted(target: Step) -> Accept:
    match target:
        case Names(names=names):
            needed = frozenset(names)
            return lambda node, _: isinstance(node, dict) and needed <= node.keys()
        case Indexes() | Slice():
            return lambda node, _: isinstance(node, list)
        case Every():
            return lambda _, __: True
        case Filter():
            from cumulet.expressions.jsonpath.filters import accept  # noqa: PLC0415  (filters contain paths)

            return accept(target.test)
    return lambda _, __: False
