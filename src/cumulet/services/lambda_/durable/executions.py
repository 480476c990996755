"""Operations on durable executions."""

from __future__ import annotations

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.durable import history, targets
from cumulet.services.lambda_.durable.checks import check
from cumulet.services.lambda_.durable.engine import Engine
from cumulet.services.lambda_.durable.ledger import Ledger
from cumulet.services.lambda_.durable.model import (
    OPEN,
    DurableExecution,
    LastCheckpoint,
    whereabouts,
)
from cumulet.services.lambda_.errors import conflict, invalid, not_found
from cumulet.services.lambda_.names import refer
from cumulet.services.lambda_.state import Lambda

_PAGE = 100
_BAD_TOKEN = "Invalid checkpoint token"  # noqa: S105  a message
_MOST_OPERATIONS = 3_000
_MOST_BYTES = 100 * 1024 * 1024


async def checkpoint_durable_execution(
    lambda_: Lambda, call: Call, request: api.CheckpointDurableExecutionRequest
) -> api.CheckpointDurableExecutionResponse:
    """Keep what a handler did, and tell it what else has changed."""
    engine, updates = lambda_.durable, request.updates or []
    arn = _own(call, request.durable_execution_arn)
    chained = []
    async with engine.change(arn) as ledger:
        if ledger is None:
            raise invalid(_BAD_TOKEN)
        execution = ledger.execution
        last = execution.last
        if last is not None and (last.client_token, last.token) == (request.client_token, request.checkpoint_token):
            return last.answer
        if not execution.accepts(request.checkpoint_token):
            raise invalid(_BAD_TOKEN)
        known = await ledger.known(updates)
        _check_quotas(execution, updates)
        check(execution, updates, known)
        for update in updates:
            if update.type == "CHAINED_INVOKE" and update.chained_invoke_options is not None:
                targets.chained_reference(execution.key, update.chained_invoke_options.function_name)
        chained = await ledger.apply(updates, known)
        answer = await _answer(ledger, request)
    engine.invoke_chained(execution, chained)
    return answer


async def _answer(
    ledger: Ledger, request: api.CheckpointDurableExecutionRequest
) -> api.CheckpointDurableExecutionResponse:
    execution = ledger.execution
    if not execution.open:
        return api.CheckpointDurableExecutionResponse(
            new_execution_state=api.CheckpointUpdatedExecutionState(operations=[])
        )
    await ledger.fire()
    if execution.pause is not None or not execution.open:
        # Without a token the handler stops; it is invoked again when the execution goes on.
        execution.owed = execution.open
        return api.CheckpointDurableExecutionResponse(
            new_execution_state=api.CheckpointUpdatedExecutionState(operations=[])
        )
    execution.token += 1
    execution.owed = False  # it is told of everything here
    answer = api.CheckpointDurableExecutionResponse(
        checkpoint_token=execution.checkpoint_token(),
        new_execution_state=api.CheckpointUpdatedExecutionState(operations=await ledger.unseen()),
    )
    if request.client_token is not None:
        execution.last = LastCheckpoint(request.client_token, request.checkpoint_token, answer)
    return answer


async def get_durable_execution_state(
    lambda_: Lambda, call: Call, request: api.GetDurableExecutionStateRequest
) -> api.GetDurableExecutionStateResponse:
    engine = lambda_.durable
    execution = await engine.store.execution(_own(call, request.durable_execution_arn))
    if execution is None or not execution.accepts(request.checkpoint_token):
        raise invalid(_BAD_TOKEN)
    after = _number(request.marker, -1)
    operations, marker = await engine.state_page(execution.arn, after, request.max_items or _PAGE)
    return api.GetDurableExecutionStateResponse(operations=operations, next_marker=marker)


async def get_durable_execution(
    lambda_: Lambda, call: Call, request: api.GetDurableExecutionRequest
) -> api.GetDurableExecutionResponse:
    engine = lambda_.durable
    execution = await _find(engine, call, request.durable_execution_arn)
    included = request.include_execution_data is not False
    [first] = await engine.store.page(execution.arn, -1, 1)
    details = first.operation.execution_details
    answer = api.GetDurableExecutionResponse(
        durable_execution_arn=execution.arn,
        durable_execution_name=execution.name,
        function_arn=execution.function_arn,
        start_timestamp=execution.started,
        status=execution.status,
        end_timestamp=execution.ended,
        version=execution.version,
        execution_data_included=included,
        expected_execution_timeout_timestamp=execution.deadline if execution.open else None,
        durable_config=api.DurableConfig(
            kms_key_arn=execution.kms_key,
            retention_period_in_days=execution.retention,
            execution_timeout=execution.timeout or None,
        ),
    )
    if execution.trace:
        answer.trace_header = api.TraceHeader(x_amzn_trace_id=execution.trace)
    if execution.pause is not None:
        answer.pause_details = api.PauseDetails(
            pause_request_timestamp=execution.pause.requested,
            reason=execution.pause.reason,
            execution_timeout_paused=execution.pause.left is not None,
        )
    if included:
        answer.input_payload = details.input_payload if details is not None else None
        answer.result, answer.error = execution.result, execution.error
    return answer


async def get_durable_execution_history(
    lambda_: Lambda, call: Call, request: api.GetDurableExecutionHistoryRequest
) -> api.GetDurableExecutionHistoryResponse:
    engine = lambda_.durable
    execution = await _find(engine, call, request.durable_execution_arn)
    newest_first = bool(request.reverse_order)
    after = _number(request.marker, execution.events + 1 if newest_first else 0)
    limit = request.max_items or _PAGE
    events = await engine.store.events(execution.arn, after, limit + 1, newest_first=newest_first)
    page = events[:limit]
    if not request.include_execution_data:
        page = [history.without_data(event) for event in page]
    marker = str(page[-1].event_id) if len(events) > limit else None
    return api.GetDurableExecutionHistoryResponse(events=page, next_marker=marker)


