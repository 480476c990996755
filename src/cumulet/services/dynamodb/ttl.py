"""Operations on a table's time to live."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.services.dynamodb import expiry, jobs, replicas, store
from cumulet.services.dynamodb.consistency import unsupported
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Address, decode_item
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.database import Transaction

_TURN = 200
ON, OFF = "ttl-on", "ttl-off"


class Walk(Struct):
    """How far the items of a table were looked at."""

    table: Table
    hash: bytes = b""
    range: bytes = b""


async def update_time_to_live(
    dynamodb: DynamoDb, call: Call, request: api.UpdateTimeToLiveInput
) -> api.UpdateTimeToLiveOutput:
    wanted = request.time_to_live_specification
    table = await dynamodb.described(call, request.table_name)
    async with dynamodb.change(table) as (tx, now):
        unsupported(now, "Time to live is")
        if wanted.enabled and now.ttl:
            if now.ttl == wanted.attribute_name:
                raise invalid("TimeToLive is already enabled")
            raise invalid(f"TimeToLive is active on a different AttributeName: current AttributeName is {now.ttl}")
        if not wanted.enabled and not now.ttl:
            raise invalid("TimeToLive is already disabled")
        if not wanted.enabled and now.ttl != wanted.attribute_name:
            raise invalid(f"TimeToLive is active on a different AttributeName: current AttributeName is {now.ttl}")
        await _set(dynamodb, tx, now, wanted.attribute_name if wanted.enabled else "")
        if not now.legacy:
            async for sibling in replicas.siblings(tx, now):
                if sibling.ttl != (wanted.attribute_name if wanted.enabled else ""):
                    await _set(dynamodb, tx, sibling, wanted.attribute_name if wanted.enabled else "")
    return api.UpdateTimeToLiveOutput(time_to_live_specification=wanted)


async def _set(dynamodb: DynamoDb, tx: Transaction, table: Table, attribute: str) -> None:
    """Let items of a table expire by an attribute; empty for none. Raises ValidationException while a change is under way."""
    if await dynamodb.jobs.under_way(_job(table), tx):
        raise invalid("Time to live has been modified multiple times within a fixed interval")
    changed = replace(table, ttl=attribute, ttl_changed=dynamodb.clock.now())
    await store.save(tx, changed)
    tx.after_commit(lambda: dynamodb.directory.changed(changed))
    await dynamodb.jobs.add(tx, ON if attribute else OFF, _job(table), msgspec.msgpack.encode(Walk(changed)))


async def describe_time_to_live(
    dynamodb: DynamoDb, call: Call, request: api.DescribeTimeToLiveInput
) -> api.DescribeTimeToLiveOutput:
    table = await dynamodb.described(call, request.table_name)
    changing = await dynamodb.jobs.under_way(_job(table))
    if not table.ttl:
        status = "DISABLING" if changing else "DISABLED"
        return api.DescribeTimeToLiveOutput(
            time_to_live_description=api.TimeToLiveDescription(time_to_live_status=status)
        )
    return api.DescribeTimeToLiveOutput(
        time_to_live_description=api.TimeToLiveDescription(
            time_to_live_status="ENABLING" if changing else "ENABLED", attribute_name=table.ttl
        )
    )


def register(dynamodb: DynamoDb) -> None:
    """The work that follows from turning it on and off."""

    async def on(id_: str, record: bytes) -> None:
        walk = msgspec.msgpack.decode(record, type=Walk)
        while await _enter_some(dynamodb, id_, walk):
            pass

    async def off(id_: str, record: bytes) -> None:
        table = msgspec.msgpack.decode(record, type=Walk).table
        while await dynamodb.db.write(expiry.SWEEP, (table.id, _TURN)):
            pass
        async with dynamodb.db.transaction() as tx:
            await jobs.done(tx, id_)

    dynamodb.jobs.kinds |= {ON: on, OFF: off}


async def _enter_some(dynamodb: DynamoDb, id_: str, walk: Walk) -> bool:
    """Enter when some more items expire; whether there are more."""
    async with dynamodb.db.transaction() as tx:
        found = await tx.read(
            "SELECT hash, range, body FROM ddb_item WHERE tbl = $1 AND (hash, range) > ($2, $3) "
            "ORDER BY hash, range LIMIT $4",
            (walk.table.id, walk.hash, walk.range, _TURN),
        )
        for hash_, range_, body in found:
            await expiry.note(tx, dynamodb.changes.alarm, walk.table, Address(hash_, range_), None, decode_item(body))
        if len(found) < _TURN or await store.current(tx, walk.table) is None:
            await jobs.done(tx, id_)
            return False
        walk.hash, walk.range = found[-1][:2]
        await jobs.save(tx, id_, msgspec.msgpack.encode(walk))
    return True


def _job(table: Table) -> str:
    return f"ttl-{table.id}"
