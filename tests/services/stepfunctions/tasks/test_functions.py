"""Lambda functions as tasks."""

import json
from collections.abc import Callable
from typing import Any

from tests.services.stepfunctions.engine.conftest import Workflows

RAISING = """
class Sold(Exception):
    pass

def handler(event, context):
    raise Sold("out of " + event["what"])
"""
Task = Callable[..., dict[str, Any]]


def test_a_function_by_its_arn_gets_the_input(workflows: Workflows, function: Callable[..., str], task: Task) -> None:
    ended = workflows.run(task(function("echo")), {"a": [1, None, "ü"]})
    assert json.loads(ended["output"]) == {"a": [1, None, "ü"]}
    assert [type for type in workflows.types(ended["executionArn"]) if type.startswith("Lambda")] == [
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
    ]


def test_invoke_wraps_the_payload(workflows: Workflows, function: Callable[..., str], task: Task) -> None:
    parameters = {"FunctionName": function("echo"), "Payload.$": "$"}
    output = json.loads(workflows.run(task("lambda:invoke", parameters), {"a": 1})["output"])
    assert (output["Payload"], output["StatusCode"], output["ExecutedVersion"]) == ({"a": 1}, 200, "$LATEST")
    headers = output["SdkHttpMetadata"]["HttpHeaders"]
    assert headers["Content-Length"] == str(len('{"a": 1}'))
    assert headers["x-amzn-RequestId"] == output["SdkResponseMetadata"]["RequestId"]


def test_text_is_the_payload_as_it_is(workflows: Workflows, function: Callable[..., str], task: Task) -> None:
    parameters = {"FunctionName": function("echo"), "Payload": '{"b": 2}'}
    output = json.loads(workflows.run(task("lambda:invoke", parameters))["output"])
    assert output["Payload"] == {"b": 2}


def test_what_a_function_raises_has_the_name_of_its_class(
    workflows: Workflows, function: Callable[..., str], task: Task
) -> None:
    arn = function("raise", RAISING)
    catch = [{"ErrorEquals": ["Sold"], "ResultPath": "$.problem", "Next": "Caught"}]
    states = task(arn, Catch=catch) | {"Caught": {"Type": "Pass", "End": True}}
    problem = json.loads(workflows.run(states, {"what": "tea"})["output"])["problem"]
    assert problem["Error"] == "Sold"
    assert json.loads(problem["Cause"])["errorMessage"] == "out of tea"
    parameters = {"FunctionName": arn, "Payload.$": "$"}
    assert workflows.run(task("lambda:invoke", parameters), {"what": "tea"})["error"] == "Sold"


def test_a_function_that_is_not_there(workflows: Workflows, task: Task) -> None:
    ended = workflows.run(task("lambda:invoke", {"FunctionName": "none"}))
    assert ended["error"] == "Lambda.ResourceNotFoundException"
    assert "(Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException;" in ended["cause"]


def test_a_result_that_no_state_can_hold(workflows: Workflows, function: Callable[..., str], task: Task) -> None:
    arn = function("much", "def handler(event, context):\n    return 'x' * 300_000\n")
    ended = workflows.run(task(arn))
    assert (ended["error"], arn in ended["cause"]) == ("States.DataLimitExceeded", True)


def test_parameters_that_no_task_can_be_started_with(workflows: Workflows, task: Task) -> None:
    ended = workflows.run(task("lambda:invoke", {"FunctionName": "f", "Qualifier.$": "$.q"}), {"q": 5})
    assert ended["error"] == "States.Runtime"
    assert ended["cause"].endswith("[The value of the field 'Qualifier' has an invalid format]")
    assert workflows.types(ended["executionArn"])[-2:] == ["TaskStateEntered", "ExecutionFailed"]
