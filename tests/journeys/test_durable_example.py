"""The order that takes days, in seconds: a callback answered by another function, a wait skipped by the clock, a killed node."""

import json
import time
from typing import Any

from tests.journeys.examples import ACCOUNT, deploy


def start(node: Any, order: str, amount: int) -> str:
    """The ARN of the execution."""
    answer = node.client("lambda", ACCOUNT).invoke(
        FunctionName="order:$LATEST",
        InvocationType="Event",
        DurableExecutionName=order,
        Payload=json.dumps({"order": order, "amount": amount}),
    )
    assert answer["StatusCode"] == 202
    return str(answer["DurableExecutionArn"])


def kinds(node: Any, arn: str) -> list[tuple[str, str]]:
    """What happened to what is named."""
    pages = node.client("lambda", ACCOUNT).get_paginator("get_durable_execution_history")
    events = pages.paginate(DurableExecutionArn=arn).build_full_result()["Events"]
    return [(event["EventType"], event.get("Name", "")) for event in events]


def wait_until(node: Any, arn: str, kind: str, name: str) -> None:
    end = time.monotonic() + 90
    while (kind, name) not in kinds(node, arn):
        assert time.monotonic() < end, str(kinds(node, arn))
        time.sleep(0.05)


def ended(node: Any, arn: str) -> Any:
    end = time.monotonic() + 90
    functions = node.client("lambda", ACCOUNT)
    while (execution := functions.get_durable_execution(DurableExecutionArn=arn))["Status"] == "RUNNING":
        assert time.monotonic() < end, str(kinds(node, arn))
        time.sleep(0.05)
    assert execution["Status"] == "SUCCEEDED"
    return json.loads(execution["Result"])


def book(node: Any) -> list[str]:
    return [one["Key"] for one in node.client("s3", ACCOUNT).list_objects_v2(Bucket="orders").get("Contents", [])]


def test_an_order_that_takes_days(strict: Any) -> None:
    deploy(strict, "durable-order")
    shipped, refused = start(strict, "A1", 80), start(strict, "A2", 5000)

    assert ended(strict, refused) == {"order": "A2", "state": "refused"}
    wait_until(strict, shipped, "WaitStarted", "packing")
    assert book(strict) == ["A1/reserved", "A2/released", "A2/reserved"]

    strict.kill()
    strict.start()
    assert "A1/shipped" not in book(strict)
    strict.post("/_cumulet/clock", {"advance": 2 * 86400})
    assert ended(strict, shipped) == {"order": "A1", "state": "shipped"}
    assert book(strict) == ["A1/reserved", "A1/shipped", "A2/released", "A2/reserved"]
    steps = [name for kind, name in kinds(strict, shipped) if kind == "StepSucceeded"]
    assert steps[0] == "reserve"
    assert steps[-1] == "ship"
    assert steps.count("reserve") == steps.count("ship") == 1
    assert start(strict, "A1", 80) == shipped
