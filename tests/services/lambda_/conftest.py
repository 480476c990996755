"""Functions to test with: made from a few lines of Python."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

RUNTIME = "python3.11"
ECHO = "def handler(event, context):\n    return event\n"


def package(source: str, name: str = "index.py") -> bytes:
    """A deployment package with one file: the same bytes whenever it is made."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o600 << 16
        archive.writestr(entry, source)
    return out.getvalue()


def payload(answer: Any) -> Any:
    """The document that a function returned."""
    return json.loads(answer["Payload"].read())


HOLD = """
import boto3, os

def hold():
    queues = boto3.client("sqs")
    begun, go = (queues.get_queue_url(QueueName=os.environ["AWS_LAMBDA_FUNCTION_NAME"] + end)["QueueUrl"] for end in ("-begun", "-go"))
    queues.send_message(QueueUrl=begun, MessageBody="begun")
    while not (found := queues.receive_message(QueueUrl=go, WaitTimeSeconds=10).get("Messages")):
        pass
    queues.delete_message(QueueUrl=go, ReceiptHandle=found[0]["ReceiptHandle"])
"""
"""For functions that wait for their test, by `hold()`; the test has a `Gate`."""


class Gate:
    """Where a function of HOLD tells that it has begun, and waits until it may go on."""

    def __init__(self, queues: Any, function: str) -> None:
        self._queues = queues
        self._begun, self._go = (queues.create_queue(QueueName=function + end)["QueueUrl"] for end in ("-begun", "-go"))

    def begun(self, count: int = 1) -> None:
        """Wait until so many have begun."""
        deadline = time.monotonic() + 60
        while count:
            assert time.monotonic() < deadline, f"{count} have not begun"
            for message in self._queues.receive_message(QueueUrl=self._begun, WaitTimeSeconds=2).get("Messages", ()):
                self._queues.delete_message(QueueUrl=self._begun, ReceiptHandle=message["ReceiptHandle"])
                count -= 1

    def go(self, count: int = 1) -> None:
        """Let so many go on."""
        for _ in range(count):
            self._queues.send_message(QueueUrl=self._go, MessageBody="go")


@pytest.fixture
def gate(client: Callable[..., Any]) -> Callable[[str], Gate]:
    """`gate("f")` is that of the function "f"; to be made before the function runs."""
    return lambda function: Gate(client("sqs"), function)


@pytest.fixture
def functions(client: Callable[..., Any]) -> Any:
    return client("lambda")


@pytest.fixture
def role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/functions"


@pytest.fixture
def make(functions: Any, role: str) -> Callable[..., Any]:
    """`make("name", source)` creates a function and gives CreateFunction's answer; further members go to the request.

    It may take half a minute, as far as a test does not say otherwise: AWS's three seconds are short on a slow machine.
    """

    def create(name: str, source: str = ECHO, **members: Any) -> Any:
        settings: dict[str, Any] = {"Runtime": RUNTIME, "Handler": "index.handler", "Role": role, "Timeout": 30}
        settings["Code"] = {"ZipFile": package(source)}
        settings = {name: value for name, value in (settings | members).items() if value is not None}
        return functions.create_function(FunctionName=name, **settings)

    return create
