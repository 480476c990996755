"""Tables that are being filled: nobody reads or writes them until they are whole."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb import store
from cumulet.services.dynamodb.model import ACTIVE, CREATING, Table
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.database import Conflict, Transaction


class Taken:
    """Turns a conflict in its block, over the new table's name, into AWS's answer, an error of this kind."""

    def __init__(self, target: Table, error: type[AwsError]) -> None:
        self._name = target.name
        self._error = error

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Conflict):
            raise self._error(f"Table already exists: {self._name}") from None


async def insert(dynamodb: DynamoDb, tx: Transaction, target: Table) -> Table:
    """The new table, with ids for its rows. Raises Conflict when there is one of its name."""
    indexes = tuple([replace(index, id=await store.next_id(tx), status=CREATING) for index in target.indexes])
    vectors = tuple([replace(index, id=await store.next_id(tx), status=CREATING) for index in target.vectors])
    target = replace(target, id=await store.next_id(tx), indexes=indexes, vectors=vectors, status=CREATING)
    await store.insert(tx, target, "{}")
    tx.after_commit(lambda: dynamodb.directory.changed(target))
    return target


async def open_table(dynamodb: DynamoDb, tx: Transaction, target: Table) -> None:
    """It is whole."""
    indexes = tuple(replace(index, status=ACTIVE) for index in target.indexes)
    vectors = tuple(replace(index, status=ACTIVE) for index in target.vectors)
    whole = replace(target, status=ACTIVE, indexes=indexes, vectors=vectors)
    await store.save(tx, whole)
    tx.after_commit(lambda: dynamodb.directory.changed(whole))
