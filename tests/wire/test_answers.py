"""Answers that have forms of their own: event streams, S3's oddities, errors of each protocol."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from botocore.eventstream import EventStreamBuffer
from tests.wire.oracle import content_of

from cumulet.api import kinesis, lambda_, s3, sqs
from cumulet.api import logs as logs_api
from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import BytesStream, at_once
from cumulet.wire.eventstream import frame, unframe
from cumulet.wire.services import load
from cumulet.wire.xml import parse


async def events(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


def messages(body: Any) -> list[tuple[str, bytes]]:
    """What botocore reads of an event stream: the kind and payload of each message."""
    buffer = EventStreamBuffer()
    buffer.add_data(asyncio.run(content_of(body)))
    return [(event.headers.get(":event-type") or event.headers[":exception-type"], event.payload) for event in buffer]


def test_event_stream_of_rest_json() -> None:
    answer = (
        load("lambda")
        .codec("InvokeWithResponseStream")
        .encode(
            lambda_.InvokeWithResponseStreamResponse(
                status_code=200,
                executed_version="$LATEST",
                event_stream=events(
                    lambda_.InvokeWithResponseStreamResponseEvent(
                        payload_chunk=lambda_.InvokeResponseStreamUpdate(payload=b"ab")
                    ),
                    lambda_.InvokeWithResponseStreamResponseEvent(
                        invoke_complete=lambda_.InvokeWithResponseStreamCompleteEvent(error_code="E")
                    ),
                ),
            ),
            "r",
        )
    )
    assert answer.headers["Content-Type"] == "application/vnd.amazon.eventstream"
    assert answer.headers["X-Amz-Executed-Version"] == "$LATEST"
    assert messages(answer.body) == [("PayloadChunk", b"ab"), ("InvokeComplete", b'{"ErrorCode":"E"}')]


def test_event_stream_of_json_begins_with_the_response_and_ends_with_the_error() -> None:
    event = kinesis.SubscribeToShardEvent(records=[], continuation_sequence_number="1", millis_behind_latest=0)
    answer = (
        load("kinesis")
        .codec("SubscribeToShard")
        .encode(
            kinesis.SubscribeToShardOutput(
                event_stream=events(
                    kinesis.SubscribeToShardEventStream(subscribe_to_shard_event=event),
                    kinesis.ResourceInUseException("busy"),
                )
            ),
            "r",
        )
    )
    (first, payload), (second, _), (third, error) = messages(answer.body)
    assert (first, payload) == ("initial-response", b"{}")
    assert (second, third) == ("SubscribeToShardEvent", "ResourceInUseException")
    assert msgspec.json.decode(error) == {"message": "busy"}


def test_event_stream_of_s3_is_xml() -> None:
    stats = s3.StatsEvent(details=s3.Stats(bytes_scanned=5))
    answer = (
        load("s3")
        .codec("SelectObjectContent")
        .encode(
            s3.SelectObjectContentOutput(
                payload=events(
                    s3.SelectObjectContentEventStream(records=s3.RecordsEvent(payload=b"a,b")),
                    s3.SelectObjectContentEventStream(stats=stats),
                    s3.SelectObjectContentEventStream(end=s3.EndEvent()),
                )
            ),
            "r",
        )
    )
    assert [kind for kind, _ in messages(answer.body)] == ["Records", "Stats", "End"]


def test_frames_are_checked() -> None:
    message = frame({":event-type": "A"}, b"payload")
    assert unframe(message + b"rest") == ({":event-type": "A"}, b"payload", b"rest")
    for broken in (
        message[:-1],
        message[:10],
        message[:-1] + b"\0",
        b"\1" + message[1:],
        message[:14] + b"x" + message[15:],
    ):
        with pytest.raises(ValueError, match=r"checksum|cut|least"):
            unframe(broken)


def test_bucket_location() -> None:
    codec = load("s3").codec("GetBucketLocation")
    empty = codec.encode(s3.GetBucketLocationOutput(), "r").body
    assert isinstance(empty, bytes)
    assert empty.endswith(b'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>')
    full = codec.encode(s3.GetBucketLocationOutput(location_constraint="eu-west-1"), "r").body
    assert isinstance(full, bytes)
    assert full.endswith(b">eu-west-1</LocationConstraint>")


class Pieces:
    """A stream that is not in memory."""

    length = 3

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"


def test_streams_have_their_length() -> None:
    answer = load("s3").codec("GetObject").encode(s3.GetObjectOutput(body=Pieces(), metadata={"a": "b"}), "r")
    assert answer.headers["Content-Length"] == "3"
    assert answer.headers["x-amz-meta-a"] == "b"
    assert asyncio.run(content_of(answer.body)) == b"abc"


def test_a_stream_in_memory_is_answered_in_one_piece() -> None:
    answer = load("s3").codec("GetObject").encode(s3.GetObjectOutput(body=BytesStream(b"abc")), "r")
    assert answer.body == b"abc"


def test_errors_of_s3() -> None:
    error = s3.NoSuchKey("The specified key does not exist.", fields={"Key": "a&b"})
    answer = load("s3").codec("GetObject").encode_error(error, "request-1")
    assert answer.headers["x-amz-request-id"] == "request-1"
    assert isinstance(answer.body, bytes)
    assert (
        b"<Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>a&amp;b</Key><RequestId>request-1"
        in answer.body
    )
    assert load("s3").codec("HeadObject").encode_error(error, "r").body == b""


def test_errors_of_sqs_in_json() -> None:
    answer = load("sqs").codec("GetQueueUrl").encode_error(sqs.QueueDoesNotExist("gone"), "r")
    assert answer.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert msgspec.json.decode(answer.body) == {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "gone"}  # type: ignore[arg-type]  # bytes
    missing = AwsError("m", code="MissingParameter")
    answer = load("sqs").codec("GetQueueUrl").encode_error(missing, "r")
    assert answer.headers["x-amzn-query-error"] == "MissingParameter;Sender"
    assert b"MissingRequiredParameterException" in answer.body  # type: ignore[operator]  # bytes


def test_errors_of_dynamodb_spell_their_text_in_two_ways() -> None:
    codec = load("dynamodb").codec("PutItem")

    def members(code: str, **fields: Any) -> dict[str, Any]:
        answer = codec.encode_error(AwsError("why", code=code, fields=fields), "r")
        return {**msgspec.json.decode(asyncio.run(content_of(answer.body)))}

    failed = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
    assert members("ConditionalCheckFailedException") == {"__type": failed, "message": "why"}
    item = {"a": {"S": "x"}}
    assert members("ConditionalCheckFailedException", Item=item) == {"__type": failed, "Message": "why", "Item": item}
    assert members("SerializationException") == {
        "__type": "com.amazon.coral.service#SerializationException",
        "Message": "why",
    }
    assert members("ValidationException")["message"] == "why"


def test_errors_of_lambda() -> None:
    answer = load("lambda").codec("GetFunction").encode_error(lambda_.ResourceNotFoundException("gone"), "r")
    assert answer.status == 404
    assert answer.headers["x-amzn-ErrorType"] == "ResourceNotFoundException"
    assert msgspec.json.decode(answer.body) == {"Type": "User", "Message": "gone"}  # type: ignore[arg-type]  # bytes


def test_empty_answers() -> None:
    assert load("sqs").codec("DeleteMessage").encode(None, "r").body == b""
    assert load("sqs").codec("ListQueues").encode(sqs.ListQueuesResult(), "r").body == b"{}"
    assert load("logs").codec("CreateLogGroup").encode(None, "r").body == b""
    assert load("logs").codec("PutLogEvents").encode(logs_api.PutLogEventsResponse(), "r").body == b"{}"
    deleted = load("lambda").codec("DeleteFunction").encode(lambda_.DeleteFunctionResponse(status_code=204), "r")
    assert (deleted.status, deleted.body) == (204, b"")


def test_text_survives_xml() -> None:
    hostile = "a<b>&\"c'\r\n\t d "
    answer = (
        load("sqs")
        .codec("ReceiveMessage", "query")
        .encode(sqs.ReceiveMessageResult(messages=[sqs.Message(body=hostile)]), "r")
    )
    assert isinstance(answer.body, bytes)
    found = parse(answer.body).children[0].children[0].child("Body")
    assert found is not None
    assert found.text == hostile
    control = load("sqs").codec("GetQueueUrl", "query").encode(sqs.GetQueueUrlResult(queue_url="\x01"), "r")
    assert b"<QueueUrl>&#1;</QueueUrl>" in control.body  # type: ignore[operator]  # bytes


def listing(contents: list[s3.Object]) -> str:
    """What follows the root's tag in an answer of ListObjectsV2."""
    answer = load("s3").codec("ListObjectsV2").encode(s3.ListObjectsV2Output(contents=contents), "r")
    return asyncio.run(content_of(answer.body)).decode().split(">", 2)[2]


