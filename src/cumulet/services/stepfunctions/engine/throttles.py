"""How fast executions may begin and go on, where a node's owner wants AWS's limits to count.

https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

from __future__ import annotations

from collections.abc import Callable

from cumulet.kernel.errors import AwsError
from cumulet.services.stepfunctions.engine.ports import Facts
from cumulet.services.stepfunctions.limits import Limits


class _Bucket:
    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at

    def fill(self, size: float, rate: float, now: float) -> None:
        """What has come since it was looked at last; a clock that was set back gives nothing."""
        if now > self.at:
            self.tokens = min(size, self.tokens + (now - self.at) * rate)
        self.at = now


class Throttles:
    """Token buckets of an account and region, in memory. `now` is in seconds."""

    def __init__(self, now: Callable[[], float], limits: Limits) -> None:
        self._now = now
        self._limits = limits
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def start(self, account: str, region: str, type: str) -> None:
        """An execution is asked for. Raises ThrottlingException."""
        limits = self._limits
        size, rate = limits.start_bucket, limits.start_rate
        if type == "EXPRESS":
            size, rate = limits.express_start_bucket, limits.express_start_rate
        bucket = self._bucket((account, region, type), size, rate)
        if bucket.tokens < 1.0:
            raise AwsError("Rate exceeded", code="ThrottlingException")
        bucket.tokens -= 1.0

    def transitions(self, facts: Facts, most: int) -> tuple[int, float]:
        """How many states an execution may enter now, up to `most`, and in how many seconds it may.

        Where the bucket is empty one is granted ahead of time: so all who wait go on in the order in which they asked.
        Those of Express executions are not counted.
        """
        if facts.express:
            return most, 0.0
        rate = self._limits.transition_rate
        bucket = self._transitions(facts)
        granted = max(1, min(most, int(bucket.tokens)))
        bucket.tokens -= granted
        return granted, max(0.0, -bucket.tokens / rate)

    def spare(self, facts: Facts, count: int) -> None:
        """So many transitions that were granted were not made."""
        if not facts.express:
            self._transitions(facts).tokens += count

    def _transitions(self, facts: Facts) -> _Bucket:
        limits = self._limits
        place = (facts.account, facts.region, "transitions")
        return self._bucket(place, limits.transition_bucket, limits.transition_rate)

    def _bucket(self, place: tuple[str, str, str], size: float, rate: float) -> _Bucket:
        bucket = self._buckets.get(place)
        if bucket is None:
            bucket = self._buckets[place] = _Bucket(size, self._now())
        bucket.fill(size, rate, self._now())
        return bucket
