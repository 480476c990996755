"""Limits of how fast executions begin and go on, which count where a node's owner wants them to."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from tests.services.stepfunctions.engine.conftest import Workflows

from cumulet.services.stepfunctions.engine.ports import Facts
from cumulet.services.stepfunctions.engine.throttles import Throttles
from cumulet.services.stepfunctions.limits import Limits
from cumulet.services.stepfunctions.machines.model import MachineVersion

_PREFIX = "stepfunctions."
PASS = {"Type": "Pass"}


@pytest.fixture(scope="module")
def throttled(start_node: Callable[..., Any]) -> Any:
    # So slow that no bucket fills by itself, however long a test takes.
    limits = {"throttling": 1, "start_bucket": 3, "start_rate": 0.001, "transition_bucket": 5, "transition_rate": 0.001}
    options = [option for name, value in limits.items() for option in ("--limit", f"{_PREFIX}{name}={value}")]
    return start_node(*options)


@pytest.fixture
def limited(throttled: Any, account: str) -> Workflows:
    def advance(seconds: float) -> None:
        throttled.post("/_cumulet/clock", {"advance": seconds})

    return Workflows(throttled.client("stepfunctions", account), advance)


def chain(length: int) -> dict[str, Any]:
    names = [f"S{number}" for number in range(length)]
    states: dict[str, Any] = {name: {**PASS, "Next": after} for name, after in pairwise(names)}
    return states | {names[-1]: {**PASS, "End": True}}


def test_starts_are_refused_until_the_bucket_has_filled(limited: Workflows) -> None:
    machine = limited.machine({"Only": {"Type": "Succeed"}})
    for _ in range(3):
        limited.start(machine)
    with pytest.raises(ClientError) as refused:
        limited.start(machine)
    assert refused.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    limited.advance(1_001)
    limited.start(machine)


def test_transitions_wait_for_theirs(limited: Workflows) -> None:
    execution = limited.start(limited.machine(chain(8)))
    assert len(limited.until(execution, "PassStateEntered", 5)) == 5
    assert limited.client.describe_execution(executionArn=execution)["status"] == "RUNNING"
    assert limited.ended(execution, jump=1_001)["status"] == "SUCCEEDED"
    assert limited.types(execution).count("PassStateEntered") == 8


def test_what_waits_for_its_transitions_can_be_stopped(limited: Workflows) -> None:
    machine = limited.machine(chain(7))
    execution = limited.start(machine)
    limited.until(execution, "PassStateEntered", 5)
    limited.client.stop_execution(executionArn=execution)
    assert limited.ended(execution)["status"] == "ABORTED"


def test_who_waits_goes_on_in_turn() -> None:
    now = 100.0
    limits = Limits(throttling=1, transition_bucket=2, transition_rate=1)
    throttles = Throttles(lambda: now, limits)
    facts = Facts(
        arn="arn:aws:states:r:1:execution:m:n",
        name="n",
        account="1",
        region="r",
        machine_arn="",
        role_arn="",
        version=cast("MachineVersion", None),  # nothing here looks at it
        started=0.0,
    )
    assert throttles.transitions(facts, 100) == (2, 0.0)
    assert throttles.transitions(facts, 100) == (1, 1.0)
    assert throttles.transitions(facts, 100) == (1, 2.0)
    throttles.spare(facts, 1)
    assert throttles.transitions(facts, 100) == (1, 2.0)
    now += 10
    assert throttles.transitions(facts, 100) == (2, 0.0)
