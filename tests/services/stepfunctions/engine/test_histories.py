"""Histories: which events, in which order, after which."""

import json
from typing import Any

import pytest
from tests.services.stepfunctions.engine.conftest import Workflows

PASS: dict[str, Any] = {"Type": "Pass", "End": True}
FAIL: dict[str, Any] = {"Type": "Fail", "Error": "Broken", "Cause": "why"}


def _ways(events: list[dict[str, Any]]) -> list[tuple[int, str]]:
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    return [(event["previousEventId"], event["type"]) for event in events]


def _flow(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def test_one_state_after_the_other(workflows: Workflows) -> None:
    states = {
        "Pass": {"Type": "Pass", "Result": 7, "Next": "Choose"},
        "Choose": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 7, "Next": "End"}]},
        "End": {"Type": "Succeed"},
    }
    arn = workflows.run(states)["executionArn"]
    events = workflows.events(arn)
    assert _ways(events) == [
        (0, "ExecutionStarted"),
        (0, "PassStateEntered"),
        (2, "PassStateExited"),
        (3, "ChoiceStateEntered"),
        (4, "ChoiceStateExited"),
        (5, "SucceedStateEntered"),
        (6, "SucceedStateExited"),
        (7, "ExecutionSucceeded"),
    ]
    exited = events[2]["stateExitedEventDetails"]
    assert exited == {"name": "Pass", "output": "7", "outputDetails": {"truncated": False}}


def test_branches(workflows: Workflows) -> None:
    branches = [_flow(A=PASS), _flow(B=PASS)]
    arn = workflows.start(workflows.machine({"Both": {"Type": "Parallel", "Branches": branches, "End": True}}), [1])
    assert json.loads(workflows.ended(arn)["output"]) == [[1], [1]]
    assert _ways(workflows.events(arn)) == [
        (0, "ExecutionStarted"),
        (0, "ParallelStateEntered"),
        (2, "ParallelStateStarted"),
        (3, "PassStateEntered"),
        (4, "PassStateExited"),
        (3, "PassStateEntered"),
        (6, "PassStateExited"),
        (7, "ParallelStateSucceeded"),
        (7, "ParallelStateExited"),
        (9, "ExecutionSucceeded"),
    ]


