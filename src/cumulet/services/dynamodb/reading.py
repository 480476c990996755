"""Query and Scan."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from msgspec import Raw, Struct

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.service import prompt
from cumulet.services.dynamodb import capacity, pages
from cumulet.services.dynamodb.asked import AnyCondition, check_routes
from cumulet.services.dynamodb.capacity import Consumed
from cumulet.services.dynamodb.errors import LEAST_ONE, WRONG_KEY, check_limit, invalid, invalid_values, unfit
from cumulet.services.dynamodb.expressions import (
    OF_QUERY,
    OF_SCAN,
    KeyTerm,
    Projection,
    attributes_to_get,
    bind,
    check_parameters,
    filter_condition,
    key_condition,
    key_terms,
)
from cumulet.services.dynamodb.keys import check_key, held
from cumulet.services.dynamodb.model import ACTIVE, Index, Key, Table
from cumulet.services.dynamodb.pages import BODY, ITEM_SIZE, Page, Position, Range, Reading, Source
from cumulet.services.dynamodb.rows import address, decode_item, decode_parts
from cumulet.services.dynamodb.state import Answer, DynamoDb
from cumulet.services.dynamodb.values import Item, check_value, kind

Request = api.QueryInput | api.ScanInput
_NO_LIMIT = 1 << 40
_BAD_START = "The provided starting key is invalid"
# Wrong values of these kinds are told of in a starting key as anywhere else.
_UNPREFIXED = ("contains duplicates", "number set", "numeric value", "significant digits", "number with magnitude")


class Asked(Struct):
    """What a request asks of the rows it reads."""

    filter: AnyCondition | None
    projection: Projection | None
    terms: tuple[KeyTerm, ...]


@prompt
def query(dynamodb: DynamoDb, call: Call, request: api.QueryInput) -> Answer[api.QueryOutput]:
    if request.limit is not None and request.limit < 1:
        raise unfit("Limit", LEAST_ONE)
    check_parameters(request, OF_QUERY)
    old_filter = filter_condition(request.query_filter, request.conditional_operator)
    _check_start(request)
    if request.key_conditions is None and request.key_condition_expression is None:
        raise invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
    asked = _asked(request, request.key_condition_expression, old_filter)
    if request.key_conditions is not None:
        asked.terms = key_terms(request.key_conditions)
    _check_select(request, asked)
    answer: Answer[api.QueryOutput] = _read(dynamodb, call, request, asked)
    return answer


@prompt
def scan(dynamodb: DynamoDb, call: Call, request: api.ScanInput) -> Answer[api.ScanOutput]:
    check_limit(request.limit)
    check_parameters(request, OF_SCAN)
    old_filter = filter_condition(request.scan_filter, request.conditional_operator)
    _check_start(request)
    _check_segment(request)
    asked = _asked(request, None, old_filter)
    _check_select(request, asked)
    answer: Answer[api.ScanOutput] = _read(dynamodb, call, request, asked)
    return answer


def _read(dynamodb: DynamoDb, call: Call, request: Request, asked: Asked) -> Any:
    """The answer, of a table that is in memory and rows that are there at once; else what waits for them."""
    table = dynamodb.held(call, request.table_name)
    if table is not None:
        reading = _reading(dynamodb, table, request, asked)
        page = reading.at_once(dynamodb.db)
        if page is not None:
            return _answer(dynamodb, request, reading, page, asked)
    return _read_later(dynamodb, call, request, asked)


async def _read_later(dynamodb: DynamoDb, call: Call, request: Request, asked: Asked) -> Any:
    reading = _reading(dynamodb, await dynamodb.table(call, request.table_name), request, asked)
    return _answer(dynamodb, request, reading, await reading.page(dynamodb.db), asked)


def _reading(dynamodb: DynamoDb, table: Table, request: Request, asked: Asked) -> Reading:
    """What to read of the table, once nothing speaks against it."""
    index = _index(table, request)
    forward = True
    if isinstance(request, api.QueryInput):
        key = index.key if index is not None else table.key
        what = pages.matching(key, key_condition(asked.terms, key.hashes, key.ranges))
        after = _query_start(table, index, request.exclusive_start_key, what)
        _check_asked(table, asked)
        _check_filtered(key, asked, "Filter Expression" if request.filter_expression is not None else "QueryFilter")
        forward = request.scan_index_forward is not False
    else:
        what = pages.segment(request.segment or 0, request.total_segments or 1)
        after = _scan_start(table, index, request, what)
        _check_asked(table, asked)
    source = _source(table, index, request, asked)
    if dynamodb.meter is not None:
        dynamodb.meter.admit(table, "read", index, key=what.hash)
    return Reading(source, what, after, request.limit or _NO_LIMIT, forward=forward)


def _asked(request: Request, keys: str | None, old_filter: AnyCondition | None) -> Asked:
    if request.attributes_to_get is not None:
        projection = attributes_to_get(request.attributes_to_get)
        return Asked(old_filter, projection, ())
    if request.filter_expression is None and request.projection_expression is None and keys is None:
        return Asked(old_filter, None, ())
    bound = bind(
        request.expression_attribute_names,
        request.expression_attribute_values,
        key_condition=keys,
        filter=request.filter_expression,
        projection=request.projection_expression,
    )
    return Asked(bound.filter or old_filter, bound.projection, bound.keys.terms if bound.keys else ())


def _check_select(request: Request, asked: Asked) -> None:
    select = request.select
    given = "ProjectionExpression" if request.projection_expression is not None else "AttributesToGet"
    if select == "SPECIFIC_ATTRIBUTES":
        if asked.projection is None:
            raise invalid(
                "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
            )
    elif select is not None and asked.projection is not None:
        what = "only the Count" if select == "COUNT" else select
        raise invalid(f"Cannot specify the {given} when choosing to get {what}")
    if select == "ALL_PROJECTED_ATTRIBUTES" and request.index_name is None:
        raise invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")


def _check_start(request: Request) -> None:
    for value in (request.exclusive_start_key or {}).values():
        try:
            check_value(value)
        except AwsError as error:
            plain = any(part in error.message for part in _UNPREFIXED)
            raise invalid(error.message if plain else f"{_BAD_START}: {error.message}") from None


def _check_segment(request: api.ScanInput) -> None:
    segment, total = request.segment, request.total_segments
    if segment is not None and total is None:
        raise invalid(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"
        )
    if total is None:
        return
    if segment is None:
        raise invalid(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is present"
        )
    if segment >= total:
        raise invalid(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )


def _index(table: Table, request: Request) -> Index | None:
    name = request.index_name
    if name is None:
        return None
    index = table.by_name.get(name)
    if index is None:
        if any(each.name == name for each in table.vectors):
            kind = "Query" if isinstance(request, api.QueryInput) else "Scan"
            raise invalid(f"{kind} operation not supported on this index type")
        raise invalid(f"The table does not have the specified index: {name}")
    if not index.local:
        if request.consistent_read:
            raise invalid("Consistent reads are not supported on global secondary indexes")
        if index.status != ACTIVE:
            raise invalid(f"Cannot read from backfilling global secondary index: {name}")
    return index


def _check_asked(table: Table, asked: Asked) -> None:
    if asked.projection is not None:
        check_routes(table, asked.projection.routes)
    if asked.filter is not None:
        check_routes(table, asked.filter.routes)


def _check_filtered(key: Key, asked: Asked, what: str) -> None:
    """A query's keys are for its key condition."""
    if asked.filter is None:
        return
    heads = {route[0] for route in asked.filter.routes}
    for name in key.names:
        if name in heads:
            raise invalid(f"{what} can only contain non-primary key attributes: Primary key attribute: {name}")


