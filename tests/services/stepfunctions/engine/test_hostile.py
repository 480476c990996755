"""Workflows that ask for too much: they fail, their neighbours do not notice, and memory stays where it was."""

import base64
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.stepfunctions.engine.conftest import Workflows

ENDLESS = "{% ($f := function($n) { $f($n + 1) }; $f(0)) %}"
JSONATA: dict[str, Any] = {"QueryLanguage": "JSONata"}
TEXT = "'" + "{}" * 100 + "'"


def _pass(**fields: Any) -> dict[str, Any]:
    return {"Pass": {"Type": "Pass", **fields, "End": True}}


@pytest.mark.parametrize(
    ("states", "error"),
    [
        (_pass(**JSONATA, Output=ENDLESS), "States.QueryEvaluationError"),
        (_pass(Parameters={f"{n}.$": "$" for n in range(3_000)}), "States.DataLimitExceeded"),
        (_pass(**JSONATA, Output={str(n): "{% $states.input %}" for n in range(3_000)}), "States.DataLimitExceeded"),
        (_pass(InputPath=f"$['l'][{','.join(['0'] * 2_000)}]", ResultPath="$.b"), "States.DataLimitExceeded"),
        (
            _pass(Parameters={"a.$": f"States.Format({TEXT}, {', '.join(['$.a'] * 100)})"}),
            "States.IntrinsicFailure",
        ),
        (_pass(Parameters={"a.$": "States.MathAdd($.n, 1)"}), "States.IntrinsicFailure"),
        (_pass(Parameters={"a.$": "States.ArrayRange(1, $.n, 1)"}), "States.IntrinsicFailure"),
        (_pass(Assign={f"v{n}.$": "$" for n in range(3_000)}), "States.DataLimitExceeded"),
    ],
    ids=["endless", "template", "expressions", "indexes", "format", "sum", "range", "variables"],
)
def test_what_takes_too_much_fails(workflows: Workflows, states: dict[str, Any], error: str) -> None:
    found = workflows.run(states, {"a": "x" * 100_000, "l": ["x" * 100_000], "n": int("9" * 400)})
    assert (found["status"], found["error"]) == ("FAILED", error), found["cause"]


def test_what_takes_long_is_done_all_the_same(workflows: Workflows) -> None:
    """Evaluated on a thread: many expressions, in states that begin, in those that end, in branches and iterations."""
    sums = {str(n): "{% $sum($states.input.l) %}" for n in range(300)}
    inner = {"StartAt": "Sum", "States": {"Sum": {"Type": "Pass", **JSONATA, "Output": sums, "End": True}}}
    branches = [{"StartAt": f"B{n}", "States": {f"B{n}": {"Type": "Pass", "End": True}}} for n in range(600)]
    states = {
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.each",
            "ItemSelector": {"l.$": "$.l"},
            "ItemProcessor": inner,
            "ResultSelector": {"first.$": "$[0]['0']", "all.$": "$..['299']"},
            "ResultPath": "$.sums",
            "Next": "Wide",
        },
        "Wide": {"Type": "Parallel", "Branches": branches, "ResultSelector": {"n.$": "States.ArrayLength($)"}, "End": True},
    }  # fmt: skip
    execution = workflows.start(workflows.machine(states), {"each": [1, 2, 3], "l": list(range(1_000))})
    assert json.loads(workflows.ended(execution)["output"]) == {"n": 600}
    left = [event for event in workflows.events(execution) if event["type"] == "MapStateExited"]
    sums_found = json.loads(left[0]["stateExitedEventDetails"]["output"])["sums"]
    assert sums_found == {"first": 499_500, "all": [499_500] * 3}


def test_an_expression_is_evaluated_wherever_it_is_met(workflows: Workflows) -> None:
    """Here first, on several threads then: the library's programs belong to the threads that made them."""
    items = [{"a": n} for n in range(2_000)]
    output = "{% $count($states.input.l.a[$ in [1..60]]) %}"
    for _ in range(2):
        states = {"All": {"Type": "Parallel", "Branches": [], "End": True}}
        states["All"]["Branches"] = [
            {"StartAt": f"P{n}", "States": {f"P{n}": {"Type": "Pass", **JSONATA, "Output": output, "End": True}}}
            for n in range(4)
        ]
        for given, wanted in ((items[:3], 2), (items, 60)):
            assert json.loads(workflows.run(states, {"l": given})["output"]) == [wanted] * 4


