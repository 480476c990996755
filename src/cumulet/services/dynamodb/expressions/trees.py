"""What expressions are parsed to: immutable, and without the names and values of a call."""

from __future__ import annotations

from typing import NamedTuple

Step = str | int
"""A map's key, or a list's index."""
Route = tuple[Step, ...]
"""The steps from an item to a value in it."""


class Path(NamedTuple):
    """Steps as they are written; a name that begins with # is a placeholder."""

    steps: Route


class Value(NamedTuple):
    """A placeholder of a value, with its colon."""

    name: str


class Call(NamedTuple):
    """A function with its arguments; also `+` and `-` of an update."""

    name: str
    arguments: tuple[Operand, ...]


Operand = Path | Value | Call


class Comparison(NamedTuple):
    """`=`, `<>`, `<`, `<=`, `>`, `>=`, BETWEEN (three operands) or IN (two or more)."""

    operator: str
    operands: tuple[Operand, ...]


class Not(NamedTuple):
    condition: Condition


class Both(NamedTuple):
    """Two or more conditions that must all hold."""

    conditions: tuple[Condition, ...]


class Either(NamedTuple):
    """Two or more conditions of which one must hold."""

    conditions: tuple[Condition, ...]


Condition = Comparison | Call | Not | Both | Either


class Action(NamedTuple):
    """One action of an update: SET path = operand, REMOVE path, ADD path value or DELETE path value."""

    kind: str
    path: Path
    operand: Operand | None = None


def shown(route: Route) -> str:
    """A route as DynamoDB's messages show it: [a, [1], b]."""
    return f"[{', '.join(f'[{step}]' if isinstance(step, int) else step for step in route)}]"
