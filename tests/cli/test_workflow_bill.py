"""What use of workflows costs."""

import pytest

from cumulet.cli.workflow_bill import WorkflowUse, workflow_bill, workflow_prices

PRICES = workflow_prices()


def use(kind: str, amount: float, name: str = "m", day: str = "2026-01-05") -> WorkflowUse:
    return WorkflowUse("111122223333", "us-east-1", name, kind, day, amount)


def test_a_thousand_transitions() -> None:
    found = workflow_bill([use("transitions", 10_000), use("transitions", 1_000, "n")], PRICES)
    assert [(line.machine, line.transitions) for line in found.lines] == [("m", 10_000), ("n", 1_000)]
    assert found.lines[1].total == pytest.approx(0.025)
    assert found.total == pytest.approx(0.275)
    assert found.free_tier == pytest.approx(0.1)


def test_the_free_tier_begins_again_each_month() -> None:
    found = workflow_bill([use("transitions", 5_000), use("transitions", 3_000, day="2026-02-01")], PRICES)
    assert found.free_tier == pytest.approx(7_000 * 0.000025)


def test_express_executions_by_requests_and_memory() -> None:
    found = workflow_bill([use("express-requests", 1e6), use("express-compute", 3_600_000)], PRICES)
    assert found.total == pytest.approx(1.0 + 60.012)
    more = workflow_bill([use("express-compute", 3_600_000 + 14_400_000 + 1e6)], PRICES)
    assert more.total == pytest.approx(60.012 + 119.952 + 4.56)
    assert found.free_tier == 0


def test_nothing_costs_nothing() -> None:
    assert workflow_bill([], PRICES).total == 0