async def list_durable_executions_by_function(
    lambda_: Lambda, call: Call, request: api.ListDurableExecutionsByFunctionRequest
) -> api.ListDurableExecutionsByFunctionResponse:
    reference = refer(call, request.function_name, request.qualifier)
    await lambda_.version(reference)
    limit = request.max_items or _PAGE
    found = await lambda_.durable.store.listed(
        reference.key,
        name=request.durable_execution_name,
        statuses=request.statuses or [],
        since=request.started_after or 0.0,
        until=request.started_before if request.started_before is not None else float(2**40),
        after=_place(request.marker),
        newest_first=bool(request.reverse_order),
        limit=limit + 1,
    )
    page = found[:limit]
    return api.ListDurableExecutionsByFunctionResponse(
        durable_executions=[
            api.Execution(
                durable_execution_arn=execution.arn,
                durable_execution_name=execution.name,
                function_arn=execution.function_arn,
                status=execution.status,
                start_timestamp=execution.started,
                end_timestamp=execution.ended,
                kms_key_arn=execution.kms_key,
            )
            for execution in page
        ],
        next_marker=f"{page[-1].started!r} {page[-1].arn}" if len(found) > limit else None,
    )


async def stop_durable_execution(
    lambda_: Lambda, call: Call, request: api.StopDurableExecutionRequest
) -> api.StopDurableExecutionResponse:
    """Stopping one that has ended answers when it did."""
    async with lambda_.durable.change(_own(call, request.durable_execution_arn)) as ledger:
        execution = _there(ledger, request.durable_execution_arn).execution
        if execution.open:
            assert ledger is not None
            error = request.error or api.ErrorObject(error_message="Execution stopped by user request")
            await ledger.finish("STOPPED", error=error)
    return api.StopDurableExecutionResponse(stop_timestamp=execution.ended or 0.0)


async def pause_durable_execution(
    lambda_: Lambda, call: Call, request: api.PauseDurableExecutionRequest
) -> api.PauseDurableExecutionResponse:
    async with lambda_.durable.change(_own(call, request.durable_execution_arn)) as ledger:
        found = _there(ledger, request.durable_execution_arn)
        _check_open(found.execution)
        if found.execution.pause is None:
            await found.pause(request.reason, stop_timeout=bool(request.execution_timeout_paused))
    return api.PauseDurableExecutionResponse()


async def resume_durable_execution(
    lambda_: Lambda, call: Call, request: api.ResumeDurableExecutionRequest
) -> api.ResumeDurableExecutionResponse:
    async with lambda_.durable.change(_own(call, request.durable_execution_arn)) as ledger:
        found = _there(ledger, request.durable_execution_arn)
        _check_open(found.execution)
        if found.execution.pause is not None:
            await found.resume(request.reason)
    return api.ResumeDurableExecutionResponse()


async def delete_durable_execution(
    lambda_: Lambda, call: Call, request: api.DeleteDurableExecutionRequest
) -> api.DeleteDurableExecutionResponse:
    engine = lambda_.durable
    execution = await _find(engine, call, request.durable_execution_arn)
    if execution.open:
        raise conflict(f"Cannot delete a durable execution in status {execution.status}: {execution.arn}")
    async with lambda_.db.transaction() as tx:
        await engine.store.remove(tx, execution.arn)
    return api.DeleteDurableExecutionResponse(deletion_request_timestamp=lambda_.clock.now())


def _own(call: Call, arn: str) -> str:
    """Raises ResourceNotFoundException for what is in another account or region."""
    key, _ = whereabouts(arn)
    if (key.account, key.region) != (call.account, call.region):
        raise _missing(arn)
    return arn


async def _find(engine: Engine, call: Call, arn: str) -> DurableExecution:
    execution = await engine.store.execution(_own(call, arn))
    if execution is None:
        raise _missing(arn)
    return execution


def _there(ledger: Ledger | None, arn: str) -> Ledger:
    if ledger is None:
        raise _missing(arn)
    return ledger


def _missing(arn: str) -> api.ResourceNotFoundException:
    return not_found(f"Durable execution not found: {arn}")


def _check_open(execution: DurableExecution) -> None:
    if execution.status not in OPEN:
        raise conflict(f"The durable execution has ended with status {execution.status}: {execution.arn}")


def _check_quotas(execution: DurableExecution, updates: list[api.OperationUpdate]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: operations and bytes of one execution."""
    if execution.operations + len(updates) > _MOST_OPERATIONS and any(update.action == "START" for update in updates):
        raise invalid(f"A durable execution may have {_MOST_OPERATIONS} operations.")
    size = sum(len((update.payload or "").encode()) for update in updates)
    if execution.size + size > _MOST_BYTES:
        raise invalid(f"The operations of a durable execution may hold {_MOST_BYTES} bytes.")


def _number(marker: str | None, first: int) -> int:
    if not marker:
        return first
    if not marker.isdecimal():
        raise invalid("Invalid marker")
    return int(marker)


def _place(marker: str | None) -> tuple[float, str] | None:
    if not marker:
        return None
    started, _, arn = marker.partition(" ")
    try:
        return float(started), arn
    except ValueError as error:
        raise invalid("Invalid marker") from error
