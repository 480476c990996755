"""Streams of tables as sources, end to end: what functions get, in which order, and what becomes of failures."""

import json
from collections.abc import Callable
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


class Table:
    """A table with a stream."""

    def __init__(self, dynamodb: Any, name: str = "source") -> None:
        self.dynamodb, self.name = dynamodb, name
        answer = dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.arn: str = answer["TableDescription"]["LatestStreamArn"]

    def put(self, *ids: str, **attributes: Any) -> None:
        for id_ in ids:
            self.dynamodb.put_item(TableName=self.name, Item={"id": {"S": id_}, **attributes})

    def delete(self, id_: str) -> None:
        self.dynamodb.delete_item(TableName=self.name, Key={"id": {"S": id_}})


@pytest.fixture
def table(client: Callable[..., Any]) -> Table:
    return Table(client("dynamodb"))


def keys(event: Any) -> list[str]:
    return [record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]]


def told_keys(told: Queue, count: int) -> list[str]:
    """The keys of the records that were told, until there are that many."""
    found: list[str] = []
    while len(found) < count:
        found += [key for body in told.bodies(1) for key in keys(body)]
    return found


def test_a_function_gets_records_as_on_aws(table: Table, teller: Tell, connect: Connect, told: Queue) -> None:
    connect(table, teller(), StartingPosition="LATEST")
    table.put("a", data={"B": b"foobar"}, many={"L": [{"BOOL": True}, {"NULL": True}]})
    table.delete("a")
    records: list[Any] = []
    while len(records) < 2:
        records += [record for body in told.bodies(1) for record in body["Records"]]
    first, second = records
    assert list(first) == [
        *("eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb", "eventSourceARN"),
    ]
    image = {"id": {"S": "a"}, "data": {"B": "Zm9vYmFy"}, "many": {"L": [{"BOOL": True}, {"NULL": True}]}}
    assert (first["eventName"], first["dynamodb"]["NewImage"]) == ("INSERT", image)
    assert (second["eventName"], second["dynamodb"]["OldImage"]) == ("REMOVE", image)
    assert (first["eventVersion"], first["eventSource"], first["eventSourceARN"]) == ("1.1", "aws:dynamodb", table.arn)
    assert isinstance(first["dynamodb"]["ApproximateCreationDateTime"], float)
    assert first["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"


def test_positions(table: Table, teller: Tell, connect: Connect, told: Queue, advance: Callable[[float], None]) -> None:
    table.put("before")
    advance(1)
    teller("all")
    connect(table, teller("latest"), StartingPosition="LATEST")
    table.put("after")
    assert told_keys(told, 1) == ["after"]
    connect(table, "all", StartingPosition="TRIM_HORIZON")
    assert told_keys(told, 2) == ["before", "after"]


def test_a_mapping_is_disabled_after_the_invocation_under_way(
    table: Table, teller: Tell, connect: Connect, told: Queue, functions: Any
) -> None:
    uuid = connect(table, teller(THEN="import time; time.sleep(1)", timeout=30), StartingPosition="LATEST", BatchSize=1)
    table.put("1")
    assert told_keys(told, 1) == ["1"]
    functions.update_event_source_mapping(UUID=uuid, Enabled=False)
    until(lambda: functions.get_event_source_mapping(UUID=uuid)["State"] == "Disabled")
    table.put("2")
    functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    assert told_keys(told, 1) == ["2"]


def test_order_is_kept_over_shards_and_while_disabled(
    table: Table, teller: Tell, connect: Connect, told: Queue, functions: Any, advance: Callable[[float], None]
) -> None:
    uuid = connect(table, teller(timeout=30), StartingPosition="LATEST", BatchSize=3)
    table.put("1", "2")
    assert told_keys(told, 2) == ["1", "2"]
    functions.update_event_source_mapping(UUID=uuid, Enabled=False)
    until(lambda: functions.get_event_source_mapping(UUID=uuid)["State"] == "Disabled")
    table.put("3", "4")
    advance(5 * 3600)
    table.put("5", "6")
    functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    assert told_keys(told, 4) == ["3", "4", "5", "6"]
    advance(5 * 3600)
    table.put("7")
    assert told_keys(told, 1) == ["7"]


def test_filters_see_the_record(table: Table, teller: Tell, connect: Connect, told: Queue) -> None:
    patterns = [
        {"eventName": ["REMOVE"]},
        {"dynamodb": {"NewImage": {"kind": {"S": [{"prefix": "wanted"}]}}}},
    ]
    filters = {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}
    connect(table, teller(), StartingPosition="LATEST", FilterCriteria=filters)
    table.put("a", kind={"S": "unwanted"})
    table.put("b", kind={"S": "wanted-1"})
    table.delete("a")
    assert told_keys(told, 2) == ["b", "a"]


def test_what_expired_says_so(
    table: Table, teller: Tell, connect: Connect, told: Queue, node: NodeProcess, advance: Callable[[float], None]
) -> None:
    connect(table, teller(), StartingPosition="LATEST")
    specification = {"Enabled": True, "AttributeName": "expires"}
    table.dynamodb.update_time_to_live(TableName=table.name, TimeToLiveSpecification=specification)
    now = int(node.get(node.endpoint + "/_cumulet/clock")["now"])
    table.put("a", expires={"N": str(now + 100)})
    assert told_keys(told, 1) == ["a"]
    advance(110)
    (record,) = told.bodies(1)[0]["Records"]
    assert record["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def test_failures_are_split_retried_and_told(
    table: Table, teller: Tell, connect: Connect, told: Queue, queue: Callable[..., Queue]
) -> None:
    failed = queue("failed")
    then = "if any(r['dynamodb']['Keys']['id']['S'] == 'bad' for r in event['Records']): raise Exception('no')"
    table.put("1", "2", "bad", "3")
    connect(
        table,
        teller(THEN=then),
        StartingPosition="TRIM_HORIZON",
        BatchSize=4,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": failed.arn}},
    )
    (body,) = failed.bodies(1)
    info = body["DDBStreamBatchInfo"]
    assert body["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert body["requestContext"]["approximateInvokeCount"] == 2
    assert (info["batchSize"], info["streamArn"]) == (1, table.arn)
    assert info["startSequenceNumber"] == info["endSequenceNumber"]
    assert info["shardId"].startswith("shardId-")
    assert len(info["approximateArrivalOfFirstRecord"]) == len("2022-07-13T13:48:01Z")
    tried = []
    while ["3"] not in tried:
        tried += [keys(body) for body in told.bodies(1)]
    assert tried == [["1", "2", "bad", "3"], ["1", "2"], ["bad", "3"], ["bad"], ["bad"], ["3"]]


def test_part_of_a_batch_can_fail(table: Table, teller: Tell, connect: Connect, told: Queue) -> None:
    then = """
numbers = {r['dynamodb']['Keys']['id']['S']: r['dynamodb']['SequenceNumber'] for r in event['Records']}
if len(numbers) > 1:
    os.environ['ANSWER'] = json.dumps({'batchItemFailures': [{'itemIdentifier': list(numbers.values())[1]}]})
else:
    os.environ['ANSWER'] = 'null'
"""
    table.put("1", "2", "3")
    connect(
        table,
        teller(THEN=then),
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    assert [keys(body) for body in told.bodies(3)] == [["1", "2", "3"], ["2", "3"], ["3"]]


def test_windows_add_up(
    table: Table, teller: Tell, connect: Connect, told: Queue, advance: Callable[[float], None]
) -> None:
    then = """
state = event.get('state') or {}
state['count'] = state.get('count', 0) + len(event['Records'])
os.environ['ANSWER'] = json.dumps({'state': state})
"""
    connect(table, teller(THEN=then), StartingPosition="LATEST", TumblingWindowInSeconds=30, BatchSize=1)
    table.put("1", "2")
    first, second = told.bodies(2)
    assert (first["state"], second["state"]) == ({}, {"count": 1}) or first["window"] != second["window"]
    advance(40)
    ends: list[Any] = []
    while not any(body["window"] == second["window"] for body in ends):
        ends += told.bodies(1)
    assert all(body["isFinalInvokeForWindow"] for body in ends)
    assert ends[-1]["eventSourceARN"] == table.arn


def test_the_role_must_be_allowed_to_read(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node("--iam", "enforce")
    iam, functions = (node.client(name, ACCOUNT) for name in ("iam", "lambda"))
    table = Table(node.client("dynamodb", ACCOUNT))
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    functions.create_function(
        FunctionName="reader",
        Runtime=RUNTIME,
        Handler="index.handler",
        Role=role,
        Timeout=30,
        Code={"ZipFile": package(ECHO)},
    )
    actions = ["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"]

    def allow(count: int) -> None:
        statement = {"Effect": "Allow", "Action": actions[:count] or ["sqs:*"], "Resource": table.arn}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=document)

    for count in range(3):
        allow(count)
        with pytest.raises(ClientError) as caught:
            functions.create_event_source_mapping(
                EventSourceArn=table.arn, FunctionName="reader", StartingPosition="LATEST"
            )
        assert caught.value.response["Error"]["Message"].startswith(f"Cannot access stream {table.arn}. ")
    allow(3)
    uuid = functions.create_event_source_mapping(
        EventSourceArn=table.arn, FunctionName="reader", StartingPosition="LATEST"
    )["UUID"]
    table.put("a")
    until(lambda: functions.get_event_source_mapping(UUID=uuid)["LastProcessingResult"] == "OK")
