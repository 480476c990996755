"""JSONPath fields: what goes into a state, what comes out, and what AWS says when a path leads nowhere."""

from typing import Any

import pytest
from tests.services.stepfunctions.asl.cases import FUNCTION, passed, ran, scope, state

from cumulet.services.stepfunctions import asl


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, {"a": {"b": 1}}),
        ({"InputPath": "$.a"}, {"b": 1}),
        ({"InputPath": None}, {}),
        ({"OutputPath": "$.a.b"}, 1),
        ({"OutputPath": None}, {}),
        ({"Result": 7}, 7),
        ({"Result": 7, "ResultPath": "$.x"}, {"a": {"b": 1}, "x": 7}),
        ({"Result": 7, "ResultPath": "$.a.c.d"}, {"a": {"b": 1, "c": {"d": 7}}}),
        ({"Result": 7, "ResultPath": None}, {"a": {"b": 1}}),
        ({"Parameters": {"x.$": "$.a", "y": "$.a"}}, {"x": {"b": 1}, "y": "$.a"}),
        ({"InputPath": "$.a", "Parameters": {"x.$": "$.b"}, "ResultPath": "$.r"}, {"a": {"b": 1}, "r": {"x": 1}}),
        ({"Parameters": {"list": [{"x.$": "$.a.b"}, "$.a.b"]}}, {"list": [{"x": 1}, "$.a.b"]}),
        ({"Parameters": {"id.$": "$$.Execution.Name"}}, {"id": "e"}),
        ({"InputPath": "$v.w"}, 5),
        ({"OutputPath": "$v"}, {"w": 5}),
    ],
)
def test_pass(fields: dict[str, Any], output: Any) -> None:
    assert ran({"Type": "Pass", **fields}, {"a": {"b": 1}}, {"v": {"w": 5}}) == output


def test_what_is_passed_on_is_the_same_object() -> None:
    """So the engine need not make its text again."""
    given = {"a": 1}
    assert ran({"Type": "Pass"}, given) is given


@pytest.mark.parametrize(
    ("fields", "error", "cause"),
    [
        ({"InputPath": "$.no"}, "States.Runtime", "Invalid path '$.no' : No results for path: $['no']"),
        ({"InputPath": "$.no.x"}, "States.Runtime", "Invalid path '$.no.x' : Missing property in path $['no']"),
        ({"OutputPath": "$.no"}, "States.Runtime", "Invalid path '$.no' : No results for path: $['no']"),
        (
            {"Parameters": {"x.$": "$.no"}},
            "States.Runtime",
            "The JSONPath '$.no' specified for the field 'x.$' could not be found in the input '{\"a\":1}'",
        ),
        (
            {"Parameters": {"x.$": "States.Format('{}', $.no)"}},
            "States.Runtime",
            "The JSONPath '$.no' specified for the field 'x.$' could not be found in the input '{\"a\":1}'",
        ),
        (
            {"Result": 1, "ResultPath": "$.a.b"},
            "States.ResultPathMatchFailure",
            'Unable to apply step "b" to input {"a":1}',
        ),
    ],
)
def test_paths_that_lead_nowhere(fields: dict[str, Any], error: str, cause: str) -> None:
    with pytest.raises(asl.StatesError) as failed:
        ran({"Type": "Pass", **fields}, {"a": 1})
    assert (failed.value.name, failed.value.cause, failed.value.location) == (error, cause, None)
    assert failed.value.wrapped("S", 2) == (
        f"An error occurred while executing the state 'S' (entered at the event id #2). {cause}"
    )


def test_a_task_in_full() -> None:
    task = state(
        {
            "Type": "Task",
            "Resource": FUNCTION,
            "InputPath": "$.in",
            "Parameters": {"n.$": "$.n"},
            "TimeoutSecondsPath": "$.limit",
            "HeartbeatSeconds": 3,
            "Credentials": {"RoleArn.$": "$.role"},
            "ResultSelector": {"got.$": "$.value"},
            "ResultPath": "$.out",
            "OutputPath": "$.out",
            "Assign": {"kept.$": "$.got"},
        }
    )
    given = {"in": {"n": 1, "limit": 9, "role": "arn:aws:iam::1:role/r"}}
    begun = task.begin(given, scope(), inspect=True)
    assert (begun.arguments, begun.timeout, begun.heartbeat) == ({"n": 1}, 9, 3)
    assert begun.credentials == {"RoleArn": "arn:aws:iam::1:role/r"}
    finished = task.finish(given, begun, {"value": 5}, scope())
    assert (finished.output, finished.assigned, finished.next) == ({"got": 5}, {"kept": 5}, None)
    assert finished.trace == {
        "afterInputPath": given["in"],
        "afterParameters": {"n": 1},
        "result": {"value": 5},
        "afterResultSelector": {"got": 5},
        "afterResultPath": {**given, "out": {"got": 5}},
    }


def test_variables_are_read_as_they_were_before_the_state() -> None:
    """All of Assign happens at once: https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html"""
    finished = state({"Type": "Pass", "Assign": {"x": 2, "y.$": "$x"}}).run({}, scope({"x": 1}))
    assert finished.assigned == {"x": 2, "y": 1}


def test_too_much_in_variables() -> None:
    assign = state({"Type": "Pass", "Assign": {"x.$": "$"}})
    with pytest.raises(asl.StatesError, match="DataLimitExceeded"):
        assign.run("x" * 262_144, scope())
    assert assign.run("x" * 200_000, scope()).assigned is not None
    with pytest.raises(asl.StatesError, match="DataLimitExceeded"):
        assign.run("x" * 200_000, scope({f"v{n}": "x" * 250_000 for n in range(42)}))


def test_templates_in_many_shapes() -> None:
    assert passed({"a": {"b": {"c.$": "$[0]"}}, "d": []}, [1]) == {"a": {"b": {"c": 1}}, "d": []}
    assert passed({"all.$": "$[*].x", "some.$": "$[?(@.x > 1)]"}, [{"x": 1}, {"x": 2}]) == {
        "all": [1, 2],
        "some": [{"x": 2}],
    }
    assert passed({"whole.$": "$$"}) == {"whole": scope().context}