def test_an_item_that_cannot_be_selected_ends_the_others(workflows: Workflows) -> None:
    """What was begun before it goes nowhere, once the Catch has taken over."""
    states = {
        "Each": {
            "Type": "Map",
            "ItemSelector": {"n.$": "States.MathAdd($$.Map.Item.Value, 1)"},
            "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}},
            "Catch": [{"ErrorEquals": ["States.IntrinsicFailure"], "ResultPath": None, "Next": "Caught"}],
            "End": True,
        },
        "Caught": {"Type": "Pass", "End": True},
    }
    execution = workflows.start(workflows.machine(states), [1, 2, "three", 4])
    assert workflows.ended(execution)["status"] == "SUCCEEDED"
    types = workflows.types(execution)
    assert types[-4:] == ["MapStateExited", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    assert types.count("MapIterationStarted") == types.count("MapIterationAborted") == 2
    assert types.count("PassStateEntered") == 1


def test_large_events_come_in_more_pages(workflows: Workflows) -> None:
    ways = {f"P{n}": {"Type": "Pass", "Next": f"P{n + 1}"} for n in range(15)} | {"P15": {"Type": "Pass", "End": True}}
    execution = workflows.start(workflows.machine(ways), "x" * 250_000)
    workflows.ended(execution)
    pages = [
        list(workflows.client.get_paginator("get_execution_history").paginate(executionArn=execution, reverseOrder=back))
        for back in (False, True)
    ]  # fmt: skip
    forwards, backwards = ([event for page in found for event in page["events"]] for found in pages)
    assert len(pages[0]) == len(pages[1]) == 3
    assert [event["id"] for event in forwards] == list(range(1, 35))
    assert backwards == forwards[::-1]
    bare = workflows.client.get_execution_history(executionArn=execution, includeExecutionData=False)
    assert len(bare["events"]) == 34
    assert "nextToken" not in bare


@pytest.mark.parametrize("after", ["abc", "-5", "9" * 40, "9" * 19, "٣"])
def test_pages_that_nobody_was_told_of(workflows: Workflows, after: str) -> None:
    machine = workflows.machine(_pass())
    token = base64.urlsafe_b64encode(f"{machine}\n{after}".encode()).decode()
    with pytest.raises(workflows.client.exceptions.InvalidToken):
        workflows.client.list_executions(stateMachineArn=machine, nextToken=token)


def test_one_of_two_redrives_wins(workflows: Workflows) -> None:
    """Both at once: the other hears that the execution runs, and there is one more way through the history, not two."""
    execution = workflows.start(workflows.machine({"Fail": {"Type": "Fail"}}))
    workflows.ended(execution)
    refused: list[str] = []

    def redrive() -> None:
        try:
            workflows.client.redrive_execution(executionArn=execution)
        except ClientError as error:
            refused.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=redrive) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = workflows.ended(execution)
    assert found["redriveCount"] == 8 - len(refused)
    assert set(refused) <= {"ExecutionNotRedrivable"}
    assert workflows.types(execution).count("ExecutionRedriven") == found["redriveCount"]


@pytest.mark.parametrize("other", [{"account": "999999999999"}, {"region": "eu-west-1"}], ids=["account", "region"])
def test_others_see_nothing(workflows: Workflows, client: Callable[..., Any], other: dict[str, str]) -> None:
    """Neither another account nor another region has anything to do with these, whatever they know of them."""
    mine, theirs = workflows.client, client("stepfunctions", **other)
    activity = mine.create_activity(name="work")["activityArn"]
    machine = workflows.machine({"Work": {"Type": "Task", "Resource": activity, "End": True}})
    execution = workflows.start(machine)
    refused = theirs.exceptions
    with pytest.raises(refused.ActivityDoesNotExist):
        theirs.get_activity_task(activityArn=activity)
    with pytest.raises(refused.ActivityDoesNotExist):
        theirs.describe_activity(activityArn=activity)
    theirs.delete_activity(activityArn=activity)
    for operation in ("describe_execution", "get_execution_history", "stop_execution", "redrive_execution"):
        with pytest.raises(refused.ExecutionDoesNotExist):
            getattr(theirs, operation)(executionArn=execution)
    with pytest.raises(refused.StateMachineDoesNotExist):
        theirs.list_executions(stateMachineArn=machine)
    with pytest.raises(refused.StateMachineDoesNotExist):
        theirs.start_execution(stateMachineArn=machine)
    with pytest.raises(refused.ResourceNotFound):
        theirs.list_executions(mapRunArn=machine.replace(":stateMachine:", ":mapRun:") + "/m:1")
    token = mine.get_activity_task(activityArn=activity)["taskToken"]
    with pytest.raises(refused.InvalidToken):
        theirs.send_task_success(taskToken=token, output="{}")
    elsewhere = Workflows(theirs, workflows.advance)
    found = elsewhere.run({"Work": {"Type": "Task", "Resource": activity, "End": True}})
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    mine.send_task_success(taskToken=token, output="{}")
    assert workflows.ended(execution)["status"] == "SUCCEEDED"
