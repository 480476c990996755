"""The record store that services use: the port. One file beside this one per engine.

SQL keeps to the subset that SQLite and PostgreSQL share: `$1` parameters, `INSERT ... ON CONFLICT ... RETURNING`, columns
declared TEXT, BIGINT, DOUBLE PRECISION or BYTEA, booleans as 0 and 1, keys compared bytewise. `tests/contracts` holds
what every engine must do.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Row = tuple[Any, ...]
Values = Sequence[object]
Statement = tuple[str, Values]
Decision = Callable[[list[Row]], Statement | None]
"""From the rows that were read to the statement that follows from them; None for none. It waits for nothing."""


class StorageError(Exception):
    """The engine could not do its work (disk full, file damaged, connection lost); nothing of the change was kept."""


class Conflict(Exception):
    """A statement broke a constraint (a key that is there already); the statement changed nothing."""


class Transaction(Protocol):
    """The queries of one `transaction()` block."""

    async def read(self, sql: str, values: Values = ()) -> list[Row]:
        """Rows as this transaction sees them, its own changes included."""
        ...

    async def write(self, sql: str, values: Values = ()) -> list[Row]:
        """Run one changing statement; gives the rows of its RETURNING clause. Raises Conflict."""
        ...

    async def write_each(self, sql: str, rows: Sequence[Values]) -> None:
        """Run one changing statement for each row of values, in order. Raises Conflict."""
        ...

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` on the loop once the transaction is durable; never if it is not."""
        ...


class Database(Protocol):
    """Durable records. What `write` and `transaction` acknowledge survives `kill -9` and power loss."""

    async def read(self, sql: str, values: Values = ()) -> list[Row]:
        """Rows as last committed."""
        ...

    def read_at_once(self, sql: str, values: Values = ()) -> list[Row] | None:
        """As `read`, from an engine that has rows without being waited for; None from any other."""
        ...

    async def read_one(self, sql: str, values: Values = ()) -> Row | None:
        """The first row, or None."""
        ...

    async def write(self, sql: str, values: Values = ()) -> list[Row]:
        """Run one changing statement, atomic and durable on return; gives the rows of its RETURNING clause.

        Raises Conflict when a constraint is broken, StorageError when the engine fails.
        """
        ...

    async def write_all(self, statements: Sequence[Statement]) -> None:
        """Run changing statements, in order: all of them happen, durably on return, or none. Raises as `write`.

        For those that are known beforehand: half the cost of a `transaction` block.
        """
        ...

    async def change(self, query: Statement, decide: Decision) -> None:
        """Read rows, then run the changing statement that follows from them; no other writer's falls between. Durable on return.

        What `decide` raises, nothing having been changed, is raised here; otherwise raises as `write`.
        For what reads once and writes once: half the cost of a `transaction` block.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """All of the block's queries happen, durably, or none; no other writer's query falls between them.

        Keep the block to queries: what else it awaits, every other writer waits for too.
        """
        ...

    async def migrate(self, name: str, statements: Sequence[str]) -> None:
        """Bring the schema called `name` up to date: statements are numbered by position and each runs once, ever.

        A table whose statement ends with the comment `clustered` keeps its rows in the order of its key, if the engine can.
        """
        ...

    async def close(self) -> None:
        """Finish what was accepted, then let go of the files."""
        ...
