"""What makes durable executions go on: invocations that are owed, and moments that come.

All it knows is in the store. A node that was killed goes on with every execution it had; an invocation that died with it
is made again, with the state of the last checkpoint.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.clock import wait_until
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.durable import targets
from cumulet.services.lambda_.durable.checks import MAX_CHAINED_PAYLOAD
from cumulet.services.lambda_.durable.ledger import Ending, Ledger
from cumulet.services.lambda_.durable.model import (
    PAUSED,
    PAUSING,
    DurableExecution,
    Held,
    error_object,
)
from cumulet.services.lambda_.durable.store import DurableStore
from cumulet.services.lambda_.names import Reference
from cumulet.services.lambda_.runs import Run, ready_target
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.targets import Target

log = logging.getLogger(__name__)

_MOST_FAILURES = 5
_MOST_EMPTY_ENDS = 3
_RETRY_AFTER = 5.0
_LONGEST_THROTTLE = 300.0
_PAGE_BYTES = 5 * 1024 * 1024
_PAGE_OPERATIONS = 1000
_BATCH = 200
_BACKSTOP = 30.0


class _Output(Struct, rename="pascal"):
    """What a durable handler gives back."""

    status: str
    result: str | None = None
    error: api.ErrorObject | None = None


class _Begun(NamedTuple):
    execution: DurableExecution
    payload: bytes
    request_id: str
    started: float


class _Result(NamedTuple):
    """How an invocation of a handler went: what it gave back, or why it gave nothing."""

    output: _Output | None = None
    failure: api.ErrorObject | None = None
    throttled: bool = False
    final: bool = False


class Engine:
    """Drives the executions of a node. `wake` may be called at any time; there is one invocation of each at once."""

    def __init__(self, lambda_: Lambda, store: DurableStore) -> None:
        self.store = store
        self._lambda = lambda_
        self._driving: set[str] = set()
        self._again: set[str] = set()
        self._ends: dict[str, asyncio.Future[DurableExecution]] = {}
        self._alarm = asyncio.Event()

    async def start(self) -> None:
        """Go on with what a stop or a crash interrupted."""
        await self.store.migrate()
        for arn in await self.store.interrupted():
            async with self.change(arn) as ledger:
                if ledger is not None and ledger.execution.invocation:
                    ledger.execution.invocation, ledger.execution.owed = "", True
                    if ledger.execution.status == PAUSING:
                        ledger.execution.status = PAUSED
            await self._invoke_again(arn)
            self.wake(arn)
        self._lambda.tasks.start("durable executions", self._watch())

    @asynccontextmanager
    async def change(self, arn: str) -> AsyncIterator[Ledger | None]:
        """A transaction on one execution, None when there is no such one; saved at the end, and looked after then."""
        async with self._lambda.db.transaction() as tx:
            execution = await self.store.execution(arn, tx)
            if execution is None:
                yield None
                return
            ledger = Ledger(self.store, tx, execution, self._lambda.clock.now())
            yield ledger
            await ledger.save()
            tx.after_commit(self._changed(execution))

    async def begin(self, execution: DurableExecution, payload: str) -> None:
        """Start an execution. Raises Conflict when its name is taken."""
        async with self._lambda.db.transaction() as tx:
            ledger = Ledger(self.store, tx, execution, execution.started)
            await ledger.begin(payload)
            await ledger.save()
        self.wake(execution.arn)

    async def ended(self, arn: str) -> DurableExecution:
        """Wait for the end of an execution."""
        future = self._ends.setdefault(arn, asyncio.get_running_loop().create_future())
        execution = await self.store.execution(arn)
        if execution is not None and not execution.open:
            self._ends.pop(arn, None)
            return execution
        return await asyncio.shield(future)

    def wake(self, arn: str) -> None:
        """Have a look at an execution, soon."""
        if arn in self._driving:
            self._again.add(arn)
            return
        self._driving.add(arn)
        self._lambda.tasks.start(f"durable {arn}", self._drive(arn))

    def invoke_chained(self, execution: DurableExecution, chained: list[Held]) -> None:
        """Invoke the functions that an execution asked for, in the background."""
        for held in chained:
            assert held.update is not None
            options = held.update.chained_invoke_options
            assert options is not None
            self._lambda.tasks.start(
                f"chained invoke {options.function_name}",
                self._chain(execution, held.operation.id, options, held.update.payload),
            )

    async def state_page(self, arn: str, after: int, limit: int) -> tuple[list[api.Operation], str | None]:
        """Operations from a position on, as many as fit an event, and the marker of the next ones."""
        held = await self.store.page(arn, after, limit + 1)
        page: list[Held] = []
        size = 0
        for one in held[:limit]:
            size += len(msgspec.json.encode(one.operation))
            if page and size > _PAGE_BYTES:
                break
            page.append(one)
        more = len(page) < len(held)
        return [one.operation for one in page], str(page[-1].position) if more else None

    # Driving

    def _changed(self, execution: DurableExecution) -> Callable[[], None]:
        def action() -> None:
            if execution.open:
                self._alarm.set()
                if execution.owed and not execution.invocation:
                    self.wake(execution.arn)
                return
            if (waiting := self._ends.pop(execution.arn, None)) is not None and not waiting.done():
                waiting.set_result(execution)
            if execution.parent is not None:
                self._lambda.tasks.start(f"durable parent of {execution.arn}", self._tell_parent(execution))

        return action

    async def _watch(self) -> None:
        """Wake what is due on the clock."""
        clock = self._lambda.clock
        while True:
            self._alarm.clear()
            now = clock.now()
            due = await self.store.due(now, _BATCH)
            for arn in due:
                self.wake(arn)
            soon = await self.store.next_due(now) if len(due) < _BATCH else now
            await wait_until(clock, soon if soon is not None else now + _BACKSTOP, self._alarm)

    async def _drive(self, arn: str) -> None:
        try:
            while True:
                self._again.discard(arn)
                begun = await self._begin(arn)
                if begun is not None:
                    result = await self._invoke(begun)
                    await self._finish(begun, result)
                elif arn not in self._again:
                    return
        finally:
            self._driving.discard(arn)

    async def _begin(self, arn: str) -> _Begun | None:
        """Do what is due and, if an invocation is owed, make its event."""
        now = self._lambda.clock.now()
        async with self._lambda.db.transaction() as tx:
            execution = await self.store.execution(arn, tx)
            if execution is None:
                return None
            ledger = Ledger(self.store, tx, execution, now)
            if not execution.open:
                if (execution.due(None) or now) <= now:
                    await self.store.remove(tx, arn)
                return None
            await ledger.fire()
            if execution.ended is not None:
                tx.after_commit(self._changed(execution))
            wanted = execution.owed and execution.pause is None and execution.retry_at <= now
            if not wanted or execution.invocation:
                await ledger.save()
                tx.after_commit(self._alarm.set)
                return None
            execution.invocation, execution.owed = new_id(), False
            since = execution.seen
            updated = [one.operation.id for one in await self.store.touched(arn, since, tx)] if since else []
            execution.seen = execution.sequence
            await ledger.save()
        operations, marker = await self.state_page(arn, -1, _PAGE_OPERATIONS)
        payload = {
            "DurableExecutionArn": arn,
            "CheckpointToken": execution.checkpoint_token(),
            "InitialExecutionState": {
                "Operations": [_in_event(operation) for operation in operations],
                "NextMarker": marker or "",
            },
            "UpdatedOperationIds": updated,
        }
        return _Begun(execution, msgspec.json.encode(payload), new_id(), now)

    async def _invoke(self, begun: _Begun) -> _Result:
        execution = begun.execution
        reference = Reference(execution.key, execution.version)
        try:
            target = await ready_target(self._lambda, reference)
            run = Run(self._lambda, reference, target, begun.request_id)
            outcome = await run.go(begun.payload, trace=execution.trace)
        except api.TooManyRequestsException as error:
            return _Result(failure=_api_error(error), throttled=True)
        except api.ResourceNotFoundException as error:
            return _Result(failure=_api_error(error), final=True)
        except AwsError as error:
            return _Result(failure=_api_error(error))
        if outcome.error is not None:
            return _Result(failure=error_object(outcome.payload))
        try:
            return _Result(output=msgspec.json.decode(outcome.payload, type=_Output))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _Result(failure=_invalid_output(f"Invalid invocation output: {error}"), final=True)

    async def _finish(self, begun: _Begun, result: _Result) -> None:
        """Take in how an invocation went."""
        async with self.change(begun.execution.arn) as ledger:
            if ledger is None:
                return
            execution = ledger.execution
            if not result.throttled:
                await ledger.invoked(begun.started, begun.request_id, result.failure)
            if not execution.open:
                return  # it was stopped, timed out, or ended itself by a checkpoint
            execution.invocation = ""
            if execution.status == PAUSING:
                execution.status = PAUSED
            if result.throttled:
                execution.throttles += 1
                self._later(execution, min(2.0 ** min(execution.throttles, 10), _LONGEST_THROTTLE))
            elif result.output is not None:
                await self._take(ledger, result.output)
            elif result.final:
                await ledger.finish("FAILED", error=result.failure)
            else:
                await self._failed(ledger, result.failure, _MOST_FAILURES)

    async def _take(self, ledger: Ledger, output: _Output) -> None:
        """What the handler gave back."""
        execution = ledger.execution
        match output.status:
            case "SUCCEEDED":
                await self._succeeded(ledger, output)
            case "FAILED" if output.result is None:
                await ledger.finish("FAILED", error=output.error)
            case "FAILED":
                await ledger.finish("FAILED", error=_invalid_output("Cannot provide a Result for FAILED status."))
            case "PENDING":
                unseen = execution.sequence > execution.seen
                if unseen or execution.pause is not None:
                    execution.owed = True
                elif not execution.owed and not await ledger.awaits():
                    error = _invalid_output("Cannot return PENDING status with no pending operations.")
                    await self._failed(ledger, error, _MOST_EMPTY_ENDS)
                    return
                execution.failures = execution.throttles = 0
            case other:
                error = _invalid_output(f"Invalid invocation output: unexpected Status {other!r}")
                await ledger.finish("FAILED", error=error)

    async def _succeeded(self, ledger: Ledger, output: _Output) -> None:
        error = None
        if output.error is not None:
            error = _invalid_output("Cannot provide an Error for SUCCEEDED status.")
        elif ledger.execution.parent is not None and len((output.result or "").encode()) > MAX_CHAINED_PAYLOAD:
            error = api.ErrorObject(
                error_message=f"Execution output payload size must be less than or equal to {MAX_CHAINED_PAYLOAD} bytes."
            )
        if error is not None:
            await ledger.finish("FAILED", error=error)
        else:
            await ledger.finish("SUCCEEDED", result=output.result)

    async def _failed(self, ledger: Ledger, error: api.ErrorObject | None, most: int) -> None:
        execution = ledger.execution
        execution.failures += 1
        if execution.failures >= most:
            await ledger.finish("FAILED", error=error)
        else:
            self._later(execution, _RETRY_AFTER)

    def _later(self, execution: DurableExecution, seconds: float) -> None:
        execution.owed, execution.retry_at = True, self._lambda.clock.now() + seconds

    # Other functions

    async def _chain(
        self, execution: DurableExecution, operation: str, options: api.ChainedInvokeOptions, payload: str | None
    ) -> None:
        """Invoke a function for an execution, as its role: as an execution of its own where the function is durable."""
        request = api.InvocationRequest(
            function_name=options.function_name, payload=(payload or "{}").encode(), tenant_id=options.tenant_id
        )
        try:
            call = await self._as_function(execution, options.x_amzn_trace_id or execution.trace)
            reference, target = await targets.chained(self._lambda, execution, options.function_name)
            if target.durable:
                request.invocation_type = "DryRun"
                await self._lambda.calls.run(call, "lambda", "Invoke", request)
                await self._begin_child(execution, operation, reference, target, call.trace, payload)
                return
            answer: api.InvocationResponse = await self._lambda.calls.run(call, "lambda", "Invoke", request)
            ending = _ending(answer)
        except AwsError as error:
            ending = Ending("FAILED", error=_api_error(error))
        await self._end_chained(execution.arn, operation, ending)

    async def _as_function(self, execution: DurableExecution, trace: str) -> Call:
        """A call that the execution's function makes."""
        lambda_, key = self._lambda, execution.key
        target = await ready_target(lambda_, Reference(key, execution.version))
        role = target.version.configuration.role or ""
        credentials = await lambda_.credentials.get(key, target.version.deployment, role)
        return Call(key.account, key.region, credentials.principal, new_id(), source_arn=key.arn, trace=trace)

    async def _begin_child(
        self,
        parent: DurableExecution,
        operation: str,
        reference: Reference,
        target: Target,
        trace: str,
        payload: str | None,
    ) -> None:
        child = targets.new_execution(
            reference,
            target,
            name=targets.child_name(parent, operation),
            now=self._lambda.clock.now(),
            trace=trace,
            parent=(parent.arn, operation),
        )
        async with self._lambda.db.transaction() as tx:
            if await self.store.named(child.key, child.name, tx) is not None:
                return  # it was begun before a crash
            ledger = Ledger(self.store, tx, child, child.started)
            await ledger.begin(payload or "{}")
            await ledger.save()
        self.wake(child.arn)

    async def _tell_parent(self, child: DurableExecution) -> None:
        assert child.parent is not None
        status = child.status if child.status in ("SUCCEEDED", "TIMED_OUT", "STOPPED") else "FAILED"
        await self._end_chained(child.parent.arn, child.parent.operation, Ending(status, child.result, child.error))

    async def _end_chained(self, arn: str, operation: str, ending: Ending) -> None:
        async with self.change(arn) as ledger:
            if ledger is not None and ledger.execution.open:
                held = await ledger.operation(operation)
                if held is not None and held.operation.status == "STARTED":
                    await ledger.end_operation(held, ending)

    async def _invoke_again(self, arn: str) -> None:
        """After a crash: functions that an execution waits for, whose invocations died with the node."""
        execution = await self.store.execution(arn)
        assert execution is not None
        for held in await self.store.chained(arn):
            assert held.update is not None
            assert held.update.chained_invoke_options is not None
            target = targets.chained_reference(execution.key, held.update.chained_invoke_options.function_name)
            child = await self.store.named(target.key, targets.child_name(execution, held.operation.id))
            if child is None:
                self.invoke_chained(execution, [held])
            elif not child.open:
                await self._tell_parent(child)


