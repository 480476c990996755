"""SearchVectors: the items of a vector index whose vectors are nearest to one.

Every vector of the index, or of the partition that is asked for, is compared: what is found is what is nearest.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import struct
from collections.abc import Callable, Sequence
from operator import mul

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.services.dynamodb import capacity
from cumulet.services.dynamodb.errors import invalid, invalid_values
from cumulet.services.dynamodb.expressions import bind
from cumulet.services.dynamodb.expressions.projections import Projection
from cumulet.services.dynamodb.model import ACTIVE, Table, VectorIndex
from cumulet.services.dynamodb.rows import decode_item
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.services.dynamodb.values import Item, check_value, equal
from cumulet.services.dynamodb.vectors.entries import opened, packed, partition

_MOST = 100
_MOST_BYTES = 16 << 20
_TURN_NUMBERS = 1 << 16
"""Numbers that are compared before others have their turn: some three milliseconds."""
_NO_VECTOR = (
    "Search vector contains invalid values. "
    "All values in the search vector must be a 32-bit floating-point number attribute"
)

Vector = Sequence[float]
Found = tuple[float, int, int, bytes]
"""How far it is (the nearest first), its place among the rows, its size and its row."""


async def search_vectors(dynamodb: DynamoDb, call: Call, request: api.SearchVectorsInput) -> api.SearchVectorsOutput:
    if request.top_k > _MOST:
        raise invalid(
            f"Provided TopK value '{request.top_k}' is out of valid range. "
            f"The value must be between 1 and {_MOST} inclusive"
        )
    bound = bind(
        request.expression_attribute_names,
        request.expression_attribute_values,
        search=request.search_condition_expression,
        projection=request.projection_expression,
    )
    wanted = _vector(request.search_vector)
    table = await dynamodb.table(call, request.table_name)
    index = _index(table, request.index_name)
    if len(wanted) != index.dimensions:
        raise invalid(
            f"Input search vector dimension {len(wanted)} does not match vector index dimension {index.dimensions}"
        )
    terms = dict(bound.search.terms) if bound.search is not None else {}
    key, filters = _condition(index, terms)
    found, size = await _nearest(dynamodb, index, partition(key), wanted, filters, request.top_k)
    answer = api.SearchVectorsOutput(search_results=_shown(index, found, bound.projection))
    if capacity.wanted(request.return_consumed_capacity):
        answer.consumed_capacity = api.VectorCapacity(vector_search_request_bytes=float(max(size, 1024)))
    return answer


def _vector(given: list[api.AttributeValue]) -> Vector:
    for each in given:
        check_value(each)
        if each.n is None:
            raise invalid(_NO_VECTOR)
    try:
        return struct.unpack(f"<{len(given)}f", packed(given))
    except OverflowError:
        raise invalid(_NO_VECTOR) from None


def _index(table: Table, name: str) -> VectorIndex:
    for index in table.vectors:
        if index.name == name:
            if index.status != ACTIVE:
                raise invalid(f"Cannot search backfilling vector index: {name}")
            return index
    raise invalid(f"The table does not have the specified index: {name}")


def _condition(index: VectorIndex, terms: Item) -> tuple[api.AttributeValue | None, Item]:
    """The value of the partition key, and what else entries must equal."""
    key = None
    if index.hash is not None:
        if not terms:
            raise invalid("SearchConditionExpression must be provided when SearchSchema has a HASH key")
        key = terms.pop(index.hash[0], None)
        if key is None:
            raise invalid(
                f"Invalid SearchConditionExpression: the condition lacks the HASH key of SearchSchema: {index.hash[0]}"
            )
        _check_type(key, index.hash[1])
    kinds = dict(index.filters)
    for name, value in terms.items():
        if name not in kinds:
            raise invalid(
                "SearchConditionExpression must not contain any attributes that is not in SearchSchema. "
                f"Invalid attribute: {name}"
            )
        _check_type(value, kinds[name])
    return key, terms


def _check_type(value: api.AttributeValue, wanted: str) -> None:
    if getattr(value, wanted.lower()) is None:
        raise invalid_values("Condition parameter type does not match schema type")


async def _nearest(
    dynamodb: DynamoDb, index: VectorIndex, part: bytes, wanted: Vector, filters: Item, most: int
) -> tuple[list[Found], int]:
    """The nearest entries, the nearest first, and how many bytes were looked at."""
    measure = _MEASURES[index.distance](wanted)
    turn = max(1, _TURN_NUMBERS // index.dimensions)
    best: list[Found] = []
    total = count = 0
    after = (b"", b"")
    while True:
        rows = await dynamodb.db.read(
            "SELECT item_hash, item_range, size, body FROM ddb_entry WHERE idx = $1 AND hash = $2 AND range = $3 "
            "AND (item_hash, item_range) > ($4, $5) ORDER BY item_hash, item_range LIMIT $6",
            (index.id, part, b"", *after, turn),
        )
        for _, _, size, body in rows:
            total += size
            vector, rest = opened(index, body)
            if filters and not _matches(rest, filters):
                continue
            count += 1
            distance = measure(vector)
            # The heap has the farthest of the best first.
            if len(best) < most:
                heapq.heappush(best, (-distance, -count, size, body))
            elif -distance > best[0][0]:
                heapq.heapreplace(best, (-distance, -count, size, body))
        if len(rows) < turn:
            return [(-far, -place, size, body) for far, place, size, body in sorted(best, reverse=True)], total
        after = (rows[-1][0], rows[-1][1])
        await asyncio.sleep(0)


def _matches(rest: bytes, filters: Item) -> bool:
    item = decode_item(rest)
    return all(name in item and equal(item[name], value) for name, value in filters.items())


def _shown(index: VectorIndex, found: list[Found], projection: Projection | None) -> list[api.SearchResultItem]:
    results = []
    total = 0
    for distance, _, size, body in found:
        total += size
        if total > _MOST_BYTES:
            break
        vector, rest = opened(index, body)
        item = decode_item(rest)
        if projection is not None:
            if any(route[0] == index.attribute for route in projection.routes):
                item[index.attribute] = api.AttributeValue(l=[api.AttributeValue(n=_text(n)) for n in vector])
            item = projection.apply(item)
        score = -distance if index.distance == "DOT_PRODUCT" else distance
        results.append(api.SearchResultItem(item=item, score=score))
    return results


def _text(number: float) -> str:
    """The shortest digits that say a 32-bit number."""
    for digits in range(6, 9):
        text = f"{number:.{digits}g}"
        if struct.unpack("<f", struct.pack("<f", float(text)))[0] == number:
            break
    else:
        text = f"{number:.9g}"
    value = api.AttributeValue(n=text)
    check_value(value)  # brings it to DynamoDB's form
    return value.n or "0"


def _cosine(wanted: Vector) -> Callable[[Vector], float]:
    own = math.hypot(*wanted)

    def measure(vector: Vector) -> float:
        lengths = own * math.hypot(*vector)
        if not lengths:
            return 1.0  # nothing is like a vector without a direction
        return min(2.0, max(0.0, 1.0 - _dot(wanted, vector) / lengths))

    return measure


def _euclidean(wanted: Vector) -> Callable[[Vector], float]:
    return lambda vector: math.dist(wanted, vector)


def _dot_product(wanted: Vector) -> Callable[[Vector], float]:
    return lambda vector: -_dot(wanted, vector)


def _dot(first: Vector, second: Vector) -> float:
    return float(sum(map(mul, first, second)))


_MEASURES: dict[str, Callable[[Vector], Callable[[Vector], float]]] = {
    "COSINE": _cosine,
    "EUCLIDEAN": _euclidean,
    "DOT_PRODUCT": _dot_product,
}
"""How far a vector is from the one that is asked for, by the name of the distance function: the smaller the nearer."""
