"""Executions of state machines: alone from their start to their end, many at once, and synchronous ones."""

import json
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.figures import Figures
from benchmarks.load import Check, Connection, Result
from benchmarks.measures import FUNCTION, Bench

ROLE = "arn:aws:iam::000000000000:role/bench"
ALONE = 40
AT_ONCE = 200
_PATIENCE = 30.0
_PAUSE = 0.0005
"""Between two questions whether an execution has ended: who asks without a pause has the server do little else."""


def has_succeeded(answer: bytes) -> bool:
    return b"SUCCEEDED" in answer


SUCCEEDED: Check = has_succeeded


def workflows(bench: Bench) -> Iterator[Figures]:
    ten = machine(bench, "pass", chain(10, {"Type": "Pass", "Result": {"a": 1}, "ResultPath": "$.r"}))
    yield alone(bench, "sfn ten Pass states", ten)
    yield at_once(bench, f"sfn {AT_ONCE} executions of ten Pass states", ten, transitions=10)
    express = machine(bench, "express", chain(10, {"Type": "Pass"}), type="EXPRESS")
    request = [bench.client.build("stepfunctions", "start_sync_execution", stateMachineArn=express, input="{}")]
    yield from bench.rates("sfn Express of ten Pass states", request, 1_000, check=SUCCEEDED)
    function = bench.client.function(f"task-{bench.run}", FUNCTION)
    bench.client.replay([bench.client.invoke_request(f"task-{bench.run}")], 4)
    yield alone(bench, "sfn five functions", machine(bench, "tasks", chain(5, {"Type": "Task", "Resource": function})))


def chain(length: int, state: dict[str, Any]) -> dict[str, Any]:
    """A definition in which the state comes so often, one after the other."""
    after: list[dict[str, Any]] = [{"Next": f"S{number}"} for number in range(1, length)]
    return {"StartAt": "S0", "States": {f"S{n}": state | link for n, link in enumerate([*after, {"End": True}])}}


def machine(bench: Bench, name: str, definition: dict[str, Any], **more: str) -> str:
    """Its ARN."""
    made = bench.client.boto("stepfunctions").create_state_machine(
        name=f"{name}-{bench.run}", definition=json.dumps(definition), roleArn=ROLE, **more
    )
    return str(made["stateMachineArn"])


class Execution:
    """The requests of one execution, built before it is started: its ARN is known from its name."""

    def __init__(self, bench: Bench, machine_arn: str, name: str) -> None:
        arn = f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
        self.start = bench.client.build(
            "stepfunctions", "start_execution", stateMachineArn=machine_arn, name=name, input="{}"
        )
        self.describe = bench.client.build("stepfunctions", "describe_execution", executionArn=arn)


class Caller:
    """One connection, made anew where the server closes it: some do after so many requests."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._connection = Connection(address)

    def ask(self, request: bytes) -> dict[str, Any]:
        """The answer, as JSON."""
        try:
            self._send(request)
        except ConnectionError:
            self.close()
            self._connection = Connection(self._address)
            self._send(request)
        if self._connection.status >= 300:
            raise RuntimeError(self._connection.answer[:300].decode(errors="replace"))
        answer: dict[str, Any] = json.loads(self._connection.body)
        return answer

    def ended(self, execution: Execution) -> dict[str, Any]:
        """The execution's description as soon as it does not run any more, or when that takes too long."""
        end = time.perf_counter() + _PATIENCE
        while (found := self.ask(execution.describe))["status"] == "RUNNING" and time.perf_counter() < end:
            time.sleep(_PAUSE)
        return found

    def close(self) -> None:
        self._connection.socket.close()

    def _send(self, request: bytes) -> None:
        self._connection.send(request)
        while not self._connection.feed():
            pass


def alone(bench: Bench, measure: str, machine_arn: str) -> Figures:
    """From StartExecution until DescribeExecution says that it has succeeded, one execution after the other."""
    executions = [Execution(bench, machine_arn, f"alone-{number}") for number in range(ALONE)]
    caller, result, before = Caller(bench.client.address), Result(), bench.server.cpu()
    for execution in executions:
        begun = time.perf_counter()
        caller.ask(execution.start)
        found = caller.ended(execution)
        result.latencies.append(time.perf_counter() - begun)
        if found["status"] != "SUCCEEDED":
            result.errors += 1
            result.first_error = result.first_error or str(found)
    caller.close()
    values = {"p50_ms": result.percentile(50) * 1e3, "p99_ms": result.percentile(99) * 1e3}
    values["server_cpu_us"] = (bench.server.cpu() - before) / ALONE * 1e6
    return Figures(measure, values, result.errors, result.first_error)


def at_once(bench: Bench, measure: str, machine_arn: str, transitions: int) -> Figures:
    """Started by eight clients; until the last has ended, by the server's own time where it tells it in seconds."""
    executions = [Execution(bench, machine_arn, f"many-{number}") for number in range(AT_ONCE)]
    before, begun, clock = bench.server.cpu(), time.perf_counter(), time.time()
    started = bench.client.replay([execution.start for execution in executions], AT_ONCE, 8, seconds=_PATIENCE)
    caller = Caller(bench.client.address)
    found = [caller.ended(execution) for execution in reversed(executions)]
    seconds = time.perf_counter() - begun
    caller.close()
    stops = [each["stopDate"] for each in found if isinstance(each.get("stopDate"), float | int)]
    if len(stops) == AT_ONCE:
        seconds = min(seconds, max(stops) - clock)
    errors = started.errors + sum(each["status"] != "SUCCEEDED" for each in found)
    count = AT_ONCE * transitions
    values = {"per_s": count / seconds, "server_cpu_us": (bench.server.cpu() - before) / count * 1e6}
    return Figures(measure, values, errors, started.first_error)
