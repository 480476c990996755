"""Messages of standard queues: what may be sent, how they are received, hidden, kept and deleted."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.sqs.conftest import counts

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def test_a_message_comes_back_with_everything_it_was_sent_with(sqs: Any, queue: str, account: str) -> None:
    attributes = {
        "text": {"DataType": "String", "StringValue": "ünï"},
        "number": {"DataType": "Number.int", "StringValue": "-1.5e3"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sent = sqs.send_message(
        QueueUrl=queue,
        MessageBody="<hello> & \U0001f600",
        MessageAttributes=attributes,
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}},
    )  # boto3 verifies MD5OfMessageBody itself
    [message] = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])[
        "Messages"
    ]
    assert message["Body"] == "<hello> & \U0001f600"
    assert message["MessageAttributes"] == attributes
    assert message["MessageId"] == sent["MessageId"]
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["ReceiptHandle"].startswith("AQEB")
    system = message["Attributes"]
    assert system["AWSTraceHeader"] == TRACE
    assert system["ApproximateReceiveCount"] == "1"
    assert system["SenderId"] == account
    assert int(system["ApproximateFirstReceiveTimestamp"]) >= int(system["SentTimestamp"])


def test_the_digest_of_system_attributes(sqs: Any, queue: str) -> None:
    system = {"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}}
    sent = sqs.send_message(QueueUrl=queue, MessageBody="x", MessageSystemAttributes=system)
    assert sent["MD5OfMessageSystemAttributes"] == "5ae4d5d7636402d80f4eb6d213245a88"  # recorded from AWS


@pytest.mark.parametrize(
    ("names", "shown"),
    [([], set()), (["a.*"], {"a.one", "a.two"}), (["b", "none"], {"b"}), ([".*"], {"a.one", "a.two", "b"})],
)
def test_attributes_are_chosen_by_name_or_prefix(sqs: Any, queue: str, names: list[str], shown: set[str]) -> None:
    value = {"DataType": "String", "StringValue": "x"}
    sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes={"a.one": value, "a.two": value, "b": value})
    [message] = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=names)["Messages"]
    assert set(message.get("MessageAttributes", {})) == shown


@pytest.mark.parametrize(
    ("body", "code"),
    [("", "MissingParameter"), ("\x01", "InvalidMessageContents"), ("x" * 1_048_577, "InvalidParameterValue")],
)
def test_bad_bodies_are_refused(sqs: Any, queue: str, body: str, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    assert caught.value.response["Error"]["Code"] == code
    assert counts(sqs, queue) == (0, 0, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS.mine", {"DataType": "String", "StringValue": "x"}),
        (".dot", {"DataType": "String", "StringValue": "x"}),
        ("two..dots", {"DataType": "String", "StringValue": "x"}),
        ("sp ace", {"DataType": "String", "StringValue": "x"}),
        ("n" * 257, {"DataType": "String", "StringValue": "x"}),
        ("empty", {"DataType": "String", "StringValue": ""}),
        ("type", {"DataType": "Text", "StringValue": "x"}),
        ("number", {"DataType": "Number", "StringValue": "one"}),
        ("control", {"DataType": "String", "StringValue": "\x0b"}),
    ],
)
def test_bad_attributes_are_refused(sqs: Any, queue: str, name: str, value: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes={name: value})


def test_a_message_of_a_mebibyte_fits(sqs: Any, queue: str) -> None:
    body = "x" * 1_048_576
    sqs.send_message(QueueUrl=queue, MessageBody=body)
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == body


def test_a_received_message_is_hidden_until_its_timeout(
    sqs: Any, queue: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    assert bodies(queue) == ["hello"]
    assert bodies(queue) == []
    assert counts(sqs, queue) == (0, 0, 1)

    advance(31)

    assert counts(sqs, queue) == (1, 0, 0)
    assert bodies(queue) == ["hello"]


def test_messages_that_come_back_keep_their_place(
    sqs: Any, queue: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="first")
    bodies(queue)
    sqs.send_message(QueueUrl=queue, MessageBody="second")

    advance(31)

    assert bodies(queue, 1) == ["first"]


def test_a_deleted_message_does_not_come_back(
    sqs: Any, queue: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    for _ in range(2):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    advance(31)

    assert bodies(queue) == []


def test_an_older_receipt_deletes_nothing(sqs: Any, queue: str, bodies: Callable[..., list[str]]) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    [old] = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    [new] = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    assert old["ReceiptHandle"] != new["ReceiptHandle"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=old["ReceiptHandle"])
    assert bodies(queue, VisibilityTimeout=0) == ["hello"]


@pytest.mark.parametrize("handle", ["INVALID", "AQEB" + "A" * 76])
def test_receipts_that_are_none_are_refused(sqs: Any, queue: str, handle: str) -> None:
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)


def test_a_receipt_is_of_its_queue_only(sqs: Any, queue: str, bodies: Callable[..., list[str]]) -> None:
    other = sqs.create_queue(QueueName="other")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    [message] = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=other, ReceiptHandle=message["ReceiptHandle"])
    assert bodies(queue) == ["hello"]


def test_visibility_is_extended_and_ended(
    sqs: Any, queue: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    handle = message["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=100)

    advance(60)

    assert bodies(queue) == []
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    assert bodies(queue) == ["hello"]


def test_visibility_ends_twelve_hours_after_receiving(sqs: Any, queue: str, advance: Callable[[float], None]) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    change = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}
    advance(10)
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        sqs.change_message_visibility(VisibilityTimeout=43_200, **change)
    sqs.change_message_visibility(VisibilityTimeout=43_000, **change)


def test_visibility_of_a_deleted_message_cannot_change(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    handle = sqs.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)
    with pytest.raises(ClientError, match="Message does not exist or is not available"):
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=1)


def test_delays(sqs: Any, queue: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]) -> None:
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "600"})
    sqs.send_message(QueueUrl=queue, MessageBody="the queue's")
    sqs.send_message(QueueUrl=queue, MessageBody="its own", DelaySeconds=300)
    sqs.send_message(QueueUrl=queue, MessageBody="none", DelaySeconds=0)
    assert counts(sqs, queue) == (1, 2, 0)
    assert bodies(queue, VisibilityTimeout=6_000) == ["none"]
    advance(301)
    assert bodies(queue, VisibilityTimeout=6_000) == ["its own"]
    advance(300)
    assert bodies(queue) == ["the queue's"]


def test_what_lies_between_visible_messages_stays_hidden(
    sqs: Any, queue: str, bodies: Callable[..., list[str]]
) -> None:
    for text, delay in (("a", 0), ("b", 0), ("hidden", 600), ("c", 0)):
        sqs.send_message(QueueUrl=queue, MessageBody=text, DelaySeconds=delay)
    assert bodies(queue, VisibilityTimeout=600) == ["a", "b", "c"]
    for text in "def":
        sqs.send_message(QueueUrl=queue, MessageBody=text)
    assert bodies(queue, 2, VisibilityTimeout=600) == ["d", "e"]
    assert bodies(queue, VisibilityTimeout=600) == ["f"]
    assert counts(sqs, queue) == (0, 1, 6)


def test_messages_end_with_their_retention(
    sqs: Any, queue: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"MessageRetentionPeriod": "600"})
    sqs.send_message(QueueUrl=queue, MessageBody="old")
    advance(400)
    sqs.send_message(QueueUrl=queue, MessageBody="young")
    advance(250)
    assert counts(sqs, queue) == (1, 0, 0)
    assert bodies(queue) == ["young"]


def test_a_waiting_receiver_gets_what_is_sent(sqs: Any, queue: str, bodies: Callable[..., list[str]]) -> None:
    found: list[str] = []
    receiver = threading.Thread(target=lambda: found.extend(bodies(queue, WaitTimeSeconds=20)))
    receiver.start()
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    receiver.join(60)
    assert found == ["hello"]


def test_a_waiting_receiver_gets_what_becomes_visible_on_the_clock(
    sqs: Any, queue: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="delayed", DelaySeconds=10)
    found: list[str] = []
    receiver = threading.Thread(target=lambda: found.extend(bodies(queue, WaitTimeSeconds=20)))
    receiver.start()
    for _ in range(11):
        receiver.join(0.05)
        advance(1)
    receiver.join(60)
    assert found == ["delayed"]


def test_each_of_many_waiting_receivers_gets_one(client: Callable[..., Any], sqs: Any, queue: str) -> None:
    found: list[str] = []

    def receive() -> None:
        answer = client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)
        found.extend(message["Body"] for message in answer["Messages"])

    receivers = [threading.Thread(target=receive) for _ in range(5)]
    for receiver in receivers:
        receiver.start()
    entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(5)]
    sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    for receiver in receivers:
        receiver.join(60)
    assert sorted(found) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"MaxNumberOfMessages": 11}, "MaxNumberOfMessages"),
        ({"MaxNumberOfMessages": 0}, "MaxNumberOfMessages"),
        ({"WaitTimeSeconds": 21}, "WaitTimeSeconds"),
        ({"VisibilityTimeout": 43_201}, "VisibilityTimeout"),
        ({"ReceiveRequestAttemptId": "once"}, "ReceiveRequestAttemptId"),
    ],
)
def test_bad_receives_are_refused(sqs: Any, queue: str, options: dict[str, Any], parameter: str) -> None:
    with pytest.raises(ClientError, match=f"InvalidParameterValue.*{parameter}"):
        sqs.receive_message(QueueUrl=queue, **options)


def test_a_message_group_on_a_standard_queue(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="x", MessageGroupId="tenant-1")
    [message] = sqs.receive_message(QueueUrl=queue, MessageSystemAttributeNames=["MessageGroupId"])["Messages"]
    assert message["Attributes"] == {"MessageGroupId": "tenant-1"}
    with pytest.raises(ClientError, match="MessageDeduplicationId"):
        sqs.send_message(QueueUrl=queue, MessageBody="x", MessageDeduplicationId="1")
