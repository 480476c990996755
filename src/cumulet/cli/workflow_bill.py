"""What workflows would have cost on AWS, at the prices of `prices.json`."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.cli.bill import tiered

TRANSITIONS = "transitions"
EXPRESS_REQUESTS = "express-requests"
EXPRESS_COMPUTE = "express-compute"
KINDS = (TRANSITIONS, EXPRESS_REQUESTS, EXPRESS_COMPUTE)


class WorkflowPrices(Struct, frozen=True, kw_only=True):
    """In dollars: a state transition, an Express request, a GB-second of Express executions in tiers (how many a month, and the
    price of one). `free_transitions` are for an account each month. `checked`: somebody compared them with `source`."""

    source: str
    as_of: str
    checked: bool
    transition: float
    express_request: float
    express_compute: list[tuple[float | None, float]]
    free_transitions: float


class WorkflowUse(Struct, frozen=True):
    """A line of the node's usage: what a machine used of a kind on a day (YYYY-MM-DD)."""

    account: str
    region: str
    name: str
    kind: str
    day: str
    amount: float


class WorkflowLine(Struct, kw_only=True):
    """One machine's share. Compute in GB-seconds, costs in dollars before the free tier."""

    account: str
    region: str
    machine: str
    transitions: int = 0
    express_requests: int = 0
    express_gb_seconds: float = 0.0
    total: float = 0.0


class WorkflowBill(Struct, kw_only=True):
    """All lines, the dearest first, their sum, and what the free tier takes off that."""

    lines: list[WorkflowLine]
    total: float
    free_tier: float


class _Prices(Struct, frozen=True):
    workflows: WorkflowPrices


def workflow_prices() -> WorkflowPrices:
    return msgspec.json.decode((Path(__file__).parent / "prices.json").read_bytes(), type=_Prices).workflows


def workflow_bill(uses: Iterable[WorkflowUse], prices: WorkflowPrices) -> WorkflowBill:
    """Tiers and the free tier count for each account and month."""
    uses = list(uses)
    months: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    for use in uses:
        months[use.account, use.day[:7], use.kind] += use.amount
    lines: dict[tuple[str, str, str], WorkflowLine] = {}
    for use in uses:
        place = (use.account, use.region, use.name)
        line = lines.setdefault(place, WorkflowLine(account=use.account, region=use.region, machine=use.name))
        _count(line, use)
        line.total += use.amount * _rate(use.kind, months[use.account, use.day[:7], use.kind], prices)
    free = sum(min(amount, prices.free_transitions) for place, amount in months.items() if place[2] == TRANSITIONS)
    ordered = sorted(lines.values(), key=lambda line: (-line.total, line.account, line.region, line.machine))
    return WorkflowBill(lines=ordered, total=sum(line.total for line in ordered), free_tier=free * prices.transition)


def _count(line: WorkflowLine, use: WorkflowUse) -> None:
    if use.kind == TRANSITIONS:
        line.transitions += round(use.amount)
    elif use.kind == EXPRESS_REQUESTS:
        line.express_requests += round(use.amount)
    elif use.kind == EXPRESS_COMPUTE:
        line.express_gb_seconds += use.amount


def _rate(kind: str, month: float, prices: WorkflowPrices) -> float:
    """The price of a unit; where there are tiers, the average over the month."""
    if kind == EXPRESS_COMPUTE:
        return tiered(month, prices.express_compute) / month if month else 0.0
    return {TRANSITIONS: prices.transition, EXPRESS_REQUESTS: prices.express_request}.get(kind, 0.0)


def as_json(bill: WorkflowBill, prices: WorkflowPrices) -> dict[str, Any]:
    """The bill with what its prices are."""
    told = {"source": prices.source, "as_of": prices.as_of, "checked": prices.checked}
    return {"prices": told, **msgspec.to_builtins(bill)}
