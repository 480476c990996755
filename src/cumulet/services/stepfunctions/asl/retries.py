"""Retry and Catch: which errors they take, and how long to wait.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

import random as random_module
from collections.abc import Mapping
from typing import Any

from cumulet.services.stepfunctions.asl.errors import (
    ALL,
    HEARTBEAT_TIMEOUT,
    RUNTIME,
    TASK_FAILED,
    TIMEOUT,
)
from cumulet.services.stepfunctions.asl.outcome import Retry


class Errors:
    """An ErrorEquals: which errors it takes."""

    __slots__ = ("_all", "_names", "_task_failed")

    def __init__(self, names: list[str]) -> None:
        self._names = frozenset(names)
        self._all = ALL in self._names
        self._task_failed = TASK_FAILED in self._names

    def take(self, error: str | None) -> bool:
        """``States.ALL`` takes all but ``States.Runtime``, ``States.TaskFailed`` also not ``States.Timeout``.

        ``States.Timeout`` takes missed heartbeats too. ``States.DataLimitExceeded`` of a task is taken by
        ``States.ALL``, whatever the developer guide says: AWS does so.
        """
        if error in self._names:
            return True
        if error == RUNTIME:
            return False
        if error == HEARTBEAT_TIMEOUT and TIMEOUT in self._names:
            return True
        return self._all or (self._task_failed and error not in (TIMEOUT, HEARTBEAT_TIMEOUT))


class Retrier:
    """One entry of Retry."""

    __slots__ = ("attempts", "backoff", "errors", "full_jitter", "interval", "longest")

    def __init__(self, entry: dict[str, Any]) -> None:
        self.errors = Errors(entry["ErrorEquals"])
        self.interval: float = entry.get("IntervalSeconds", 1)
        self.attempts: int = entry.get("MaxAttempts", 3)
        self.backoff: float = entry.get("BackoffRate", 2.0)
        self.longest: float | None = entry.get("MaxDelaySeconds")
        self.full_jitter = entry.get("JitterStrategy") == "FULL"

    def delay(self, done: int, random: random_module.Random) -> float:
        """Seconds until the next attempt, after ``done`` retries."""
        try:
            seconds = self.interval * self.backoff**done
        except OverflowError:
            seconds = float(10**9)
        if self.longest is not None:
            seconds = min(seconds, self.longest)
        return random.uniform(0, seconds) if self.full_jitter else seconds


def decide(
    retriers: tuple[Retrier, ...], error: str | None, attempts: Mapping[int, int], random: random_module.Random
) -> Retry | None:
    """The first retrier that takes the error decides: another attempt, or none once it has made all of its own."""
    for index, retrier in enumerate(retriers):
        if retrier.errors.take(error):
            done = attempts.get(index, 0)
            return Retry(index, retrier.delay(done, random)) if done < retrier.attempts else None
    return None
