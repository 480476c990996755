"""TestState."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

Clients = Callable[..., Any]
TASK = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sqs:sendMessage",
    "Parameters": {"QueueUrl.$": "$.url", "MessageBody": "hello"},
    "ResultSelector": {"id.$": "$.MessageId"},
    "ResultPath": "$.sent",
    "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 2}],
    "Catch": [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.problem", "Next": "Sorry"}],
    "Next": "Done",
}


@pytest.fixture
def trial(node: Any, account: str) -> Callable[..., Any]:
    """TestState without the host prefix that botocore puts before this operation."""
    states = node.client("stepfunctions", account, config=Config(inject_host_prefix=False))

    def run(definition: dict[str, Any], input: Any = None, **options: Any) -> Any:
        text = json.dumps({} if input is None else input)
        return states.test_state(definition=json.dumps(definition), input=text, **options)

    return run


def test_a_mocked_task_goes_through_its_fields(trial: Callable[..., Any]) -> None:
    found = trial(
        TASK,
        {"url": "https://q"},
        mock={"result": json.dumps({"MessageId": "m", "MD5OfMessageBody": "x"})},
        inspectionLevel="TRACE",
    )
    assert (found["status"], found["nextState"]) == ("SUCCEEDED", "Done")
    assert json.loads(found["output"]) == {"url": "https://q", "sent": {"id": "m"}}
    data = {name: json.loads(value) for name, value in found["inspectionData"].items()}
    assert data["afterParameters"] == {"QueueUrl": "https://q", "MessageBody": "hello"}
    assert data["afterResultSelector"] == {"id": "m"}
    assert data["result"] == {"MessageId": "m", "MD5OfMessageBody": "x"}


def test_a_mocked_failure_is_retried_then_caught_or_final(trial: Callable[..., Any]) -> None:
    busy = {"errorOutput": {"error": "Busy", "cause": "c"}}
    first = trial(TASK, {"url": "q"}, mock=busy, inspectionLevel="DEBUG")
    assert (first["status"], first["error"], first["cause"]) == ("RETRIABLE", "Busy", "c")
    assert first["inspectionData"]["errorDetails"] == {"retryIndex": 0, "retryBackoffIntervalSeconds": 2}
    second = trial(TASK, {"url": "q"}, mock=busy, inspectionLevel="DEBUG", stateConfiguration={"retrierRetryCount": 1})
    assert second["inspectionData"]["errorDetails"]["retryBackoffIntervalSeconds"] == 6
    last = trial(TASK, {"url": "q"}, mock=busy, stateConfiguration={"retrierRetryCount": 2})
    assert (last["status"], last["nextState"]) == ("CAUGHT_ERROR", "Sorry")
    assert json.loads(last["output"]) == {"url": "q", "problem": {"Error": "Busy", "Cause": "c"}}


def test_a_task_without_a_mock_does_its_work(trial: Callable[..., Any], client: Clients, account: str) -> None:
    url = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    found = trial(TASK, {"url": url}, roleArn=f"arn:aws:iam::{account}:role/machine")
    assert found["status"] == "SUCCEEDED"
    assert client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello"


def test_a_state_of_a_machine_with_variables_and_context(trial: Callable[..., Any]) -> None:
    add = {
        "Type": "Pass",
        "Output": "{% $x + $states.input.n %}",
        "Assign": {"y": "{% $states.context.Execution.Name %}"},
        "End": True,
    }
    inner = {"StartAt": "Add", "States": {"Add": add}}
    machine = {
        "QueryLanguage": "JSONata",
        "StartAt": "Each",
        "States": {"Each": {"Type": "Map", "Items": [1], "ItemProcessor": inner, "End": True}},
    }
    found = trial(
        machine,
        {"n": 2},
        stateName="Add",
        variables='{"x": 40}',
        context='{"Execution": {"Name": "mine"}}',
        inspectionLevel="DEBUG",
    )
    assert found["output"] == "42"
    assert json.loads(found["inspectionData"]["variables"]) == {"x": 40, "y": "mine"}
    with pytest.raises(ClientError, match="State not found in definition"):
        trial(machine, stateName="Other")


def test_a_map_tolerates_as_many_failures_as_it_says(trial: Callable[..., Any]) -> None:
    every = {
        "Type": "Map",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "One",
            "States": {"One": {"Type": "Pass", "End": True}},
        },
        "ToleratedFailureCount": 1,
        "End": True,
    }
    mock = {"result": "[1, 2, 3]"}
    good = trial(every, [1, 2, 3], mock=mock, stateConfiguration={"mapIterationFailureCount": 1})
    assert (good["status"], good["output"]) == ("SUCCEEDED", "[1, 2, 3]")
    bad = trial(every, [1, 2, 3], mock=mock, stateConfiguration={"mapIterationFailureCount": 2})
    assert (bad["status"], bad["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")


@pytest.mark.parametrize(
    ("definition", "options", "words"),
    [
        (TASK, {}, "RoleArn must be specified when testing a Task state"),
        (TASK, {"mock": {"result": "no"}}, "Mocked result must be valid JSON"),
        (TASK, {"mock": {"result": '{"MessageId": 7}'}}, "Field 'MessageId' must be a string"),
        (TASK, {"mock": {"result": "{}"}, "context": '{"Map": {}}'}, "'Map' field is not supported"),
        (TASK, {"mock": {"result": "{}"}, "revealSecrets": True}, "does not support RevealSecrets"),
        (TASK, {"mock": {"result": "{}"}, "variables": "[]"}, "Variables must be a JSON object"),
        ({"Type": "Pass", "End": True}, {"mock": {"result": "{}"}}, "State type 'Pass' is not supported"),
        ({"Type": "Nonsense"}, {}, "InvalidDefinition"),
        ({"Type": "Parallel", "Branches": [], "End": True}, {}, "InvalidDefinition"),
    ],
)
def test_what_cannot_be_tried(
    trial: Callable[..., Any], definition: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError, match=words):
        trial(definition, {"url": "q"}, **options)
