"""What executions use, for the bill: counted in memory, written in rounds.

A node that is killed loses what the last round had not written: at most ten seconds of counts, never an event.
https://aws.amazon.com/step-functions/pricing/
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from datetime import UTC, datetime
from typing import NamedTuple

from cumulet.kernel.clock import Clock
from cumulet.services.stepfunctions.engine.ports import Facts
from cumulet.storage.database import Database

log = logging.getLogger(__name__)

SCHEMA = (
    """CREATE TABLE sfn_usage (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, day TEXT NOT NULL,
        amount DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, region, name, kind, day))""",
)
TRANSITIONS = "transitions"
EXPRESS_REQUESTS = "express-requests"
EXPRESS_COMPUTE = "express-compute"
_ROUND = 10.0
_STEP = 0.1
"""Seconds in which Express executions are billed, each begun one whole."""
_GIGABYTES = 64 / 1024
"""Memory that is billed for one: AWS counts in blocks of 64 MB, and ours take less."""


class Use(NamedTuple):
    """What a machine used on a day (YYYY-MM-DD): transitions and Express requests in numbers, Express compute in GB-seconds."""

    account: str
    region: str
    name: str
    kind: str
    day: str
    amount: float


class Usage:
    """Of all machines. States that are entered, attempts that are made again, redrives, and children of distributed Maps are
    transitions of Standard executions."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._counts: defaultdict[tuple[str, str, str, str], float] = defaultdict(float)

    def transitions(self, facts: Facts, count: int) -> None:
        """So many more were made."""
        if not facts.express:
            self._counts[facts.account, facts.region, facts.version.name, TRANSITIONS] += count

    def ended(self, facts: Facts, stopped: float | None) -> None:
        """An Express execution has ended."""
        if stopped is not None:
            seconds = max(_STEP, -(-(stopped - facts.started) // _STEP) * _STEP)
            self._counts[facts.account, facts.region, facts.version.name, EXPRESS_REQUESTS] += 1
            self._counts[facts.account, facts.region, facts.version.name, EXPRESS_COMPUTE] += seconds * _GIGABYTES

    async def listed(self, since: str = "", name: str = "") -> list[Use]:
        """From a day on, of all machines or those of a name."""
        await self.flush()
        rows = await self._db.read(
            "SELECT account, region, name, kind, day, amount FROM sfn_usage WHERE day >= $1 AND ($2 = '' OR name = $2) "
            "ORDER BY account, region, name, day, kind",
            (since, name),
        )
        return [Use(*row) for row in rows]

    async def flush(self) -> None:
        """Write what waits."""
        counts, self._counts = self._counts, defaultdict(float)
        if not counts:
            return
        day = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%d")
        statement = (
            "INSERT INTO sfn_usage (account, region, name, kind, day, amount) VALUES ($1, $2, $3, $4, $5, $6) "
            "ON CONFLICT (account, region, name, kind, day) DO UPDATE SET amount = sfn_usage.amount + $6"
        )
        try:
            await self._db.write_all([(statement, (*place, day, amount)) for place, amount in counts.items()])
        except BaseException:
            for place, amount in counts.items():
                self._counts[place] += amount
            raise

    async def work(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(_ROUND)
            try:
                await self.flush()
            except Exception:
                log.exception("what executions used could not be written; again in %.0f s", _ROUND)
