"""Changes of items that go to streams of Kinesis."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import NodeProcess

_PATIENCE = 60.0


class Place:
    """A table, and a stream beside it."""

    def __init__(self, dynamodb: Any, kinesis: Any, name: str = "things", shards: int = 1) -> None:
        self.dynamodb, self.kinesis, self.name = dynamodb, kinesis, name
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        kinesis.create_stream(StreamName="changes", ShardCount=shards)
        found = kinesis.describe_stream_summary(StreamName="changes")
        self.arn: str = found["StreamDescriptionSummary"]["StreamARN"]

    def enable(self, **options: Any) -> Any:
        return self.dynamodb.enable_kinesis_streaming_destination(TableName=self.name, StreamArn=self.arn, **options)

    def put(self, id_: str, **attributes: Any) -> None:
        self.dynamodb.put_item(TableName=self.name, Item={"id": {"S": id_}, **attributes})

    def status(self) -> list[str]:
        answer = self.dynamodb.describe_kinesis_streaming_destination(TableName=self.name)
        return [each["DestinationStatus"] for each in answer["KinesisDataStreamDestinations"]]

    def changes(self, count: int) -> list[Any]:
        """The documents in the stream, shard by shard, once there are that many."""
        deadline = time.monotonic() + _PATIENCE
        while len(found := self._all()) < count:
            assert time.monotonic() < deadline, f"only {found}"
            time.sleep(0.05)
        return found

    def _all(self) -> list[Any]:
        found = []
        for shard in self.kinesis.list_shards(StreamName="changes")["Shards"]:
            place = self.kinesis.get_shard_iterator(
                StreamName="changes", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )
            found += self.kinesis.get_records(ShardIterator=place["ShardIterator"])["Records"]
        return [json.loads(record["Data"]) for record in found]


@pytest.fixture
def place(client: Callable[..., Any]) -> Place:
    return Place(client("dynamodb"), client("kinesis"))


def refused(message: str, operation: Callable[..., Any], **request: Any) -> None:
    with pytest.raises(ClientError) as caught:
        operation(**request)
    assert message in caught.value.response["Error"]["Message"]


def test_changes_are_told_as_on_aws(place: Place) -> None:
    place.put("before")
    answer = place.enable()
    assert (answer["DestinationStatus"], answer["EnableKinesisStreamingConfiguration"]) == ("ENABLING", {})
    assert place.status() == ["ACTIVE"]
    place.put("a", n={"N": "1"}, b={"B": b"x"})
    place.put("a", n={"N": "2"})
    place.put("a", n={"N": "2"})  # which changes nothing
    place.dynamodb.delete_item(TableName=place.name, Key={"id": {"S": "a"}})
    first, second, third = place.changes(3)
    moment = first["dynamodb"].pop("ApproximateCreationDateTime")
    assert len(str(moment)) == 13
    assert len(first.pop("eventID")) == 36
    assert first == {
        "awsRegion": "us-east-1",
        "eventName": "INSERT",
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": "things",
        "dynamodb": {
            "Keys": {"id": {"S": "a"}},
            "NewImage": {"id": {"S": "a"}, "n": {"N": "1"}, "b": {"B": "eA=="}},
            "SizeBytes": first["dynamodb"]["SizeBytes"],
        },
        "eventSource": "aws:dynamodb",
    }
    assert (second["eventName"], third["eventName"]) == ("MODIFY", "REMOVE")
    assert second["dynamodb"]["OldImage"] == first["dynamodb"]["NewImage"]
    assert third["dynamodb"]["OldImage"] == second["dynamodb"]["NewImage"] == {"id": {"S": "a"}, "n": {"N": "2"}}
    assert "NewImage" not in third["dynamodb"]


def test_what_expired_says_so(place: Place, node: NodeProcess, advance: Callable[[float], None]) -> None:
    specification = {"Enabled": True, "AttributeName": "expires"}
    place.dynamodb.update_time_to_live(TableName=place.name, TimeToLiveSpecification=specification)
    place.enable()
    now = int(node.get(node.endpoint + "/_cumulet/clock")["now"])
    place.put("a", expires={"N": str(now + 100)})
    advance(110)
    assert place.changes(2)[1]["userIdentity"] == {"principalId": "dynamodb.amazonaws.com", "type": "Service"}


def test_settings_follow_their_order(place: Place, account: str) -> None:
    dynamodb, named = place.dynamodb, {"TableName": place.name, "StreamArn": place.arn}
    enable, disable = dynamodb.enable_kinesis_streaming_destination, dynamodb.disable_kinesis_streaming_destination
    update = dynamodb.update_kinesis_streaming_destination
    fine = {"UpdateKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": "MICROSECOND"}}
    nobody = f"arn:aws:kinesis:us-east-1:{account}:stream/nobody-here-but-us-chickens"
    refused("Table: nothing not found", enable, TableName="nothing", StreamArn=place.arn)
    refused("not found", enable, TableName=place.name, StreamArn=nobody)
    refused("No streaming destination with streamArn", disable, **named)
    place.enable()
    refused("must be DISABLED or ENABLE_FAILED to perform ENABLE", enable, **named)
    refused("cannot be null or contain only null values", update, **named)
    refused(
        f"No streaming destination with streamArn: {nobody} found",
        update,
        TableName=place.name,
        StreamArn=nobody,
        **fine,
    )
    assert update(**named, **fine)["DestinationStatus"] == "UPDATING"
    refused("Precision is already set to the desired value of MICROSECOND", update, **named, **fine)
    place.put("a")
    (change,) = place.changes(1)
    assert len(str(change["dynamodb"]["ApproximateCreationDateTime"])) == 16
    assert change["dynamodb"]["ApproximateCreationDateTimePrecision"] == "MICROSECOND"
    assert disable(**named)["DestinationStatus"] == "DISABLING"
    assert place.status() == ["DISABLED"]
    refused("must be ACTIVE to perform DISABLE", disable, **named)
    place.put("b")
    place.enable()
    place.put("c")
    assert [each["dynamodb"]["Keys"]["id"]["S"] for each in place.changes(2)] == ["a", "c"]


def test_changes_wait_for_their_stream(place: Place, advance: Callable[[float], None]) -> None:
    place.enable()
    place.kinesis.delete_stream(StreamName="changes")
    for number in range(5):
        place.put("a", n={"N": str(number)})
    place.kinesis.create_stream(StreamName="changes", ShardCount=2)
    advance(120)
    found = [each["dynamodb"]["NewImage"]["n"]["N"] for each in place.changes(5)]
    assert found == [str(number) for number in range(5)]


def test_nothing_is_lost_by_a_kill(start_node: Callable[..., NodeProcess]) -> None:
    """Every change that was answered is in the stream at last, those of each item in order."""
    node, account = start_node(), "111122223333"
    place = Place(node.client("dynamodb", account), node.client("kinesis", account), shards=3)
    place.enable()
    items = [f"i{number}" for number in range(4)]
    for value in range(20):
        for item in items:
            place.put(item, n={"N": str(value)})
        if value in (9, 19):
            node.kill()
            node.start()
            place.dynamodb, place.kinesis = node.client("dynamodb", account), node.client("kinesis", account)
    place.put("last")
    deadline = time.monotonic() + _PATIENCE
    while True:
        seen: dict[str, list[int]] = {item: [] for item in items}
        for each in place.changes(81):
            key = each["dynamodb"]["Keys"]["id"]["S"]
            if key in seen:
                seen[key].append(int(each["dynamodb"]["NewImage"]["n"]["N"]))
        # What was sent again comes after what it was sent with: the last of each value are in order.
        if all(list(dict.fromkeys(values)) == list(range(20)) for values in seen.values()):
            return
        assert time.monotonic() < deadline, seen


def test_a_change_that_no_record_can_hold_delays_no_other(place: Place) -> None:
    place.enable()
    ids = [*(f"before-{number}" for number in range(9)), "large", *(f"after-{number}" for number in range(9))]
    escaped = {"S": "\x01" * 390_000}  # six bytes each in JSON
    items = [{"id": {"S": each}, **({"s": escaped} if each == "large" else {})} for each in ids]
    place.dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": place.name, "Item": each}} for each in items]
    )
    ids.remove("large")
    assert [each["dynamodb"]["Keys"]["id"]["S"] for each in place.changes(18)] == ids


def test_who_may_not_write_to_a_stream_sends_nothing_there(start_node: Callable[..., NodeProcess]) -> None:
    node, account = start_node("--iam", "enforce"), "111122223333"
    place = Place(node.client("dynamodb", account), node.client("kinesis", account))
    iam = node.client("iam", account)
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    hers = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    place.dynamodb = node.client("dynamodb", account, **hers)
    allowed = ["dynamodb:EnableKinesisStreamingDestination", "kinesis:ListStreams", "kinesis:DescribeStream"]

    def allow() -> None:
        statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document)

    allow()
    refused("kinesis:PutRecords", place.enable)
    allowed.append("kinesis:PutRecords")
    allow()
    assert place.enable()["DestinationStatus"] == "ENABLING"
    place.dynamodb = node.client("dynamodb", account)
    place.put("a")
    assert len(place.changes(1)) == 1  # the trial is no record
