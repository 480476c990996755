"""TransactGetItems and TransactWriteItems: all or nothing.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import Raw, Struct

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.service import prompt
from cumulet.services.dynamodb import capacity, items, rows
from cumulet.services.dynamodb.asked import (
    OF_TRANSACTED,
    OF_TRANSACTED_GET,
    OF_TRANSACTED_UPDATE,
    AnyCondition,
    AnyUpdate,
    check_routes,
    check_updated,
    condition_of,
    projection_of,
    update_of,
)
from cumulet.services.dynamodb.capacity import Consumed
from cumulet.services.dynamodb.consistency import unsupported
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.expressions import Projection, check_parameters
from cumulet.services.dynamodb.item_collections import metrics
from cumulet.services.dynamodb.items import Change, Updating, Written, now_in, shown, stored, written_units
from cumulet.services.dynamodb.key_ranges import Kind
from cumulet.services.dynamodb.keys import check_item_keys, check_key
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Address, Stored, address, decode_item
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.services.dynamodb.throughput import Meter
from cumulet.services.dynamodb.values import Item, check_item, item_size
from cumulet.services.dynamodb.vectors.entries import check as check_vectors
from cumulet.services.dynamodb.vectors.entries import write_bytes
from cumulet.storage.database import Transaction

TOKEN_SECONDS = 600.0
_MOST_BYTES = 4 << 20
_SAME_ITEM = "Transaction request cannot include multiple operations on one item"
_ONE_ACTION = "TransactItems can only contain one of Check, Put, Update or Delete"


class Step(Struct):
    """One action of a transaction. `change` is None for a check."""

    name: str
    table: Table
    key: Item
    place: Address
    condition: AnyCondition | None
    on_failure: str | None
    change: Change | None


class Reason(Struct):
    """Why an action cancelled its transaction; of the others `code` is None."""

    code: str = "None"
    message: str | None = None
    item: Stored | None = None

    def shown(self) -> dict[str, Any]:
        """As the answer has it."""
        told: dict[str, Any] = {"Code": self.code}
        if self.item is not None:
            told["Item"] = Raw(self.item.body)
        if self.message is not None:
            told["Message"] = self.message
        return told


def cancelled(reasons: list[Reason]) -> AwsError:
    """What a transaction answers that did not happen."""
    codes = ", ".join(reason.code for reason in reasons)
    return api.TransactionCanceledException(
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        fields={"CancellationReasons": [reason.shown() for reason in reasons]},
    )


@prompt
async def transact_get_items(
    dynamodb: DynamoDb, call: Call, request: api.TransactGetItemsInput
) -> api.TransactGetItemsOutput:
    gets = [each.get for each in request.transact_items]
    projections = []
    for get in gets:
        check_parameters(get, OF_TRANSACTED_GET)
        check_item(get.key)
        projections.append(projection_of(get))
    places = []
    reasons = []
    consumed: dict[str, Consumed] = {}
    for get, projection in zip(gets, projections, strict=True):
        table = await dynamodb.table(call, get.table_name)
        unsupported(table, "Transactions are")
        if (wrong := _wrong_key(table, get.key)) is not None:
            reasons.append(wrong)
            continue
        reasons.append(Reason())
        if projection is not None:
            check_routes(table, projection.routes)
        places.append((table, address(table.key, get.key)))
        consumed.setdefault(get.table_name, Consumed(table))
    if len(places) < len(gets):
        raise cancelled(reasons)
    if len({(table.id, place) for table, place in places}) != len(places):
        raise invalid(_SAME_ITEM)
    if dynamodb.meter is not None:
        _admit(dynamodb.meter, places, "read")
    async with dynamodb.db.transaction() as tx:  # nothing is written: it is for one state of all
        found = [await rows.get(tx, *each) for each in places]
    responses = []
    for get, held, projection in zip(gets, found, projections, strict=True):
        consumed[get.table_name].add(_read_units(held))
        responses.append(_response(held, projection))
    if dynamodb.meter is not None:
        dynamodb.meter.spend_all(consumed.values(), "read")
        _pay_keys(dynamodb.meter, places, found)
    return api.TransactGetItemsOutput(
        responses=responses, consumed_capacity=_shown(consumed, request.return_consumed_capacity, "read")
    )


def _read_units(held: Stored | None) -> float:
    return 2 * capacity.read_units(held.size if held else 0, consistent=True)


def _pay_keys(meter: Meter, places: list[tuple[Table, Address]], found: list[Stored | None]) -> None:
    """What the partition keys of these places gave."""
    for (table, place), held in zip(places, found, strict=True):
        meter.spend_read(table, None, place.hash, _read_units(held))


def _response(held: Stored | None, projection: Projection | None) -> api.ItemResponse:
    if held is None:
        return api.ItemResponse()
    return api.ItemResponse(item=shown(held) if projection is None else projection.apply(decode_item(held.body)))


def _wrong_key(table: Table, key: Item) -> Reason | None:
    """Why a key is none of the table's."""
    try:
        check_key(table.key, key)
    except AwsError as error:
        return Reason("ValidationError", error.message)
    return None


