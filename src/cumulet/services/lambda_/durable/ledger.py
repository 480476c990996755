"""One execution inside a transaction: what changes its operations, each change with its event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.services.lambda_.durable import history
from cumulet.services.lambda_.durable.model import (
    PAUSED,
    PAUSING,
    DurableExecution,
    Held,
    Pause,
    callback_id,
)
from cumulet.services.lambda_.durable.store import DurableStore
from cumulet.storage.database import Transaction


class Ending(NamedTuple):
    """How an operation ends that the handler does not end itself."""

    status: str
    result: str | None = None
    error: api.ErrorObject | None = None


class Ledger:
    """Reads and writes one execution; `save` must be called at the end."""

    def __init__(self, store: DurableStore, tx: Transaction, execution: DurableExecution, now: float) -> None:
        self.execution = execution
        self._store = store
        self._tx = tx
        self._now = now

    async def save(self) -> None:
        await self._store.save(self._tx, self.execution)

    async def known(self, updates: Sequence[api.OperationUpdate]) -> dict[str, Held]:
        """The operations that updates name, their parents included."""
        ids = {update.id for update in updates} | {update.parent_id for update in updates if update.parent_id}
        return await self._store.operations(self.execution.arn, sorted(ids), self._tx)

    async def operation(self, id: str) -> Held | None:
        return (await self._store.operations(self.execution.arn, [id], self._tx)).get(id)

    async def awaits(self) -> bool:
        """Whether anything will change without the handler."""
        return await self._store.awaits(self.execution.arn, self._tx)

    async def unseen(self) -> list[api.Operation]:
        """What changed since the handler was last told; it counts as told now."""
        held = await self._store.touched(self.execution.arn, self.execution.seen, self._tx)
        self.execution.seen = self.execution.sequence
        return [one.operation for one in held]

    async def begin(self, payload: str) -> None:
        """The execution itself is the first of its operations."""
        execution = self.execution
        operation = api.Operation(
            id=execution.id,
            name=execution.name,
            type="EXECUTION",
            start_timestamp=execution.started,
            status="STARTED",
            execution_details=api.ExecutionDetails(input_payload=payload),
        )
        execution.operations = 1
        await self._keep(Held(operation=operation, position=0, touched=0))
        await self._record(history.execution_started(execution, payload))

    async def apply(self, updates: Sequence[api.OperationUpdate], known: dict[str, Held]) -> list[Held]:
        """Make the handler's updates, which have been checked. Gives the functions to invoke."""
        chained = []
        for update in updates:
            if update.type == "EXECUTION":
                failed = update.action == "FAIL"
                await self.finish("FAILED" if failed else "SUCCEEDED", update.payload, update.error)
                break
            held = await self._update(update, known.get(update.id))
            known[update.id] = held
            if update.type == "CHAINED_INVOKE":
                chained.append(held)
        return chained

    async def fire(self) -> bool:
        """Do what is due: waits end, steps may be tried again, callbacks and the execution time out."""
        execution = self.execution
        if execution.deadline is not None and execution.deadline <= self._now:
            await self.finish("TIMED_OUT", error=api.ErrorObject(error_message="Execution timed out."))
            return True
        due = await self._store.due_operations(execution.arn, self._now, self._tx)
        for held in due:
            await self._fire(held)
        return bool(due)

    async def end_operation(self, held: Held, ending: Ending) -> None:
        """An operation ends without the handler, which is then owed an invocation."""
        operation = replace(held.operation, status=ending.status, end_timestamp=self._now)
        if operation.callback_details is not None:
            details = replace(operation.callback_details, result=ending.result, error=ending.error)
            operation = replace(operation, callback_details=details)
        elif operation.type == "CHAINED_INVOKE":
            operation = replace(
                operation,
                chained_invoke_details=api.ChainedInvokeDetails(result=ending.result, error=ending.error),
            )
        await self._touch(replace(held, operation=operation, due=None, update=None), owed=True)
        await self._record(history.operation_ended(operation, self._now, ending.result, ending.error))

    async def heartbeat(self, held: Held) -> None:
        """A callback has been heard of."""
        if held.heartbeat:
            beat = self._now + held.heartbeat
            due = beat if held.expires is None else min(beat, held.expires)
            await self._keep(replace(held, due=due))

    async def finish(self, status: str, result: str | None = None, error: api.ErrorObject | None = None) -> None:
        """The execution ends."""
        execution = self.execution
        execution.finish(status, self._now, result, error)
        [held] = (await self._store.operations(execution.arn, [execution.id], self._tx)).values()
        await self._keep(replace(held, operation=replace(held.operation, status=status, end_timestamp=self._now)))
        await self._record(history.execution_ended(execution))

    async def invoked(self, start: float, request_id: str, failure: api.ErrorObject | None) -> None:
        """An invocation of the handler has ended."""
        await self._record(history.invocation_completed(start, self._now, request_id, failure))

    async def pause(self, reason: str | None, *, stop_timeout: bool) -> None:
        execution = self.execution
        left = None
        if stop_timeout and execution.deadline is not None:
            left, execution.deadline = execution.deadline - self._now, None
        execution.pause = Pause(self._now, reason, left)
        execution.status = PAUSING if execution.invocation else PAUSED
        await self._record(history.execution_paused(execution, reason, timeout_paused=stop_timeout, at=self._now))

    async def resume(self, reason: str | None) -> None:
        execution = self.execution
        if execution.pause is not None and execution.pause.left is not None:
            execution.deadline = self._now + execution.pause.left
        execution.pause, execution.status = None, "RUNNING"
        await self._record(history.execution_resumed(execution, reason, self._now))

    # One operation

    async def _update(self, update: api.OperationUpdate, held: Held | None) -> Held:
        if held is None:
            operation = api.Operation(
                id=update.id,
                parent_id=update.parent_id,
                name=update.name,
                type=update.type,
                sub_type=update.sub_type,
                start_timestamp=self._now,
                status="STARTED",
            )
            held = Held(operation=operation, position=self.execution.operations, touched=0)
            self.execution.operations += 1
        if update.action == "START":
            return await self._start(update, held)
        if update.action == "RETRY":
            return await self._retry(update, held)
        if update.action == "CANCEL":
            cancelled = replace(held.operation, status="CANCELLED", end_timestamp=self._now)
            held = await self._touch(replace(held, operation=cancelled, due=None))
            await self._record(history.operation_ended(cancelled, self._now, failure=update.error))
            return held
        return await self._close(update, held)

    async def _start(self, update: api.OperationUpdate, held: Held) -> Held:
        operation = replace(held.operation, status="STARTED")
        due = expires = heartbeat = kept = None
        match update.type:
            case "STEP":
                attempt = (operation.step_details and operation.step_details.attempt) or 0
                operation.step_details = api.StepDetails(attempt=attempt)
            case "WAIT":
                assert update.wait_options is not None
                due = self._now + (update.wait_options.wait_seconds or 0)
                operation.wait_details = api.WaitDetails(scheduled_end_timestamp=due)
            case "CALLBACK":
                options = update.callback_options or api.CallbackOptions()
                expires = self._now + options.timeout_seconds if options.timeout_seconds else None
                heartbeat = options.heartbeat_timeout_seconds or None
                moments = [expires, self._now + heartbeat if heartbeat else None]
                due = min((moment for moment in moments if moment is not None), default=None)
                operation.callback_details = api.CallbackDetails(
                    callback_id=callback_id(self.execution.arn, operation.id)
                )
            case "CHAINED_INVOKE":
                operation.chained_invoke_details = api.ChainedInvokeDetails()
                kept = update
            case _:
                operation.context_details = api.ContextDetails(replay_children=False)
        held = replace(held, operation=operation, due=due, expires=expires, heartbeat=heartbeat, update=kept)
        held = await self._touch(held)
        await self._record(history.operation_started(operation, update, self._now))
        return held

    async def _retry(self, update: api.OperationUpdate, held: Held) -> Held:
        assert update.step_options is not None
        delay = update.step_options.next_attempt_delay_seconds or 0
        due = self._now + delay
        attempt = ((held.operation.step_details and held.operation.step_details.attempt) or 0) + 1
        details = api.StepDetails(
            attempt=attempt, next_attempt_timestamp=due, result=update.payload, error=update.error
        )
        operation = replace(held.operation, status="PENDING", step_details=details)
        held = await self._touch(replace(held, operation=operation, due=due))
        await self._record(history.step_ended(operation, self._now, update.error, update.payload, delay))
        return held

    async def _close(self, update: api.OperationUpdate, held: Held) -> Held:
        status = "SUCCEEDED" if update.action == "SUCCEED" else "FAILED"
        operation = replace(held.operation, status=status, end_timestamp=self._now)
        if update.type == "STEP":
            attempt = ((operation.step_details and operation.step_details.attempt) or 0) + 1
            operation.step_details = api.StepDetails(attempt=attempt, result=update.payload, error=update.error)
        else:
            options = update.context_options
            operation.context_details = api.ContextDetails(
                replay_children=bool(options and options.replay_children), result=update.payload, error=update.error
            )
        held = await self._touch(replace(held, operation=operation, due=None))
        if update.type == "STEP":
            event = history.step_ended(operation, self._now, update.error, update.payload, None)
        else:
            event = history.operation_ended(operation, self._now, update.payload, update.error)
        await self._record(event)
        return held

    async def _fire(self, held: Held) -> None:
        operation = held.operation
        if operation.type == "STEP":
            assert operation.step_details is not None
            details = replace(operation.step_details, next_attempt_timestamp=None)
            ready = replace(operation, status="READY", step_details=details)
            await self._touch(replace(held, operation=ready, due=None), owed=True)
        elif operation.type == "WAIT":
            await self.end_operation(held, Ending("SUCCEEDED"))
        else:
            expired = held.expires is not None and held.expires <= self._now
            error = api.ErrorObject(
                error_message="Callback timed out" if expired else "Callback timed out on heartbeat",
                error_type="Callback.Timeout" if expired else "Callback.Heartbeat",
            )
            await self.end_operation(held, Ending("TIMED_OUT", error=error))

    async def _touch(self, held: Held, *, owed: bool = False) -> Held:
        """Write a changed operation down, and that it changed."""
        self.execution.sequence += 1
        held = replace(held, touched=self.execution.sequence)
        await self._keep(held)
        if owed:
            self.execution.owed = True
        return held

    async def _keep(self, held: Held) -> None:
        await self._store.put_operation(self._tx, self.execution.arn, held)

    async def _record(self, event: api.Event) -> None:
        self.execution.events += 1
        event = replace(event, event_id=self.execution.events)
        self.execution.size += len(msgspec.json.encode(event))
        await self._store.add_event(self._tx, self.execution.arn, event)
