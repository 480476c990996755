"""ExecuteStatement: a statement run as the operation that it stands for."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

import msgspec

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.service import prompt
from cumulet.policy.statements import Head, head
from cumulet.services.dynamodb import items, reading
from cumulet.services.dynamodb.errors import check_limit, invalid, invalid_values
from cumulet.services.dynamodb.expressions.conditions import check_leaves
from cumulet.services.dynamodb.expressions.keeping import KEPT
from cumulet.services.dynamodb.expressions.paths import getter
from cumulet.services.dynamodb.model import Key, Table
from cumulet.services.dynamodb.partiql.lexer import malformed
from cumulet.services.dynamodb.partiql.literals import built
from cumulet.services.dynamodb.partiql.parser import parse
from cumulet.services.dynamodb.partiql.plans import Reading, Writing, where_plan
from cumulet.services.dynamodb.partiql.plans import reading as plan_reading
from cumulet.services.dynamodb.partiql.plans import writing as plan_writing
from cumulet.services.dynamodb.partiql.statements import Delete, Exists, Insert, Select, Statement, Update
from cumulet.services.dynamodb.state import DynamoDb, awaited
from cumulet.services.dynamodb.values import Item, check_value

DUPLICATE = "Duplicate primary key exists in table"
_PREFIXES = tuple(
    f"Invalid {name}: "
    for name in (
        "FilterExpression",
        "ConditionExpression",
        "UpdateExpression",
        "KeyConditionExpression",
        "ProjectionExpression",
    )
)
_ACTIONS: dict[type, str] = {
    Select: "PartiQLSelect",
    Exists: "PartiQLSelect",
    Insert: "PartiQLInsert",
    Update: "PartiQLUpdate",
    Delete: "PartiQLDelete",
}
_NO_INDEX = "The table does not have the specified index"
_INCONSISTENT = "Consistent reads are not supported on global secondary indexes"


class Bound:
    """A statement with the parameters of a call, its condition checked. Raises ValidationException."""

    def __init__(self, text: str, parameters: Sequence[api.AttributeValue] | None) -> None:
        self.text = text
        self.statement: Statement = parse(text)
        _check_head(text)
        given = parameters or ()
        for value in given:
            check_value(value)
        if len(given) != self.statement.parameters:
            raise invalid("Number of parameters in request and statement don't match.")
        self.values = {f":{at}": built(each, given) for at, each in enumerate(self.statement.literals)}
        self._parameters = given
        plan = where_plan(text)
        if plan is not None:
            check_leaves(plan, self.values)

    @property
    def table(self) -> str:
        body = self.statement.body
        return body.select.table if isinstance(body, Exists) else body.table

    @property
    def reads(self) -> bool:
        return isinstance(self.statement.body, Select)

    def used(self, names: Sequence[str]) -> dict[str, api.AttributeValue] | None:
        """ExpressionAttributeValues of these placeholders."""
        return {name: self.values[name] for name in names} or None

    def key(self, parts: Sequence[tuple[str, str]]) -> Item:
        return {name: self.values[placeholder] for name, placeholder in parts}

    def inserted(self) -> Item:
        """The item of an INSERT."""
        assert isinstance(self.statement.body, Insert)
        value = built(self.statement.body.item, self._parameters)
        if value.m is None:
            raise invalid("The VALUE of an INSERT statement must be a map")
        return dict(value.m)


@lru_cache(KEPT)
def _check_head(text: str) -> None:
    """Refuse a statement that permissions were not asked for as what it is."""
    body = parse(text).body
    select = body.select if isinstance(body, Exists) else body
    index = select.index_name if isinstance(select, Select) else ""
    if head(text) != Head(_ACTIONS[type(body)], select.table, index):
        raise malformed("The table could not be told")


class Result(msgspec.Struct):
    """What a statement answers."""

    items: list[Any]
    next_token: str | None = None
    last_key: Item | None = None
    consumed: api.ConsumedCapacity | None = None


Request = api.ExecuteStatementInput


@prompt
async def execute_statement(
    dynamodb: DynamoDb, call: Call, request: api.ExecuteStatementInput
) -> api.ExecuteStatementOutput:
    check_limit(request.limit)
    result = await run(dynamodb, call, Bound(request.statement, request.parameters), request)
    return api.ExecuteStatementOutput(
        items=result.items,
        next_token=result.next_token,
        last_evaluated_key=result.last_key,
        consumed_capacity=result.consumed,
    )


async def run(dynamodb: DynamoDb, call: Call, bound: Bound, request: Request) -> Result:
    """Run one statement. Raises what the operation raises, in the words of statements."""
    body = bound.statement.body
    with worded():
        if isinstance(body, Select):
            return await _select(dynamodb, call, bound, body, request)
        if isinstance(body, Insert):
            return await _insert(dynamodb, call, bound, body, request)
        if isinstance(body, Update):
            return await _update(dynamodb, call, bound, body, request)
        if isinstance(body, Delete):
            return await _delete(dynamodb, call, bound, body, request)
    raise invalid("EXISTS is only supported within transactions")


@contextmanager
def worded() -> Iterator[None]:
    """Errors of the operations that statements stand for, worded as those of statements."""
    try:
        yield
    except AwsError as error:
        if error.code == "ValidationException":
            error.message = _worded(error.message)
            error.args = (error.message,)
        raise


def _worded(message: str) -> str:
    for prefix in _PREFIXES:
        if message.startswith(prefix):
            return message.removeprefix(prefix)
    if message.startswith(_NO_INDEX):
        return _NO_INDEX
    if message == _INCONSISTENT:
        return "Strongly consistent read is not supported on Global Secondary Indexes"
    return message


async def _key(dynamodb: DynamoDb, call: Call, table_name: str) -> Key:
    return (await dynamodb.table(call, table_name)).key


def check_keys(table: Table, select: Select) -> None:
    """Raises ValidationException for an index that statements cannot read."""
    index = table.by_name.get(select.index_name)
    if index is not None and (index.key.more_hashes or index.key.more_ranges):
        raise invalid(
            "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys."
        )


async def _plan(dynamodb: DynamoDb, call: Call, text: str, select: Select) -> Reading:
    """How a SELECT is read. Raises ValidationException for an index that is not there, or does not hold what it needs."""
    table = await dynamodb.table(call, select.table)
    if not select.index_name:
        return plan_reading(text, table.key)
    check_keys(table, select)
    for index in table.indexes:
        if index.name == select.index_name:
            plan = plan_reading(text, index.key)
            held = {*table.key.names, *index.key.names, *index.included}
            lacking = [name for name in plan.filtered if name not in held]
            if lacking and index.projection != "ALL":
                raise invalid_values(
                    f"Secondary index {index.name} does not project one or more filter attributes: "
                    f"[{', '.join(lacking)}]"
                )
            return plan
    raise invalid(_NO_INDEX)


async def _select(dynamodb: DynamoDb, call: Call, bound: Bound, select: Select, request: Request) -> Result:
    plan = await _plan(dynamodb, call, bound.text, select)
    asked: dict[str, Any] = {
        "table_name": select.table,
        "index_name": select.index_name or None,
        "filter_expression": plan.filter,
        "projection_expression": plan.projection,
        "expression_attribute_names": plan.names or None,
        "expression_attribute_values": bound.used(plan.values),
        "consistent_read": request.consistent_read,
        "limit": request.limit,
        "exclusive_start_key": _start(request.next_token),
        "return_consumed_capacity": request.return_consumed_capacity,
    }
    found: api.QueryOutput | api.ScanOutput
    if plan.keys is not None:
        query = api.QueryInput(**asked, key_condition_expression=plan.keys, scan_index_forward=plan.forward)
        found = await awaited(reading.query(dynamodb, call, query))
    else:
        found = await awaited(reading.scan(dynamodb, call, api.ScanInput(**asked)))
    return Result(
        shown(plan, cast("list[Any]", found.items or [])),
        _token(found.last_evaluated_key),
        found.last_evaluated_key,
        found.consumed_capacity,
    )


def shown(plan: Reading, found: list[Any]) -> list[Any]:
    """Items as a SELECT shows them: parts of attributes by themselves."""
    if not plan.columns:
        return found
    columns = [(getter(path.steps), name) for path, name in plan.columns]
    rows = []
    for item in found:
        row = {}
        for get, name in columns:
            value = get(item)
            if value is not None:
                row[name] = value
        rows.append(row)
    return rows


def _token(last_key: Mapping[str, api.AttributeValue] | None) -> str | None:
    return base64.b64encode(msgspec.json.encode(last_key)).decode() if last_key else None


def _start(token: str | None) -> Item | None:
    if token is None:
        return None
    try:
        key = msgspec.json.decode(base64.b64decode(token, validate=True), type=dict[str, api.AttributeValue])
        for value in key.values():
            check_value(value)
    except (binascii.Error, msgspec.DecodeError, AwsError):
        raise invalid("The provided NextToken is invalid") from None
    return key


async def _insert(dynamodb: DynamoDb, call: Call, bound: Bound, insert: Insert, request: Request) -> Result:
    key = await _key(dynamodb, call, insert.table)
    put = api.PutItemInput(
        table_name=insert.table,
        item=bound.inserted(),
        condition_expression="attribute_not_exists(#n0)",
        expression_attribute_names={"#n0": key.hash},
        return_consumed_capacity=request.return_consumed_capacity,
    )
    try:
        done = await items.put_item(dynamodb, call, put)
    except api.ConditionalCheckFailedException:
        raise api.DuplicateItemException(DUPLICATE) from None
    return Result([], consumed=done.consumed_capacity)


async def _update(dynamodb: DynamoDb, call: Call, bound: Bound, update: Update, request: Request) -> Result:
    plan = plan_writing(bound.text, await _key(dynamodb, call, update.table))
    done = await items.update_item(
        dynamodb,
        call,
        api.UpdateItemInput(
            **written(bound, plan, update.table),
            update_expression=plan.update,
            return_values=update.returning or None,
            return_consumed_capacity=request.return_consumed_capacity,
            return_values_on_condition_check_failure=request.return_values_on_condition_check_failure,
        ),
    )
    return Result([done.attributes] if done.attributes else [], consumed=done.consumed_capacity)


async def _delete(dynamodb: DynamoDb, call: Call, bound: Bound, delete: Delete, request: Request) -> Result:
    plan = plan_writing(bound.text, await _key(dynamodb, call, delete.table))
    done = await items.delete_item(
        dynamodb,
        call,
        api.DeleteItemInput(
            **written(bound, plan, delete.table),
            return_values=delete.returning or None,
            return_consumed_capacity=request.return_consumed_capacity,
            return_values_on_condition_check_failure=request.return_values_on_condition_check_failure,
        ),
    )
    return Result([done.attributes] if done.attributes else [], consumed=done.consumed_capacity)


def written(bound: Bound, plan: Writing, table_name: str) -> dict[str, Any]:
    """What an UPDATE, a DELETE and a check have in common as operations."""
    return {
        "table_name": table_name,
        "key": bound.key(plan.key),
        "condition_expression": plan.condition,
        "expression_attribute_names": plan.names or None,
        "expression_attribute_values": bound.used(plan.values),
    }
