"""Sums of DynamoDB's numbers: 38 digits, from 1E-130 to 9.99...E+125."""

from collections.abc import Callable
from decimal import Context, Decimal, DecimalException, Inexact, Overflow

from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.values import normal_number

_EXACT = Context(prec=38, traps=[Inexact, Overflow])
_FEW = 18
"""Digits of numbers that are added as integers: most counters."""


def add(first: str, second: str) -> str:
    """The sum of two numbers in DynamoDB's form. Raises ValidationException if it cannot be held exactly."""
    if len(first) < _FEW and len(second) < _FEW and first.isdecimal() and second.isdecimal():
        return str(int(first) + int(second))
    return _exactly(_EXACT.add, first, second)


def subtract(first: str, second: str) -> str:
    """As `add`, for the difference."""
    if len(first) < _FEW and len(second) < _FEW and first.isdecimal() and second.isdecimal():
        return str(int(first) - int(second))
    return _exactly(_EXACT.subtract, first, second)


def _exactly(work: Callable[[Decimal, Decimal], Decimal], first: str, second: str) -> str:
    try:
        result = work(Decimal(first), Decimal(second))
    except DecimalException:
        # DynamoDB says so of too many digits, too.
        raise invalid(
            "Number overflow. Attempting to store a number with magnitude larger than supported range"
        ) from None
    return normal_number(str(result))
