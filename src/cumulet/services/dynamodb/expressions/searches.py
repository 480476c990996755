"""SearchConditionExpression: which part of a vector index a search looks at. Attributes equal values, joined by AND."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.expressions.condition_syntax import parse_condition
from cumulet.services.dynamodb.expressions.conditions import Plan, check_leaves, compile_condition
from cumulet.services.dynamodb.expressions.keeping import KEPT, Names, recalled
from cumulet.services.dynamodb.expressions.lexer import refuse
from cumulet.services.dynamodb.expressions.scope import Values, route
from cumulet.services.dynamodb.expressions.trees import Both, Comparison, Condition, Path, Value

PARAMETER = "SearchConditionExpression"


class Search(NamedTuple):
    """A search condition with the values of a call: by attribute, what it equals."""

    plan: Plan
    terms: dict[str, api.AttributeValue]


def bind_search(text: str, names: Names, values: Values) -> Search:
    """A search condition, checked with the names and values of a call. Raises ValidationException."""
    plan = recalled(compile_condition, names, text, PARAMETER)
    check_leaves(plan, values)
    return Search(plan, {attribute: values[name] for attribute, name in recalled(_terms, names, text)})


@lru_cache(KEPT)
def _terms(text: str, names: Names) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    given = dict(names)
    parts: list[Condition] = [parse_condition(text, PARAMETER)]
    while parts:
        part = parts.pop()
        if isinstance(part, Both):
            parts.extend(part.conditions)
            continue
        if not isinstance(part, Comparison) or part.operator != "=":
            raise refuse(PARAMETER, "Invalid comparator used in SearchConditionExpression")
        first, second = part.operands
        if isinstance(second, Path):
            first, second = second, first
        if not isinstance(first, Path) or not isinstance(second, Value):
            raise refuse(PARAMETER, "Each condition must compare an attribute of the search schema with a value")
        steps = route(first, given)
        if len(steps) > 1:
            raise refuse(PARAMETER, "Only top-level attributes of the search schema can be used")
        if str(steps[0]) in found:
            raise refuse(PARAMETER, f"There is more than one condition on the attribute {steps[0]}")
        found[str(steps[0])] = second.name
    return tuple(found.items())
