"""Dead letters: where they go, who may send them, and how they come back."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.sqs.conftest import arn, counts


def _queue(sqs: Any, name: str, **attributes: str) -> str:
    return str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])


def _policy(target: str, count: object = 1) -> str:
    return json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": count})


def _with_dead_letters(sqs: Any, count: int = 1, suffix: str = "") -> tuple[str, str]:
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if suffix else {}
    dead = _queue(sqs, f"dead{suffix}", **attributes)
    policy = _policy(arn(sqs, dead), count)
    return _queue(sqs, f"work{suffix}", RedrivePolicy=policy, **attributes), dead


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_was_received_too_often_goes_to_the_dead_letter_queue(sqs: Any, bodies: Callable[..., list[str]]) -> None:
    work, dead = _with_dead_letters(sqs, count=2)
    sent = sqs.send_message(QueueUrl=work, MessageBody="poison")
    for _ in range(2):
        assert bodies(work, VisibilityTimeout=0) == ["poison"]
    assert bodies(work, VisibilityTimeout=0) == []
    [message] = sqs.receive_message(QueueUrl=dead, MessageSystemAttributeNames=["All"])["Messages"]
    assert message["MessageId"] == sent["MessageId"]
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == arn(sqs, work)
    assert message["Attributes"]["ApproximateReceiveCount"] == "3"
    assert counts(sqs, work) == (0, 0, 0)


def test_a_receive_that_moves_dead_letters_still_gives_what_is_alive(
    sqs: Any, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    work, dead = _with_dead_letters(sqs)
    sqs.send_message(QueueUrl=work, MessageBody="poison")
    bodies(work)
    advance(31)
    sqs.send_message(QueueUrl=work, MessageBody="fine")
    assert bodies(work, 1) == ["fine"]
    assert bodies(dead) == ["poison"]


def test_fifo_dead_letters_keep_their_group_and_free_it(sqs: Any, bodies: Callable[..., list[str]]) -> None:
    work, dead = _with_dead_letters(sqs, suffix=".fifo")
    for body in ("poison", "fine"):
        sqs.send_message(QueueUrl=work, MessageBody=body, MessageGroupId="g")
    assert bodies(work, 1, VisibilityTimeout=0) == ["poison"]
    assert bodies(work, 1) == ["fine"]
    [message] = sqs.receive_message(QueueUrl=dead, MessageSystemAttributeNames=["MessageGroupId"])["Messages"]
    assert (message["Body"], message["Attributes"]["MessageGroupId"]) == ("poison", "g")


def test_bad_redrive_policies_are_refused(sqs: Any, queue: str, fifo: str) -> None:
    target = arn(sqs, _queue(sqs, "target"))
    for policy in (
        "no json",
        json.dumps({"deadLetterTargetArn": target}),
        json.dumps({"maxReceiveCount": 1}),
        _policy(target, 0),
        _policy(target, 1001),
        _policy(target, "many"),
        _policy("dummy"),
        _policy(target + "-missing"),
        _policy(arn(sqs, fifo)),
    ):
        with pytest.raises(ClientError, match="InvalidParameterValue"):
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy})
    shown = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])
    assert "Attributes" not in shown


def test_a_dead_letter_queue_chooses_its_sources(sqs: Any, queue: str) -> None:
    target = _queue(sqs, "target")
    policy = {"RedrivePolicy": _policy(arn(sqs, target))}

    def allow(**document: object) -> None:
        sqs.set_queue_attributes(QueueUrl=target, Attributes={"RedriveAllowPolicy": json.dumps(document)})

    allow(redrivePermission="denyAll")
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes=policy)
    allow(redrivePermission="byQueue", sourceQueueArns=[arn(sqs, queue)])
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=policy)
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        allow(redrivePermission="sometimes")


def test_sources_are_listed_and_removed(sqs: Any) -> None:
    work, dead = _with_dead_letters(sqs)
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [work]
    sqs.set_queue_attributes(QueueUrl=work, Attributes={"RedrivePolicy": ""})
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == []


def _bury(sqs: Any, work: str, dead: str, *messages: str) -> None:
    for first in range(0, len(messages), 10):
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(messages[first : first + 10])]
        sqs.send_message_batch(QueueUrl=work, Entries=entries)
    while sum(counts(sqs, work)):
        sqs.receive_message(QueueUrl=work, MaxNumberOfMessages=10, VisibilityTimeout=0)
    assert counts(sqs, dead) == (len(messages), 0, 0)


def test_dead_letters_go_back_to_where_they_came_from(sqs: Any, bodies: Callable[..., list[str]]) -> None:
    work, dead = _with_dead_letters(sqs)
    _bury(sqs, work, dead, "a", "b")
    sqs.start_message_move_task(SourceArn=arn(sqs, dead))

    def task() -> Any:
        return sqs.list_message_move_tasks(SourceArn=arn(sqs, dead))["Results"][0]

    _until(lambda: task()["Status"] == "COMPLETED")
    assert task()["ApproximateNumberOfMessagesMoved"] == task()["ApproximateNumberOfMessagesToMove"] == 2
    assert sorted(bodies(work)) == ["a", "b"]
    assert bodies(dead) == []


def test_a_move_has_a_pace_and_can_be_cancelled(sqs: Any, advance: Callable[[float], None]) -> None:
    work, dead = _with_dead_letters(sqs)
    elsewhere = _queue(sqs, "elsewhere")
    _bury(sqs, work, dead, *(str(number) for number in range(90)))  # one a second, and real time passes too
    move = {"SourceArn": arn(sqs, dead), "DestinationArn": arn(sqs, elsewhere), "MaxNumberOfMessagesPerSecond": 1}
    handle = sqs.start_message_move_task(**move)["TaskHandle"]
    with pytest.raises(ClientError, match="already a task running"):
        sqs.start_message_move_task(**move)
    _until(lambda: counts(sqs, elsewhere)[0] >= 1)
    advance(1)
    _until(lambda: counts(sqs, elsewhere)[0] >= 2)
    moved = sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    advance(3)
    assert counts(sqs, elsewhere)[0] == moved < 90
    [task] = sqs.list_message_move_tasks(SourceArn=arn(sqs, dead))["Results"]
    assert task["Status"] == "CANCELLED"
    with pytest.raises(ClientError, match="Only active tasks"):
        sqs.cancel_message_move_task(TaskHandle=handle)


def test_bad_moves_are_refused(sqs: Any, queue: str) -> None:
    _, dead = _with_dead_letters(sqs)
    with pytest.raises(ClientError, match="must be configured as a Dead Letter Queue"):
        sqs.start_message_move_task(SourceArn=arn(sqs, queue))
    with pytest.raises(sqs.exceptions.ResourceNotFoundException, match="DestinationArn"):
        sqs.start_message_move_task(SourceArn=arn(sqs, dead), DestinationArn=arn(sqs, queue) + "-missing")
    with pytest.raises(ClientError, match="TaskHandle is invalid"):
        sqs.cancel_message_move_task(TaskHandle="x")


@pytest.mark.parametrize("permission", [[], {}, None, 1])
def test_an_allow_policy_of_another_type_is_refused(sqs: Any, permission: object) -> None:
    url = _queue(sqs, "odd")
    policy = json.dumps({"redrivePermission": permission})
    with pytest.raises(ClientError, match="unsupported format"):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedriveAllowPolicy": policy})
