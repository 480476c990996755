"""PutItem, GetItem, DeleteItem and UpdateItem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Raw, Struct

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.service import prompt
from cumulet.services.dynamodb import capacity, rows, writing
from cumulet.services.dynamodb.asked import (
    AnyCondition,
    AnyUpdate,
    check_get,
    check_routes,
    check_update,
    check_updated,
    check_write,
    condition_of,
    projection_of,
    update_of,
)
from cumulet.services.dynamodb.capacity import Consumed
from cumulet.services.dynamodb.errors import invalid, no_such_resource
from cumulet.services.dynamodb.expressions import Projection
from cumulet.services.dynamodb.item_collections import metrics
from cumulet.services.dynamodb.keys import check_index_keys, check_item_keys, check_key
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Address, Stored, address, decode_item, encode_item
from cumulet.services.dynamodb.state import Answer, DynamoDb
from cumulet.services.dynamodb.values import MOST_BYTES, Item, check_item, item_size
from cumulet.services.dynamodb.vectors.entries import check as check_vectors
from cumulet.services.dynamodb.vectors.entries import write_bytes
from cumulet.storage.database import Transaction

TOO_LARGE = "Item size has exceeded the maximum allowed size"
UPDATED_TOO_LARGE = "Item size to update has exceeded the maximum allowed size"
FAILED = "The conditional request failed"


class Written(Struct):
    """What a write found and left."""

    old: Stored | None
    old_item: Item | None
    new: Stored | None
    new_item: Item | None

    @property
    def item(self) -> Item | None:
        """The item as it is, or as it was if it is gone."""
        return self.new_item if self.new_item is not None else self.old_item


Change = Callable[[Item | None, Stored | None], tuple[Item | None, Stored | None]]
"""From the item that is there to the one that shall be, with its row; None for none."""


def stored(item: Item, size: int, message: str = TOO_LARGE) -> Stored:
    """The row of an item that has so many bytes. Raises ValidationException when those are more than 400 KB."""
    if size > MOST_BYTES:
        raise invalid(message)
    return Stored(encode_item(item), size)


def shown(held: Stored | None) -> Any:
    """An item for an answer, as its row has it: nothing is decoded to be encoded again."""
    return None if held is None else Raw(held.body)


async def alter(
    dynamodb: DynamoDb,
    tx: Transaction,
    table: Table,
    place: Address,
    change: Change,
    condition: AnyCondition | None,
    on_failure: str | None,
) -> Written:
    """Change one item within a transaction. Raises ConditionalCheckFailedException."""
    written = altered(await rows.get(tx, table, place), change, condition, on_failure)
    await writing.apply(tx, dynamodb.changes, table, place, written.old, written.new, written.new_item)
    return written


def altered(old: Stored | None, change: Change, condition: AnyCondition | None, on_failure: str | None) -> Written:
    """What a change makes of an item. Raises ConditionalCheckFailedException."""
    old_item = decode_item(old.body) if old is not None else None
    if condition is not None and not condition.matches(old_item or {}):
        raise condition_failed(old, on_failure)
    new_item, new = change(old_item, old)
    return Written(old, old_item, new, new_item)


def condition_failed(old: Stored | None, on_failure: str | None) -> AwsError:
    """What a condition that does not hold answers, with the item if that was asked for."""
    fields = {"Item": shown(old)} if on_failure == "ALL_OLD" and old is not None else {}
    return api.ConditionalCheckFailedException(FAILED, fields=fields)


async def now_in(dynamodb: DynamoDb, table: Table) -> Table:
    """The table as it is when its turn has come: an index may have been added since. Raises ResourceNotFoundException."""
    now = await dynamodb.directory.find((table.account, table.region, table.name))
    if now is None or now.id != table.id:
        raise no_such_resource()
    return now


@prompt
async def put_item(dynamodb: DynamoDb, call: Call, request: api.PutItemInput) -> api.PutItemOutput:
    check_write(request)
    item = request.item
    size = check_item(item)
    returned = request.return_values
    if returned not in (None, "NONE", "ALL_OLD"):
        raise invalid("ReturnValues can only be ALL_OLD or NONE")
    new = stored(item, size)
    condition = condition_of(request)
    table = await dynamodb.table(call, request.table_name)
    check_item_keys(table, item)
    check_vectors(table, item)
    place = address(table.key, item)
    asked = request.return_consumed_capacity is not None or request.return_item_collection_metrics is not None
    asked = asked or dynamodb.meter is not None
    if condition is None and returned != "ALL_OLD" and not asked and writing.plain(table):
        await rows.put_alone(dynamodb.db, table, place, new)
        return api.PutItemOutput()

    def change(_item: Item | None, _old: Stored | None) -> tuple[Item | None, Stored | None]:
        return item, new

    written = await _alone(dynamodb, table, place, change, condition, request)
    return api.PutItemOutput(
        attributes=shown(written.old) if returned == "ALL_OLD" else None,
        consumed_capacity=_consumed(table, written, request),
        item_collection_metrics=await metrics(dynamodb.db, table, item, request.return_item_collection_metrics),
    )


Writing = api.PutItemInput | api.DeleteItemInput | api.UpdateItemInput


async def _alone(
    dynamodb: DynamoDb, table: Table, place: Address, change: Change, condition: AnyCondition | None, request: Writing
) -> Written:
    """Change one item and what follows from it, and nothing else."""
    on_failure = request.return_values_on_condition_check_failure
    if dynamodb.meter is None and writing.plain(table):
        plainly = await _plainly(dynamodb, table, place, change, condition, on_failure)
        if plainly is not None:
            return plainly
    if dynamodb.meter is not None:
        dynamodb.meter.admit(table, "write", key=place.hash)
    async with dynamodb.db.transaction() as tx:
        table = await now_in(dynamodb, table)
        try:
            written = await alter(dynamodb, tx, table, place, change, condition, on_failure)
        except api.ConditionalCheckFailedException:
            _pay(dynamodb, table, place, None)
            raise
        if dynamodb.meter is not None:
            dynamodb.meter.admit_entries(table, written_units(table, written)[1], written.item)
    _pay(dynamodb, table, place, written)
    return written


async def _plainly(
    dynamodb: DynamoDb,
    table: Table,
    place: Address,
    change: Change,
    condition: AnyCondition | None,
    on_failure: str | None,
) -> Written | None:
    """As `alter`, by itself, of a table where nothing follows from a change but the item's row; None if that is so no more."""
    written: Written | None = None

    def decide(old: Stored | None) -> Stored | None:
        nonlocal written
        if dynamodb.directory.held((table.account, table.region, table.name)) is not table:
            return old
        written = altered(old, change, condition, on_failure)
        return written.new

    await rows.change_alone(dynamodb.db, table, place, decide)
    return written


