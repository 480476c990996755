"""Condition keys of policies that only DynamoDB can tell: which partitions a request touches, and which attributes.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from msgspec import Struct

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb import names
from cumulet.services.dynamodb.asked import AnyCondition, AnyUpdate, condition_of, projection_of, update_of
from cumulet.services.dynamodb.expressions import Projection, bind, key_terms
from cumulet.services.dynamodb.model import Key, Table
from cumulet.services.dynamodb.partiql.operations import Bound
from cumulet.services.dynamodb.partiql.plans import mentioned, partitions
from cumulet.services.dynamodb.partiql.statements import Insert, Select
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.services.dynamodb.values import Item

Values = tuple[str, ...]


async def keys_of(dynamodb: DynamoDb, call: Call, arn: str, part: Struct) -> Callable[[str], Values | None]:
    """What finds a condition key, by its lower-case name, of the request or the part of one that is for the table or index `arn`."""
    table_arn, _, index_name = arn.partition("/index/")
    table = None
    if table_arn.startswith("arn:") and ":table/" in table_arn:
        place = names.place(call, table_arn)
        table = dynamodb.directory.held(place) or await dynamodb.directory.find(place)

    def find(name: str) -> Values | None:
        read = _KEYS.get(name)
        if read is None or table is None or isinstance(part, api.SearchVectorsInput):
            return None  # searches have none of these keys, so policies on them do not let anybody search
        index = table.by_name.get(index_name)
        try:
            return read(table, index.key if index is not None else table.key, part)
        except AwsError:
            return None  # the operation refuses the request for the same reason

    return find


def _leading(table: Table, key: Key, part: Any) -> Values | None:
    """Values of the partition key, of the index if one is read."""
    if hasattr(part, "statement"):
        return _leading_of_statement(key, part)
    if isinstance(part, api.QueryInput):
        values = _queried(key, part)
    else:
        values = [item[name] for item in _items(table, part) for name, _ in key.hashes if name in item]
    return tuple(dict.fromkeys(map(_text, values))) or None


def _leading_of_statement(key: Key, part: Any) -> Values | None:
    bound = Bound(part.statement, part.parameters)
    if isinstance(bound.statement.body, Insert):
        item = bound.inserted()
        return (_text(item[key.hash]),) if key.hash in item else None
    found = [value for name, _ in key.hashes for value in partitions(part.statement, name)]
    return tuple(dict.fromkeys(_text(bound.values[value]) for value in found)) or None


def _queried(key: Key, request: api.QueryInput) -> list[api.AttributeValue]:
    if request.key_conditions is not None:
        terms = key_terms(request.key_conditions)
    else:
        bound = bind(
            request.expression_attribute_names,
            request.expression_attribute_values,
            key_condition=request.key_condition_expression,
            filter=request.filter_expression,
            projection=request.projection_expression,
        )
        terms = bound.keys.terms if bound.keys is not None else ()
    hashes = [name for name, _ in key.hashes]
    return [value for term in terms if term.attribute in hashes for value in term.values]


def _items(table: Table, part: Any) -> Iterator[Item]:
    """The keys or items that a request names of this table."""
    if getattr(part, "key", None) is not None:
        yield part.key
    elif getattr(part, "item", None) is not None:
        yield part.item
    for name, asked in (getattr(part, "request_items", None) or {}).items():
        if name not in (table.name, table.arn):
            continue
        if isinstance(asked, api.KeysAndAttributes):
            yield from asked.keys
            continue
        for write in asked:
            if write.put_request is not None:
                yield write.put_request.item
            elif write.delete_request is not None:
                yield write.delete_request.key


def _attributes(table: Table, key: Key, part: Any) -> Values | None:
    """Names of the attributes that a request reads or writes, those of the key included."""
    found: Iterable[str]
    if hasattr(part, "statement"):
        body = Bound(part.statement, part.parameters).statement.body
        found = mentioned(part.statement)
        if isinstance(body, Insert):
            found = Bound(part.statement, part.parameters).inserted()
    else:
        found = chain(chain.from_iterable(_items(table, part)), _named(table, part))
    return tuple(dict.fromkeys((*key.names, *found)))


def _named(table: Table, part: Any) -> Iterator[str]:
    """The attributes that a request's expressions name."""
    if isinstance(part, (api.QueryInput, api.ScanInput)):
        yield from _heads_of_read(part)
    elif isinstance(part, (api.UpdateItemInput, api.Update)):
        update, condition = update_of(part)
        yield from chain(_heads(update), _heads(condition))
    elif isinstance(part, (api.GetItemInput, api.Get)):
        yield from _heads(projection_of(part))
    elif hasattr(part, "condition_expression"):
        yield from _heads(condition_of(part))
    for name, asked in (getattr(part, "request_items", None) or {}).items():
        if name in (table.name, table.arn) and isinstance(asked, api.KeysAndAttributes):
            yield from _heads(projection_of(asked))


def _heads_of_read(request: api.QueryInput | api.ScanInput) -> Iterator[str]:
    yield from request.attributes_to_get or ()
    for old in ("key_conditions", "query_filter", "scan_filter"):
        yield from getattr(request, old, None) or ()
    bound = bind(
        request.expression_attribute_names,
        request.expression_attribute_values,
        key_condition=getattr(request, "key_condition_expression", None),
        filter=request.filter_expression,
        projection=request.projection_expression,
    )
    if bound.keys is not None:
        yield from (term.attribute for term in bound.keys.terms)
    yield from chain(_heads(bound.filter), _heads(bound.projection))


def _heads(expression: AnyCondition | AnyUpdate | Projection | None) -> Iterator[str]:
    return iter(()) if expression is None else (str(route[0]) for route in expression.routes)


def _full_scan(_: Table, key: Key, part: Any) -> Values | None:
    """Whether a SELECT reads more than partitions that it names."""
    if not hasattr(part, "statement"):
        return None
    bound = Bound(part.statement, part.parameters)
    if not isinstance(bound.statement.body, Select):
        return None
    return ("false" if all(partitions(part.statement, name) for name, _ in key.hashes) else "true",)


def _text(value: api.AttributeValue) -> str:
    if value.b is not None:
        return b64encode(value.b).decode()
    return value.s if value.s is not None else value.n or ""


_KEYS: dict[str, Callable[[Table, Key, Any], Values | None]] = {
    "dynamodb:leadingkeys": _leading,
    "dynamodb:attributes": _attributes,
    "dynamodb:fulltablescan": _full_scan,
}