def test_items_of_a_list_may_differ_in_what_they_have() -> None:
    contents = [
        s3.Object(key='100%s &<"', size=0, checksum_algorithm=["CRC32"], checksum_type="FULL_OBJECT"),
        s3.Object(key="é\r", last_modified=1.5, owner=s3.Owner(id="o"), checksum_algorithm=["CRC32", "SHA1"]),
        s3.Object(checksum_algorithm=[]),
    ]
    assert listing(contents) == (
        "<Contents><Key>100%s &amp;&lt;&quot;</Key><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>"
        "<ChecksumType>FULL_OBJECT</ChecksumType><Size>0</Size></Contents>"
        "<Contents><Key>é&#13;</Key><LastModified>1970-01-01T00:00:01.500Z</LastModified>"
        "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumAlgorithm>SHA1</ChecksumAlgorithm>"
        "<Owner><ID>o</ID></Owner></Contents><Contents></Contents></ListBucketResult>"
    )
    assert listing([s3.Object(), s3.Object()]) == "<Contents></Contents><Contents></Contents></ListBucketResult>"


def test_bytes_in_memory_are_had_at_once_and_others_are_not() -> None:
    class Waiting:
        length = 1

        def __aiter__(self) -> AsyncIterator[bytes]:
            return events(b"x")

    assert at_once(BytesStream(b"x")) == b"x"
    assert at_once(Waiting()) is None
