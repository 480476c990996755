"""StartBulkPutItems, DescribeBulkOperation, ListBulkOperations and CancelBulkOperation.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.Requesting.html
"""

from __future__ import annotations

import msgspec

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.dynamodb.backups import objects, transfers
from cumulet.services.dynamodb.bulk import model
from cumulet.services.dynamodb.bulk.model import CANCELLING, IN_PROGRESS, UNDER_WAY, Job
from cumulet.services.dynamodb.errors import in_use, invalid
from cumulet.services.dynamodb.model import ACTIVE, Table
from cumulet.services.dynamodb.state import DynamoDb

KIND = "bulk"
_PAGE = 10
_LAST = "\x7f"
"""Comes after every ARN."""


async def start_bulk_put_items(
    dynamodb: DynamoDb, call: Call, request: api.StartBulkPutItemsInput
) -> api.StartBulkPutItemsOutput:
    _check(request)
    table = await dynamodb.described(call, request.table_name)
    now = dynamodb.clock.now()
    token, digest = request.client_token or new_id(), transfers.digest_of(request)
    async with dynamodb.change(table) as (tx, current):
        known = await model.by_token(tx, call, token, now - model.TOKEN_SECONDS)
        if known is not None:
            if known[0] != digest:
                raise api.IdempotentParameterMismatchException(
                    f"There was another bulk operation with the client token {token}"
                )
            return api.StartBulkPutItemsOutput(bulk_operation_description=known[1])
        _check_table(current)
        told = _begun(request, current, token, now)
        arn = told.bulk_operation_arn or ""
        await model.forget(tx, now - model.KEPT_SECONDS)
        await model.insert(tx, call, token, digest, told)
        job = Job(arn, transfers.Caller.of(call), current, told)
        await dynamodb.jobs.add(tx, KIND, model.job_id(current, arn), msgspec.json.encode(job))
    return api.StartBulkPutItemsOutput(bulk_operation_description=told)


def _check(request: api.StartBulkPutItemsInput) -> None:
    source, target = request.input_s3_configuration, request.output_s3_configuration
    if source.input_format != "DYNAMODB_JSON":
        raise transfers.not_here(f"InputFormat {source.input_format}")
    if not target.s3_bucket:
        raise invalid("S3Bucket of OutputS3Configuration is required")
    if not target.output_type:
        raise invalid("OutputType of OutputS3Configuration must have at least one value")
    objects.check_encryption(target.s3_sse_algorithm, target.s3_sse_kms_key_id)


def _check_table(table: Table) -> None:
    """Raises ResourceInUseException for a table that is being made, ValidationException for one that cannot be filled so."""
    if table.replicas:
        raise invalid("Bulk operations are not supported on tables that are part of a global table")
    if table.status != ACTIVE or any(index.status != ACTIVE for index in table.every):
        raise in_use(table.name)


def _begun(request: api.StartBulkPutItemsInput, table: Table, token: str, now: float) -> api.BulkOperationDescription:
    source = request.input_s3_configuration
    return api.BulkOperationDescription(
        bulk_operation_arn=model.operation_arn(table, now),
        bulk_operation_status=IN_PROGRESS,
        table_details=[api.BulkOperationTableDetail(table_name=table.arn, table_id=table.uuid)],
        client_token=token,
        input_s3_configuration=msgspec.structs.replace(
            source, input_compression_type=source.input_compression_type or "NONE"
        ),
        output_s3_configuration=request.output_s3_configuration,
        start_time=now,
        processed_item_count=0,
        processed_input_bytes=0,
        failed_item_count=0,
        max_write_request_units=request.max_write_request_units,
        performance_tier=request.performance_tier or "STANDARD",
    )


async def describe_bulk_operation(
    dynamodb: DynamoDb, call: Call, request: api.DescribeBulkOperationInput
) -> api.DescribeBulkOperationOutput:
    found = await model.find(dynamodb.db, call.account, request.bulk_operation_arn)
    if found is None:
        raise _unknown(request.bulk_operation_arn)
    return api.DescribeBulkOperationOutput(bulk_operation_description=found)


async def list_bulk_operations(
    dynamodb: DynamoDb, call: Call, request: api.ListBulkOperationsInput
) -> api.ListBulkOperationsOutput:
    limit = request.max_results or _PAGE
    now = dynamodb.clock.now()
    before = _place(request.next_token) if request.next_token else (now + 1, _LAST)
    found = await model.page(dynamodb.db, call, now - model.KEPT_SECONDS, before, limit + 1)
    more = None
    if len(found) > limit:
        started, last = found[limit - 1]
        more = _token(started, last.bulk_operation_arn or "")
    return api.ListBulkOperationsOutput(
        bulk_operations_summary_list=[
            api.BulkOperationSummary(
                bulk_operation_arn=each.bulk_operation_arn or "",
                bulk_operation_status=each.bulk_operation_status or "",
                start_time=started,
                end_time=each.end_time,
            )
            for started, each in found[:limit]
        ],
        next_token=more,
    )


def _token(started: float, arn: str) -> str:
    """Where a page ended: hexadecimal digits, a multiple of sixteen, as the model wants them."""
    text = f"{started!r} {arn}".encode()
    return text.ljust(-(-len(text) // 8) * 8).hex()


def _place(token: str) -> tuple[float, str]:
    try:
        started, _, arn = bytes.fromhex(token).decode().rstrip().partition(" ")
        return float(started), arn
    except ValueError:
        raise invalid(f"Invalid NextToken: {token}") from None


async def cancel_bulk_operation(
    dynamodb: DynamoDb, call: Call, request: api.CancelBulkOperationInput
) -> api.CancelBulkOperationOutput:
    arn = request.bulk_operation_arn
    async with dynamodb.db.transaction() as tx:
        found = await model.find(tx, call.account, arn)
        if found is None:
            raise _unknown(arn)
        if found.bulk_operation_status not in UNDER_WAY:
            raise invalid(f"The bulk operation is not in progress: it is {found.bulk_operation_status}")
        found.bulk_operation_status = CANCELLING
        await model.save(tx, found)
    return api.CancelBulkOperationOutput(bulk_operation_arn=arn, bulk_operation_status=CANCELLING)


def _unknown(arn: str) -> Exception:
    return api.ResourceNotFoundException(f"Requested resource not found: Bulk operation: {arn} not found")
