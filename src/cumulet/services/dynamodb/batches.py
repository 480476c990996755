"""BatchGetItem and BatchWriteItem."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress
from typing import Any

from msgspec import Struct

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.service import prompt
from cumulet.services.dynamodb import capacity, item_collections, rows, writing
from cumulet.services.dynamodb.asked import check_get, check_routes, projection_of
from cumulet.services.dynamodb.capacity import Consumed
from cumulet.services.dynamodb.errors import invalid, unfit
from cumulet.services.dynamodb.expressions import Projection
from cumulet.services.dynamodb.items import Written, now_in, shown, stored, written_units
from cumulet.services.dynamodb.keys import check_index_keys, check_key
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Address, Stored, address, decode_item
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.services.dynamodb.throughput import Meter
from cumulet.services.dynamodb.values import Item, check_item
from cumulet.services.dynamodb.vectors.entries import check as check_vectors
from cumulet.services.dynamodb.vectors.entries import write_bytes
from cumulet.storage.database import Transaction

_MOST_GETS, _MOST_WRITES = 100, 25
_MOST_BYTES = 16 << 20
_LEAST_ONE_LONG = "Member must have length greater than or equal to 1"
_TWICE = "Provided list of item keys contains duplicates"


class Wanted(Struct):
    """What is to be read of one table."""

    name: str
    table: Table
    asked: api.KeysAndAttributes
    projection: Projection | None
    places: list[Address]


@prompt
async def batch_get_item(dynamodb: DynamoDb, call: Call, request: api.BatchGetItemInput) -> api.BatchGetItemOutput:
    projections = _check_gets(request.request_items)
    wanted = []
    for name, asked in request.request_items.items():
        table = await dynamodb.table(call, name)
        for key in asked.keys:
            check_key(table.key, key)
        places = [address(table.key, key) for key in asked.keys]
        if len(set(places)) != len(places):
            raise invalid(_TWICE)
        projection = projections[name]
        if projection is not None:
            check_routes(table, projection.routes)
        wanted.append(Wanted(name, table, asked, projection, places))
    answer = api.BatchGetItemOutput(responses={}, unprocessed_keys={}, consumed_capacity=[])
    left = _MOST_BYTES
    for each in wanted:
        left = await _read(dynamodb, each, answer, left, request.return_consumed_capacity)
    if not answer.consumed_capacity:
        answer.consumed_capacity = None
    if dynamodb.meter is not None and not any(_was_read(each, answer) for each in wanted):
        dynamodb.meter.admit(wanted[0].table, "read", key=wanted[0].places[0].hash)
    return answer


def _was_read(wanted: Wanted, answer: api.BatchGetItemOutput) -> bool:
    """Whether any of its keys was read."""
    unread = (answer.unprocessed_keys or {}).get(wanted.name)
    return unread is None or len(unread.keys) < len(wanted.places)


def _units(table: Table, units: float) -> Consumed:
    consumed = Consumed(table)
    consumed.add(units)
    return consumed


def _check_gets(requests: Mapping[str, api.KeysAndAttributes]) -> dict[str, Projection | None]:
    if not requests:
        raise invalid("The requestItems parameter is required for BatchGetItem")
    for name, asked in requests.items():
        if not asked.keys:
            raise unfit(f"requestItems.{name}.member.keys", _LEAST_ONE_LONG, "[]")
        if len(asked.keys) > _MOST_GETS:
            reason = f"Member must have length less than or equal to {_MOST_GETS}"
            raise unfit(f"RequestItems.{name}.member.Keys", reason)
    count = 0
    projections = {}
    for name, asked in requests.items():
        check_get(asked)
        projections[name] = projection_of(asked)
        for key in asked.keys:
            check_item(key)
        count += len(asked.keys)
        if count > _MOST_GETS:
            raise invalid("Too many items requested for the BatchGetItem call")
    return projections


async def _read(
    dynamodb: DynamoDb, wanted: Wanted, answer: api.BatchGetItemOutput, left: int, given: str | None
) -> int:
    """Read from one table as long as the answer may still grow; gives what it may grow by then."""
    found: list[Any] = []
    consumed = Consumed(wanted.table)
    consistent = bool(wanted.asked.consistent_read)
    meter = dynamodb.meter
    unread: list[Item] = []
    for key, place in zip(wanted.asked.keys, wanted.places, strict=True):
        if left <= 0 or (meter is not None and not meter.admits(wanted.table, "read", key=place.hash)):
            unread.append(key)
            continue
        held = await rows.get(dynamodb.db, wanted.table, place)
        units = capacity.read_units(held.size if held else 0, consistent=consistent)
        consumed.add(units)
        if meter is not None:
            meter.spend(_units(wanted.table, units), "read")
            meter.spend_read(wanted.table, None, place.hash, units)
        if held is not None:
            left -= held.size
            projection = wanted.projection
            found.append(shown(held) if projection is None else projection.apply(decode_item(held.body)))
    assert answer.responses is not None
    assert answer.unprocessed_keys is not None
    assert answer.consumed_capacity is not None
    answer.responses[wanted.name] = found
    if unread:
        asked = wanted.asked
        answer.unprocessed_keys[wanted.name] = api.KeysAndAttributes(
            keys=unread,
            attributes_to_get=asked.attributes_to_get,
            consistent_read=asked.consistent_read,
            projection_expression=asked.projection_expression,
            expression_attribute_names=asked.expression_attribute_names,
        )
    if (each := consumed.shown(given, name=wanted.name)) is not None:
        answer.consumed_capacity.append(each)
    return left


class Put(Struct):
    """One write of a batch; `new` is None where the item is deleted."""

    key: Item
    place: Address
    new: Stored | None
    item: Item | None


@prompt
async def batch_write_item(
    dynamodb: DynamoDb, call: Call, request: api.BatchWriteItemInput
) -> api.BatchWriteItemOutput:
    if not request.request_items:
        raise invalid("The requestItems parameter is required for BatchWriteItem")
    if sum(map(len, request.request_items.values())) > _MOST_WRITES:
        raise invalid("Too many items requested for the BatchWriteItem call")
    made = {name: [_made(each) for each in writes] for name, writes in request.request_items.items()}
    batches: list[tuple[str, Table, list[Put]]] = []
    for name, pairs in made.items():
        table = await dynamodb.table(call, name)
        batches.append((name, table, [_put(table, each, new) for each, new in pairs]))
    answer = api.BatchWriteItemOutput(unprocessed_items={})
    if dynamodb.meter is not None:
        batches = _admitted(dynamodb.meter, batches, request, answer)
    consumed = []
    metrics: dict[str, list[api.ItemCollectionMetrics]] = {}
    async with dynamodb.db.transaction() as tx:
        for name, table, puts in batches:
            each = await _write(dynamodb, tx, await now_in(dynamodb, table), puts)
            if dynamodb.meter is not None:
                dynamodb.meter.spend(each, "write")
            consumed.append(each.shown(request.return_consumed_capacity, name=name))
    for name, table, puts in batches:
        given = request.return_item_collection_metrics
        touched = [await item_collections.metrics(dynamodb.db, table, put.key, given) for put in puts]
        if collected := [each for each in touched if each is not None]:
            metrics[name] = collected
    answer.consumed_capacity = [each for each in consumed if each is not None] or None
    answer.item_collection_metrics = metrics or None
    return answer


def _admitted(
    meter: Meter,
    batches: list[tuple[str, Table, list[Put]]],
    request: api.BatchWriteItemInput,
    answer: api.BatchWriteItemOutput,
) -> list[tuple[str, Table, list[Put]]]:
    """Those whose tables and keys have throughput left; the others are given back. Raises as `Meter.admit` when there are no
    others."""
    admitted: list[tuple[str, Table, list[Put]]] = []
    back: dict[str, list[api.WriteRequest]] = {}
    for name, table, puts in batches:
        fit = [meter.admits(table, "write", key=put.place.hash) for put in puts]
        if any(fit):
            admitted.append((name, table, list(compress(puts, fit))))
        if not all(fit):
            back[name] = [write for write, fits in zip(request.request_items[name], fit, strict=True) if not fits]
    if not admitted:
        _, table, puts = batches[0]
        meter.admit(table, "write", key=puts[0].place.hash)
    answer.unprocessed_items = back
    return admitted


def _made(write: api.WriteRequest) -> tuple[api.WriteRequest, Stored | None]:
    """A write with the row it makes. Raises ValidationException."""
    put, deletion = write.put_request, write.delete_request
    if (put is None) == (deletion is None):
        raise invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
        )
    if put is not None:
        return write, stored(put.item, check_item(put.item))
    assert deletion is not None
    check_item(deletion.key)
    return write, None


def _put(table: Table, write: api.WriteRequest, new: Stored | None) -> Put:
    if write.put_request is not None:
        item = write.put_request.item
        own = {name: item[name] for name in table.key.names if name in item}
        check_key(table.key, own)
        check_index_keys(table, item)
        check_vectors(table, item)
        return Put(own, address(table.key, own), new, item)
    assert write.delete_request is not None
    key = write.delete_request.key
    check_key(table.key, key)
    return Put(key, address(table.key, key), None, None)


async def _write(dynamodb: DynamoDb, tx: Transaction, table: Table, puts: list[Put]) -> Consumed:
    if len({put.place for put in puts}) != len(puts):
        raise invalid(_TWICE)
    consumed = Consumed(table)
    for put in puts:
        old = await rows.get(tx, table, put.place)
        await writing.apply(tx, dynamodb.changes, table, put.place, old, put.new, put.item)
        old_item = decode_item(old.body) if old is not None and table.indexed else None
        written = Written(old, old_item, put.new, put.item)
        units = written_units(table, written)
        consumed.add(*units)
        if dynamodb.meter is not None:
            dynamodb.meter.spend_write(table, put.place.hash, units, written.item)
        consumed.add_vectors(write_bytes(table, old_item, put.item))
    return consumed
