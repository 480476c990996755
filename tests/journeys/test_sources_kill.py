"""`kill -9` while queues are drained into functions: every message is handled, FIFO groups in their order."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

from tests.conftest import NodeProcess

ACCOUNT = "333333333333"
KILLS = 2
STANDARD, GROUPS, EACH = 120, 3, 12
PATIENCE = 100.0
VISIBILITY = 30

# What it was given goes on to a FIFO queue, which drops repetitions: so it holds each message where it came first.
SOURCE = """
import json, os, boto3
sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
def handler(event, context):
    for record in event["Records"]:
        group = record["attributes"].get("MessageGroupId", "none")
        sqs.send_message(QueueUrl=os.environ["DONE"], MessageBody=record["body"], MessageGroupId=group)
"""


class _Story:
    """A node with two queues, mapped to one function, and a queue of what the function did."""

    def __init__(self, node: NodeProcess) -> None:
        self.node = node
        self.sqs = node.client("sqs", ACCOUNT)
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": str(VISIBILITY)}
        self.standard = self._queue("jobs", VisibilityTimeout=str(VISIBILITY))
        self.ordered = self._queue("jobs.fifo", **fifo)
        self.done = self._queue("done.fifo", **fifo)
        self.handled: list[tuple[str, str]] = []

    def _queue(self, name: str, **attributes: str) -> str:
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def fill(self) -> None:
        for start in range(0, STANDARD, 10):
            entries = [{"Id": str(n), "MessageBody": f"s-{n}"} for n in range(start, start + 10)]
            self.sqs.send_message_batch(QueueUrl=self.standard, Entries=entries)
        for number in range(EACH):
            entries = [
                {"Id": str(group), "MessageBody": f"g{group}-{number}", "MessageGroupId": f"g{group}"}
                for group in range(GROUPS)
            ]
            self.sqs.send_message_batch(QueueUrl=self.ordered, Entries=entries)

    def connect(self) -> None:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("index.py", SOURCE)
        functions = self.node.client("lambda", ACCOUNT)
        functions.create_function(
            FunctionName="worker",
            Runtime="python3.11",
            Handler="index.handler",
            Role=f"arn:aws:iam::{ACCOUNT}:role/worker",
            Code={"ZipFile": package.getvalue()},
            Timeout=20,
            Environment={"Variables": {"DONE": self.done}},
        )
        for url, size in ((self.standard, 10), (self.ordered, 3)):
            arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="worker", BatchSize=size)

    def collect(self, count: int) -> None:
        """Take what was done until it is that much; time moves on, so that what a kill left hidden comes again."""
        deadline = time.monotonic() + PATIENCE
        while len(set(self.handled)) < count:
            assert time.monotonic() < deadline, f"{len(self.handled)} of {count} were handled"
            names = ["MessageGroupId"]
            answer = self.sqs.receive_message(
                QueueUrl=self.done, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageSystemAttributeNames=names
            )
            messages = answer.get("Messages", [])
            for message in messages:
                done = (message["Attributes"]["MessageGroupId"], message["Body"])
                if done not in self.handled:  # the queue itself drops repetitions for five minutes only
                    self.handled.append(done)
                self.sqs.delete_message(QueueUrl=self.done, ReceiptHandle=message["ReceiptHandle"])
            if not messages:
                self.node.post("/_cumulet/clock", {"advance": VISIBILITY + 1})

    def kill(self) -> None:
        self.node.kill()
        self.node.start()
        self.sqs = self.node.client("sqs", ACCOUNT)

    def left(self) -> list[int]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = [
            self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names) for url in (self.standard, self.ordered)
        ]
        return [int(each["Attributes"][name]) for each in found for name in names]


def test_what_a_kill_interrupts_is_handled_all_the_same(start_node: Callable[..., NodeProcess]) -> None:
    story = _Story(start_node())
    story.fill()
    story.connect()
    total = STANDARD + GROUPS * EACH
    for kill in range(1, KILLS + 1):
        story.collect(kill * total // (KILLS + 2))
        story.kill()
    story.collect(total)
    assert {body for _, body in story.handled} == {f"s-{n}" for n in range(STANDARD)} | {
        f"g{group}-{n}" for group in range(GROUPS) for n in range(EACH)
    }
    for group in range(GROUPS):
        mine = [body for name, body in story.handled if name == f"g{group}"]
        assert mine == [f"g{group}-{n}" for n in range(EACH)], json.dumps(mine)
    _until(lambda: story.left() == [0, 0, 0, 0])


def _until(check: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.1)