def _source(table: Table, index: Index | None, request: Request, asked: Asked) -> Source:
    """Where rows come from: an index's own entries as long as they have what is asked for."""
    if index is None:
        return Source(table)
    kept = table.kept[index.name]
    if kept is None:
        return Source(table, index)
    missing = []
    if asked.projection is not None:
        missing = [str(route[0]) for route in asked.projection.routes if route[0] not in kept]
    if index.local:
        whole = bool(missing) or request.select == "ALL_ATTRIBUTES"
        if not whole and isinstance(request, api.QueryInput):
            _check_filter_kept(index, kept, asked)
        return Source(table, index, whole=whole)
    if request.select == "ALL_ATTRIBUTES":
        raise invalid_values(
            f"Select type ALL_ATTRIBUTES is not supported for global secondary index {index.name} "
            "because its projection type is not ALL"
        )
    if missing:
        raise invalid_values(f"Global secondary index {index.name} does not project [{', '.join(missing)}]")
    if isinstance(request, api.QueryInput):
        _check_filter_kept(index, kept, asked)
    return Source(table, index)


def _check_filter_kept(index: Index, kept: frozenset[str], asked: Asked) -> None:
    """A filter looks at what an index has; a query, unlike a scan, is told so. Raises ValidationException."""
    if asked.filter is None:
        return
    missing = dict.fromkeys(str(route[0]) for route in asked.filter.routes if route[0] not in kept)
    if missing:
        raise invalid_values(
            f"Secondary index {index.name} does not project one or more filter attributes: [{', '.join(missing)}]"
        )


