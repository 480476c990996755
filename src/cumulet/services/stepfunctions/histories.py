"""GetExecutionHistory: the events of a Standard execution."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call
from cumulet.services.stepfunctions.arns import parse
from cumulet.services.stepfunctions.engine import journal
from cumulet.services.stepfunctions.engine.engine import no_such_execution
from cumulet.services.stepfunctions.engine.store import Record
from cumulet.services.stepfunctions.machines import pages
from cumulet.services.stepfunctions.state import StepFunctions


async def get_execution_history(
    state: StepFunctions, call: Call, request: api.GetExecutionHistoryInput
) -> api.GetExecutionHistoryOutput:
    parse(request.execution_arn, "execution")
    record = await state.engine.store.find(request.execution_arn)
    if record is None or record.region != call.region:
        raise no_such_execution(request.execution_arn)
    size = pages.size(request.max_results)
    last = await _last(state, record)
    texts = request.include_execution_data is not False
    after = pages.after_in(f"history {record.number}", request.next_token)
    if request.reverse_order:
        high = int(after) - 1 if after else last
        low = max(1, high - size + 1)
    else:
        low = int(after) + 1 if after else 1
        high = min(last, low + size - 1)
    chunks = await state.engine.store.chunks_with(record.number, low, high)
    entries = [entry for chunk in chunks for entry in journal.decode(chunk) if entry.id and low <= entry.id <= high]
    if request.reverse_order:
        entries.reverse()
    more = low > 1 if request.reverse_order else high < last
    token = pages.token_of(f"history {record.number}", str(low if request.reverse_order else high)) if more else None
    return api.GetExecutionHistoryOutput(events=[_event(entry, texts) for entry in entries], next_token=token)


async def _last(state: StepFunctions, record: Record) -> int:
    """The id of the newest event."""
    run = state.engine.runs.get(record.number)
    if record.stopped is not None:
        return record.last_event
    if run is not None:
        return run.durable
    return await state.engine.store.last_event(record.number)


def _event(entry: journal.Entry, texts: bool) -> api.HistoryEvent:
    event: dict[str, Any] = {
        "timestamp": entry.at,
        "type": entry.type,
        "id": entry.id,
        "previousEventId": entry.previous,
    }
    found = journal.details(entry, texts)
    if found is not None:
        event[found[0]] = found[1]
    return msgspec.convert(event, api.HistoryEvent)
