"""What statements are parsed to: conditions and actions are those of expressions, their values placeholders."""

from __future__ import annotations

from typing import NamedTuple

from cumulet.services.dynamodb.expressions.trees import Action, Condition, Path
from cumulet.services.dynamodb.partiql.literals import Literal


class Select(NamedTuple):
    """`paths` is empty for `*`; `order` has the attributes of ORDER BY and whether they descend."""

    table: str
    index_name: str
    paths: tuple[Path, ...]
    where: Condition | None
    order: tuple[tuple[str, bool], ...]


class Insert(NamedTuple):
    table: str
    item: Literal


class Update(NamedTuple):
    """`returning` is a ReturnValues, or ""."""

    table: str
    actions: tuple[Action, ...]
    where: Condition | None
    returning: str


class Delete(NamedTuple):
    table: str
    where: Condition | None
    returning: str


class Exists(NamedTuple):
    """EXISTS(SELECT ...): a check within a transaction."""

    select: Select


class Statement(NamedTuple):
    """A statement, with what its placeholders `:0`, `:1`, ... stand for, and how many parameters it takes."""

    body: Select | Insert | Update | Delete | Exists
    literals: tuple[Literal, ...]
    parameters: int
