"""Those who wait for executions to end, and what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from cumulet.services.stepfunctions.engine.frames import Run
from cumulet.services.stepfunctions.engine.ports import Ended, Status
from cumulet.services.stepfunctions.engine.store import Record


class Ends:
    """Futures of executions' ends, by ARN."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[Ended]]] = {}

    @contextmanager
    def of(self, arn: str) -> Iterator[asyncio.Future[Ended]]:
        """The end of an execution, for as long as somebody waits."""
        future: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(arn, []).append(future)
        try:
            yield future
        finally:
            waiting = self._waiting.get(arn)
            if waiting is not None and future in waiting:
                waiting.remove(future)
                if not waiting:
                    del self._waiting[arn]

    def tell(self, run: Run) -> None:
        """It has ended."""
        for future in self._waiting.pop(run.facts.arn, ()):
            if not future.done():
                future.set_result(ended_of(run))


def ended_of(run: Run) -> Ended:
    facts = run.facts
    assert run.stopped is not None
    return Ended(
        arn=facts.arn,
        name=facts.name,
        machine_arn=facts.machine_arn,
        status=run.status,
        started=facts.started,
        stopped=run.stopped,
        input=run.text,
        output=run.output,
        error=run.error,
        cause=run.cause,
    )


def ended_of_record(record: Record) -> Ended:
    assert record.stopped is not None
    return Ended(
        arn=record.arn,
        name=record.name,
        machine_arn=record.machine,
        status=cast("Status", record.status),
        started=record.started,
        stopped=record.stopped,
        input=record.input,
        output=record.output,
        error=record.error,
        cause=record.cause,
    )
