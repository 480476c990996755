"""What is counted for the bill."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.config import Config
from tests.services.stepfunctions.engine.conftest import ROLE, Workflows


def used(node: Any, account: str) -> dict[tuple[str, str], float]:
    uses = node.get(f"{node.endpoint}/_cumulet/usage")
    found: dict[tuple[str, str], float] = {}
    for use in uses:
        if use["account"] == account:
            place = (use["name"], use["kind"])
            found[place] = found.get(place, 0.0) + use["amount"]
    return found


def test_states_and_attempts_are_transitions(workflows: Workflows, node: Any, account: str) -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2, "IntervalSeconds": 1}]
    states = {
        "First": {"Type": "Pass", "Next": "Second"},
        "Second": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage",
            "Parameters": {"QueueUrl": "http://localhost/1/none", "MessageBody": "x"},
            "Retry": retry,
            "End": True,
        },
    }
    assert workflows.run(states, jump=5)["status"] == "FAILED"
    assert used(node, account) == {("machine-1", "transitions"): 4}


def test_express_executions_are_requests_and_memory(node: Any, account: str) -> None:
    states = node.client("stepfunctions", account, config=Config(inject_host_prefix=False))
    definition = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'
    machine = states.create_state_machine(name="e", definition=definition, roleArn=ROLE, type="EXPRESS")[
        "stateMachineArn"
    ]
    bills = [states.start_sync_execution(stateMachineArn=machine)["billingDetails"] for _ in range(3)]
    seconds = sum(bill["billedDurationInMilliseconds"] for bill in bills) / 1000
    assert used(node, account) == {
        ("e", "express-requests"): 3,
        ("e", "express-compute"): pytest.approx(seconds * 64 / 1024),
    }


def test_redrives_and_children_are_transitions(workflows: Workflows, node: Any, account: str) -> None:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        "StartAt": "Each",
        "States": {"Each": {"Type": "Pass", "End": True}},
    }
    states = {
        "All": {"Type": "Map", "ItemProcessor": processor, "Next": "Bad"},
        "Bad": {"Type": "Fail", "Error": "E"},
    }
    ended = workflows.run(states, [1, 2, 3])
    workflows.client.redrive_execution(executionArn=ended["executionArn"])
    workflows.ended(ended["executionArn"])
    found = used(node, account)
    assert found["machine-1", "transitions"] == 2 + 3 + 1
    assert found["machine-1", "express-requests"] == 3
