"""A queue for each test, and the clients to use it with."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def sqs(client: Callable[..., Any]) -> Any:
    return client("sqs")


@pytest.fixture
def queue(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName="jobs")["QueueUrl"])


@pytest.fixture
def fifo(sqs: Any) -> str:
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    return str(sqs.create_queue(QueueName="jobs.fifo", Attributes=attributes)["QueueUrl"])


@pytest.fixture
def bodies(sqs: Any) -> Callable[..., list[str]]:
    """`bodies(url)` receives once and gives the bodies; further options go to ReceiveMessage."""

    def receive(url: str, count: int = 10, **options: Any) -> list[str]:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=count, **options)
        return [message["Body"] for message in answer.get("Messages", [])]

    return receive


def arn(sqs: Any, url: str) -> str:
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def counts(sqs: Any, url: str) -> tuple[int, int, int]:
    """Visible, delayed, in flight."""
    names = ["", "Delayed", "NotVisible"]
    wanted = [f"ApproximateNumberOfMessages{name}" for name in names]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
    visible, delayed, in_flight = (int(attributes[name]) for name in wanted)
    return visible, delayed, in_flight
