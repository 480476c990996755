"""Executions as clients see them: started once, described, listed, stopped."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.stepfunctions.engine.conftest import PATIENCE, Workflows

WAIT = {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}
PASS = {"Pass": {"Type": "Pass", "Result": {"done": True}, "End": True}}


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_what_it_was_given_and_gave(workflows: Workflows) -> None:
    machine = workflows.machine(PASS)
    arn = workflows.start(machine, {"a": 1}, name="first")
    assert arn == machine.replace(":stateMachine:", ":execution:") + ":first"
    found = workflows.ended(arn)
    assert (found["status"], found["name"], found["stateMachineArn"]) == ("SUCCEEDED", "first", machine)
    assert (json.loads(found["input"]), json.loads(found["output"])) == ({"a": 1}, {"done": True})
    assert found["redriveStatus"] == "NOT_REDRIVABLE"
    assert found["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"
    assert found["startDate"] <= found["stopDate"]


def test_a_name_is_one_execution(workflows: Workflows) -> None:
    machine = workflows.machine(WAIT)
    arn = workflows.start(machine, {"a": 1}, name="same")
    again = workflows.client.start_execution(stateMachineArn=machine, input='{"a": 1}', name="same")
    assert again["executionArn"] == arn
    with pytest.raises(ClientError) as refused:
        workflows.start(machine, {"a": 2}, name="same")
    assert _code(refused) == "ExecutionAlreadyExists"
    workflows.client.stop_execution(executionArn=arn)
    with pytest.raises(ClientError) as refused:
        workflows.start(machine, {"a": 1}, name="same")
    assert _code(refused) == "ExecutionAlreadyExists"


@pytest.mark.parametrize(
    ("input", "message"),
    [
        ("not some json", "Unrecognized token 'not'"),
        ("{'not': 'json'}", "Unexpected character (''' (code 39)): was expecting double-quote to start field name"),
        ("", "Invalid execution input."),
        ('"' + "é" * 131_072 + '"', "Max size exceeded"),
    ],
)
def test_input_that_is_none(workflows: Workflows, input: str, message: str) -> None:
    machine = workflows.machine(PASS)
    with pytest.raises(ClientError) as refused:
        workflows.client.start_execution(stateMachineArn=machine, input=input)
    assert _code(refused) == "InvalidExecutionInput"
    assert message in str(refused.value)


@pytest.mark.parametrize("text", ['"text"', "2", "null", "[1, 2]"])
def test_input_of_any_kind(workflows: Workflows, text: str) -> None:
    machine = workflows.machine({"Pass": {"Type": "Pass", "End": True}})
    arn = workflows.client.start_execution(stateMachineArn=machine, input=text)["executionArn"]
    assert workflows.ended(arn)["output"] == text


def test_stopped(workflows: Workflows) -> None:
    arn = workflows.start(workflows.machine(WAIT))
    workflows.client.stop_execution(executionArn=arn, error="Enough", cause="It was too slow.")
    found = workflows.client.describe_execution(executionArn=arn)
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "Enough", "It was too slow.")
    assert workflows.types(arn)[-1] == "ExecutionAborted"
    stopped = found["stopDate"]
    assert workflows.client.stop_execution(executionArn=arn)["stopDate"] == stopped


def test_listed(workflows: Workflows) -> None:
    machine = workflows.machine(WAIT)
    arns = [workflows.start(machine, name=f"n{number}") for number in range(5)]
    workflows.client.stop_execution(executionArn=arns[1])
    first = workflows.client.list_executions(stateMachineArn=machine, maxResults=3)
    assert [item["name"] for item in first["executions"]] == ["n4", "n3", "n2"]
    rest = workflows.client.list_executions(stateMachineArn=machine, maxResults=3, nextToken=first["nextToken"])
    assert [item["name"] for item in rest["executions"]] == ["n1", "n0"]
    assert "nextToken" not in rest
    aborted = workflows.client.list_executions(stateMachineArn=machine, statusFilter="ABORTED")["executions"]
    assert [item["executionArn"] for item in aborted] == [arns[1]]


@pytest.mark.parametrize("operation", ["describe_execution", "stop_execution", "get_execution_history"])
def test_executions_that_are_none(workflows: Workflows, operation: str) -> None:
    call: Any = getattr(workflows.client, operation)
    with pytest.raises(ClientError) as refused:
        call(executionArn="arn:aws:states:us-east-1:111122223333:execution:none:none")
    assert _code(refused) == "ExecutionDoesNotExist"
    with pytest.raises(ClientError) as refused:
        call(executionArn="not an ARN")
    assert _code(refused) == "InvalidArn"


def test_a_machine_is_deleted_with_its_executions(workflows: Workflows) -> None:
    machine = workflows.machine(WAIT)
    arn = workflows.start(machine)
    workflows.client.delete_state_machine(stateMachineArn=machine)
    assert workflows.client.describe_state_machine(stateMachineArn=machine)["status"] == "DELETING"
    with pytest.raises(ClientError) as refused:
        workflows.start(machine)
    assert _code(refused) == "StateMachineDeleting"
    workflows.client.stop_execution(executionArn=arn)
    deadline = time.monotonic() + PATIENCE
    with pytest.raises(workflows.client.exceptions.ExecutionDoesNotExist):
        while time.monotonic() < deadline:
            workflows.client.describe_execution(executionArn=arn)


def test_what_runs_keeps_its_definition(workflows: Workflows) -> None:
    states = {"Wait": {"Type": "Wait", "Seconds": 600, "Next": "Pass"}, **PASS}
    machine = workflows.machine(states)
    arn = workflows.start(machine)
    other = {"StartAt": "Other", "States": {"Other": {"Type": "Succeed"}}}
    workflows.client.update_state_machine(stateMachineArn=machine, definition=json.dumps(other))
    assert json.loads(workflows.ended(arn, 600)["output"]) == {"done": True}
    found = workflows.client.describe_state_machine_for_execution(executionArn=arn)
    assert json.loads(found["definition"])["States"] == states