def _pay(dynamodb: DynamoDb, table: Table, place: Address, written: Written | None) -> None:
    """What a write took; one whose condition did not hold takes a unit as well."""
    if dynamodb.meter is None:
        return
    spent = Consumed(table)
    units = (1.0, {}) if written is None else written_units(table, written)
    spent.add(*units)
    dynamodb.meter.spend(spent, "write")
    dynamodb.meter.spend_write(table, place.hash, units, None if written is None else written.item)


def _consumed(table: Table, written: Written, request: Writing) -> api.ConsumedCapacity | None:
    if not capacity.wanted(request.return_consumed_capacity):
        return None
    consumed = Consumed(table)
    consumed.add(*written_units(table, written))
    consumed.add_vectors(write_bytes(table, written.old_item, written.new_item))
    return consumed.shown(request.return_consumed_capacity, name=request.table_name)


def written_units(table: Table, written: Written) -> tuple[float, dict[str, float]]:
    """Write units of a change, of the table and by index."""
    by_index = capacity.index_units(table, written.old, written.old_item, written.new, written.new_item)
    return capacity.write_units(written.old, written.new), by_index


@prompt
def get_item(dynamodb: DynamoDb, call: Call, request: api.GetItemInput) -> Answer[api.GetItemOutput]:
    check_get(request)
    check_item(request.key)
    projection = projection_of(request)
    table = dynamodb.held(call, request.table_name)
    if table is not None:
        place = _place(dynamodb, table, request, projection)
        found = rows.get_at_once(dynamodb.db, table, place)
        if found is not None:
            return _got(dynamodb, table, request, projection, found[0] if found else None)
    return _get_later(dynamodb, call, request, projection)


async def _get_later(
    dynamodb: DynamoDb, call: Call, request: api.GetItemInput, projection: Projection | None
) -> api.GetItemOutput:
    table = await dynamodb.table(call, request.table_name)
    place = _place(dynamodb, table, request, projection)
    return _got(dynamodb, table, request, projection, await rows.get(dynamodb.db, table, place))


