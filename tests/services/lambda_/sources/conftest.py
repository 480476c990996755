"""Queues and mappings to test with."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

_PATIENCE = 60.0

TELL = """
import json, os, boto3
sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
def handler(event, context):
    sqs.send_message(QueueUrl=os.environ["TOLD"], MessageBody=json.dumps(event))
    exec(os.environ.get("THEN", ""))
    return json.loads(os.environ.get("ANSWER", "null"))
"""
"""Sends each event to the queue of the environment variable TOLD, then does THEN and gives ANSWER."""


def until(check: Callable[[], Any]) -> Any:
    """What `check` gives once that is true."""
    deadline = time.monotonic() + _PATIENCE
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


class Queue:
    """A queue, seen by its test."""

    def __init__(self, sqs: Any, name: str, **attributes: Any) -> None:
        self.sqs = sqs
        self.url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.arn = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def send(self, body: str, **members: Any) -> Any:
        return self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **members)

    def bodies(self, count: int) -> list[Any]:
        """The next documents in it, as many as that."""
        found: list[Any] = []
        deadline = time.monotonic() + _PATIENCE
        while len(found) < count:
            assert time.monotonic() < deadline, f"only {len(found)} of {count} came: {found}"
            answer = self.sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=2, MaxNumberOfMessages=10)
            for message in answer.get("Messages", ()):
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found

    def counts(self) -> tuple[int, int]:
        """How many messages are visible, and how many are in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(attributes[names[0]]), int(attributes[names[1]])


@pytest.fixture
def queue(client: Callable[..., Any]) -> Callable[..., Queue]:
    """`queue("name", VisibilityTimeout="5")` creates one."""
    sqs = client("sqs")
    return lambda name, **attributes: Queue(sqs, name, **attributes)


@pytest.fixture
def told(queue: Callable[..., Queue]) -> Queue:
    """Where functions made of TELL send their events."""
    return queue("told")


@pytest.fixture
def teller(make: Callable[..., Any], told: Queue) -> Callable[..., str]:
    """`teller("name", ANSWER="null")` creates a function of TELL with these variables, and gives its name."""

    def create(name: str = "teller", *, timeout: int = 30, **variables: str) -> str:
        make(name, TELL, Timeout=timeout, Environment={"Variables": {"TOLD": told.url, **variables}})
        return name

    return create


@pytest.fixture
def connect(functions: Any) -> Callable[..., str]:
    """`connect(queue, "function", BatchSize=1)` makes a mapping, waits until it is enabled and gives its UUID."""

    def create(source: Queue, function: str, **members: Any) -> str:
        uuid: str = functions.create_event_source_mapping(EventSourceArn=source.arn, FunctionName=function, **members)[
            "UUID"
        ]
        until(lambda: functions.get_event_source_mapping(UUID=uuid)["State"] == "Enabled")
        return uuid

    return create
