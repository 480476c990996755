"""Limits on how many invocations, and how many at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.concurrency.slots import Slots
from cumulet.services.lambda_.limits import Limits
from cumulet.services.lambda_.names import FunctionKey

KEY = FunctionKey("111122223333", "us-east-1", "f")
OTHER = FunctionKey("111122223333", "us-east-1", "g")


def reason(caught: pytest.ExceptionInfo[AwsError]) -> str:
    return str(caught.value.fields["Reason"])


def test_a_reservation_is_the_functions_own() -> None:
    slots = Slots(Limits())
    assert slots.take(KEY, 1, 1) is False
    with pytest.raises(AwsError) as caught:
        slots.take(KEY, 1, 1)
    assert reason(caught) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert slots.take(OTHER, None, 1) is True
    with pytest.raises(AwsError) as caught:
        slots.take(OTHER, None, 1)
    assert reason(caught) == "ConcurrentInvocationLimitExceeded"
    assert caught.value.headers["Retry-After"] == "1"
    slots.release(KEY, False)
    slots.take(KEY, 1, 1)


def test_ten_requests_a_second_for_each_unit_of_concurrency() -> None:
    slots = Slots(Limits())
    for _ in range(20):
        slots.check_rate(KEY, 2, 1000, 0.0)
    with pytest.raises(AwsError) as caught:
        slots.check_rate(KEY, 2, 1000, 0.0)
    assert reason(caught) == "ReservedFunctionInvocationRateLimitExceeded"
    slots.check_rate(KEY, 2, 1000, 0.06)
    with pytest.raises(AwsError):
        slots.check_rate(KEY, 2, 1000, 0.06)


def test_functions_without_a_reservation_share_their_rate() -> None:
    slots = Slots(Limits())
    for number in range(30):
        slots.check_rate(KEY if number % 2 else OTHER, None, 3, 5.0)
    with pytest.raises(AwsError) as caught:
        slots.check_rate(KEY, None, 3, 5.0)
    assert reason(caught) == "CallerRateLimitExceeded"


def test_a_thousand_environments_in_ten_seconds_for_each_function() -> None:
    slots = Slots(Limits())
    for _ in range(1000):
        slots.check_growth(KEY, 0.0)
    with pytest.raises(AwsError) as caught:
        slots.check_growth(KEY, 0.0)
    assert reason(caught) == "FunctionInvocationRateLimitExceeded"
    slots.check_growth(OTHER, 0.0)
    for _ in range(100):
        slots.check_growth(KEY, 1.0)
    with pytest.raises(AwsError):
        slots.check_growth(KEY, 1.0)


@given(st.lists(st.floats(0, 2), max_size=200))
def test_no_rate_is_ever_exceeded(steps: list[float]) -> None:
    slots, now, taken = Slots(Limits()), 0.0, 0
    for wait in steps:
        now += wait
        try:
            slots.check_rate(KEY, 1, 0, now)
            taken += 1
        except AwsError:
            pass
    assert taken <= 10 + 10 * now + 1e-6
