"""BatchExecuteStatement and ExecuteTransaction: several statements in a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.service import prompt
from cumulet.services.dynamodb import items, transactions
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.partiql.operations import (
    DUPLICATE,
    Bound,
    Result,
    check_keys,
    run,
    shown,
    worded,
    written,
)
from cumulet.services.dynamodb.partiql.parser import parse
from cumulet.services.dynamodb.partiql.plans import reading, writing
from cumulet.services.dynamodb.partiql.statements import Delete, Exists, Insert, Select, Update
from cumulet.services.dynamodb.state import DynamoDb, awaited

_CODES = {
    "ValidationException": "ValidationError",
    "ResourceNotFoundException": "ResourceNotFound",
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "DuplicateItemException": "DuplicateItem",
    "ItemCollectionSizeLimitExceededException": "ItemCollectionSizeLimitExceeded",
    "RequestLimitExceeded": "RequestLimitExceeded",
    "ProvisionedThroughputExceededException": "ProvisionedThroughputExceeded",
    "TransactionConflictException": "TransactionConflict",
    "ThrottlingException": "ThrottlingError",
    "AccessDeniedException": "AccessDenied",
}
"""What a batch calls the errors of its statements."""
_MIXED = "must consist of either read statements or write statements; both cannot be mixed"


async def batch_execute_statement(
    dynamodb: DynamoDb, call: Call, request: api.BatchExecuteStatementInput
) -> api.BatchExecuteStatementOutput:
    bound = [_bound(each) for each in request.statements]
    if len({each.reads for each in bound if isinstance(each, Bound)}) > 1:
        raise invalid(f"The statements of a batch {_MIXED}")
    responses: list[api.BatchStatementResponse] = []
    consumed: dict[str, api.ConsumedCapacity] = {}
    for statement, each in zip(request.statements, bound, strict=True):
        if isinstance(each, AwsError):
            responses.append(api.BatchStatementResponse(error=_told(each)))
            continue
        try:
            result = await _member(dynamodb, call, each, statement, request.return_consumed_capacity)
        except AwsError as error:
            responses.append(api.BatchStatementResponse(error=_told(error), table_name=each.table))
            continue
        item = result.items[0] if result.items else None
        responses.append(api.BatchStatementResponse(table_name=each.table, item=item))
        _add(consumed, each.table, result.consumed)
    return api.BatchExecuteStatementOutput(responses=responses, consumed_capacity=list(consumed.values()) or None)


def _bound(statement: api.BatchStatementRequest) -> Bound | AwsError:
    try:
        return Bound(statement.statement, statement.parameters)
    except AwsError as error:
        return error


def _told(error: AwsError) -> api.BatchStatementError:
    return api.BatchStatementError(
        code=_CODES.get(error.code, "InternalServerError"), message=error.message, item=error.fields.get("Item")
    )


async def _member(
    dynamodb: DynamoDb, call: Call, bound: Bound, statement: api.BatchStatementRequest, capacity: str | None
) -> Result:
    body = bound.statement.body
    if isinstance(body, Select):
        return await _item(dynamodb, call, bound, body, statement.consistent_read, capacity)
    request = api.ExecuteStatementInput(
        statement=statement.statement,
        return_consumed_capacity=capacity,
        return_values_on_condition_check_failure=statement.return_values_on_condition_check_failure,
    )
    return await run(dynamodb, call, bound, request)


async def _item(
    dynamodb: DynamoDb, call: Call, bound: Bound, select: Select, consistent: bool | None, capacity: str | None
) -> Result:
    """A SELECT of one item, by its whole key."""
    table = await dynamodb.table(call, select.table)
    check_keys(table, select)
    plan = reading(bound.text, table.key)
    if not plan.item or select.index_name:
        raise invalid(
            "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
        )
    if not plan.only_key:
        request = api.ExecuteStatementInput(
            statement=bound.text, consistent_read=consistent, return_consumed_capacity=capacity
        )
        return await run(dynamodb, call, bound, request)
    with worded():
        get = api.GetItemInput(
            table_name=select.table,
            key=bound.key(plan.item),
            projection_expression=plan.projection,
            expression_attribute_names=_projected_names(plan.projection, plan.names),
            consistent_read=consistent,
            return_consumed_capacity=capacity,
        )
        found = await awaited(items.get_item(dynamodb, call, get))
    rows = shown(plan, [found.item]) if found.item is not None else []
    return Result(rows, consumed=found.consumed_capacity)


def _projected_names(projection: str | None, names: dict[str, str]) -> dict[str, str] | None:
    """The placeholders of names that a projection uses."""
    if projection is None:
        return None
    used = set(projection.split(", "))
    return {placeholder: name for placeholder, name in names.items() if placeholder in used}


def _add(consumed: dict[str, api.ConsumedCapacity], table: str, more: api.ConsumedCapacity | None) -> None:
    if more is None:
        return
    held = consumed.get(table)
    if held is None:
        consumed[table] = more
        return
    held.capacity_units = (held.capacity_units or 0) + (more.capacity_units or 0)
    if held.table is not None and more.table is not None:
        held.table.capacity_units = (held.table.capacity_units or 0) + (more.table.capacity_units or 0)


@prompt
async def execute_transaction(
    dynamodb: DynamoDb, call: Call, request: api.ExecuteTransactionInput
) -> api.ExecuteTransactionOutput:
    for at, each in enumerate(request.transact_statements):
        _check_member(at, each.statement)
    bound = [Bound(each.statement, each.parameters) for each in request.transact_statements]
    reads = {each.reads for each in bound}
    if len(reads) > 1:
        raise invalid(f"The statements of a transaction {_MIXED}")
    with worded():
        if reads == {True}:
            return await _read(dynamodb, call, bound, request)
        return await _write(dynamodb, call, bound, request)


def _failed(at: int, reason: str) -> AwsError:
    return invalid(f"Validation failed in TransactStatements[{at}]: {reason}")


def _check_member(at: int, text: str) -> None:
    try:
        body = parse(text).body
    except AwsError as error:
        raise _failed(at, error.message) from None
    if isinstance(body, (Update, Delete)) and body.returning:
        raise _failed(at, "RETURNING clause is not supported in ExecuteTransaction.")
    select = body.select if isinstance(body, Exists) else body
    if isinstance(select, Select) and select.index_name:
        raise _failed(at, "Reads on indices are not supported within transactions.")


async def _read(
    dynamodb: DynamoDb, call: Call, bound: Sequence[Bound], request: api.ExecuteTransactionInput
) -> api.ExecuteTransactionOutput:
    plans = []
    for at, each in enumerate(bound):
        plan = reading(each.text, (await dynamodb.table(call, each.table)).key)
        if not plan.only_key:
            raise _failed(
                at, "Select statements within ExecuteTransaction must specify the primary key in the where clause."
            )
        plans.append(plan)
    gets = [
        api.TransactGetItem(
            get=api.Get(
                table_name=each.table,
                key=each.key(plan.item),
                projection_expression=plan.projection,
                expression_attribute_names=_projected_names(plan.projection, plan.names),
            )
        )
        for each, plan in zip(bound, plans, strict=True)
    ]
    asked = api.TransactGetItemsInput(transact_items=gets, return_consumed_capacity=request.return_consumed_capacity)
    done = await transactions.transact_get_items(dynamodb, call, asked)
    responses = [
        api.ItemResponse(item=shown(plan, [each.item])[0]) if each.item is not None else api.ItemResponse()
        for each, plan in zip(done.responses or [], plans, strict=True)
    ]
    return api.ExecuteTransactionOutput(responses=responses, consumed_capacity=done.consumed_capacity)


async def _write(
    dynamodb: DynamoDb, call: Call, bound: Sequence[Bound], request: api.ExecuteTransactionInput
) -> api.ExecuteTransactionOutput:
    actions = [
        await _action(dynamodb, call, each, at, given.return_values_on_condition_check_failure)
        for at, (each, given) in enumerate(zip(bound, request.transact_statements, strict=True))
    ]
    asked = api.TransactWriteItemsInput(
        transact_items=actions,
        client_request_token=request.client_request_token,
        return_consumed_capacity=request.return_consumed_capacity,
    )
    try:
        done = await transactions.transact_write_items(dynamodb, call, asked)
    except api.TransactionCanceledException as error:
        raise _duplicates_told(error, bound) from None
    return api.ExecuteTransactionOutput(responses=[], consumed_capacity=done.consumed_capacity)


async def _action(
    dynamodb: DynamoDb, call: Call, bound: Bound, at: int, on_failure: str | None
) -> api.TransactWriteItem:
    """The action of a transaction that its statement at a place stands for."""
    key = (await dynamodb.table(call, bound.table)).key
    body = bound.statement.body
    if isinstance(body, Insert):
        put = api.Put(
            table_name=bound.table,
            item=bound.inserted(),
            condition_expression="attribute_not_exists(#n0)",
            expression_attribute_names={"#n0": key.hash},
            return_values_on_condition_check_failure=on_failure,
        )
        return api.TransactWriteItem(put=put)
    if isinstance(body, Exists) and reading(bound.text, key).only_key:
        raise _failed(at, "EXISTS() must contain a single item read with additional condition")
    plan = writing(bound.text, key)
    common: dict[str, Any] = written(bound, plan, bound.table)
    common["return_values_on_condition_check_failure"] = on_failure
    if isinstance(body, Update):
        return api.TransactWriteItem(update=api.Update(update_expression=plan.update, **common))
    if isinstance(body, Delete):
        return api.TransactWriteItem(delete=api.Delete(**common))
    return api.TransactWriteItem(condition_check=api.ConditionCheck(**common))


def _duplicates_told(error: AwsError, bound: Sequence[Bound]) -> AwsError:
    """The cancellation, where an INSERT found an item told of as such."""
    reasons = [dict(reason) for reason in error.fields.get("CancellationReasons", ())]
    for each, reason in zip(bound, reasons, strict=False):
        if isinstance(each.statement.body, Insert) and reason.get("Code") == "ConditionalCheckFailed":
            reason |= {"Code": "DuplicateItem", "Message": DUPLICATE}
    codes = ", ".join(str(reason.get("Code")) for reason in reasons)
    return api.TransactionCanceledException(
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        fields={**error.fields, "CancellationReasons": reasons},
    )