def _place(dynamodb: DynamoDb, table: Table, request: api.GetItemInput, projection: Projection | None) -> Address:
    """Where the item is, once nothing speaks against reading it."""
    check_key(table.key, request.key)
    if projection is not None:
        check_routes(table, projection.routes)
    place = address(table.key, request.key)
    if dynamodb.meter is not None:
        dynamodb.meter.admit(table, "read", key=place.hash)
    return place


def _got(
    dynamodb: DynamoDb, table: Table, request: api.GetItemInput, projection: Projection | None, held: Stored | None
) -> api.GetItemOutput:
    meter = dynamodb.meter
    consumed = None
    if meter is not None or capacity.wanted(request.return_consumed_capacity):
        spent = Consumed(table)
        spent.add(capacity.read_units(held.size if held else 0, consistent=bool(request.consistent_read)))
        consumed = spent.shown(request.return_consumed_capacity, name=request.table_name)
        if meter is not None:
            meter.spend(spent, "read")
            meter.spend_read(table, None, address(table.key, request.key).hash, spent.units)
    if held is None:
        return api.GetItemOutput(consumed_capacity=consumed)
    item = shown(held) if projection is None else projection.apply(decode_item(held.body))
    return api.GetItemOutput(item=item, consumed_capacity=consumed)


@prompt
async def delete_item(dynamodb: DynamoDb, call: Call, request: api.DeleteItemInput) -> api.DeleteItemOutput:
    check_write(request)
    check_item(request.key)
    returned = request.return_values
    if returned not in (None, "NONE", "ALL_OLD"):
        raise invalid("ReturnValues can only be ALL_OLD or NONE")
    condition = condition_of(request)
    table = await dynamodb.table(call, request.table_name)
    check_key(table.key, request.key)
    place = address(table.key, request.key)
    written = await _alone(dynamodb, table, place, _gone, condition, request)
    return api.DeleteItemOutput(
        attributes=shown(written.old) if returned == "ALL_OLD" else None,
        consumed_capacity=_consumed(table, written, request),
        item_collection_metrics=await metrics(dynamodb.db, table, request.key, request.return_item_collection_metrics),
    )


def _gone(_item: Item | None, _old: Stored | None) -> tuple[Item | None, Stored | None]:
    return None, None


@prompt
async def update_item(dynamodb: DynamoDb, call: Call, request: api.UpdateItemInput) -> api.UpdateItemOutput:
    check_update(request)
    check_item(request.key)
    update, condition = update_of(request)
    table = await dynamodb.table(call, request.table_name)
    check_key(table.key, request.key)
    if update is not None:
        check_updated(table, update)
    changing = Updating(table, request.key, update)
    place = address(table.key, request.key)
    written = await _alone(dynamodb, table, place, changing.change, condition, request)
    return api.UpdateItemOutput(
        attributes=_attributes(request.return_values, written, update),
        consumed_capacity=_consumed(table, written, request),
        item_collection_metrics=await metrics(dynamodb.db, table, request.key, request.return_item_collection_metrics),
    )


class Updating:
    """An update of one item, as a change; without an update the item is there afterwards, if only with its key."""

    def __init__(self, table: Table, key: Item, update: AnyUpdate | None) -> None:
        self._table = table
        self._key = key
        self._update = update

    def change(self, old_item: Item | None, _old: Stored | None) -> tuple[Item | None, Stored | None]:
        update = self._update
        if update is None:
            item = dict(self._key) if old_item is None else old_item
        elif old_item is None and not update.creates:
            update.apply(None, self._key)  # for what it refuses
            return None, None
        else:
            item = update.apply(old_item, self._key).item
            if self._table.indexed:
                check_index_keys(self._table, item)
                check_vectors(self._table, item)
        return item, stored(item, item_size(item), UPDATED_TOO_LARGE)


def _attributes(returned: str | None, written: Written, update: AnyUpdate | None) -> Any:
    if returned in (None, "NONE"):
        return None
    if returned == "ALL_OLD":
        return shown(written.old)
    if returned == "ALL_NEW":
        return shown(written.new)
    if update is None:
        return None
    item = written.old_item if returned == "UPDATED_OLD" else written.new_item
    if item is None:
        return None
    return update.updated.apply(item) or None
