"""The functions at the end of paths: `$.items.length()`, `$.prices.max()`, `$.concat($.first, " ", $.last)`."""

import math
from collections.abc import Callable
from typing import Any

from cumulet.expressions.jsonpath.filters import MISSING, Value, operand_value
from cumulet.expressions.jsonpath.tree import Function, JsonPathError
from cumulet.expressions.jsonpath.walk import PathNotFound, Run, Walk


def call(step: Function, then: Walk) -> Walk:
    """The closure of a function's step."""
    parameters = [operand_value(parameter) for parameter in step.parameters]
    function = _FUNCTIONS[step.name]

    def walk(value: Any, run: Run) -> None:
        then(function(value, _evaluated(parameters, value, run)), run)

    return walk


def _evaluated(parameters: list[Value], value: Any, run: Run) -> list[Any]:
    """The parameters' values; those that are lists give their elements."""
    values: list[Any] = []
    for parameter in parameters:
        given = parameter(value, run)
        if given is MISSING:
            raise PathNotFound("a parameter of a function is not in the document")
        values.extend(given) if isinstance(given, list) else values.append(given)
    run.work(len(values))
    return values


def _numbers(value: Any, more: list[Any]) -> list[float]:
    values = (value if isinstance(value, list) else []) + more
    numbers = [float(number) for number in values if isinstance(number, int | float) and not isinstance(number, bool)]
    if not numbers:
        raise JsonPathError("Aggregation function attempted to calculate value using empty array")
    return numbers


def _deviation(numbers: list[float]) -> float:
    mean = math.fsum(numbers) / len(numbers)
    return math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / len(numbers))


def _aggregate(function: Callable[[list[float]], float]) -> Callable[[Any, list[Any]], Any]:
    def aggregated(value: Any, more: list[Any]) -> float:
        try:
            return function(_numbers(value, more))
        except OverflowError as error:
            raise JsonPathError("the numbers are too large") from error

    return aggregated


def _length(value: Any, more: list[Any]) -> int | None:
    if more:
        return len(more)
    return len(value) if isinstance(value, list | dict) else None


def _concat(value: Any, more: list[Any]) -> str:
    values = (value if isinstance(value, list) else []) + more
    return "".join(
        text if isinstance(text, str) else str(text) for text in values if isinstance(text, str | int | float)
    )


def _append(value: Any, more: list[Any]) -> Any:
    return value + more if isinstance(value, list) else value


def _keys(value: Any, _: list[Any]) -> list[str] | None:
    return list(value) if isinstance(value, dict) else None


def _element(value: Any, index: Any) -> Any:
    if isinstance(value, list) and isinstance(index, int) and -len(value) <= index < len(value):
        return value[index]
    raise PathNotFound("no such element at this place")


_FUNCTIONS: dict[str, Callable[[Any, list[Any]], Any]] = {
    "avg": _aggregate(lambda numbers: math.fsum(numbers) / len(numbers)),
    "stddev": _aggregate(_deviation),
    "sum": _aggregate(math.fsum),
    "min": _aggregate(min),
    "max": _aggregate(max),
    "length": _length,
    "size": _length,
    "concat": _concat,
    "append": _append,
    "keys": _keys,
    "first": lambda value, _: _element(value, 0),
    "last": lambda value, _: _element(value, -1),
    "index": lambda value, more: _element(value, more[0] if more else None),
}
