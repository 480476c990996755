"""Token buckets: so many requests a second, and so many more at once.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable

_KEPT = 100_000


class _Bucket:
    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at


class Buckets:
    """Buckets by whatever tells them apart, such as `(plan, key)`; one that is new is full. `now` is in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def take(self, key: Hashable, rate: float, burst: float) -> bool:
        """Take one token of a bucket that holds `burst` and gets `rate` a second; False when it is empty.

        A rate or burst that was changed since counts from now on. A negative one is no limit, as a stage's -1 says.
        """
        if rate < 0 or burst < 0:
            return True
        now = self._now()
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _KEPT:
                self._buckets.popitem(last=False)
            bucket = self._buckets[key] = _Bucket(float(burst), now)
        else:
            if now > bucket.at:
                bucket.tokens += (now - bucket.at) * rate
            bucket.at = now
            bucket.tokens = min(bucket.tokens, burst)
        if bucket.tokens < 1.0:
            return False
        bucket.tokens -= 1.0
        return True

    def give_back(self, key: Hashable) -> None:
        """Put a token back that was taken for a request which another limit then refused."""
        if (bucket := self._buckets.get(key)) is not None:
            bucket.tokens += 1.0
