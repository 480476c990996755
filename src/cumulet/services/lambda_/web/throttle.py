"""How many requests a second an endpoint takes."""

from collections.abc import Callable

_KEPT = 10_000


class Throttle:
    """Token buckets by endpoint, of one second's requests each. `now` is a clock's that only goes forward."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._buckets: dict[str, tuple[float, float]] = {}

    def takes(self, id: str, rate: int) -> bool:
        """Whether one request more is within `rate` a second."""
        now = self._now()
        left, seen = self._buckets.get(id, (float(rate), now))
        left = min(float(rate), left + (now - seen) * rate)
        taken = left >= 1.0
        if len(self._buckets) >= _KEPT and id not in self._buckets:
            self._buckets.clear()
        self._buckets[id] = (left - 1.0 if taken else left, now)
        return taken
