"""Tasks of executions that run a test case: answered by it, and not done."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec
from msgspec import UNSET

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.calls import Calls
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.kernel.tasks import Tasks as Background
from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.engine.ports import Done, Kind, Pending, TaskCall, Tasks
from cumulet.services.stepfunctions.mocks.configuration import Answer, Response, Throw
from cumulet.services.stepfunctions.mocks.known import KnownMocks

_HANDLE = "cumulet:mock"
_MOST = 10_000


class MockedTasks:
    """The engine's `Tasks`: mocked states answer from their test case, everything else goes to those that do the work.

    Attempts are counted by execution and state, in the order in which they begin. The count is memory: an execution that goes on
    after the node was stopped counts from 0 again.
    """

    def __init__(self, real: Tasks, mocks: KnownMocks, calls: Calls, background: Background) -> None:
        self._real = real
        self._mocks = mocks
        self._calls = calls
        self._background = background
        self._attempts: OrderedDict[tuple[str, str], dict[str, int]] = OrderedDict()

    def kind(self, resource: str) -> Kind:
        return self._real.kind(resource)

    def check(self, resource: str, arguments: Any) -> None:
        self._real.check(resource, arguments)

    async def start(self, task: TaskCall) -> Done | Pending:
        case = task.facts.version.mock
        response = self._response(task, case) if case else None
        if response is None:
            return await self._real.start(task)
        attempt = self._attempt(task)
        answer = response.of(attempt)
        if answer is None:
            raise StatesError(
                "States.Runtime",
                f"The mocked response '{response.name}' has no answer for attempt {attempt} of the state '{task.state}'.",
            )
        pattern = self._real.kind(task.resource).pattern
        if pattern == "token":
            self._background.start(f"mocked callback of {task.state}", self._call_back(task, answer))
            return Pending()
        if pattern == "sync":
            return Pending(handle={_HANDLE: msgspec.to_builtins(answer)})
        return _outcome(answer)

    async def follow(self, task: TaskCall, handle: Any) -> Done:
        if isinstance(handle, dict) and _HANDLE in handle:
            return _outcome(msgspec.convert(handle[_HANDLE], Answer))
        return await self._real.follow(task, handle)

    async def cancel(self, task: TaskCall, handle: Any) -> None:
        if not (isinstance(handle, dict) and _HANDLE in handle):
            await self._real.cancel(task, handle)

    def _response(self, task: TaskCall, name: str) -> Response | None:
        """What the state is mocked by; None for one that does its work."""
        case = self._mocks.find(task.facts.account, task.facts.version.name, name)
        if case is None:
            raise StatesError("States.Runtime", no_such_case(task.facts.version.name, name))
        return case.states.get(task.state)

    def _attempt(self, task: TaskCall) -> int:
        """The number of this attempt; the same attempt has it again."""
        seen = self._attempts.setdefault((task.facts.arn, task.state), {})
        if len(self._attempts) > _MOST:
            self._attempts.popitem(last=False)
        return seen.setdefault(task.id, len(seen))

    async def _call_back(self, task: TaskCall, answer: Answer) -> None:
        """Who has the token of a mocked task: this."""
        operation, request = _callback(task.token, answer)
        facts = task.facts
        call = Call(facts.account, facts.region, Principal.root(facts.account), new_id())
        try:
            await self._calls.run(call, "stepfunctions", operation, request)
        except AwsError as error:
            if error.code not in ("TaskDoesNotExist", "TaskTimedOut"):
                raise


def no_such_case(machine: str, name: str) -> str:
    """Why an execution cannot run a test case."""
    return f"The mock configuration has no test case '{name}' of the state machine '{machine}'."


def _outcome(answer: Answer) -> Done:
    if isinstance(answer.throw, Throw):
        raise StatesError(answer.throw.error, answer.throw.cause)
    return Done(None if answer.result is UNSET else answer.result)


def _callback(token: str, answer: Answer) -> tuple[str, api.SendTaskFailureInput | api.SendTaskSuccessInput]:
    if isinstance(answer.throw, Throw):
        throw = answer.throw
        return "SendTaskFailure", api.SendTaskFailureInput(task_token=token, error=throw.error, cause=throw.cause)
    return "SendTaskSuccess", api.SendTaskSuccessInput(
        task_token=token, output=msgspec.json.encode(answer.result).decode()
    )
