"""Machines that run: made from a definition, started, waited for."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

ROLE = "arn:aws:iam::111122223333:role/workflow"
PATIENCE = 200.0


class Workflows:
    """Step Functions as one account sees it."""

    def __init__(self, client: Any, advance: Callable[[float], None]) -> None:
        self.client = client
        self.advance = advance
        self._made = 0

    def machine(self, states: dict[str, Any], start: str | None = None, **options: Any) -> str:
        """The ARN of a new machine that begins with the first of `states`."""
        type = options.pop("type", "STANDARD")
        definition = {"StartAt": start or next(iter(states)), "States": states, **options}
        self._made += 1
        made = self.client.create_state_machine(
            name=f"machine-{self._made}", definition=json.dumps(definition), roleArn=ROLE, type=type
        )
        return str(made["stateMachineArn"])

    def start(self, machine: str, input: Any = None, **options: Any) -> str:
        given = json.dumps({} if input is None else input)
        return str(self.client.start_execution(stateMachineArn=machine, input=given, **options)["executionArn"])

    def ended(self, execution: str, jump: float = 0.0) -> dict[str, Any]:
        """The execution once it has ended; the clock is moved by `jump` seconds each time it has not."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.client.describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                return found
            if jump:
                self.advance(jump)
            time.sleep(0.01)
        raise AssertionError(f"it still runs: {self.types(execution)}")

    def run(self, states: dict[str, Any], input: Any = None, jump: float = 0.0, **options: Any) -> dict[str, Any]:
        return self.ended(self.start(self.machine(states, **options), input), jump)

    def events(self, execution: str, **options: Any) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("get_execution_history").paginate(executionArn=execution, **options)
        return [event for page in pages for event in page["events"]]

    def types(self, execution: str) -> list[str]:
        return [event["type"] for event in self.events(execution)]

    def until(self, execution: str, type: str, count: int = 1) -> list[dict[str, Any]]:
        """The events of a type, once there are so many."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = [event for event in self.events(execution) if event["type"] == type]
            if len(found) >= count:
                return found
            time.sleep(0.02)
        raise AssertionError(f"no {type} came: {self.types(execution)}")


@pytest.fixture
def workflows(client: Callable[..., Any], advance: Callable[[float], None]) -> Workflows:
    return Workflows(client("stepfunctions"), advance)
