"""What waits for its turn at the connection that writes, and then for its group's commit."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from cumulet.storage.database import Decision, Row, Statement, StorageError, Values

log = logging.getLogger(__name__)


class Job:
    """One statement. Its refusal waits for the commit too: whoever is told that something is there already must find it."""

    __slots__ = ("done", "refusal", "rows", "sql", "values")

    def __init__(self, sql: str, values: Values, done: "asyncio.Future[list[Row]]") -> None:
        self.sql = sql
        self.values = values
        self.done = done
        self.rows: list[Row] = []
        self.refusal: Exception | None = None


class Batch(Job):
    """Several statements that go together."""

    __slots__ = ("statements",)

    def __init__(self, statements: Sequence[Statement], done: "asyncio.Future[list[Row]]") -> None:
        super().__init__("", (), done)
        self.statements = statements


class Choice(Job):
    """A query, and the statement that follows from its rows."""

    __slots__ = ("decide",)

    def __init__(self, query: Statement, decide: Decision, done: "asyncio.Future[list[Row]]") -> None:
        super().__init__(*query, done)
        self.decide = decide


class Turn:
    """A `transaction()` block. Its futures are made when there is something to wait for."""

    __slots__ = ("actions", "done", "first", "granted")

    granted: "asyncio.Future[None]"
    done: "asyncio.Future[None]"

    def __init__(self) -> None:
        self.actions: list[Callable[[], None]] = []
        self.first = False  # of its group: what it undoes is the whole transaction, so it needs no savepoint

    def act(self) -> None:
        """Its changes are durable. An action that fails changes nothing for those that wait for the same commit."""
        for action in self.actions:
            try:
                action()
            except Exception:
                log.exception("a change is durable, but what was to follow it failed")


def tell(item: Job | Turn, failure: StorageError | None) -> None:
    """Whoever waits for a group's commit hears of it, and what a block wanted done afterwards is done."""
    if not item.done.done():
        if failure is not None:
            item.done.set_exception(failure)
        elif isinstance(item, Turn):
            item.done.set_result(None)
        elif item.refusal is not None:
            item.done.set_exception(item.refusal)
        else:
            item.done.set_result(item.rows)
    if failure is None and isinstance(item, Turn):
        item.act()  # also when whoever asked went away meanwhile: the change is there
