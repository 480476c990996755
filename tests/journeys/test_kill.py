"""`kill -9` at random moments under load: nothing that was acknowledged may be lost.

Three kills a run by default; `pytest tests/journeys/test_kill.py --kills 50` is the long form whose result is in
benchmarks/RESULTS.md.
"""

import io
import json
import random
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.conftest import NodeProcess

ACCOUNT = "111111111111"
FUNCTION = """
import boto3, os
sqs = boto3.client("sqs")
def handler(event, context):
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=event["id"])
"""


class Writer(threading.Thread):
    """Does one kind of work until the node dies, remembering what was acknowledged."""

    def __init__(self, work: Callable[[str], None], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self.acknowledged: list[str] = []
        self.ended = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.ended.is_set():
            id = f"{self.name}-{number}"
            number += 1
            try:
                self._work(id)
            except (BotoCoreError, ClientError):
                return  # the node is gone
            self.acknowledged.append(id)


def _package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("app.py", FUNCTION)
    return buffer.getvalue()


def _prepare(node: NodeProcess) -> tuple[str, str]:
    """The bucket, queues and function; gives the names of the two queues' addresses (paths)."""
    sqs = node.client("sqs", ACCOUNT)
    node.client("s3", ACCOUNT).create_bucket(Bucket="kept")
    sqs.create_queue(QueueName="sent")
    sqs.create_queue(QueueName="ran")
    functions = node.client("lambda", ACCOUNT)
    functions.create_function(
        FunctionName="writer",
        Runtime="python3.11",
        Role=f"arn:aws:iam::{ACCOUNT}:role/writer",
        Handler="app.handler",
        Timeout=30,
        MemorySize=256,
        Code={"ZipFile": _package()},
        Environment={"Variables": {"QUEUE": f"http://127.0.0.1:4566/{ACCOUNT}/ran"}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="writer")
    return f"/{ACCOUNT}/sent", f"/{ACCOUNT}/ran"


def _round(node: NodeProcess, number: int, sent: str, seconds: float) -> dict[str, list[str]]:
    """Write with all hands, kill the node in the middle, and start it again; gives what was acknowledged."""
    s3, sqs, functions = (node.client(name, ACCOUNT) for name in ("s3", "sqs", "lambda"))
    queue = node.endpoint + sent

    def put(id: str) -> None:
        # Every eighth is large enough to be a file of its own.
        s3.put_object(Bucket="kept", Key=id, Body=id.encode() * (20_000 if int(id.rpartition("-")[2]) % 8 == 0 else 1))

    def send(id: str) -> None:
        sqs.send_message(QueueUrl=queue, MessageBody=id)

    def invoke(id: str) -> None:
        functions.invoke(FunctionName="writer", InvocationType="Event", Payload=json.dumps({"id": id}).encode())

    work = {"put": put, "send": send, "invoke": invoke}
    writers = [Writer(do, f"{kind}-{number}-{hand}") for kind, do in work.items() for hand in range(2)]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 100
    while not all(writer.acknowledged for writer in writers):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(seconds)
    node.kill()
    for writer in writers:
        writer.ended.set()
        writer.join(70)
    node.start()
    acknowledged: dict[str, list[str]] = {kind: [] for kind in work}
    for writer in writers:
        acknowledged[writer.name.partition("-")[0]] += writer.acknowledged
    return acknowledged


def _drain(client: Any, queue: str, wanted: set[str], seconds: float) -> set[str]:
    """Receive and delete until everything wanted was seen, or the time is up."""
    seen: set[str] = set()
    deadline = time.monotonic() + seconds
    while not wanted <= seen and time.monotonic() < deadline:
        answer = client.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages = answer.get("Messages", [])
        seen |= {message["Body"] for message in messages}
        if messages:
            client.delete_message_batch(
                QueueUrl=queue,
                Entries=[{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)],
            )
    return seen


@pytest.mark.timeout(1_500)
def test_nothing_acknowledged_is_lost(start_node: Callable[..., NodeProcess], request: pytest.FixtureRequest) -> None:
    chance = random.Random(20_260_301)
    node = start_node()
    sent, ran = _prepare(node)
    acknowledged: dict[str, set[str]] = {"put": set(), "send": set(), "invoke": set()}
    for number in range(request.config.getoption("--kills")):
        for kind, ids in _round(node, number, sent, chance.uniform(0.2, 1.2)).items():
            acknowledged[kind] |= set(ids)
        s3 = node.client("s3", ACCOUNT)
        latest = [id for id in acknowledged["put"] if id.startswith(f"put-{number}-")]
        for id in chance.sample(latest, min(20, len(latest))):
            assert s3.get_object(Bucket="kept", Key=id)["Body"].read().startswith(id.encode())

    assert all(acknowledged.values()), {kind: len(ids) for kind, ids in acknowledged.items()}
    pages = node.client("s3", ACCOUNT).get_paginator("list_objects_v2").paginate(Bucket="kept")
    stored = {item["Key"] for page in pages for item in page.get("Contents", [])}
    assert acknowledged["put"] - stored == set()
    sqs = node.client("sqs", ACCOUNT)
    assert acknowledged["send"] - _drain(sqs, node.endpoint + sent, acknowledged["send"], 60) == set()
    assert acknowledged["invoke"] - _drain(sqs, node.endpoint + ran, acknowledged["invoke"], 120) == set()
    sys.stdout.write(f"{ {kind: len(ids) for kind, ids in acknowledged.items()} }\n")
