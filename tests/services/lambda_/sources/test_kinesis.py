"""Kinesis streams as sources, end to end: what functions get, in which order, and what becomes of failures."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import NodeProcess
from tests.services.lambda_.conftest import ECHO, RUNTIME, package
from tests.services.lambda_.sources.conftest import Queue, until
from tests.services.lambda_.sources.test_roles import TRUST

ACCOUNT = "666666666666"
Connect = Callable[..., str]
Tell = Callable[..., str]


class Stream:
    """A stream of Kinesis."""

    def __init__(self, kinesis: Any, name: str = "source", shards: int = 1) -> None:
        self.kinesis, self.name = kinesis, name
        kinesis.create_stream(StreamName=name, ShardCount=shards)
        self.arn: str = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]

    def put(self, *texts: str, key: str = "k") -> None:
        records = [{"Data": text.encode(), "PartitionKey": key} for text in texts]
        assert self.kinesis.put_records(StreamName=self.name, Records=records)["FailedRecordCount"] == 0


class Reader(Stream):
    """The same, under the ARN of a registered consumer."""

    def __init__(self, stream: Stream) -> None:
        self.kinesis, self.name = stream.kinesis, stream.name
        answer = stream.kinesis.register_stream_consumer(StreamARN=stream.arn, ConsumerName="reader")
        self.arn = answer["Consumer"]["ConsumerARN"]


@pytest.fixture
def stream(client: Callable[..., Any]) -> Stream:
    return Stream(client("kinesis"))


def texts(event: Any) -> list[str]:
    return [base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]


def told_texts(told: Queue, count: int) -> list[str]:
    """The data of the records that were told, until there are that many."""
    found: list[str] = []
    while len(found) < count:
        found += [text for body in told.bodies(1) for text in texts(body)]
    return found


def test_a_function_gets_records_as_on_aws(
    stream: Stream, teller: Tell, connect: Connect, told: Queue, functions: Any, account: str
) -> None:
    connect(stream, teller(), StartingPosition="TRIM_HORIZON")
    put = stream.kinesis.put_record(StreamName=stream.name, Data=b"hello", PartitionKey="p")
    (record,) = told.bodies(1)[0]["Records"]
    arrival = record["kinesis"].pop("approximateArrivalTimestamp")
    assert isinstance(arrival, float)
    assert list(record) == [
        *("kinesis", "eventSource", "eventVersion", "eventID", "eventName", "invokeIdentityArn", "awsRegion"),
        "eventSourceARN",
    ]
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "p",
            "sequenceNumber": put["SequenceNumber"],
            "data": "aGVsbG8=",
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{put['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": functions.get_function_configuration(FunctionName="teller")["Role"],
        "awsRegion": "us-east-1",
        "eventSourceARN": stream.arn,
    }


def test_positions(
    stream: Stream, teller: Tell, connect: Connect, told: Queue, node: NodeProcess, advance: Callable[[float], None]
) -> None:
    stream.put("first")
    advance(10)
    moment = node.get(node.endpoint + "/_cumulet/clock")["now"]
    stream.put("second")
    advance(10)
    connect(stream, teller("latest"), StartingPosition="LATEST")
    stream.put("third")
    assert told_texts(told, 1) == ["third"]
    since = datetime.fromtimestamp(moment, UTC)
    connect(stream, teller("since"), StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=since)
    assert told_texts(told, 2) == ["second", "third"]
    connect(stream, teller("all"), StartingPosition="TRIM_HORIZON")
    assert told_texts(told, 3) == ["first", "second", "third"]


def test_order_is_kept_over_shards(stream: Stream, teller: Tell, connect: Connect, told: Queue) -> None:
    """Children are read after their parents: of one key, nothing is overtaken."""
    connect(stream, teller(), StartingPosition="TRIM_HORIZON", BatchSize=3)
    sent = []
    for count in (2, 3, 2, 1):
        mine = [f"{count}-{number}" for number in range(4)]
        stream.put(*mine)
        sent += mine
        stream.kinesis.update_shard_count(StreamName=stream.name, TargetShardCount=count, ScalingType="UNIFORM_SCALING")
    stream.put("last")
    assert told_texts(told, len(sent) + 1) == [*sent, "last"]


def test_filters_see_the_data(stream: Stream, teller: Tell, connect: Connect, told: Queue) -> None:
    patterns = [{"data": {"kind": ["wanted"]}}, {"partitionKey": ["special"]}, {"data": ["plain"]}]
    filters = {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}
    connect(stream, teller(), StartingPosition="TRIM_HORIZON", FilterCriteria=filters)
    stream.put('{"kind": "other"}', '{"kind": "wanted"}', "text", "plain")
    stream.kinesis.put_record(StreamName=stream.name, Data=b"\xff\xfe", PartitionKey="k")
    stream.put("x", key="special")
    assert told_texts(told, 3) == ['{"kind": "wanted"}', "plain", "x"]


def test_a_registered_consumer_is_a_source(
    stream: Stream, teller: Tell, connect: Connect, told: Queue, advance: Callable[[float], None]
) -> None:
    """By subscriptions: one follows the other, and children of a shard are read after it."""
    reader = Reader(stream)
    stream.put("a")
    connect(reader, teller(), StartingPosition="TRIM_HORIZON", BatchSize=2)
    (first,) = told.bodies(1)[0]["Records"]
    assert (first["eventSourceARN"], first["kinesis"]["data"]) == (reader.arn, "YQ==")
    stream.put("b", "c", "d")
    assert told_texts(told, 3) == ["b", "c", "d"]
    advance(310)
    stream.put("e")
    assert told_texts(told, 1) == ["e"]
    stream.kinesis.update_shard_count(StreamName=stream.name, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    stream.put("f")
    assert told_texts(told, 1) == ["f"]


def test_failures_are_split_retried_and_told(
    stream: Stream, teller: Tell, connect: Connect, told: Queue, queue: Callable[..., Queue]
) -> None:
    failed = queue("failed")
    then = "if any(r['kinesis']['data'] == 'YmFk' for r in event['Records']): raise Exception('no')"
    stream.put("1", "2", "bad", "3")
    connect(
        stream,
        teller(THEN=then),
        StartingPosition="TRIM_HORIZON",
        BatchSize=4,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": failed.arn}},
    )
    (body,) = failed.bodies(1)
    info = body["KinesisBatchInfo"]
    assert body["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert (info["batchSize"], info["streamArn"], info["shardId"]) == (1, stream.arn, "shardId-000000000000")
    assert info["startSequenceNumber"] == info["endSequenceNumber"]
    assert len(info["approximateArrivalOfFirstRecord"]) == len("2022-07-13T13:48:01.000Z")
    tried = []
    while ["3"] not in tried:
        tried += [texts(body) for body in told.bodies(1)]
    assert tried == [["1", "2", "bad", "3"], ["1", "2"], ["bad", "3"], ["bad"], ["bad"], ["3"]]


def test_keys_stay_in_order_beside_others(stream: Stream, teller: Tell, connect: Connect, told: Queue) -> None:
    for number in range(12):
        stream.put(f"{number % 3}-{number}", key=str(number % 3))
    connect(stream, teller(), StartingPosition="TRIM_HORIZON", BatchSize=1, ParallelizationFactor=3)
    found = told_texts(told, 12)
    for key in "012":
        mine = [int(text[2:]) for text in found if text[0] == key]
        assert mine == sorted(mine)
    assert len(set(found)) == 12


def test_what_is_refused(stream: Stream, functions: Any, teller: Tell, account: str) -> None:
    def refused(**members: Any) -> str:
        request = {"EventSourceArn": stream.arn, "FunctionName": "teller", **members}
        with pytest.raises(functions.exceptions.InvalidParameterValueException) as caught:
            functions.create_event_source_mapping(**request)
        return str(caught.value.response["Error"]["Message"])

    teller()
    assert refused().endswith("'startingPosition' failed to satisfy constraint: Member must not be null.")
    later = datetime(2200, 1, 1, tzinfo=UTC)
    message = refused(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=later)
    assert message == "StartingPositionTimestamp cannot be in the future."
    nobody = stream.arn + "/consumer/nobody:1"
    assert refused(EventSourceArn=nobody, StartingPosition="LATEST") == f"Stream not found: {nobody}"
    assert functions.list_event_source_mappings()["EventSourceMappings"] == []


def test_the_role_must_be_allowed_to_read(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node("--iam", "enforce")
    iam, functions = (node.client(name, ACCOUNT) for name in ("iam", "lambda"))
    stream = Stream(node.client("kinesis", ACCOUNT))
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    functions.create_function(
        FunctionName="reader",
        Runtime=RUNTIME,
        Handler="index.handler",
        Role=role,
        Timeout=30,
        Code={"ZipFile": package(ECHO)},
    )
    actions = ["kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"]

    def allow(count: int) -> None:
        statement = {"Effect": "Allow", "Action": actions[:count] or ["sqs:*"], "Resource": stream.arn}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=document)

    request = {"EventSourceArn": stream.arn, "FunctionName": "reader", "StartingPosition": "LATEST"}
    for count in range(3):
        allow(count)
        with pytest.raises(ClientError) as caught:
            functions.create_event_source_mapping(**request)
        assert caught.value.response["Error"]["Message"].startswith(f"Cannot access stream {stream.arn}. ")
    allow(3)
    uuid = functions.create_event_source_mapping(**request)["UUID"]
    stream.put("a")
    until(lambda: functions.get_event_source_mapping(UUID=uuid)["LastProcessingResult"] == "OK")
