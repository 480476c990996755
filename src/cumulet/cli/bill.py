"""What use would have cost on AWS, at the prices of `prices.json`, which says where they come from and of when they are."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

_GIB = 1 << 30


class Prices(Struct, frozen=True, kw_only=True):
    """In dollars: a request, a GB-second by architecture (in tiers: how many GB-seconds a month, and the price of one), a
    gigabyte streamed. The free tier is what an account gets each month. `checked`: somebody compared them with `source`."""

    source: str
    as_of: str
    checked: bool
    region: str
    currency: str
    request: float
    compute: dict[str, list[tuple[float | None, float]]]
    provisioned: dict[str, float]
    provisioned_compute: dict[str, float]
    storage: float
    streamed_gigabyte: float
    free_requests: float
    free_compute: float
    free_streamed_gigabytes: float


class Use(Struct, frozen=True):
    """A line of the node's usage: what a function used of a kind on a day (YYYY-MM-DD)."""

    account: str
    region: str
    name: str
    architecture: str
    kind: str
    day: str
    amount: float


class Line(Struct, kw_only=True):
    """One function's share. Compute in GB-seconds, `streamed` in bytes, costs in dollars before the free tier."""

    account: str
    region: str
    function: str
    requests: int = 0
    gb_seconds: float = 0.0
    provisioned_gb_seconds: float = 0.0
    storage_gb_seconds: float = 0.0
    streamed: float = 0.0
    costs: dict[str, float] = {}
    total: float = 0.0


class Bill(Struct, kw_only=True):
    """All lines, the dearest first, their sum, and what the free tier takes off that."""

    lines: list[Line]
    total: float
    free_tier: float


def prices() -> Prices:
    return msgspec.json.decode((Path(__file__).parent / "prices.json").read_bytes(), type=Prices)


def bill(uses: Iterable[Use], prices: Prices) -> Bill:
    """Tiers and the free tier count for each account and month."""
    uses = list(uses)
    rates = _rates(uses, prices)
    lines: dict[tuple[str, str, str], Line] = {}
    for use in uses:
        place = (use.account, use.region, use.name)
        line = lines.get(place)
        if line is None:
            line = lines[place] = Line(account=use.account, region=use.region, function=use.name, costs={})
        _count(line, use)
        cost = use.amount * rates[use.account, use.day[:7], use.architecture, use.kind]
        line.costs[use.kind] = line.costs.get(use.kind, 0.0) + cost
        line.total += cost
    ordered = sorted(lines.values(), key=lambda line: (-line.total, line.account, line.region, line.function))
    return Bill(lines=ordered, total=sum(line.total for line in ordered), free_tier=_free_tier(uses, rates, prices))


def _count(line: Line, use: Use) -> None:
    if use.kind == "requests":
        line.requests += round(use.amount)
    elif use.kind in {"compute", "provisioned-compute"}:
        line.gb_seconds += use.amount
    elif use.kind == "provisioned":
        line.provisioned_gb_seconds += use.amount
    elif use.kind == "storage":
        line.storage_gb_seconds += use.amount
    elif use.kind == "streamed":
        line.streamed += use.amount


def _rates(uses: list[Use], prices: Prices) -> dict[tuple[str, str, str, str], float]:
    """The price of a unit by account, month, architecture and kind: where there are tiers, the average over the month."""
    sums: defaultdict[tuple[str, str, str, str], float] = defaultdict(float)
    for use in uses:
        sums[use.account, use.day[:7], use.architecture, use.kind] += use.amount
    rates = {}
    for place, amount in sums.items():
        architecture, kind = place[2] if place[2] in prices.compute else "x86_64", place[3]
        flat: dict[str, float] = {
            "requests": prices.request,
            "provisioned": prices.provisioned[architecture],
            "provisioned-compute": prices.provisioned_compute[architecture],
            "storage": prices.storage,
            "streamed": prices.streamed_gigabyte / _GIB,
        }
        if kind == "compute":
            rates[place] = tiered(amount, prices.compute[architecture]) / amount if amount else 0.0
        else:
            rates[place] = flat.get(kind, 0.0)
    return rates


def tiered(amount: float, tiers: list[tuple[float | None, float]]) -> float:
    """The price of an amount, of which each tier takes its size (None: all that is left) at its price of one."""
    cost = 0.0
    for size, price in tiers:
        part = amount if size is None else min(amount, size)
        cost += part * price
        amount -= part
    return cost


def _free_tier(uses: list[Use], rates: dict[tuple[str, str, str, str], float], prices: Prices) -> float:
    """What is off each month: of requests, of compute on demand (dearer architectures first), and of streaming."""
    free = {"requests": prices.free_requests, "compute": prices.free_compute}
    free["streamed"] = prices.free_streamed_gigabytes * _GIB
    amounts: defaultdict[tuple[str, str, str, str], float] = defaultdict(float)
    for use in uses:
        if use.kind in free:
            amounts[use.account, use.day[:7], use.architecture, use.kind] += use.amount
    left: dict[tuple[str, str, str], float] = {}
    off = 0.0
    for place, amount in sorted(amounts.items(), key=lambda item: -rates[item[0]]):
        account, month, _, kind = place
        allowance = left.get((account, month, kind), free[kind])
        part = min(amount, allowance)
        left[account, month, kind] = allowance - part
        off += part * rates[place]
    return off


def as_json(bill: Bill, prices: Prices, since: str) -> dict[str, Any]:
    """The bill with what its prices are."""
    return {
        "since": since,
        "prices": {
            "source": prices.source,
            "as_of": prices.as_of,
            "checked": prices.checked,
            "region": prices.region,
            "currency": prices.currency,
        },
        **msgspec.to_builtins(bill),
    }
