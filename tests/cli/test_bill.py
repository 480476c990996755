"""What use costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.cli.bill import Use, bill, prices

PRICES = prices()


def use(kind: str, amount: float, name: str = "f", architecture: str = "x86_64", day: str = "2026-01-05") -> Use:
    return Use("111122223333", "us-east-1", name, architecture, kind, day, amount)


def test_a_million_requests_of_a_gigabyte_second() -> None:
    found = bill([use("requests", 1e6), use("compute", 1e6)], PRICES)
    assert found.total == pytest.approx(0.20 + 16.6667)
    assert found.free_tier == pytest.approx(0.20 + 400_000 * 1.66667e-5)


def test_the_mobile_backend_of_the_pricing_page() -> None:
    """Three million requests of 120 ms with 1,536 MB are $2.73. https://aws.amazon.com/lambda/pricing/, example 1"""
    found = bill([use("requests", 3e6), use("compute", 3e6 * 0.120 * 1536 / 1024)], PRICES)
    assert round(found.total - found.free_tier, 2) == 2.73


def test_the_streamed_pages_of_the_pricing_page() -> None:
    """500 ms each, and a megabyte over the free six in a million answers, are $39.04 once 100 GB are used up. Same page."""
    of_compute = [use("requests", 3e6), use("compute", 3e6 * 0.5 * 1536 / 1024)]
    base = bill(of_compute, PRICES)
    [streams] = bill([use("streamed", 1e6 * 2**20)], PRICES).lines
    assert base.total - base.free_tier + streams.total == pytest.approx(39.04, abs=0.01)  # they add what is rounded


def test_arm_costs_less() -> None:
    assert bill([use("compute", 1e6, architecture="arm64")], PRICES).total == pytest.approx(13.3334)


def test_what_is_over_a_tier_is_cheaper() -> None:
    found = bill([use("compute", 6e9, "f"), use("compute", 1e9, "g")], PRICES)
    assert found.total == pytest.approx(6e9 * 1.66667e-5 + 1e9 * 1.5e-5)
    assert found.lines[0].total == pytest.approx(found.total * 6 / 7)


def test_tiers_and_the_free_tier_begin_again_each_month() -> None:
    found = bill([use("compute", 6e9), use("compute", 6e9, day="2026-02-01")], PRICES)
    assert found.total == pytest.approx(12e9 * 1.66667e-5)
    assert found.free_tier == pytest.approx(800_000 * 1.66667e-5)


def test_provisioned_storage_and_streams() -> None:
    found = bill(
        [use("provisioned", 1e6), use("provisioned-compute", 1e6), use("storage", 1e6), use("streamed", 2**30)], PRICES
    )
    assert found.total == pytest.approx(4.1667 + 9.7222 + 0.0309 + 0.008)
    [line] = found.lines
    assert (line.provisioned_gb_seconds, line.gb_seconds, line.streamed) == (1e6, 1e6, 2**30)


@given(
    st.lists(
        st.builds(
            use,
            st.sampled_from(["requests", "compute", "provisioned", "provisioned-compute", "storage", "streamed"]),
            st.floats(0, 1e11),
            st.sampled_from("fgh"),
            st.sampled_from(["x86_64", "arm64"]),
            st.sampled_from(["2026-01-05", "2026-02-28"]),
        ),
        max_size=20,
    )
)
def test_lines_add_up_and_nothing_is_more_than_free(uses: list[Use]) -> None:
    found = bill(uses, PRICES)
    assert found.total == pytest.approx(sum(line.total for line in found.lines))
    assert 0 <= found.free_tier <= found.total * (1 + 1e-9) + 1e-9
    for line in found.lines:
        assert line.total == pytest.approx(sum(line.costs.values()))
