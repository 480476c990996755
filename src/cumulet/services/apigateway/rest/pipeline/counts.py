"""What is counted of requests, for CloudWatch's metrics of APIs.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""

from __future__ import annotations

from msgspec import Struct

from cumulet.services.apigateway.rest.pipeline.exchange import Exchange

_KEPT = 20_000


class Series(Struct):
    """Of one stage, or one method of it, since the node began. Latencies are sums, in milliseconds."""

    count: int = 0
    errors_4xx: int = 0
    errors_5xx: int = 0
    latency: float = 0.0
    integration_latency: float = 0.0
    cache_hits: int = 0
    cache_misses: int = 0


class Counts:
    """By API and stage, and by method too where its metrics are on (`("id", "stage", "/path", "GET")`)."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, ...], Series] = {}

    def answered(self, ex: Exchange, status: int, milliseconds: float) -> None:
        """A request has its answer."""
        for series in self._of(ex):
            series.count += 1
            if status >= 500:
                series.errors_5xx += 1
            elif status >= 400:
                series.errors_4xx += 1
            series.latency += milliseconds
            series.integration_latency += ex.integration.get("latency", 0)

    def cached(self, ex: Exchange, *, hit: bool) -> None:
        """A request was looked up in the cache."""
        for series in self._of(ex):
            if hit:
                series.cache_hits += 1
            else:
                series.cache_misses += 1

    def _of(self, ex: Exchange) -> list[Series]:
        program = ex.program
        stage = (program.api_id, program.stage_name)
        found = [self._series(stage)]
        plan = getattr(ex, "method", None)
        if plan is not None and plan.settings.metrics:
            found.append(self._series((*stage, plan.resource_path, plan.verb)))
        return found

    def _series(self, key: tuple[str, ...]) -> Series:
        series = self.series.get(key)
        if series is None:
            if len(self.series) >= _KEPT:
                self.series.clear()
            series = self.series[key] = Series()
        return series
