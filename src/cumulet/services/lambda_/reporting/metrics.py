"""What is measured of functions: points of a minute for CloudWatch, and use for the bill. Counted in memory, written in rounds.

A node that is killed loses what the last round had not written: at most ten seconds of counts, never an event.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from cumulet.kernel.clock import Clock
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.names import FunctionKey
from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.services.lambda_.targets import Target

log = logging.getLogger(__name__)

SCHEMA = (
    """CREATE TABLE lambda_metric (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, resource TEXT NOT NULL, version TEXT NOT NULL,
        metric TEXT NOT NULL, minute BIGINT NOT NULL, samples BIGINT NOT NULL, total DOUBLE PRECISION NOT NULL,
        least DOUBLE PRECISION NOT NULL, most DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (account, region, metric, name, minute, resource, version))""",
    "CREATE INDEX lambda_metric_minute ON lambda_metric (minute)",
    """CREATE TABLE lambda_usage (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, architecture TEXT NOT NULL, kind TEXT NOT NULL,
        day TEXT NOT NULL, amount DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (account, region, name, architecture, kind, day))""",
)
_ROUND = 10.0
_KEPT_MINUTES = 15 * 24 * 60
"""As long as CloudWatch keeps points of a minute."""
_PRUNE_EVERY = 360
_SERIES = 10_000


class Point(NamedTuple):
    """One minute of a metric: when it began (seconds since 1970), how many values, their sum, the least and the most."""

    time: float
    samples: int
    total: float
    least: float
    most: float


class Use(NamedTuple):
    """What a function used on a day. Kinds: requests; compute, provisioned-compute, provisioned and storage in GB-seconds;
    streamed in bytes."""

    account: str
    region: str
    name: str
    architecture: str
    kind: str
    day: str
    amount: float


class Series:
    """What is measured of one function as it is called (by `resource`: the name, or name:qualifier), in this minute.

    `add` and `use` belong to the path of every call: they touch nothing but this.
    """

    __slots__ = ("_dirty", "architecture", "durations", "failures", "key", "resource", "stats", "used", "version")

    def __init__(
        self, key: FunctionKey, resource: str, version: str, architecture: str, dirty: "dict[Series, None]"
    ) -> None:
        self.key = key
        self.resource = resource
        self.version = version
        self.architecture = architecture
        self.stats: dict[str, list[float]] = {}
        self.used: dict[str, float] = {}
        self.durations: list[float] = []
        self.failures = 0
        self._dirty = dirty

    def ran(self, milliseconds: float, failed: bool) -> None:
        """Count an invocation, as briefly as can be: most of what is measured is this."""
        if not self.durations:
            self._dirty[self] = None
        self.durations.append(milliseconds)
        if failed:
            self.failures += 1

    def add(self, metric: str, value: float = 1.0) -> None:
        """Count a value."""
        stat = self.stats.get(metric)
        if stat is None:
            self.stats[metric] = [1, value, value, value]
            self._dirty[self] = None
            return
        stat[0] += 1
        stat[1] += value
        if value < stat[2]:
            stat[2] = value
        if value > stat[3]:
            stat[3] = value

    def use(self, kind: str, amount: float) -> None:
        """Count for the bill."""
        self.used[kind] = self.used.get(kind, 0.0) + amount
        self._dirty[self] = None

    def take(self) -> tuple[dict[str, list[float]], dict[str, float]]:
        """What was counted, which begins anew: statistics (samples, sum, least, most) by metric, and use by kind."""
        stats, used, durations = self.stats, self.used, self.durations
        if durations:
            count, failures = len(durations), self.failures
            stats["Invocations"] = [count, count, 1, 1]
            stats["Errors"] = [count, failures, int(failures == count), int(failures > 0)]
            stats["Duration"] = [count, sum(durations), min(durations), max(durations)]
            used["requests"] = float(count)
        self.stats, self.used, self.durations, self.failures = {}, {}, [], 0
        return stats, used


class Metrics:
    """All series of a node, written in rounds. `sample` is called before each, for what is measured by looking."""

    def __init__(self, db: Database, clock: Clock, tasks: Tasks) -> None:
        self._db = db
        self._clock = clock
        self._tasks = tasks
        self._series: dict[tuple[FunctionKey, str, str, str], Series] = {}
        self._dirty: dict[Series, None] = {}
        self._late: list[tuple[Series, int, dict[str, list[float]], dict[str, float]]] = []
        self._since = clock.now()
        self._writing = asyncio.Lock()
        self.sample: Callable[[float], None] = lambda _: None

    async def start(self) -> None:
        await self._db.migrate("lambda_metrics", SCHEMA)
        self._tasks.start("lambda metrics", self._work())

    def series(self, key: FunctionKey, resource: str, version: str = "", architecture: str = "x86_64") -> Series:
        """`resource` is the function's name, or name:qualifier where it was called with one; "" for the whole account."""
        place = (key, resource, version, architecture)
        series = self._series.get(place)
        if series is None:
            if len(self._series) >= _SERIES:
                self._series.clear()
            series = self._series[place] = Series(key, resource, version, architecture, self._dirty)
        return series

    def of(self, target: "Target", qualifier: str | None) -> Series:
        """Of a version as it was called, by its qualifier."""
        series = target.series.get(qualifier)
        if series is None:
            resource = target.key.name if qualifier is None else f"{target.key.name}:{qualifier}"
            architectures = target.version.configuration.architectures or ["x86_64"]
            version = target.version.number if qualifier is not None else ""
            series = target.series[qualifier] = self.series(target.key, resource, version, architectures[0])
        return series

    def count_pool(self, target: "Target", running: int) -> None:
        """Note how many invocations share the unreserved concurrency of the target's account."""
        series = target.series.get("")
        if series is None:
            key = FunctionKey(target.key.account, target.key.region, "")
            series = target.series[""] = self.series(key, "")
        series.add("UnreservedConcurrentExecutions", running)

    async def flush(self) -> None:
        """Write what waits."""
        async with self._writing:
            self._take()
            waiting, self._late = self._late, []
            if not waiting:
                return
            try:
                async with self._db.transaction() as tx:
                    for series, minute, stats, used in waiting:
                        await _write(tx, series, minute, stats, used)
            except BaseException:
                self._late = waiting + self._late
                raise

    async def points(self, key: FunctionKey, metric: str, start: float, end: float, resource: str = "") -> list[Point]:
        """The minutes of a metric that begin between two times, in order.

        Of one function, or of all those of an account and region (`key.name` empty); `resource` (name:qualifier) narrows it
        to what was called so.
        """
        await self.flush()
        sql = """SELECT minute, SUM(samples), SUM(total), MIN(least), MAX(most) FROM lambda_metric
                 WHERE account = $1 AND region = $2 AND metric = $3 AND name = $4 AND minute >= $5 AND minute < $6
                 AND ($7 = '' OR resource = $7) GROUP BY minute ORDER BY minute"""
        args = (key.account, key.region, metric, key.name, start / 60, end / 60, resource)
        rows = await self._db.read(sql, args)
        return [Point(row[0] * 60.0, int(row[1]), float(row[2]), float(row[3]), float(row[4])) for row in rows]

    async def names(self, account: str, region: str) -> list[tuple[str, str, str, str]]:
        """What there are points of: metric, function ("" for all of them), resource and executed version."""
        await self.flush()
        sql = """SELECT DISTINCT metric, name, resource, version FROM lambda_metric
                 WHERE account = $1 AND region = $2 ORDER BY metric, name, resource, version"""
        return [(row[0], row[1], row[2], row[3]) for row in await self._db.read(sql, (account, region))]

    async def usage(self, since: str = "", name: str = "") -> list[Use]:
        """What functions used, from a day on (YYYY-MM-DD), by function and day."""
        await self.flush()
        sql = """SELECT account, region, name, architecture, kind, day, amount FROM lambda_usage
                 WHERE day >= $1 AND ($2 = '' OR name = $2)
                 ORDER BY account, region, name, architecture, day, kind"""
        return [Use(*row) for row in await self._db.read(sql, (since, name))]

    async def _work(self) -> None:
        rounds = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(min(_ROUND, 60.01 - self._clock.now() % 60))  # none reaches over a minute's end
            rounds += 1
            try:
                self.sample(loop.time() - began)
                await self.flush()
                if rounds % _PRUNE_EVERY == 0:
                    oldest = int(self._clock.now() // 60) - _KEPT_MINUTES
                    await self._db.write("DELETE FROM lambda_metric WHERE minute < $1", (oldest,))
            except Exception:
                log.exception("measurements could not be written; again in %.0f s", _ROUND)

    def _take(self) -> None:
        """Set what was counted aside for writing. It counts for the minute the round began in."""
        now = self._clock.now()
        minute = int(max(self._since, now - _ROUND) // 60)
        self._since = now
        for series in self._dirty:
            self._late.append((series, minute, *series.take()))
        self._dirty.clear()


async def _write(
    tx: Transaction, series: Series, minute: int, stats: dict[str, list[float]], used: dict[str, float]
) -> None:
    key = series.key
    for metric, (samples, total, least, most) in stats.items():
        await tx.write(
            """INSERT INTO lambda_metric
               (account, region, name, resource, version, metric, minute, samples, total, least, most)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
               ON CONFLICT (account, region, metric, name, minute, resource, version) DO UPDATE SET
               samples = lambda_metric.samples + $8, total = lambda_metric.total + $9,
               least = CASE WHEN lambda_metric.least < $10 THEN lambda_metric.least ELSE $10 END,
               most = CASE WHEN lambda_metric.most > $11 THEN lambda_metric.most ELSE $11 END""",
            (*key, series.resource, series.version, metric, minute, int(samples), total, least, most),
        )
    day = datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%d")
    for kind, amount in used.items():
        await tx.write(
            """INSERT INTO lambda_usage (account, region, name, architecture, kind, day, amount)
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, region, name, architecture, kind, day)
               DO UPDATE SET amount = lambda_usage.amount + $7""",
            (*key, series.architecture, kind, day, amount),
        )