def test_iterations_one_at_a_time(workflows: Workflows) -> None:
    states = {"Each": {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": _flow(P=PASS), "End": True}}
    arn = workflows.run(states, [5, 6])["executionArn"]
    events = workflows.events(arn)
    assert _ways(events) == [
        (0, "ExecutionStarted"),
        (0, "MapStateEntered"),
        (2, "MapStateStarted"),
        (3, "MapIterationStarted"),
        (4, "PassStateEntered"),
        (5, "PassStateExited"),
        (6, "MapIterationSucceeded"),
        (6, "MapIterationStarted"),
        (8, "PassStateEntered"),
        (9, "PassStateExited"),
        (10, "MapIterationSucceeded"),
        (11, "MapStateSucceeded"),
        (11, "MapStateExited"),
        (13, "ExecutionSucceeded"),
    ]
    assert events[2]["mapStateStartedEventDetails"] == {"length": 2}
    assert events[7]["mapIterationStartedEventDetails"] == {"name": "Each", "index": 1}


def test_nothing_to_iterate(workflows: Workflows) -> None:
    states = {"Each": {"Type": "Map", "ItemProcessor": _flow(P=PASS), "End": True}}
    arn = workflows.start(workflows.machine(states), [])
    assert workflows.ended(arn)["output"] == "[]"
    assert _ways(workflows.events(arn))[2:] == [
        (2, "MapStateStarted"),
        (3, "MapStateSucceeded"),
        (3, "MapStateExited"),
        (5, "ExecutionSucceeded"),
    ]


def test_a_branch_that_fails_and_is_retried(workflows: Workflows) -> None:
    retry = [{"ErrorEquals": ["Broken"], "MaxAttempts": 1, "IntervalSeconds": 60}]
    states = {"Both": {"Type": "Parallel", "Branches": [_flow(F=FAIL)], "Retry": retry, "End": True}}
    arn = workflows.start(workflows.machine(states))
    found = workflows.ended(arn, 60)
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Broken", "why")
    assert _ways(workflows.events(arn)) == [
        (0, "ExecutionStarted"),
        (0, "ParallelStateEntered"),
        (2, "ParallelStateStarted"),
        (3, "FailStateEntered"),
        (4, "ParallelStateStarted"),
        (5, "FailStateEntered"),
        (6, "ParallelStateFailed"),
        (7, "ExecutionFailed"),
    ]


def test_an_iteration_that_fails_and_is_caught(workflows: Workflows) -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    states = {"Each": {"Type": "Map", "ItemProcessor": _flow(F=FAIL), "Catch": catch, "End": True}, "Caught": PASS}
    arn = workflows.start(workflows.machine(states), [1])
    assert json.loads(workflows.ended(arn)["output"]) == {"Error": "Broken", "Cause": "why"}
    assert _ways(workflows.events(arn))[4:] == [
        (4, "FailStateEntered"),
        (5, "MapIterationFailed"),
        (5, "MapStateFailed"),
        (7, "MapStateExited"),
        (8, "PassStateEntered"),
        (9, "PassStateExited"),
        (10, "ExecutionSucceeded"),
    ]


def test_one_failure_stops_the_others(workflows: Workflows) -> None:
    slow = _flow(W={"Type": "Wait", "Seconds": 3600, "Next": "P"}, P=PASS)
    failing = _flow(V={"Type": "Wait", "Seconds": 60, "Next": "F"}, F=FAIL)
    arn = workflows.start(workflows.machine({"Both": {"Type": "Parallel", "Branches": [slow, failing], "End": True}}))
    assert workflows.ended(arn, 60)["error"] == "Broken"
    types = workflows.types(arn)
    assert "WaitStateAborted" in types
    assert types[-2:] == ["ParallelStateFailed", "ExecutionFailed"]
    assert types.count("WaitStateExited") == 1


def test_a_field_that_cannot_be_evaluated(workflows: Workflows) -> None:
    states = {
        "Bad": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"a": "{% $states.input.b %}"}, "End": True}
    }
    arn = workflows.start(workflows.machine(states))
    found = workflows.ended(arn)
    assert found["error"] == "States.QueryEvaluationError"
    assert found["cause"].startswith(
        "An error occurred while executing the state 'Bad' (entered at the event id #2). The JSONata expression"
    )
    events = workflows.events(arn)
    assert [event["type"] for event in events][1:] == ["PassStateEntered", "EvaluationFailed", "ExecutionFailed"]
    details = events[2]["evaluationFailedEventDetails"]
    assert (details["location"], details["state"], details["cause"]) == ("Output/a", "Bad", found["cause"])


def test_pages_in_both_directions_and_without_data(workflows: Workflows) -> None:
    states = {f"S{number}": {"Type": "Pass", "Next": f"S{number + 1}"} for number in range(9)}
    arn = workflows.run({**states, "S9": PASS})["executionArn"]
    events = workflows.events(arn)
    assert len(events) == 22
    pages = workflows.events(arn, PaginationConfig={"PageSize": 5})
    assert pages == events
    reverse = workflows.events(arn, reverseOrder=True, PaginationConfig={"PageSize": 5})
    assert reverse == events[::-1]
    bare = workflows.events(arn, includeExecutionData=False)
    assert "input" not in bare[0]["executionStartedEventDetails"]
    assert bare[1]["stateEnteredEventDetails"] == {"name": "S0"}


def test_too_many_events(workflows: Workflows) -> None:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "End"}], "Default": "Go"}
    arn = workflows.start(workflows.machine({"Go": choice, "End": {"Type": "Succeed"}}))
    found = workflows.ended(arn)
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    last = workflows.client.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=2)["events"]
    assert [(event["id"], event["type"]) for event in last] == [(25_000, "ExecutionFailed"), (24_999, last[1]["type"])]


@pytest.mark.parametrize("size", [262_145, 400_000])
def test_too_much_data(workflows: Workflows, size: int) -> None:
    states = {"Big": {"Type": "Pass", "Parameters": {"a.$": "$", "b.$": "$", "c.$": "$"}, "End": True}}
    found = workflows.run(states, "x" * (size // 3))
    assert (found["status"], found["error"]) == ("FAILED", "States.DataLimitExceeded")
    assert found["cause"] == (
        "The state/task 'Big' returned a result with a size exceeding the maximum number of bytes service limit."
    )