def _start(table: Table, index: Index | None, start: Item, short: str, key: Key | None) -> Position:
    """The position of a starting key in full: of the entry, and of the item. Raises ValidationException, with `short` for
    a wrong number of attributes. `key` is looked at before the table's."""
    names = {*table.key.names, *(index.key.names if index is not None else ())}
    if len(start) != len(names):
        raise invalid(short)
    if key is not None:
        for name, kind in key.attributes:
            value = start.get(name)
            if value is None or held(value, kind) is None:
                raise invalid(_BAD_START if value is None else WRONG_KEY)
    own = {name: start[name] for name in table.key.names if name in start}
    try:
        check_key(table.key, own)
    except AwsError as error:
        raise invalid(f"{_BAD_START}: {error.message}") from None
    place = address(table.key, own)
    if index is None:
        return place
    return (*address(index.key, start), *place)


def _query_start(table: Table, index: Index | None, start: Item | None, what: Range) -> Position | None:
    if start is None:
        return None
    position = _start(table, index, start, _BAD_START, index.key if index is not None else table.key)
    if what.low is not None or what.high is not None:
        if not _within(position[1], what):
            raise invalid("The provided starting key does not match the range key predicate")
        if position[0] != what.hash:
            raise invalid("The query can return at most one row and cannot be restarted")
    elif position[0] != what.hash:
        raise invalid("The provided starting key is outside query boundaries based on provided conditions")
    elif index is None and not table.key.range:
        given = ", ".join(f"{name}=AttributeValue: {_shown(value)}" for name, value in start.items())
        raise invalid(f"The provided exclusive start key is invalid: ExclusiveStartKey: {{{given}}}")
    return position[1:]


def _shown(key: api.AttributeValue) -> str:
    """A key's value, as a message has it."""
    content = b64encode(key.b).decode() if key.b is not None else key.s if key.s is not None else key.n
    return f"{{{kind(key)}:{content}}}"


def _within(range_: bytes, what: Range) -> bool:
    if what.low is not None and (range_ < what.low[0] or (range_ == what.low[0] and not what.low[1])):
        return False
    return what.high is None or not (range_ > what.high[0] or (range_ == what.high[0] and not what.high[1]))


def _scan_start(table: Table, index: Index | None, request: api.ScanInput, what: Range) -> Position | None:
    start = request.exclusive_start_key
    if start is None:
        return None
    short = _BAD_START if index is not None else f"{_BAD_START}: {WRONG_KEY}"
    position = _start(table, index, start, short, index.key if index is not None else None)
    if not pages.in_segment(what, position[0]):
        raise invalid(
            f"{_BAD_START}: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. "
            f"TotalSegments: {request.total_segments} Segment: {request.segment}"
        )
    return position


def _answer(dynamodb: DynamoDb, request: Request, reading: Reading, page: Page, asked: Asked) -> Any:
    """The page as the request wants it."""
    output: Callable[..., Any] = api.QueryOutput if isinstance(request, api.QueryInput) else api.ScanOutput
    items: list[Any]
    if asked.filter is None and asked.projection is None:
        items = [Raw(row[BODY]) for row in page.rows]
    else:
        items = _picked(page, asked)
    return output(
        items=None if request.select == "COUNT" else items,
        count=len(items),
        scanned_count=len(page.rows),
        last_evaluated_key=_last_key(reading.source, page) if page.full else None,
        consumed_capacity=_consumed(dynamodb, request, reading, page),
    )


def _picked(page: Page, asked: Asked) -> list[Any]:
    picked: list[Any] = []
    matches = asked.filter.matches if asked.filter is not None else None
    for row in page.rows:
        item = decode_item(row[BODY])
        if matches is None or matches(item):
            picked.append(asked.projection.apply(item) if asked.projection is not None else Raw(row[BODY]))
    return picked


def _last_key(source: Source, page: Page) -> Any:
    item = decode_parts(page.rows[-1][BODY])
    names = dict.fromkeys(source.table.key.names)
    if source.index is not None:
        names |= dict.fromkeys(source.index.key.names)
    return {name: item[name] for name in names}


def _consumed(dynamodb: DynamoDb, request: Request, reading: Reading, page: Page) -> api.ConsumedCapacity | None:
    if dynamodb.meter is None and not capacity.wanted(request.return_consumed_capacity):
        return None
    source = reading.source
    consumed = Consumed(source.table)
    consistent = bool(request.consistent_read)
    units = capacity.read_units(page.bytes, consistent=consistent)
    if source.index is None:
        consumed.add(units)
    else:
        fetched = sum(capacity.read_units(row[ITEM_SIZE], consistent=consistent) for row in page.rows if source.whole)
        consumed.add(fetched, {source.index.name: units})
    if dynamodb.meter is not None:
        dynamodb.meter.spend(consumed, "read")
        if reading.what.hash is not None:
            dynamodb.meter.spend_read(source.table, source.index, reading.what.hash, units)
    return consumed.shown(request.return_consumed_capacity, name=request.table_name)
