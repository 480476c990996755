"""Tables that are being copied: what their items were before they changed is kept until the copy is whole."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.services.dynamodb import store
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.database import Transaction


async def hold(dynamodb: DynamoDb, tx: Transaction, table: Table) -> Table:
    """The table, held once more; `table` is as it is now."""
    return await _save(dynamodb, tx, replace(table, held=table.held + 1))


async def release(dynamodb: DynamoDb, tx: Transaction, table: Table) -> None:
    """A copy of it is whole, or given up."""
    now = await store.current(tx, table)
    if now is not None:
        await _save(dynamodb, tx, replace(now, held=max(0, now.held - 1)))


async def _save(dynamodb: DynamoDb, tx: Transaction, table: Table) -> Table:
    await store.save(tx, table)
    tx.after_commit(lambda: dynamodb.directory.changed(table))
    return table
