"""FIFO queues: order within groups, groups locked while in flight, deduplication, retried receives."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def _send(sqs: Any, url: str, *messages: str) -> list[str]:
    """Messages like `a1`: the first letter is the group. Gives their sequence numbers."""
    return [
        sqs.send_message(QueueUrl=url, MessageBody=message, MessageGroupId=message[0])["SequenceNumber"]
        for message in messages
    ]


def test_groups_in_order_and_locked_while_in_flight(
    sqs: Any, fifo: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    _send(sqs, fifo, "a1", "b1", "a2", "a3")
    received = sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=2)["Messages"]
    assert [message["Body"] for message in received] == ["a1", "a2"]
    assert bodies(fifo) == ["b1"]
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=received[0]["ReceiptHandle"])
    assert bodies(fifo) == []
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=received[1]["ReceiptHandle"])
    assert bodies(fifo) == ["a3"]

    advance(31)

    assert bodies(fifo) == ["b1", "a3"]


def test_a_message_hidden_longer_holds_back_those_behind_it(
    sqs: Any, fifo: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    _send(sqs, fifo, "a1", "a2", "a3")
    received = sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)["Messages"]
    handle = received[1]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=fifo, ReceiptHandle=handle, VisibilityTimeout=100)

    advance(31)

    assert bodies(fifo) == ["a1"]


def test_a_message_made_visible_comes_again_before_those_behind_it(
    sqs: Any, fifo: str, bodies: Callable[..., list[str]]
) -> None:
    _send(sqs, fifo, "a1", "a2", "b1")
    received = sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=2)["Messages"]
    handle = received[0]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=fifo, ReceiptHandle=handle, VisibilityTimeout=0)
    assert bodies(fifo, 3) == ["b1", "a1"]


def test_sequence_numbers_are_twenty_digits_and_grow(sqs: Any, fifo: str) -> None:
    numbers = _send(sqs, fifo, "a1", "b1", "a2")
    assert [len(number) for number in numbers] == [20, 20, 20]
    assert numbers == sorted(numbers)


def test_a_repeated_message_is_delivered_once_within_five_minutes(
    sqs: Any, fifo: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    first = sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="a")
    again = sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="b")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="a", MessageDeduplicationId="another")
    [one, _] = sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)["Messages"]
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=one["ReceiptHandle"])
    sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="c")
    assert bodies(fifo) == []

    advance(301)

    sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="c")
    assert bodies(fifo) == ["x", "x"]


def test_deduplication_by_group(sqs: Any, bodies: Callable[..., list[str]]) -> None:
    attributes = {
        "FifoQueue": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
    }
    url = sqs.create_queue(QueueName="fast.fifo", Attributes=attributes)["QueueUrl"]
    for group in ("a", "b", "a"):
        sqs.send_message(QueueUrl=url, MessageBody=group, MessageGroupId=group, MessageDeduplicationId="same")
    assert sorted(bodies(url)) == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"MessageDeduplicationId": "1"}, "MissingParameter"),
        ({"MessageGroupId": "a"}, "InvalidParameterValue"),
        ({"MessageGroupId": "a b", "MessageDeduplicationId": "1"}, "InvalidParameterValue"),
        ({"MessageGroupId": "a", "MessageDeduplicationId": "1", "DelaySeconds": 1}, "InvalidParameterValue"),
    ],
)
def test_bad_sends_are_refused(sqs: Any, options: dict[str, Any], code: str) -> None:
    url = sqs.create_queue(QueueName="strict.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    with pytest.raises(ClientError) as caught:
        sqs.send_message(QueueUrl=url, MessageBody="x", **options)
    assert caught.value.response["Error"]["Code"] == code


def test_an_expired_receipt_is_refused(sqs: Any, fifo: str, advance: Callable[[float], None]) -> None:
    _send(sqs, fifo, "a1")
    [message] = sqs.receive_message(QueueUrl=fifo)["Messages"]
    advance(31)
    with pytest.raises(ClientError, match="The receipt handle has expired"):
        sqs.delete_message(QueueUrl=fifo, ReceiptHandle=message["ReceiptHandle"])


def test_a_receive_tried_again_gives_the_same_messages(
    sqs: Any, fifo: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    _send(sqs, fifo, "a1", "a2", "b1")
    receive = {"QueueUrl": fifo, "MaxNumberOfMessages": 2, "ReceiveRequestAttemptId": "try-1", "VisibilityTimeout": 250}
    first = sqs.receive_message(**receive)["Messages"]
    advance(150)
    assert sqs.receive_message(**receive)["Messages"] == first
    advance(150)
    assert bodies(fifo) == ["b1"]  # the second try began the timeout anew
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=first[0]["ReceiptHandle"])


def test_a_delayed_queue_keeps_order(
    sqs: Any, fifo: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"DelaySeconds": "600"})
    _send(sqs, fifo, "a1", "b1", "a2")
    assert bodies(fifo) == []
    advance(601)
    assert bodies(fifo) == ["a1", "a2", "b1"]


def test_messages_end_with_their_retention(
    sqs: Any, fifo: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"MessageRetentionPeriod": "600"})
    _send(sqs, fifo, "a1", "b1")
    advance(400)
    _send(sqs, fifo, "a2")
    advance(250)
    assert bodies(fifo) == ["a2"]


def test_a_fifo_queue_stays_fifo(sqs: Any, fifo: str) -> None:
    sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"FifoQueue": "true"})
    with pytest.raises(sqs.exceptions.ClientError, match="Modifying queue type is not supported"):
        sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"FifoQueue": "false"})
    with pytest.raises(sqs.exceptions.ClientError, match="FifoThroughputLimit"):
        sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"FifoThroughputLimit": "perMessageGroupId"})
