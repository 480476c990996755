"""Projections: which parts of an item are returned.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ProjectionExpressions.html
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.expressions.keeping import KEPT, Names, recalled
from cumulet.services.dynamodb.expressions.lexer import END, read, refuse
from cumulet.services.dynamodb.expressions.operands import Reader
from cumulet.services.dynamodb.expressions.paths import child
from cumulet.services.dynamodb.expressions.scope import (
    UndefinedName,
    overlapping,
    placeholders,
    route,
    undefined_name,
)
from cumulet.services.dynamodb.expressions.trees import Path, Route, Step
from cumulet.services.dynamodb.values import Item

Branches = dict[Step, "Branches | None"]
"""What is wanted of a map or list; None is all of that part."""
_NOTHING: frozenset[str] = frozenset()


@lru_cache(KEPT)
def parse_projection(text: str, parameter: str = "ProjectionExpression") -> tuple[Path, ...]:
    """The paths of a projection. Raises ValidationException."""
    words = read(text, parameter)
    reader = Reader(words)
    paths = [reader.path()]
    while words.take(","):
        paths.append(reader.path())
    if words.peek() != END:
        words.fail()
    reader.check()
    return tuple(paths)


class Projection:
    """Parts of items. `routes` are their paths; `names` the placeholders of names that the text used."""

    __slots__ = ("_branches", "_plain", "names", "routes")

    def __init__(self, routes: tuple[Route, ...], names: frozenset[str] = _NOTHING) -> None:
        self.routes = routes
        self.names = names
        self._plain = tuple(str(each[0]) for each in routes) if all(len(each) == 1 for each in routes) else None
        self._branches = _branches(routes)

    def apply(self, item: Item) -> Item:
        """The parts that the item has. Elements of lists keep their order and close up."""
        if self._plain is not None:
            return {name: item[name] for name in self._plain if name in item}
        found: Item = {}
        for name, branches in self._branches.items():
            value = item.get(str(name))
            part = value if value is None or branches is None else _part(value, branches)
            if part is not None:
                found[str(name)] = part
        return found


def bind_projection(text: str, names: Names) -> Projection:
    """A projection with the names of a call. Raises ValidationException."""
    return recalled(_bound, names, text, "ProjectionExpression")


@lru_cache(KEPT)
def _bound(text: str, parameter: str, names: Names) -> Projection:
    given = dict(names)
    paths = parse_projection(text, parameter)
    try:
        routes = tuple([route(path, given) for path in paths])
    except UndefinedName as error:
        raise refuse(parameter, undefined_name(error.args[0])) from None
    wrong = overlapping(routes)
    if wrong:
        raise refuse(parameter, wrong)
    return Projection(routes, frozenset(name for path in paths for name in placeholders(path)))


def _branches(routes: Iterable[Route]) -> Branches:
    root: Branches = {}
    for each in routes:
        place = root
        for step in each[:-1]:
            inner = place.setdefault(step, {})
            if inner is None:  # all of it is wanted already
                break
            place = inner
        else:
            place[each[-1]] = None
    return root


def _part(value: api.AttributeValue, branches: Branches) -> api.AttributeValue | None:
    """The wanted parts of a map or list; None when it has none of them."""
    found: list[tuple[Step, api.AttributeValue]] = []
    for step, inner in branches.items():
        held = child(value, step)
        part = held if held is None or inner is None else _part(held, inner)
        if part is not None:
            found.append((step, part))
    if not found:
        return None
    if value.m is not None:
        return api.AttributeValue(m={str(step): part for step, part in found})
    found.sort(key=_index)
    return api.AttributeValue(l=[part for _, part in found])


def _index(entry: tuple[Step, api.AttributeValue]) -> int:
    return int(entry[0])
