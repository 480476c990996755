"""Batches: entries fail alone, requests fail whole."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.sqs.conftest import counts


def _entries(*ids: str) -> list[dict[str, str]]:
    return [{"Id": id, "MessageBody": f"body {id}"} for id in ids]


def test_a_bad_entry_fails_alone(sqs: Any, queue: str, bodies: Callable[..., list[str]]) -> None:
    answer = sqs.send_message_batch(QueueUrl=queue, Entries=[*_entries("a", "b"), {"Id": "c", "MessageBody": "\x01"}])
    assert [entry["Id"] for entry in answer["Successful"]] == ["a", "b"]
    [failed] = answer["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("c", "InvalidMessageContents", True)
    assert bodies(queue) == ["body a", "body b"]


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        ((), "EmptyBatchRequest"),
        (tuple("abcdefghijk"), "TooManyEntriesInBatchRequest"),
        (("a", "a"), "BatchEntryIdsNotDistinct"),
        (("a:b",), "InvalidBatchEntryId"),
        (("a" * 81,), "InvalidBatchEntryId"),
    ],
)
def test_a_bad_batch_fails_whole(sqs: Any, queue: str, ids: tuple[str, ...], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        sqs.send_message_batch(QueueUrl=queue, Entries=_entries(*ids))
    assert caught.value.response["Error"]["Code"] == f"AWS.SimpleQueueService.{code}"
    assert counts(sqs, queue) == (0, 0, 0)


def test_a_batch_holds_a_mebibyte(sqs: Any, queue: str) -> None:
    entries = [{"Id": id, "MessageBody": "x" * 524_289} for id in "ab"]
    with pytest.raises(ClientError, match="BatchRequestTooLong"):
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)


def test_deleting_and_hiding_in_batches(sqs: Any, queue: str, bodies: Callable[..., list[str]]) -> None:
    sqs.send_message_batch(QueueUrl=queue, Entries=_entries("a", "b", "c"))
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    handles = [message["ReceiptHandle"] for message in received]
    answer = sqs.delete_message_batch(
        QueueUrl=queue, Entries=[{"Id": "1", "ReceiptHandle": handles[0]}, {"Id": "2", "ReceiptHandle": "bad"}]
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["1"]
    assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("2", "ReceiptHandleIsInvalid")]
    answer = sqs.change_message_visibility_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "1", "ReceiptHandle": handles[0], "VisibilityTimeout": 0},
            {"Id": "2", "ReceiptHandle": handles[1], "VisibilityTimeout": 0},
        ],
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["2"]
    assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("1", "InvalidParameterValue")]
    assert bodies(queue) == ["body b"]