def _in_event(operation: api.Operation) -> dict[str, Any]:
    """An operation as an invocation's event has it: moments are milliseconds there."""
    document: dict[str, Any] = msgspec.to_builtins(operation)
    for place in (document, document.get("StepDetails"), document.get("WaitDetails")):
        for name in ("StartTimestamp", "EndTimestamp", "NextAttemptTimestamp", "ScheduledEndTimestamp"):
            if place and name in place:
                place[name] = int(place[name] * 1000)
    return document


def _ending(answer: api.InvocationResponse) -> Ending:
    """What came back from a function that is not durable."""
    payload = answer.payload or b""
    if answer.function_error:
        return Ending("FAILED", error=error_object(payload))
    if len(payload) > MAX_CHAINED_PAYLOAD:
        message = f"CHAINED_INVOKE output payload size must be less than or equal to {MAX_CHAINED_PAYLOAD} bytes."
        return Ending("FAILED", error=api.ErrorObject(error_message=message))
    return Ending("SUCCEEDED", result=payload.decode())


def _api_error(error: AwsError) -> api.ErrorObject:
    return api.ErrorObject(error_message=str(error), error_type=error.code)


def _invalid_output(message: str) -> api.ErrorObject:
    return api.ErrorObject(error_message=message, error_type="InvalidParameterValueException")
