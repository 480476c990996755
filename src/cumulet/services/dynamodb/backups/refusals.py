"""What an import refused, written to CloudWatch Logs.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Validation.html
"""

from __future__ import annotations

import contextlib
import logging

import msgspec
from msgspec import Struct

from cumulet.api import logs
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.state import DynamoDb

log = logging.getLogger(__name__)

GROUP = "/aws-dynamodb/imports"
MOST = 10_000
"""Refusals of one import that are written."""


class Refusal(Struct, frozen=True):
    """An item of a file (its number, from 0) and why it is none."""

    key: str
    number: int
    reason: str


def group_arn(table: Table) -> str:
    """The log group, as descriptions of imports have it."""
    return f"{Arn('logs', table.region, table.account, f'log-group:{GROUP}')}:*"


async def report(dynamodb: DynamoDb, call: Call, arn: str, bucket: str, refused: list[Refusal]) -> None:
    """Write refusals, in the name of whoever asked for the import. One that may not be written does not stop the import."""
    stream = f"{arn.rpartition('/')[2]}/error"
    moment = int(dynamodb.clock.now() * 1000)
    events = [
        logs.InputLogEvent(timestamp=moment, message=msgspec.json.encode(_told(arn, bucket, each)).decode())
        for each in refused
    ]
    request = logs.PutLogEventsRequest(log_group_name=GROUP, log_stream_name=stream, log_events=events)
    try:
        try:
            await dynamodb.calls.run(call, "logs", "PutLogEvents", request)
        except logs.ResourceNotFoundException:
            await _make(dynamodb, call, stream)
            await dynamodb.calls.run(call, "logs", "PutLogEvents", request)
    except AwsError as error:
        log.warning("what %s refused could not be written to %s: %s", arn, GROUP, error.message)


async def _make(dynamodb: DynamoDb, call: Call, stream: str) -> None:
    made: tuple[tuple[str, Struct], ...] = (
        ("CreateLogGroup", logs.CreateLogGroupRequest(log_group_name=GROUP)),
        ("CreateLogStream", logs.CreateLogStreamRequest(log_group_name=GROUP, log_stream_name=stream)),
    )
    for operation, request in made:
        with contextlib.suppress(logs.ResourceAlreadyExistsException):  # of another import
            await dynamodb.calls.run(call, "logs", operation, request)


def _told(arn: str, bucket: str, refusal: Refusal) -> dict[str, object]:
    pointer = {"bucket": bucket, "key": refusal.key, "itemIndex": refusal.number}
    return {"itemS3Pointer": pointer, "importArn": arn, "errorMessages": [refusal.reason]}
