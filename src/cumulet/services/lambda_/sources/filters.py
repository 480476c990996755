"""FilterCriteria: which records a function gets.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from collections.abc import Callable
from typing import Any

import msgspec

from cumulet.api.lambda_ import FilterCriteria
from cumulet.delivery.patterns import compile_pattern

_decode = msgspec.json.Decoder().decode


def compile_filters(criteria: FilterCriteria | None) -> Callable[[Any], bool] | None:
    """A test that one of the patterns matches; None when there are none, and everything does."""
    patterns = [each.pattern or "{}" for each in (criteria.filters if criteria else None) or ()]
    if not patterns:
        return None
    tests = [compile_pattern(pattern) for pattern in patterns]
    return lambda value: any(test(value) for test in tests)


def opened(text: str) -> Any:
    """A body as filters see it: the object or array that it is in JSON, else the text itself."""
    if text[:1] not in "{[ \t\r\n":
        return text
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text
    return value if isinstance(value, dict | list) else text
