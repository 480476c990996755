"""What passed through the gateway lately: for `cumulet status`, the console and the log. No bodies, no credentials."""

from collections import Counter, deque
from collections.abc import Callable

from msgspec import Struct


class Record(Struct, frozen=True):
    """One call that was answered. `at` is in seconds since 1970, `duration` in seconds."""

    at: float
    service: str
    operation: str
    status: int
    error: str
    account: str
    region: str
    principal: str
    request_id: str
    duration: float


_What = tuple[float, str, str, int, str]
_Caller = tuple[str, str, str, str]


class Recorder:
    """The last calls and how many there were of each kind; memory is bounded."""

    def __init__(self, now: Callable[[], float], keep: int = 1_000) -> None:
        self._now = now
        self._last: deque[tuple[_What, _Caller, float]] = deque(maxlen=keep)
        self.counts: Counter[tuple[str, str, int]] = Counter()

    def add(self, service: str, operation: str, status: int, error: str, caller: _Caller, duration: float) -> None:
        """`caller` is account, region, principal ARN and request id."""
        # Operation names come from the models, so that clients cannot make this grow.
        self.counts[service, operation, status] += 1
        self._last.append(((self._now(), service, operation, status, error), caller, duration))

    def last(self, count: int = 100) -> list[Record]:
        """The newest calls, newest last."""
        return [Record(*what, *caller, seconds) for what, caller, seconds in list(self._last)[-count:]]
