"""Global tables: a table that regions of this installation hold together, each with its own indexes' rows and stream.

A write in one region is a write in all, in one transaction: there is no lag, and no two regions that disagree.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GlobalTables.html
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.dynamodb import consistency, jobs, overrides, rows, store, writing
from cumulet.services.dynamodb.bulk.model import jobs_of
from cumulet.services.dynamodb.errors import in_use, invalid
from cumulet.services.dynamodb.model import ACTIVE, CREATING, CREATION_FAILED, Override, Replica, StreamSettings, Table
from cumulet.services.dynamodb.rows import Address, Stored, decode_item
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.database import Transaction

log = logging.getLogger(__name__)

_KIND = "replica"
_TURN = 100
_TRIES = 8
"""Failures in a row after which copying is given up: some two minutes, as jobs pause longer after each."""


class Copying(Struct):
    """How far the items of a table were copied to a new replica."""

    source: Table
    target: Table
    hash: bytes = b""
    range: bytes = b""
    failures: int = 0
    """How often it failed since it last came further."""


async def siblings(tx: Transaction, table: Table) -> AsyncIterator[Table]:
    """The same table in the other regions."""
    for replica in table.replicas:
        found = await store.sibling(tx, table, replica)
        if found is not None:
            yield found


async def update(dynamodb: DynamoDb, tx: Transaction, table: Table, request: api.UpdateTableInput) -> Table:
    """Add the table to regions, take it away from some, or give it settings of its own in one. Gives the table as it shall
    be saved."""
    updates = request.replica_updates or []
    if table.legacy and updates:
        raise invalid("Replicas of a global table of version 2017.11.29 are changed by UpdateGlobalTable")
    if any(each.disassociate is not None for each in updates):
        return await _disassociate(dynamodb, tx, table, updates)
    if updates and table.accounts and not _all_failed(table, updates):
        raise invalid(
            "Replicas of a multi-account global table cannot be changed through ReplicaUpdates: "
            "each account creates and deletes its own by CreateTable and DeleteTable."
        )
    table = await consistency.began(tx, table, request)
    for each in updates:
        action = each.create or each.update or each.delete
        if action is None:
            raise invalid("One of ReplicationGroupUpdate.Create, Update or Delete must not be null")
        if action.region_name == table.region:
            raise invalid(
                "Cannot add, delete, or update the local region through ReplicaUpdates. "
                "Use CreateTable, DeleteTable, or UpdateTable as required."
            )
        if each.create is not None:
            table = await _add(dynamodb, tx, table, each.create)
        elif each.update is not None:
            table = await _change(dynamodb, tx, table, each.update)
        else:
            table = await _remove(dynamodb, tx, table, action.region_name)
    return table if table.replicas else replace(table, consistency="", witness="", guarded=True)


def _all_failed(table: Table, updates: list[api.ReplicationGroupUpdate]) -> bool:
    """Whether no more is wanted than to delete replicas that nobody has: they could not be made."""
    failed = {each.region for each in table.replicas if each.status == CREATION_FAILED}
    return all(each.delete is not None and each.delete.region_name in failed for each in updates)


async def _disassociate(
    dynamodb: DynamoDb, tx: Transaction, table: Table, updates: list[api.ReplicationGroupUpdate]
) -> Table:
    """Let the table of this region stand alone, with what it has."""
    if len(updates) > 1:
        raise invalid("Disassociate must be the only replica update in the request")
    wanted = updates[0].disassociate
    if wanted is None or wanted.region_name != table.region:
        raise invalid(f"Only the replica of the region of the request can be disassociated: {table.region}")
    consistency.unsupported(table, "Disassociating a replica is")
    if not table.replicas:
        raise invalid(f"The table is no replica of a global table: {table.name}")
    if table.guarded:
        raise invalid(
            "The replica cannot be disassociated as it is currently protected against disassociation. "
            "Disable disassociation protection first."
        )
    await leave(dynamodb, tx, table)
    return replace(table, replicas=(), guarded=True)


async def _add(
    dynamodb: DynamoDb, tx: Transaction, table: Table, wanted: api.CreateReplicationGroupMemberAction
) -> Table:
    own = overrides.of(table, wanted)
    region = wanted.region_name
    if await dynamodb.jobs.any_of(tx, jobs_of(table)):
        raise in_use(table.name)
    if await store.named(tx, table.account, region, table.name) is not None:
        raise invalid(
            f"Failed to create a the new replica of table with name: '{table.name}' because one or more replicas "
            "already existed as tables."
        )
    new = Replica(region, CREATING, wanted.kms_master_key_id or "", own)
    table, _ = await begin(dynamodb, tx, replace(table, shared=False), new, Replica(table.region))
    return table


async def begin(
    dynamodb: DynamoDb, tx: Transaction, table: Table, new: Replica, here: Replica, *, tags: str = "{}", **own: Any
) -> tuple[Table, Table]:
    """Make the table of a new replica, which knows this one as `here`; items are copied in the background. `own` are members
    in which it differs. Gives this table as it shall be saved, and the new one. One of its region that failed is forgotten."""
    table = replace(table, replicas=_but(table, new.region))
    if not table.streams and not table.consistency:
        table = replace(table, stream=_stream(dynamodb))
        await dynamodb.changes.open_stream(tx, table)
    made = replace(
        table,
        destinations=(),
        restored=None,
        id=await store.next_id(tx),
        uuid=new_id(),
        account=new.account or table.account,
        region=new.region,
        created=dynamodb.clock.now(),
        indexes=tuple([replace(index, id=await store.next_id(tx)) for index in table.indexes]),
        vectors=tuple([replace(index, id=await store.next_id(tx)) for index in table.vectors]),
        stream=_stream(dynamodb, table) if table.streams else None,
        recovery=False,
        held=0,
        status=CREATING,
        replicas=(here, *table.replicas),
        **{"protected": False, **own},
    )
    made = overrides.apply(made, new.override)
    await store.insert(tx, made, tags)
    if made.streams:
        await dynamodb.changes.open_stream(tx, made)
    async for sibling in siblings(tx, table):
        await _save(dynamodb, tx, replace(sibling, replicas=(*_but(sibling, new.region), new)))
    table = replace(table, replicas=(*table.replicas, new))
    await dynamodb.jobs.add(tx, _KIND, f"replica-{made.id}", msgspec.msgpack.encode(Copying(table, made)))
    tx.after_commit(lambda: dynamodb.directory.changed(made))
    return table, made


def _but(table: Table, region: str) -> tuple[Replica, ...]:
    """Its replicas in other regions than one."""
    return tuple([each for each in table.replicas if each.region != region])


def _stream(dynamodb: DynamoDb, table: Table | None = None) -> StreamSettings:
    moment = datetime.fromtimestamp(dynamodb.clock.now(), UTC)
    label = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}"
    view = table.stream.view if table is not None and table.stream is not None else "NEW_AND_OLD_IMAGES"
    return StreamSettings(view, label)


async def _save(dynamodb: DynamoDb, tx: Transaction, table: Table) -> None:
    await store.save(tx, table)
    tx.after_commit(lambda: dynamodb.directory.changed(table))


async def _change(
    dynamodb: DynamoDb, tx: Transaction, table: Table, wanted: api.UpdateReplicationGroupMemberAction
) -> Table:
    """Change what a replica has of its own."""
    found = [each for each in table.replicas if each.region == wanted.region_name]
    if not found:
        raise _no_member()
    was = found[0]
    key = wanted.kms_master_key_id or was.key
    now = replace(was, key=key, override=overrides.of(table, wanted, was.override))

    def known(to: Table) -> tuple[Replica, ...]:
        return tuple([now if each.region == now.region else each for each in to.replicas])

    async for sibling in siblings(tx, table):
        if sibling.region == now.region:
            await _save(dynamodb, tx, overrides.apply(sibling, now.override))
        else:
            await _save(dynamodb, tx, replace(sibling, replicas=known(sibling)))
    return replace(table, replicas=known(table))


async def own_override(tx: Transaction, table: Table) -> Override | None:
    """What a table has of its own in its region: the tables of the others know."""
    async for sibling in siblings(tx, table):
        for each in sibling.replicas:
            if each.region == table.region:
                return each.override
    return None


def _no_member() -> AwsError:
    return invalid(
        "Update global table operation failed because one or more replicas were not part of the global table."
    )


async def _remove(dynamodb: DynamoDb, tx: Transaction, table: Table, region: str) -> Table:
    wanted = [each for each in table.replicas if each.region == region]
    if not wanted:
        raise _no_member()
    gone = await store.sibling(tx, table, wanted[0])
    await _forget(dynamodb, tx, table, region)
    if gone is not None:
        await _delete(dynamodb, tx, gone)
    return replace(table, replicas=_but(table, region))


async def _delete(dynamodb: DynamoDb, tx: Transaction, table: Table) -> None:
    await store.delete(tx, table)
    await dynamodb.changes.forget_table(tx, table)
    tx.after_commit(lambda: dynamodb.directory.changed(table))
    tx.after_commit(dynamodb.sweeper.wake)


async def leave(dynamodb: DynamoDb, tx: Transaction, table: Table) -> None:
    """A table goes: the other regions do not hold it together with this one any more."""
    await _forget(dynamodb, tx, table, table.region)


async def _forget(dynamodb: DynamoDb, tx: Transaction, table: Table, region: str) -> None:
    """Have the siblings of a table not know a region any more."""
    async for sibling in siblings(tx, table):
        left = _but(sibling, region)
        alone = {} if left else {"consistency": "", "witness": "", "guarded": True}
        await _save(dynamodb, tx, replace(sibling, replicas=left, **alone))


def register(dynamodb: DynamoDb) -> None:
    """The copying of items to new replicas."""

    async def copy(id_: str, record: bytes) -> None:
        copying = msgspec.msgpack.decode(record, type=Copying)
        try:
            while await _copy_some(dynamodb, id_, copying):
                pass  # others had their turns during the commit
        except Exception:
            if not await _given_up(dynamodb, id_):
                raise
            log.exception("The items of %s cannot be copied to %s", copying.source.arn, copying.target.arn)

    dynamodb.jobs.kinds[_KIND] = copy


async def _copy_some(dynamodb: DynamoDb, id_: str, copying: Copying) -> bool:
    """Copy some more items, but those that were written since: they are there already. Whether there are more."""
    async with dynamodb.db.transaction() as tx:
        target = await store.current(tx, copying.target)
        if target is None:
            await jobs.done(tx, id_)
            return False
        found = await tx.read(
            "SELECT hash, range, size, body FROM ddb_item WHERE tbl = $1 AND (hash, range) > ($2, $3) "
            "ORDER BY hash, range LIMIT $4",
            (copying.source.id, copying.hash, copying.range, _TURN),
        )
        for hash_, range_, size, body in found:
            place = Address(hash_, range_)
            if await rows.get(tx, target, place) is None:
                stored = Stored(body, size)
                item = decode_item(body)
                await writing.apply_here(tx, dynamodb.changes, target, place, None, stored, item, copied=True)
        if len(found) == _TURN:
            copying.hash, copying.range = found[-1][:2]
            copying.failures = 0
            await jobs.save(tx, id_, msgspec.msgpack.encode(copying))
            return True
        await jobs.done(tx, id_)
        await _save(dynamodb, tx, replace(target, status=ACTIVE))
        await _tell(dynamodb, tx, target, ACTIVE)
    return False


async def _tell(dynamodb: DynamoDb, tx: Transaction, table: Table, status: str) -> None:
    """Have its siblings know what became of a table that was being made."""
    async for sibling in siblings(tx, table):
        now = [replace(each, status=status) if each.region == table.region else each for each in sibling.replicas]
        await _save(dynamodb, tx, replace(sibling, replicas=tuple(now)))


async def _given_up(dynamodb: DynamoDb, id_: str) -> bool:
    """Note that copying failed once more, and whether that was too often: then the table that was to be made is gone, and the
    others, which could not change until it is whole, are free again."""
    async with dynamodb.db.transaction() as tx:
        copying = msgspec.msgpack.decode(await jobs.saved(tx, id_), type=Copying)
        copying.failures += 1
        if copying.failures < _TRIES:
            await jobs.save(tx, id_, msgspec.msgpack.encode(copying))
            return False
        await jobs.done(tx, id_)
        target = await store.current(tx, copying.target)
        if target is not None:
            await _tell(dynamodb, tx, target, CREATION_FAILED)
            await _delete(dynamodb, tx, target)
    return True
