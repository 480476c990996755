"""SQS queues as sources, through the API."""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.services.lambda_.conftest import HOLD, Gate
from tests.services.lambda_.sources.conftest import Queue, until

Make = Callable[..., Any]


def test_a_message_becomes_an_event_as_on_aws(queue: Make, teller: Make, connect: Make, told: Queue) -> None:
    source = queue("source")
    connect(source, teller())
    sent = source.send(
        "héllo",
        MessageAttributes={
            "n": {"DataType": "Number", "StringValue": "6"},
            "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    [event] = told.bodies(1)
    [record] = event["Records"]
    assert list(record) == [
        *("messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfMessageAttributes"),
        *("md5OfBody", "eventSource", "eventSourceARN", "awsRegion"),
    ]
    assert record["messageId"] == sent["MessageId"]
    assert record["body"] == "héllo"
    assert record["md5OfBody"] == sent["MD5OfMessageBody"]
    assert record["md5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert record["messageAttributes"] == {
        "n": {"stringValue": "6", "stringListValues": [], "binaryListValues": [], "dataType": "Number"},
        "b": {"binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
    }
    assert list(record["attributes"]) == [
        *("ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp")
    ]
    assert (record["eventSource"], record["eventSourceARN"], record["awsRegion"]) == (
        *("aws:sqs", source.arn),
        "us-east-1",
    )
    until(lambda: source.counts() == (0, 0))


def test_a_message_of_a_failed_batch_comes_again(
    queue: Make, teller: Make, connect: Make, told: Queue, advance: Callable[[float], None]
) -> None:
    source = queue("source", VisibilityTimeout="40")
    first = 'assert event["Records"][0]["attributes"]["ApproximateReceiveCount"] != "1"'
    connect(source, teller(THEN=first), BatchSize=1)
    source.send("a")
    told.bodies(1)
    assert source.counts() == (0, 1)
    advance(41)
    [event] = told.bodies(1)
    assert event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "2"
    until(lambda: source.counts() == (0, 0))


def test_messages_received_too_often_go_to_the_dead_letter_queue(
    queue: Make, teller: Make, connect: Make, told: Queue, advance: Callable[[float], None]
) -> None:
    dead = queue("dead")
    policy = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2})
    source = queue("source", VisibilityTimeout="30", RedrivePolicy=policy)
    connect(source, teller(THEN="1/0"))
    source.send('"x"')
    for _ in range(2):
        told.bodies(1)
        advance(31)
    assert dead.bodies(1) == ["x"]


def test_partial_failures_leave_only_what_failed(queue: Make, teller: Make, connect: Make, told: Queue) -> None:
    source = queue("source", VisibilityTimeout="60")
    then = """
failed = [{"itemIdentifier": r["messageId"]} for r in event["Records"] if r["body"] == "bad"]
os.environ["ANSWER"] = json.dumps({"batchItemFailures": failed})"""
    connect(source, teller(THEN=then), FunctionResponseTypes=["ReportBatchItemFailures"])
    for body in ("good", "bad", "fine"):
        source.send(body)
    until(lambda: source.counts() == (0, 1))


def test_an_answer_without_sense_fails_the_batch(queue: Make, teller: Make, connect: Make, told: Queue) -> None:
    source = queue("source", VisibilityTimeout="60")
    answer = json.dumps({"batchItemFailures": [{"itemIdentifier": "another"}]})
    connect(source, teller(ANSWER=answer), FunctionResponseTypes=["ReportBatchItemFailures"])
    source.send("a")
    told.bodies(1)
    assert source.counts() == (0, 1)


def test_what_filters_do_not_want_is_deleted(queue: Make, teller: Make, connect: Make, told: Queue) -> None:
    source = queue("source")
    pattern = json.dumps({"body": {"kind": ["order"], "amount": [{"numeric": [">", 10]}]}})
    connect(source, teller(), BatchSize=1, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    for amount in (5, 20):
        source.send(json.dumps({"kind": "order", "amount": amount}))
    source.send("not JSON")
    [event] = told.bodies(1)
    assert json.loads(event["Records"][0]["body"])["amount"] == 20
    until(lambda: source.counts() == (0, 0))


def test_a_window_gathers_messages(
    queue: Make, teller: Make, connect: Make, told: Queue, advance: Callable[[float], None]
) -> None:
    source = queue("source", VisibilityTimeout="600")
    connect(source, teller(), BatchSize=100, MaximumBatchingWindowInSeconds=60)
    for number in range(25):
        source.send(str(number))
    until(lambda: source.counts() == (0, 25))
    assert told.counts() == (0, 0)
    advance(61)
    [event] = told.bodies(1)
    assert sorted(int(record["body"]) for record in event["Records"]) == list(range(25))
    assert event["Records"][0]["md5OfMessageAttributes"] is None


def test_a_full_batch_does_not_wait_for_its_window(queue: Make, teller: Make, connect: Make, told: Queue) -> None:
    source = queue("source", VisibilityTimeout="600")
    connect(source, teller(), BatchSize=20, MaximumBatchingWindowInSeconds=300)
    for number in range(20):
        source.send(str(number))
    [event] = told.bodies(1)
    assert len(event["Records"]) == 20


def test_a_batch_stays_below_the_limit_on_payloads(queue: Make, make: Make, connect: Make) -> None:
    source = queue("source", VisibilityTimeout="600")
    make("count", "def handler(event, context):\n    return len(event['Records'])\n", MemorySize=512, Timeout=30)
    for _ in range(10):
        source.send("x" * 1_000_000)
    connect(source, "count")
    until(lambda: source.counts() == (0, 0))


def test_groups_of_a_fifo_queue_keep_their_order(queue: Make, teller: Make, connect: Make, told: Queue) -> None:
    source = queue("source.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for number in range(12):
        source.send(f"{number}", MessageGroupId=f"g{number % 3}")
    connect(source, teller(), BatchSize=2)
    events: list[Any] = []
    while sum(len(event["Records"]) for event in events) < 12:
        events += told.bodies(1)
    told_numbers = [int(record["body"]) for event in events for record in event["Records"]]
    for group in range(3):
        mine = [number for number in told_numbers if number % 3 == group]
        assert sorted(mine) == [number for number in range(12) if number % 3 == group]
    assert {"MessageGroupId", "SequenceNumber", "MessageDeduplicationId"} <= events[0]["Records"][0][
        "attributes"
    ].keys()
    until(lambda: source.counts() == (0, 0))


def test_a_function_without_concurrency_leaves_messages_alone(
    functions: Any, queue: Make, teller: Make, connect: Make, told: Queue
) -> None:
    source = queue("source")
    name = teller()
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    uuid = connect(source, name)
    source.send("a")
    problem = until(lambda: functions.get_event_source_mapping(UUID=uuid).get("LastProcessingResult"))
    assert "throttled" in problem
    until(lambda: source.counts() == (1, 0))
    functions.delete_function_concurrency(FunctionName=name)
    told.bodies(1)


def test_a_deleted_queue_is_named_and_read_again_when_it_is_back(
    functions: Any, queue: Make, teller: Make, connect: Make, told: Queue, advance: Callable[[float], None]
) -> None:
    source = queue("source")
    uuid = connect(source, teller())
    source.sqs.delete_queue(QueueUrl=source.url)
    advance(30)
    problem = until(lambda: functions.get_event_source_mapping(UUID=uuid).get("LastProcessingResult"))
    assert problem == "PROBLEM: The specified queue does not exist."
    advance(61)
    again = queue("source")
    again.send("a")

    def read() -> bool:
        advance(61)  # whenever it began to wait
        time.sleep(0.2)
        return told.counts() != (0, 0)

    until(read)


def test_at_most_as_many_at_once_as_the_mapping_says(queue: Make, make: Make, connect: Make, told: Queue) -> None:
    source = queue("source", VisibilityTimeout="60")
    # Functions tell how many run by locks in the queue of those that do not: each waits until its time is over.
    code = """
import json, os, time, boto3
sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
def handler(event, context):
    begun = time.time()
    time.sleep(0.3)
    sqs.send_message(QueueUrl=os.environ["TOLD"], MessageBody=json.dumps([begun, time.time()]))
"""
    make("slow", code, Environment={"Variables": {"TOLD": told.url}})
    for number in range(8):
        source.send(str(number))
    connect(source, "slow", BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    spans = told.bodies(8)
    assert max(sum(begun <= start < end for begun, end in spans) for start, _ in spans) <= 2


def test_a_mapping_may_be_disabled_and_enabled(
    functions: Any, queue: Make, teller: Make, connect: Make, told: Queue
) -> None:
    source = queue("source")
    uuid = connect(source, teller())
    assert functions.update_event_source_mapping(UUID=uuid, Enabled=False)["State"] == "Disabling"
    until(lambda: functions.get_event_source_mapping(UUID=uuid)["State"] == "Disabled")
    source.send("a")
    assert functions.update_event_source_mapping(UUID=uuid, Enabled=True)["State"] == "Enabling"
    told.bodies(1)


def test_an_alias_is_invoked(functions: Any, queue: Make, make: Make, connect: Make, told: Queue) -> None:
    code = """
import os, json, boto3
def handler(event, context):
    sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    sqs.send_message(QueueUrl=os.environ["TOLD"], MessageBody=json.dumps(context.invoked_function_arn))
"""
    made = make("versioned", code, Environment={"Variables": {"TOLD": told.url}}, Publish=True)
    functions.create_alias(FunctionName="versioned", Name="live", FunctionVersion=made["Version"])
    source = queue("source")
    connect(source, "versioned:live")
    source.send("a")
    assert told.bodies(1)[0].endswith(":function:versioned:live")


def test_what_a_deleted_mapping_had_received_is_as_if_it_had_not(
    functions: Any, queue: Make, teller: Make, connect: Make, told: Queue
) -> None:
    dead = queue("dead")
    policy = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 1})
    source = queue("source", VisibilityTimeout="300", RedrivePolicy=policy)
    uuid = connect(source, teller(), BatchSize=100, MaximumBatchingWindowInSeconds=300)
    for number in range(12):
        source.send(str(number))
    until(lambda: source.counts() == (0, 12))
    functions.delete_event_source_mapping(UUID=uuid)
    until(lambda: source.counts() == (12, 0))
    connect(source, "teller", BatchSize=100, MaximumBatchingWindowInSeconds=1)
    found = [record for event in told.bodies(1) for record in event["Records"]]
    assert {record["attributes"]["ApproximateReceiveCount"] for record in found} == {"1"}
    until(lambda: source.counts() == (0, 0))
    assert dead.counts() == (0, 0)


def test_messages_of_a_fifo_queue_go_back_to_their_places(
    functions: Any,
    queue: Make,
    make: Make,
    connect: Make,
    gate: Callable[[str], Gate],
    client: Callable[..., Any],
) -> None:
    source = queue("source.fifo", FifoQueue="true", ContentBasedDeduplication="true", VisibilityTimeout="300")
    door = gate("slow")
    make("slow", HOLD + "def handler(event, context): print('took', len(event['Records'])); hold()", Timeout=100)
    sent = [f"{number}{'x' * 900_000}" for number in range(8)]
    for body in sent:
        source.send(body, MessageGroupId="g")
    uuid = connect(source, "slow")
    until(lambda: source.counts() == (0, 8))
    door.begun()
    functions.delete_event_source_mapping(UUID=uuid)
    until(lambda: functions.get_event_source_mapping(UUID=uuid)["State"] == "Deleting")
    door.go()
    until(lambda: source.counts()[1] == 0)  # the first batch, which had no room for all, is over
    found: list[Any] = []

    def empty() -> bool:
        names = ["ApproximateReceiveCount"]
        answer = source.sqs.receive_message(QueueUrl=source.url, AttributeNames=names, MaxNumberOfMessages=10)
        for each in answer.get("Messages", []):
            found.append(each)
            source.sqs.delete_message(QueueUrl=source.url, ReceiptHandle=each["ReceiptHandle"])
        return bool(source.counts() == (0, 0))

    until(empty)  # a count may be a moment older than what it counts
    assert len(found) >= 1
    logged = {"logGroupName": "/aws/lambda/slow", "filterPattern": "took"}
    (line,) = until(lambda: client("logs").filter_log_events(**logged)["events"])
    assert int(line["message"].split()[1]) + len(found) == len(sent)
    assert [each["Body"][0] for each in found] == [body[0] for body in sent][-len(found) :]
    assert {each["Attributes"]["ApproximateReceiveCount"] for each in found} == {"1"}
