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

_MOST = 4 << 20
"""Characters that the texts of one answer's events have."""


async def get_execution_history(
    state: StepFunctions, call: Call, request: api.GetExecutionHistoryInput
) -> api.GetExecutionHistoryOutput:
    parse(request.execution_arn, "execution")
    record = await state.engine.store.find(request.execution_arn)
    if record is None or (record.account, record.region) != (call.account, call.region):
        raise no_such_execution(request.execution_arn)
    size = pages.size(request.max_results)
    last = await _last(state, record)
    texts = request.include_execution_data is not False
    after = pages.number_in(f"history {record.number}", request.next_token, 0)
    if request.reverse_order:
        high = after - 1 if after else last
        low = max(1, high - size + 1)
    else:
        low = after + 1
        high = min(last, low + size - 1)
    entries = await _page(state, record, low, high, bool(request.reverse_order), texts)
    end = entries[-1].id if entries else 0
    more = bool(entries) and (end > 1 if request.reverse_order else end < last)
    token = pages.token_of(f"history {record.number}", str(end)) if more else None
    return api.GetExecutionHistoryOutput(events=[_event(entry, texts) for entry in entries], next_token=token)


async def _page(
    state: StepFunctions, record: Record, low: int, high: int, backwards: bool, texts: bool
) -> list[journal.Entry]:
    """The events from `low` to `high`, or as many of them as an answer has room for."""
    found: list[journal.Entry] = []
    size = 0
    async for chunk in state.engine.store.chunks_with(record.number, low, high, backwards):
        entries = [entry for entry in journal.decode(chunk) if entry.id and low <= entry.id <= high]
        for entry in reversed(entries) if backwards else entries:
            size += len(entry.text or "") if texts else 0
            if found and size > _MOST:
                return found
            found.append(entry)
    return found


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
