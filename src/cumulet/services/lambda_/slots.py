"""Concurrency: how many invocations are under way, and who may start another."""

from collections import Counter
from typing import Any

from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.errors import throttled
from cumulet.services.lambda_.names import FunctionKey


class Slots:
    """Counts of invocations under way on this node: by function, and in each account's unreserved pool."""

    def __init__(self) -> None:
        self._functions: Counter[FunctionKey] = Counter()
        self._pools: Counter[tuple[str, str]] = Counter()

    def take(self, key: FunctionKey, reserved: int | None, unreserved: int) -> bool:
        """Count one more, or raise TooManyRequestsException. Gives what `release` is told.

        `reserved` is the function's reserved concurrency; without one it shares the account's `unreserved` pool.
        """
        refusal = self.refusal(key, reserved, unreserved)
        if refusal is not None:
            raise refusal
        self._functions[key] += 1
        if reserved is None:
            self._pools[key[:2]] += 1
        return reserved is None

    def refusal(self, key: FunctionKey, reserved: int | None, unreserved: int) -> AwsError | None:
        """Why there is no room for another invocation now."""
        if reserved is not None:
            if self._functions[key] >= reserved:
                return throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        elif self._pools[key[:2]] >= unreserved:
            return throttled("ConcurrentInvocationLimitExceeded")
        return None

    def release(self, key: FunctionKey, pooled: bool) -> None:
        _less(self._functions, key)
        if pooled:
            _less(self._pools, key[:2])


def _less(counter: Counter[Any], key: Any) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
