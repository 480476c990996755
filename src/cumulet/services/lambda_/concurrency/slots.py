"""Concurrency: how many invocations are under way, and who may start another.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html, .../scaling-behavior.html
"""

from typing import Any

from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.errors import throttled
from cumulet.services.lambda_.limits import Limits
from cumulet.services.lambda_.names import FunctionKey

_KEPT = 20_000


class _Bucket:
    """Tokens that come back with time; full at first."""

    __slots__ = ("last", "tokens")

    def __init__(self, size: float, now: float) -> None:
        self.tokens = size
        self.last = now

    def take(self, size: float, per_second: float, now: float) -> bool:
        """Take one if there is one. Size and speed are given each time, as they may be changed."""
        tokens = self.tokens + (now - self.last) * per_second
        if tokens > size:
            tokens = size
        self.last = now
        if tokens < 1.0:
            self.tokens = tokens
            return False
        self.tokens = tokens - 1.0
        return True


class Slots:
    """Counts of invocations under way on this node: by function, and in each account's unreserved pool.

    Times (`now`) are seconds of a clock that goes steadily, whatever the node's own clock shows.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._functions: dict[FunctionKey, int] = {}
        self._pools: dict[tuple[str, str], int] = {}
        self._requests: dict[tuple[str, ...], _Bucket] = {}
        self._growth: dict[FunctionKey, _Bucket] = {}

    def take(self, key: FunctionKey, reserved: int | None, unreserved: int) -> bool:
        """Count one more, or raise TooManyRequestsException. Gives what `release` is told.

        `reserved` is what a function with reserved concurrency has to itself; without (None) it shares the account's
        `unreserved` pool.
        """
        running = self._functions.get(key, 0)
        if reserved is not None:
            if running >= reserved:
                raise _function_full()
            self._functions[key] = running + 1
            return False
        place = key[:2]
        pooled = self._pools.get(place, 0)
        if pooled >= unreserved:
            raise _account_full()
        self._functions[key] = running + 1
        self._pools[place] = pooled + 1
        return True

    def refusal(self, key: FunctionKey, reserved: int | None, unreserved: int) -> AwsError | None:
        """Why there is no room for another invocation now."""
        if reserved is not None:
            if self._functions.get(key, 0) >= reserved:
                return _function_full()
        elif self._pools.get(key[:2], 0) >= unreserved:
            return _account_full()
        return None

    def release(self, key: FunctionKey, pooled: bool) -> None:
        _less(self._functions, key)
        if pooled:
            _less(self._pools, key[:2])

    def check_rate(self, key: FunctionKey, reserved: int | None, unreserved: int, now: float) -> None:
        """Count a request that somebody waits for: ten times the concurrency a second, else TooManyRequestsException."""
        place: tuple[str, ...] = key[:2] if reserved is None else key
        size = self._limits.requests_per_concurrency * (unreserved if reserved is None else reserved)
        bucket = self._requests.get(place)
        if bucket is None:
            bucket = _new(self._requests, place, size, now)
        if not bucket.take(size, size, now):
            reason = "CallerRateLimitExceeded" if reserved is None else "ReservedFunctionInvocationRateLimitExceeded"
            raise throttled(reason, retry_after=1)

    def check_growth(self, key: FunctionKey, now: float) -> None:
        """Count an environment that is to be made; TooManyRequestsException when a function's come too fast."""
        limits = self._limits
        bucket = self._growth.get(key)
        if bucket is None:
            bucket = _new(self._growth, key, limits.scaling_burst, now)
        if not bucket.take(limits.scaling_burst, limits.scaling_burst / limits.scaling_seconds, now):
            raise throttled("FunctionInvocationRateLimitExceeded", retry_after=1)

    def running(self, key: FunctionKey) -> int:
        """Invocations of the function under way, but for those in provisioned environments."""
        return self._functions.get(key, 0)

    def pooled(self, account: str, region: str) -> int:
        """Invocations under way of the account's functions without a reservation."""
        return self._pools.get((account, region), 0)


def _function_full() -> AwsError:
    return throttled("ReservedFunctionConcurrentInvocationLimitExceeded")


def _account_full() -> AwsError:
    return throttled("ConcurrentInvocationLimitExceeded", retry_after=1)


def _new(buckets: dict[Any, _Bucket], place: tuple[str, ...], size: float, now: float) -> _Bucket:
    if len(buckets) >= _KEPT:
        buckets.clear()
    bucket = buckets[place] = _Bucket(size, now)
    return bucket


def _less(counts: dict[Any, int], key: Any) -> None:
    if (left := counts[key] - 1) > 0:
        counts[key] = left
    else:
        del counts[key]
