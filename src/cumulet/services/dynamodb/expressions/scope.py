"""The names and values that a call gives for placeholders, and what is asked of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.expressions.keeping import KEPT, few
from cumulet.services.dynamodb.expressions.trees import Path, Route, Step, shown
from cumulet.services.dynamodb.values import check_value

Values = Mapping[str, "api.AttributeValue"]
_NAME = re.compile(r"#[0-9a-zA-Z_]+")
_VALUE = re.compile(r":[0-9a-zA-Z_]+")
MOST_LETTERS = 255
"""Of a placeholder, the first sign included."""


class UndefinedName(Exception):
    """A path has a placeholder that ExpressionAttributeNames does not give."""


def route(path: Path, names: Mapping[str, str]) -> Route:
    """A path with its placeholders replaced. Raises UndefinedName, with the placeholder."""
    steps = path.steps
    for step in steps:
        if step.__class__ is str and step[0] == "#":
            break
    else:
        return steps
    try:
        return tuple([names[step] if isinstance(step, str) and step[0] == "#" else step for step in steps])
    except KeyError as error:
        raise UndefinedName(error.args[0]) from None


def placeholders(path: Path) -> tuple[str, ...]:
    """The names of a path that stand for others."""
    return tuple(step for step in path.steps if isinstance(step, str) and step[0] == "#")


def undefined_name(name: str) -> str:
    return f"An expression attribute name used in the document path is not defined; attribute name: {name}"


def undefined_value(name: str) -> str:
    return f"An expression attribute value used in expression is not defined; attribute value: {name}"


def check_names(names: Mapping[str, str]) -> None:
    """Refuse ExpressionAttributeNames that is empty, has keys that are no placeholders, or stands for no name."""
    keys = tuple(names)
    if few(keys):
        _check_name_keys(keys)
    else:
        _check_name_keys.__wrapped__(keys)
    for key, name in names.items():
        if not name:
            raise invalid(f"ExpressionAttributeNames contains invalid value: Empty attribute name for key {key}")


@lru_cache(KEPT)
def _check_name_keys(keys: tuple[str, ...]) -> None:
    if not keys:
        raise invalid("ExpressionAttributeNames must not be empty")
    for key in keys:
        if len(key) > MOST_LETTERS:
            raise invalid(
                "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key that is "
                f"too long; size of key: {len(key.encode())}"
            )
        if _NAME.fullmatch(key) is None:
            raise invalid(f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{key}"')


def check_values(values: Values) -> None:
    """As `check_names`, for ExpressionAttributeValues; numbers are brought to DynamoDB's form in place."""
    keys = tuple(values)
    if few(keys):
        _check_value_keys(keys)
    else:
        _check_value_keys.__wrapped__(keys)
    for key, value in values.items():
        try:
            check_value(value)
        except AwsError as error:
            raise invalid(f"ExpressionAttributeValues contains invalid value: {error.message} for key {key}") from None


@lru_cache(KEPT)
def _check_value_keys(keys: tuple[str, ...]) -> None:
    if not keys:
        raise invalid("ExpressionAttributeValues must not be empty")
    for key in keys:
        if len(key) > MOST_LETTERS:
            raise invalid(
                "ExpressionAttributeValues contains invalid key: The expression attribute map contains a key that is "
                "too long;"
            )
        if _VALUE.fullmatch(key) is None:
            raise invalid(f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{key}"')


def overlapping(routes: Sequence[Route]) -> str:
    """What is wrong with paths that are written or returned together, or "" when nothing is.

    One that is within another overlaps it; two that go on from the same place, one by name and one by index, conflict.
    Overlaps are told of first.
    """
    if len(set(routes)) == len(routes) and all(len(each) == 1 for each in routes):
        return ""
    root = _Place()
    conflict = ""
    for each in routes:
        overlapped, conflicting = root.add(each)
        if overlapped is not None:
            return _two("overlap", overlapped, each)
        if conflicting is not None and not conflict:
            conflict = _two("conflict", conflicting, each)
    return conflict


class _Place:
    """A step of the paths seen so far: the first path that ends here, and the first that goes on by name or by index."""

    __slots__ = ("end", "first", "next")

    def __init__(self) -> None:
        self.end: Route | None = None
        self.first: dict[type, Route] = {}
        self.next: dict[Step, _Place] = {}

    def add(self, route: Route) -> tuple[Route | None, Route | None]:
        """Add a path; the first that it overlaps, and the first that it conflicts with."""
        place = self
        conflicting: Route | None = None
        for step in route:
            if place.end is not None:
                return place.end, conflicting
            others = place.first.get(int if type(step) is str else str)
            if others is not None and conflicting is None:
                conflicting = others
            place.first.setdefault(type(step), route)
            place = place.next.setdefault(step, _Place())
        if place.end is None and not place.first:
            place.end = route
            return None, conflicting
        return place.end or next(iter(place.first.values())), conflicting


def _two(how: str, first: Route, second: Route) -> str:
    return (
        f"Two document paths {how} with each other; must remove or rewrite one of these paths; "
        f"path one: {shown(first)}, path two: {shown(second)}"
    )