def _admit(meter: Meter, places: list[tuple[Table, Address]], kind: Kind) -> None:
    """Raises TransactionCanceledException when one of the tables or keys has no throughput left."""
    reasons = []
    for table, place in places:
        try:
            meter.admit(table, kind, key=place.hash)
            reasons.append(Reason())
        except api.ProvisionedThroughputExceededException as error:
            reasons.append(Reason("ProvisionedThroughputExceeded", error.message))
        except api.ThrottlingException as error:
            reasons.append(Reason("ThrottlingError", error.message))
    if any(reason.code != "None" for reason in reasons):
        raise cancelled(reasons)


def _shown(consumed: dict[str, Consumed], given: str | None, kind: str) -> list[api.ConsumedCapacity] | None:
    found = [each.shown(given, kind=kind, name=name) for name, each in consumed.items()]
    return [each for each in found if each is not None] or None


@prompt
async def transact_write_items(
    dynamodb: DynamoDb, call: Call, request: api.TransactWriteItemsInput
) -> api.TransactWriteItemsOutput:
    token = request.client_request_token
    digest = _digest(request) if token is not None else b""
    steps = _all_fit([await _step(dynamodb, call, each) for each in request.transact_items])
    if len({(step.table.id, step.place) for step in steps}) != len(steps):
        raise invalid(_SAME_ITEM)
    if sum(item_size(each.put.item) for each in request.transact_items if each.put is not None) > _MOST_BYTES:
        raise invalid("Transaction request size cannot exceed 4 MB")
    if dynamodb.meter is not None:
        _admit(dynamodb.meter, [(step.table, step.place) for step in steps], "write")
    async with dynamodb.db.transaction() as tx:
        if token is not None and (before := await _repeated(dynamodb, call, tx, token, digest)) is not None:
            return _repetition(steps, before, request)
        written, units = await perform(dynamodb, tx, steps)
        if token is not None:
            await _remember(dynamodb, call, tx, token, digest, units)
    consumed: dict[str, Consumed] = {}
    for step, each in zip(steps, written, strict=True):
        table_units, by_index = written_units(step.table, each)
        doubled = {name: 2 * index_units for name, index_units in by_index.items()}
        spent = consumed.setdefault(step.name, Consumed(step.table))
        spent.add(2 * table_units, doubled)
        spent.add_vectors(write_bytes(step.table, each.old_item, each.new_item))
        if dynamodb.meter is not None:
            dynamodb.meter.spend_write(step.table, step.place.hash, (table_units, by_index), each.item, times=2)
    if dynamodb.meter is not None:
        dynamodb.meter.spend_all(consumed.values(), "write")
    return api.TransactWriteItemsOutput(
        consumed_capacity=_shown(consumed, request.return_consumed_capacity, "write"),
        item_collection_metrics=await _collections(dynamodb, steps, request.return_item_collection_metrics),
    )


async def _collections(
    dynamodb: DynamoDb, steps: list[Step], given: str | None
) -> dict[str, list[api.ItemCollectionMetrics]] | None:
    found: dict[str, list[api.ItemCollectionMetrics]] = {}
    for step in steps:
        touched = await metrics(dynamodb.db, step.table, step.key, given)
        if touched is not None:
            found.setdefault(step.name, []).append(touched)
    return found or None


def _digest(request: api.TransactWriteItemsInput) -> bytes:
    """What tells a request from another with the same token; taken before anything is normalised."""
    return hashlib.sha256(msgspec.json.encode(request.transact_items, order="sorted")).digest()


async def _repeated(dynamodb: DynamoDb, call: Call, tx: Transaction, token: str, digest: bytes) -> bytes | None:
    """What the same request consumed when it came first; None for a new one. Raises IdempotentParameterMismatchException."""
    held = await tx.read(
        "SELECT digest, answer FROM ddb_token WHERE account = $1 AND region = $2 AND token = $3 AND expires > $4",
        (call.account, call.region, token, dynamodb.clock.now()),
    )
    if not held:
        return None
    if bytes(held[0][0]) != digest:
        raise api.IdempotentParameterMismatchException(
            "The provided idempotency token was already used with a different request: "
            "use the same request, or another ClientRequestToken"
        )
    return bytes(held[0][1])


async def _remember(
    dynamodb: DynamoDb, call: Call, tx: Transaction, token: str, digest: bytes, sizes: list[int]
) -> None:
    await tx.write(
        "INSERT INTO ddb_token (account, region, token, digest, expires, answer) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (account, region, token) DO UPDATE SET digest = $4, expires = $5, answer = $6",
        (
            *(call.account, call.region, token, digest, dynamodb.clock.now() + TOKEN_SECONDS),
            msgspec.json.encode(sizes),
        ),
    )


