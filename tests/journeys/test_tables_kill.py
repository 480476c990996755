"""`kill -9` while a table is written, its stream drives a function, and copies of it are made.

What was acknowledged is in the table, in its stream and in front of the function, in order; copies are made to their ends.
"""

import io
import threading
import time
import zipfile
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tests.conftest import NodeProcess

ACCOUNT = "777777777777"
KILLS = 2
STEP = 50
"""Writes between two kills."""
PATIENCE = 100.0
FIRST = 3_000
"""Items that are there before anything else."""

# What it was given goes on to a FIFO queue, which drops repetitions: so it holds each change where it came first.
SOURCE = """
import os, boto3
sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
def handler(event, context):
    for record in event["Records"]:
        item = record["dynamodb"]["NewImage"]
        sqs.send_message(QueueUrl=os.environ["DONE"], MessageBody=item["n"]["N"], MessageGroupId="all")
"""


class _Story:
    """A node with a table that is written one number after another, and a function that hears of it."""

    def __init__(self, node: NodeProcess) -> None:
        self.node = node
        self.written: list[int] = []
        self.end = threading.Event()
        self.clients()
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        self.done: str = self.sqs.create_queue(QueueName="done.fifo", Attributes=fifo)["QueueUrl"]
        self.handled: list[int] = []

    def clients(self) -> None:
        names = ("dynamodb", "sqs", "lambda")
        self.dynamodb, self.sqs, self.functions = (self.node.client(name, ACCOUNT) for name in names)

    def fill(self) -> None:
        keys = [{"AttributeName": "id", "KeyType": "HASH"}]
        definitions = [{"AttributeName": "id", "AttributeType": "S"}]
        self.dynamodb.create_table(
            TableName="table", KeySchema=keys, AttributeDefinitions=definitions, BillingMode="PAY_PER_REQUEST"
        )
        for start in range(0, FIRST, 25):
            requests = [{"PutRequest": {"Item": {"id": {"S": f"first-{n}"}}}} for n in range(start, start + 25)]
            self.dynamodb.batch_write_item(RequestItems={"table": requests})
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        answer = self.dynamodb.update_table(TableName="table", StreamSpecification=stream)
        self.stream = answer["TableDescription"]["LatestStreamArn"]
        settings = {"PointInTimeRecoveryEnabled": True}
        self.dynamodb.update_continuous_backups(TableName="table", PointInTimeRecoverySpecification=settings)

    def connect(self) -> None:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("index.py", SOURCE)
        self.functions.create_function(
            FunctionName="worker",
            Runtime="python3.11",
            Handler="index.handler",
            Role=f"arn:aws:iam::{ACCOUNT}:role/worker",
            Code={"ZipFile": package.getvalue()},
            Timeout=20,
            Environment={"Variables": {"DONE": self.done}},
        )
        self.functions.create_event_source_mapping(
            EventSourceArn=self.stream, FunctionName="worker", StartingPosition="TRIM_HORIZON", BatchSize=10
        )

    def write(self) -> None:
        """Numbers into a few items, again and again, each until it is acknowledged."""
        number = 0
        while not self.end.is_set():
            item = {"id": {"S": f"key-{number % 7}"}, "n": {"N": str(number)}}
            try:
                self.dynamodb.put_item(TableName="table", Item=item)
            except (ClientError, BotoCoreError):
                time.sleep(0.05)
                continue
            self.written.append(number)
            number += 1
            time.sleep(0.002)

    def go_on(self) -> None:
        """Until some more is written."""
        wanted = len(self.written) + STEP
        _until(lambda: len(self.written) >= wanted)

    def kill(self) -> None:
        self.node.kill()
        self.node.start()
        self.clients()

    def collect(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while len(self.handled) < len(self.written):
            assert time.monotonic() < deadline, f"{len(self.handled)} of {len(self.written)} were handled"
            answer = self.sqs.receive_message(QueueUrl=self.done, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", ()):
                self.sqs.delete_message(QueueUrl=self.done, ReceiptHandle=message["ReceiptHandle"])
                self.handled.append(int(message["Body"]))

    def records(self) -> list[int]:
        streams = self.node.client("dynamodbstreams", ACCOUNT)
        (shard,) = streams.describe_stream(StreamArn=self.stream)["StreamDescription"]["Shards"]
        found: list[int] = []
        iterator = streams.get_shard_iterator(
            StreamArn=self.stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            page = streams.get_records(ShardIterator=iterator)
            if not page["Records"]:
                return found
            found += [int(record["dynamodb"]["NewImage"]["n"]["N"]) for record in page["Records"]]
            iterator = page["NextShardIterator"]

    def count(self, table: str) -> int:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, Select="COUNT")
        return sum(page["Count"] for page in pages)


def test_what_follows_from_changes_survives(start_node: Callable[..., NodeProcess]) -> None:
    story = _Story(start_node())
    story.fill()
    story.connect()
    writer = threading.Thread(target=story.write)
    writer.start()
    backups, targets = [], []
    try:
        for kill in range(KILLS):
            story.go_on()
            backup = story.dynamodb.create_backup(TableName="table", BackupName=f"backup-{kill}")
            backups.append(backup["BackupDetails"]["BackupArn"])
            targets.append(f"restored-{kill}")
            story.dynamodb.restore_table_to_point_in_time(
                SourceTableName="table", TargetTableName=targets[-1], UseLatestRestorableTime=True
            )
            story.kill()
        story.go_on()
    finally:
        story.end.set()
        writer.join()
    # A write whose answer the kill took with it was made again, with the same content: that is no second change.
    assert story.records() == story.written
    story.collect()
    assert story.handled == story.written
    _until(lambda: all(_status(story.dynamodb, arn) == "AVAILABLE" for arn in backups))
    story.dynamodb.restore_table_from_backup(TargetTableName="from-backup", BackupArn=backups[0])
    for target in (*targets, "from-backup"):
        _until(lambda: story.dynamodb.describe_table(TableName=target)["Table"]["TableStatus"] == "ACTIVE")  # noqa: B023
        assert story.count(target) == FIRST + 7


def _status(dynamodb: Any, arn: str) -> str:
    return str(dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"])


def _until(check: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)
