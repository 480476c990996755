"""Retry and Catch: which errors they take, how long they wait, and what goes on."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.services.stepfunctions.asl.cases import FUNCTION, scope, state

from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.asl.retries import Errors


def task(language: str = "JSONPath", **fields: Any) -> asl.State:
    others = {"Next": {"Type": "Succeed"}} if "Catch" in fields else {}
    return state({"Type": "Task", "Resource": FUNCTION, **fields}, language, **others)


@pytest.mark.parametrize(
    ("names", "takes", "leaves"),
    [
        (["A"], ["A"], ["B", "States.Runtime"]),
        (["States.ALL"], ["A", "States.Timeout", "States.DataLimitExceeded", "States.QueryEvaluationError"], ["States.Runtime"]),
        (["States.TaskFailed"], ["A", "States.Permissions"], ["States.Timeout", "States.Runtime"]),
        (["States.Timeout"], ["States.Timeout", "States.HeartbeatTimeout"], ["A"]),
        (["States.HeartbeatTimeout"], ["States.HeartbeatTimeout"], ["States.Timeout"]),
        (["States.Runtime"], ["States.Runtime"], ["A"]),
    ],
)  # fmt: skip
def test_what_error_equals_takes(names: list[str], takes: list[str], leaves: list[str]) -> None:
    errors = Errors(names)
    assert all(map(errors.take, takes))
    assert not any(map(errors.take, leaves))


def test_delays() -> None:
    retrying = task(
        Retry=[
            {"ErrorEquals": ["A"], "IntervalSeconds": 3, "MaxAttempts": 3, "BackoffRate": 1.5, "MaxDelaySeconds": 5},
            {"ErrorEquals": ["B"], "MaxAttempts": 0},
            {"ErrorEquals": ["States.ALL"]},
        ]
    )
    dice = random.Random(1)

    def delay(error: str, **done: int) -> tuple[int, float] | None:
        found = retrying.retry(error, {int(key[1:]): value for key, value in done.items()}, dice)
        return None if found is None else (found.index, found.seconds)

    assert [delay("A", r0=n) for n in range(4)] == [(0, 3), (0, 4.5), (0, 5), None]
    assert delay("B") is None
    assert [delay("C", r2=n) for n in range(4)] == [(2, 1), (2, 2), (2, 4), None]
    # Counters are per retrier: what A has used up, C has not.
    assert delay("C", r0=3) == (2, 1)
    assert delay("States.Runtime") is None


@settings(derandomize=True, max_examples=40, deadline=None)
@given(done=st.integers(0, 2000), seed=st.integers())
def test_jitter_lies_between(done: int, seed: int) -> None:
    retrying = task(
        Retry=[{"ErrorEquals": ["A"], "MaxAttempts": 99999, "JitterStrategy": "FULL", "MaxDelaySeconds": 60}]
    )
    found = retrying.retry("A", {0: done}, random.Random(seed))
    assert found is not None
    assert 0 <= found.seconds <= min(60, 2.0 ** min(done, 10))


def test_catch_with_paths() -> None:
    catching = task(
        Catch=[
            {"ErrorEquals": ["A"], "ResultPath": "$.error", "Assign": {"why.$": "$.Cause"}, "Next": "Next"},
            {"ErrorEquals": ["B"], "ResultPath": None, "Next": "Next"},
            {"ErrorEquals": ["States.ALL"], "Next": "Next"},
        ],
        Next="Next",
    )
    first = catching.caught({"a": 1}, "A", "because", scope())
    assert first is not None
    assert first.output == {"a": 1, "error": {"Error": "A", "Cause": "because"}}
    assert (first.assigned, first.next, first.index) == ({"why": "because"}, "Next", 0)
    second = catching.caught({"a": 1}, "B", "x", scope())
    assert second is not None
    assert (second.output, second.index) == ({"a": 1}, 1)
    third = catching.caught({"a": 1}, "C", None, scope())
    assert third is not None
    assert (third.output, third.index) == ({"Error": "C", "Cause": None}, 2)
    late = catching.caught({}, "States.Timeout", None, scope())
    assert late is not None
    assert late.output == {"Error": "States.Timeout", "Cause": ""}
    assert catching.caught({}, "States.Runtime", "x", scope()) is None
    assert task().caught({}, "A", "x", scope()) is None


def test_catch_with_expressions() -> None:
    catching = task(
        "JSONata",
        Catch=[
            {
                "ErrorEquals": ["A"],
                "Output": {"e": "{% $states.errorOutput.Error %}", "i": "{% $states.input %}"},
                "Assign": {"why": "{% $states.errorOutput.Cause %}"},
                "Next": "Next",
            },
            {"ErrorEquals": ["B"], "Next": "Next"},
            {"ErrorEquals": ["C"], "Output": "{% $no %}", "Next": "Next"},
        ],
        Next="Next",
    )
    first = catching.caught(1, "A", "because", scope())
    assert first is not None
    assert (first.output, first.assigned) == ({"e": "A", "i": 1}, {"why": "because"})
    second = catching.caught(1, "B", "because", scope())
    assert second is not None
    assert second.output == {"Error": "B", "Cause": "because"}
    with pytest.raises(asl.StatesError) as failed:
        catching.caught(1, "C", "", scope())
    assert failed.value.location == "Catch[2]/Output"
