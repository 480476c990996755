"""`kill -9` while durable executions run: each ends, and no step that succeeded runs again."""

import random
import time
from collections.abc import Callable
from typing import Any

from tests.conftest import NodeProcess
from tests.services.lambda_.durable.conftest import Workflows

EXECUTIONS = 8
STEPS = 6
SOURCE = f"""
import boto3

def note(bucket, key):
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=b"")
    return key

@durable_execution
def handler(event, context):
    done = []
    for number in range({STEPS}):
        done.append(context.step(lambda _: note(event["bucket"], f"{{event['n']}}/{{number}}/{{os.urandom(4).hex()}}")))
        context.wait(Duration.from_seconds(1))
    return done
"""


def test_killed_executions_go_on(start_node: Callable[..., NodeProcess], account: str, pytestconfig: Any) -> None:
    node = start_node()
    node.client("s3", account).create_bucket(Bucket="notes")
    Workflows(node.client("lambda", account), account).make("steps", SOURCE)
    chance = random.Random(7)
    arns = [
        Workflows(node.client("lambda", account), account).start("steps", {"n": n, "bucket": "notes"})
        for n in range(EXECUTIONS)
    ]
    for _ in range(pytestconfig.getoption("--kills")):
        time.sleep(chance.uniform(0.3, 1.2))
        node.kill()
        node.start()
    workflows = Workflows(node.client("lambda", account), account)
    for arn in arns:
        kept = workflows.result(arn)
        assert len(kept) == STEPS
        history = workflows.history(arn)
        succeeded = [event["Id"] for event in history if event["EventType"] == "StepSucceeded"]
        assert len(succeeded) == len(set(succeeded)) == STEPS
        assert [event["EventId"] for event in history] == list(range(1, len(history) + 1))
    node.stop()
