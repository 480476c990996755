"""What executions log."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cumulet.services.stepfunctions.logging import is_logged, line

Clients = Callable[..., Any]
TRIAL = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"
FAILING = {
    "StartAt": "First",
    "States": {"First": {"Type": "Pass", "Next": "Bad"}, "Bad": {"Type": "Fail", "Error": "E", "Cause": "c"}},
}


@pytest.mark.parametrize(
    ("level", "logged"),
    [
        ("ALL", ["PassStateEntered", "FailStateEntered", "TaskTimedOut", "MapIterationAborted", "ExecutionFailed"]),
        ("ERROR", ["FailStateEntered", "TaskTimedOut", "MapIterationAborted", "ExecutionFailed"]),
        ("FATAL", ["ExecutionFailed"]),
        ("OFF", []),
    ],
)
def test_levels(level: str, logged: list[str]) -> None:
    types = ["PassStateEntered", "FailStateEntered", "TaskTimedOut", "MapIterationAborted", "ExecutionFailed"]
    assert [type for type in types if is_logged(level, type)] == logged


def test_data_is_left_out_or_cut() -> None:
    details = {"name": "S", "input": "x" * 300_000, "inputDetails": {"truncated": False}}
    event = {"id": 2, "previousEventId": 0, "type": "PassStateEntered", "timestamp": 1.5, "details": details}
    without = json.loads(line("arn", event, "0", data=False))
    assert without["details"] == {"name": "S"}
    assert (without["id"], without["previous_event_id"], without["event_timestamp"]) == ("2", "0", "1500")
    text = line("arn", event, "0", data=True)
    assert len(text) < 250_000
    assert json.loads(text)["details"]["inputDetails"] == {"truncated": True}


def logged(logs: Any, group: str, count: int) -> list[dict[str, Any]]:
    """The events of executions in a group, once there are so many."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        events = logs.filter_log_events(logGroupName=group)["events"]
        events = [event for event in events if event["logStreamName"] != TRIAL]
        if len(events) >= count:
            assert all(event["logStreamName"].startswith("states/m/") for event in events)
            return [json.loads(event["message"]) for event in events]
        time.sleep(0.05)
    raise AssertionError("nothing was logged")


def configuration(account: str, group: str, level: str, *, data: bool = False) -> dict[str, Any]:
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:{group}:*"
    destination = {"cloudWatchLogsLogGroup": {"logGroupArn": arn}}
    return {"level": level, "includeExecutionData": data, "destinations": [destination]}


@pytest.mark.parametrize("type", ["STANDARD", "EXPRESS"])
def test_an_execution_is_logged(client: Clients, account: str, type: str) -> None:
    logs, states = client("logs"), client("stepfunctions")
    logs.create_log_group(logGroupName="/flows")
    arn = states.create_state_machine(
        name="m",
        type=type,
        definition=json.dumps(FAILING),
        roleArn=f"arn:aws:iam::{account}:role/machine",
        loggingConfiguration=configuration(account, "/flows", "ALL", data=True),
    )["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=arn, input='{"n": 1}')["executionArn"]
    events = logged(logs, "/flows", 5)
    assert [event["type"] for event in events] == [
        *("ExecutionStarted", "PassStateEntered", "PassStateExited", "FailStateEntered", "ExecutionFailed"),
    ]
    assert {event["execution_arn"] for event in events} == {execution}
    assert events[1]["details"] == {"name": "First", "input": '{"n": 1}', "inputDetails": {"truncated": False}}
    assert events[4]["details"] == {"error": "E", "cause": "c"}
    assert [event["id"] for event in events] == ["1", "2", "3", "4", "5"]


def test_the_level_and_the_data_are_chosen(client: Clients, account: str) -> None:
    logs, states = client("logs"), client("stepfunctions")
    logs.create_log_group(logGroupName="/flows")
    arn = states.create_state_machine(
        name="m",
        definition=json.dumps(FAILING),
        roleArn=f"arn:aws:iam::{account}:role/machine",
        loggingConfiguration=configuration(account, "/flows", "ERROR"),
    )["stateMachineArn"]
    states.start_execution(stateMachineArn=arn)
    events = logged(logs, "/flows", 2)
    assert [event["type"] for event in events] == ["FailStateEntered", "ExecutionFailed"]
    assert events[0]["details"] == {"name": "Bad"}


def test_a_group_has_to_be_there(client: Clients, account: str) -> None:
    states = client("stepfunctions")
    role = f"arn:aws:iam::{account}:role/machine"
    with pytest.raises(ClientError, match="Log Destination not found"):
        states.create_state_machine(
            name="m",
            definition=json.dumps(FAILING),
            roleArn=role,
            loggingConfiguration=configuration(account, "/none", "ALL"),
        )
    with pytest.raises(ClientError, match="Must specify exactly one Log Destination"):
        states.create_state_machine(
            name="m", definition=json.dumps(FAILING), roleArn=role, loggingConfiguration={"level": "ALL"}
        )
    assert states.list_state_machines()["stateMachines"] == []


def test_redrives_are_counted(client: Clients, account: str) -> None:
    logs, states = client("logs"), client("stepfunctions")
    logs.create_log_group(logGroupName="/flows")
    arn = states.create_state_machine(
        name="m",
        definition=json.dumps(FAILING),
        roleArn=f"arn:aws:iam::{account}:role/machine",
        loggingConfiguration=configuration(account, "/flows", "ALL"),
    )["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    while states.describe_execution(executionArn=execution)["status"] == "RUNNING":
        time.sleep(0.02)
    states.redrive_execution(executionArn=execution)
    events = logged(logs, "/flows", 7)
    assert [event["redrive_count"] for event in events] == ["0"] * 5 + ["1"] * 2
    assert [event["type"] for event in events[5:]] == ["ExecutionRedriven", "ExecutionFailed"]
