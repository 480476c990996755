"""Operations on the streams of Kinesis that a table's changes go to.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html
"""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import token
from cumulet.services.dynamodb import store
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.model import DISABLED, Destination, Table
from cumulet.services.dynamodb.state import DynamoDb

_MOST = 2
_STATE = "Table is not in a valid state to {} Kinesis Streaming Destination: "
_TO_ENABLE, _TO_DISABLE = _STATE.format("enable"), _STATE.format("disable")


async def enable_kinesis_streaming_destination(
    dynamodb: DynamoDb, call: Call, request: api.KinesisStreamingDestinationInput
) -> api.KinesisStreamingDestinationOutput:
    table = await dynamodb.described(call, request.table_name)
    given = request.enable_kinesis_streaming_configuration or api.EnableKinesisStreamingConfiguration()
    await _check_stream(dynamodb, call, request.stream_arn)
    made = Destination(
        id=int(token(6), 16),
        stream=request.stream_arn,
        precision=given.approximate_creation_date_time_precision or "",
    )
    async with dynamodb.change(table) as (tx, now):
        found = _found(now, made.stream)
        if found is not None and found.active:
            raise invalid(
                f"{_TO_ENABLE}EnableKinesisStreamingDestination must be DISABLED or ENABLE_FAILED to perform ENABLE operation."
            )
        others = tuple(each for each in now.destinations if each.stream != made.stream)
        if sum(each.active for each in others) >= _MOST:
            raise api.LimitExceededException(f"A table can have {_MOST} Kinesis streaming destinations.")
        await store.save(tx, replace(now, destinations=(*others, made)))
    return api.KinesisStreamingDestinationOutput(
        table_name=table.name,
        stream_arn=made.stream,
        destination_status="ENABLING",
        enable_kinesis_streaming_configuration=given,
    )


async def disable_kinesis_streaming_destination(
    dynamodb: DynamoDb, call: Call, request: api.KinesisStreamingDestinationInput
) -> api.KinesisStreamingDestinationOutput:
    table = await dynamodb.described(call, request.table_name)
    async with dynamodb.change(table) as (tx, now):
        found = _found(now, request.stream_arn)
        if found is None:
            raise invalid(_TO_DISABLE + _nothing(now, request.stream_arn))
        if not found.active:
            raise invalid(
                f"{_TO_DISABLE}DisableKinesisStreamingDestination must be ACTIVE to perform DISABLE operation."
            )
        await store.save(tx, _with(now, replace(found, status=DISABLED)))
    return api.KinesisStreamingDestinationOutput(
        table_name=table.name, stream_arn=request.stream_arn, destination_status="DISABLING"
    )


async def update_kinesis_streaming_destination(
    dynamodb: DynamoDb, call: Call, request: api.UpdateKinesisStreamingDestinationInput
) -> api.UpdateKinesisStreamingDestinationOutput:
    table = await dynamodb.described(call, request.table_name)
    given = request.update_kinesis_streaming_configuration
    precision = given.approximate_creation_date_time_precision if given is not None else None
    if precision is None:
        raise invalid(
            "Streaming destination cannot be updated with given parameters: UpdateKinesisStreamingConfiguration cannot be null or "
            "contain only null values"
        )
    async with dynamodb.change(table) as (tx, now):
        found = _found(now, request.stream_arn)
        if found is None or not found.active:
            raise invalid(_TO_ENABLE + _nothing(now, request.stream_arn))
        if found.precision == precision:
            raise invalid(
                f"Invalid Request: Precision is already set to the desired value of {precision} for tableId: {now.uuid}, "
                f"kdsArn: {found.stream}"
            )
        await store.save(tx, _with(now, replace(found, precision=precision)))
    return api.UpdateKinesisStreamingDestinationOutput(
        table_name=table.name,
        stream_arn=request.stream_arn,
        destination_status="UPDATING",
        update_kinesis_streaming_configuration=given,
    )


async def describe_kinesis_streaming_destination(
    dynamodb: DynamoDb, call: Call, request: api.DescribeKinesisStreamingDestinationInput
) -> api.DescribeKinesisStreamingDestinationOutput:
    table = await dynamodb.described(call, request.table_name)
    return api.DescribeKinesisStreamingDestinationOutput(
        table_name=table.name,
        kinesis_data_stream_destinations=[
            api.KinesisDataStreamDestination(
                stream_arn=each.stream,
                destination_status=each.status,
                approximate_creation_date_time_precision=each.precision or None,
            )
            for each in table.destinations
        ],
    )


async def _check_stream(dynamodb: DynamoDb, call: Call, arn: str) -> None:
    """Raises ResourceNotFoundException for a stream that is not there, AccessDeniedException for one that the caller may not write to.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_iam.html
    """
    from cumulet.api import kinesis  # noqa: PLC0415  few nodes need it

    wanted = kinesis.DescribeStreamInput(stream_arn=arn, limit=1)
    record = kinesis.PutRecordsRequestEntry(data=b"", partition_key="key")
    trial = kinesis.PutRecordsInput(records=[record], stream_arn=arn, dry_run=True)
    try:
        await dynamodb.calls.run(call, "kinesis", "DescribeStream", wanted)
        await dynamodb.calls.run(call, "kinesis", "PutRecords", trial)
    except AwsError as error:  # that of a dry run is as good as none; what KMS refuses the caller it may give DynamoDB
        if error.status >= 500 or error.code.startswith("AccessDenied"):
            raise
        if isinstance(error, kinesis.ResourceNotFoundException | kinesis.InvalidArgumentException):
            raise api.ResourceNotFoundException(f"Requested resource not found: {error.message}") from error


def _found(table: Table, stream: str) -> Destination | None:
    return next((each for each in table.destinations if each.stream == stream), None)


def _with(table: Table, changed: Destination) -> Table:
    return replace(table, destinations=tuple(changed if each.id == changed.id else each for each in table.destinations))


def _nothing(table: Table, stream: str) -> str:
    return f"No streaming destination with streamArn: {stream} found for table with tableName: {table.name}"
