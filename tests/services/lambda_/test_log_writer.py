"""How lines reach CloudWatch Logs, which this file stands in for: in order, within its limits, and all of them at the end."""

import asyncio
from typing import Any

from msgspec import Struct

from cumulet.api import logs as api
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.clock import MovableClock
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.names import FunctionKey
from cumulet.services.lambda_.reporting.logs import LogStream, LogWriter

_ACCOUNT = "000000000000"


class _Logs:
    """`asked` once a batch has come; none is taken before `open`."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.asked, self.open = asyncio.Event(), asyncio.Event()

    async def run(self, call: Call, service: str, operation: str, request: Struct) -> Any:
        del call, service, operation
        if isinstance(request, api.PutLogEventsRequest):
            self.asked.set()
            await self.open.wait()
            self.batches.append([event.message for event in request.log_events])


def _writer(logs: _Logs, tasks: Tasks) -> tuple[LogWriter, LogStream]:
    writer = LogWriter(logs, MovableClock(), tasks, 1 << 26)
    key = FunctionKey(_ACCOUNT, "us-east-1", "f")
    return writer, writer.open_named("1", key, "group", "stream", Principal.root(_ACCOUNT))


def test_the_end_waits_for_what_is_being_written() -> None:
    asyncio.run(_end_while_writing())


async def _end_while_writing() -> None:
    logs, tasks = _Logs(), Tasks()
    writer, stream = _writer(logs, tasks)
    writer.start()
    writer.add(stream, "first")
    await asyncio.wait_for(logs.asked.wait(), 60)
    ending = asyncio.create_task(writer.flush())
    writer.add(stream, "second")
    await asyncio.sleep(0)
    logs.open.set()
    await asyncio.wait_for(ending, 60)
    await tasks.close()
    assert logs.batches == [["first"], ["second"]]


def test_batches_are_within_the_limits_and_in_order() -> None:
    asyncio.run(_write_many())


async def _write_many() -> None:
    logs = _Logs()
    logs.open.set()
    writer, stream = _writer(logs, Tasks())
    small = [str(number) for number in range(1000)]
    for texts in (small, ["\N{GRINNING FACE}" * 60_000 + text for text in small[:12]]):
        for text in texts:
            writer.add(stream, text)
        await writer.flush()
        assert [text for batch in logs.batches for text in batch] == texts
        assert all(sum(len(text.encode()) + 26 for text in batch) <= 1_048_576 for batch in logs.batches)
        assert all(len(batch) <= 10_000 for batch in logs.batches)
        logs.batches.clear()