def _repetition(steps: list[Step], before: bytes, request: api.TransactWriteItemsInput) -> api.TransactWriteItemsOutput:
    """A request that came again: nothing is written, and what it costs is reading the items."""
    consumed: dict[str, Consumed] = {}
    for step, size in zip(steps, msgspec.json.decode(before, type=list[int]), strict=True):
        units = 2 * capacity.read_units(size, consistent=True)
        consumed.setdefault(step.name, Consumed(step.table)).add(units)
    return api.TransactWriteItemsOutput(consumed_capacity=_shown(consumed, request.return_consumed_capacity, "read"))


def _all_fit(found: list[Step | Reason]) -> list[Step]:
    """The actions. Raises TransactionCanceledException for the first that does not fit its table; of others nothing is said."""
    steps = [each for each in found if isinstance(each, Step)]
    if len(steps) < len(found):
        first = next(each for each in found if isinstance(each, Reason))
        raise cancelled([first if each is first else Reason() for each in found])
    return steps


async def _step(dynamodb: DynamoDb, call: Call, each: api.TransactWriteItem) -> Step | Reason:
    """An action, checked by itself, or why it does not fit its table. Raises ValidationException, ResourceNotFoundException."""
    given = [part for part in (each.condition_check, each.put, each.delete, each.update) if part is not None]
    if len(given) != 1:
        raise invalid(_ONE_ACTION)
    action = given[0]
    update = None
    if isinstance(action, api.Update):
        check_parameters(action, OF_TRANSACTED_UPDATE)
        update, condition = update_of(action)
    else:
        check_parameters(action, OF_TRANSACTED)
        condition = condition_of(action)
    put = action.item if isinstance(action, api.Put) else None
    size = check_item(action.key if not isinstance(action, api.Put) else action.item)
    new = stored(put, size) if put is not None else None
    table = await dynamodb.table(call, action.table_name)
    unsupported(table, "Transactions are")
    try:
        key = _key(table, action, update)
    except AwsError as error:
        return Reason("ValidationError", error.message)
    change: Change | None
    if isinstance(action, api.ConditionCheck):
        change = None
    elif isinstance(action, api.Update):
        change = Updating(table, key, update).change
    else:

        def change(_item: Item | None, _old: Stored | None) -> tuple[Item | None, Stored | None]:
            return put, new

    on_failure = action.return_values_on_condition_check_failure
    return Step(action.table_name, table, key, address(table.key, key), condition, on_failure, change)


def _key(
    table: Table, action: api.ConditionCheck | api.Put | api.Delete | api.Update, update: AnyUpdate | None
) -> Item:
    """The key of an action's item. Raises ValidationException for what does not fit the table."""
    if isinstance(action, api.Put):
        check_item_keys(table, action.item)
        check_vectors(table, action.item)
        return {name: action.item[name] for name in table.key.names}
    check_key(table.key, action.key)
    if update is not None:
        check_updated(table, update)
    return action.key


async def perform(dynamodb: DynamoDb, tx: Transaction, steps: list[Step]) -> tuple[list[Written], list[int]]:
    """Do all the actions, or none. Gives what each found and left, and the sizes of the items afterwards.

    Raises TransactionCanceledException with the reasons of all that failed.
    """
    reasons: list[Reason] = []
    written: list[Written] = []
    for step in steps:
        table = await now_in(dynamodb, step.table)
        try:
            written.append(await _perform(dynamodb, tx, table, step))
            reasons.append(Reason())
        except api.ConditionalCheckFailedException as error:
            old = error.fields.get("Item")
            item = Stored(bytes(old), 0) if old is not None else None
            reasons.append(Reason("ConditionalCheckFailed", items.FAILED, item))
        except api.ItemCollectionSizeLimitExceededException as error:
            reasons.append(Reason("ItemCollectionSizeLimitExceeded", error.message))
        except AwsError as error:
            if error.code != "ValidationException":
                raise
            reasons.append(Reason("ValidationError", error.message))
    if any(reason.code != "None" for reason in reasons):
        raise cancelled(reasons)
    sizes = [(each.new or each.old or Stored(b"", 0)).size for each in written]
    return written, sizes


async def _perform(dynamodb: DynamoDb, tx: Transaction, table: Table, step: Step) -> Written:
    if step.change is not None:
        return await items.alter(dynamodb, tx, table, step.place, step.change, step.condition, step.on_failure)
    old = await rows.get(tx, table, step.place)
    item = decode_item(old.body) if old is not None else None
    if step.condition is not None and not step.condition.matches(item or {}):
        raise items.condition_failed(old, step.on_failure)
    return Written(old, item, old, item)
