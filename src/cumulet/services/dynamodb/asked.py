"""What a request asks by its expressions, or by the older parameters that say the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.values import Item


class Condition(Protocol):
    def matches(self, item: Item) -> bool: ...


class Projection(Protocol):
    def check(self, table: Table) -> None: ...

    def apply(self, item: Item) -> Item: ...


class Update(Protocol):
    def check(self, table: Table) -> None: ...

    def apply(self, item: Item) -> Item: ...

    def touched(self, item: Item) -> Item: ...


def check_expressions(request: Any, expressions: Sequence[str], others: Sequence[str]) -> None:
    for name in (*expressions, *others):
        if getattr(request, name) is not None:
            raise NotImplementedHere(f"{name} is not there yet")


def condition_of(request: Any) -> Condition | None:
    return None


def projection_of(request: Any) -> Projection | None:
    return None


def update_of(request: Any) -> Update | None:
    return None
