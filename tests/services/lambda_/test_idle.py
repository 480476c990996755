"""Functions in a VPC that nobody calls become Inactive, and come back when somebody does."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import ECHO, RUNTIME, package, payload

DAY = 86_400.0
VPC = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}


def until(functions: Any, name: str, state: str) -> Any:
    """The function's configuration, once it is in that state: the node looks for idle functions in the background."""
    for _ in range(1_000):
        found = functions.get_function_configuration(FunctionName=name)
        if found["State"] == state:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{name} did not become {state}")


def create(functions: Any, account: str, name: str, **members: Any) -> None:
    functions.create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Handler="index.handler",
        Role=f"arn:aws:iam::{account}:role/r",
        Timeout=30,
        Code={"ZipFile": package(ECHO)},
        **members,
    )


@pytest.fixture
def idle(start_node: Callable[..., Any]) -> Any:
    """A node of its own, as its clock is moved by weeks."""
    return start_node()


def test_two_weeks_without_a_call(idle: Any, account: str) -> None:
    functions = idle.client("lambda", account)
    create(functions, account, "networked", VpcConfig=VPC)
    create(functions, account, "plain")
    until(functions, "networked", "Active")

    idle.post("/_cumulet/clock", {"advance": 13 * DAY})
    assert payload(functions.invoke(FunctionName="networked", Payload=b"1")) == 1
    idle.post("/_cumulet/clock", {"advance": 13 * DAY})
    assert functions.get_function_configuration(FunctionName="networked")["State"] == "Active"
    idle.post("/_cumulet/clock", {"advance": 2 * DAY})
    found = until(functions, "networked", "Inactive")

    assert found["StateReasonCode"] == "Idle"
    assert functions.get_function_configuration(FunctionName="plain")["State"] == "Active"
    idle.restart()
    functions = idle.client("lambda", account)
    with pytest.raises(functions.exceptions.ResourceConflictException, match="in the following state: Inactive"):
        functions.invoke(FunctionName="networked", Payload=b"2")
    functions.get_waiter("function_active_v2").wait(FunctionName="networked", WaiterConfig={"Delay": 0.2})
    assert payload(functions.invoke(FunctionName="networked", Payload=b"2")) == 2
