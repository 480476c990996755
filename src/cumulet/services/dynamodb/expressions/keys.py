"""KeyConditionExpression: which part of a table or index a query reads.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.expressions.condition_syntax import parse_condition
from cumulet.services.dynamodb.expressions.conditions import Plan, check_leaves, compile_condition
from cumulet.services.dynamodb.expressions.keeping import KEPT, Names, recalled
from cumulet.services.dynamodb.expressions.lexer import refuse
from cumulet.services.dynamodb.expressions.scope import Values, route
from cumulet.services.dynamodb.expressions.trees import (
    Both,
    Call,
    Comparison,
    Condition,
    Either,
    Not,
    Operand,
    Path,
    Value,
)
from cumulet.services.dynamodb.values import kind

PARAMETER = "KeyConditionExpression"
_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

_INDEXABLE = frozenset({"=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"})


class KeyTerm(NamedTuple):
    """A condition on one attribute: `=`, `<`, `<=`, `>`, `>=`, `BETWEEN` (two values) or `begins_with`.

    The older KeyConditions may hold other operators; `key_condition` refuses them.
    """

    attribute: str
    operator: str
    values: tuple[api.AttributeValue, ...]


class KeyCondition(NamedTuple):
    """Which values of the partition key, and of the sort key if `operator` is not ""."""

    hash: api.AttributeValue
    operator: str
    range: tuple[api.AttributeValue, ...]


class _Term(NamedTuple):
    attribute: str
    operator: str
    operands: tuple[str, ...]


class Keys(NamedTuple):
    """A key condition with the values of a call."""

    plan: Plan
    terms: tuple[KeyTerm, ...]
    """One a key attribute."""


def bind_keys(text: str, names: Names, values: Values) -> Keys:
    """A key condition, checked with the names and values of a call. Raises ValidationException."""
    plan = recalled(compile_condition, names, text, PARAMETER)
    check_leaves(plan, values)
    terms = recalled(_terms, names, text)
    return Keys(plan, tuple([_with_values(term, values) for term in terms]))


def _with_values(term: _Term, values: Values) -> KeyTerm:
    return KeyTerm(term.attribute, term.operator, tuple([values[name] for name in term.operands]))


@lru_cache(KEPT)
def _terms(text: str, names: Names) -> tuple[_Term, ...]:
    given = dict(names)
    found: dict[str, _Term] = {}
    for leaf in _leaves(parse_condition(text, PARAMETER)):
        term = _term(leaf, given)
        if term.attribute in found:
            raise refuse(PARAMETER, "KeyConditionExpressions must only contain one condition per key")
        found[term.attribute] = term
    return tuple(found.values())


def _leaves(node: Condition) -> Iterator[Comparison | Call]:
    if isinstance(node, (Either, Not)):
        raise _wrong_operator("OR" if isinstance(node, Either) else "NOT")
    if isinstance(node, Both):
        for part in node.conditions:
            yield from _leaves(part)
    else:
        yield node


def _term(node: Comparison | Call, names: dict[str, str]) -> _Term:
    operator = node.operator if isinstance(node, Comparison) else node.name
    operands = node.operands if isinstance(node, Comparison) else node.arguments
    if operator in ("IN", "<>") or (isinstance(node, Call) and operator != "begins_with"):
        raise _wrong_operator(operator)
    if operator in ("BETWEEN", "begins_with") and not isinstance(operands[0], Path):
        raise _wrong(f"{operator} operator must have the key attribute as its first operand")
    attribute, at = "", 0
    for place, operand in enumerate(operands):
        if isinstance(operand, Call):
            raise refuse(PARAMETER, "KeyConditionExpressions cannot contain nested operations")
        if isinstance(operand, Path):
            if attribute:
                raise _wrong("Multiple attribute names used in one condition")
            steps = route(operand, names)
            if len(steps) > 1:
                raise refuse(PARAMETER, "KeyConditionExpressions cannot have conditions on nested attributes")
            attribute, at = str(steps[0]), place
    if not attribute:
        raise _wrong("No key attribute specified")
    if at:
        operator = _TURNED[operator]
    return _Term(attribute, operator, _value_names(operands))


def _value_names(operands: tuple[Operand, ...]) -> tuple[str, ...]:
    return tuple([operand.name for operand in operands if isinstance(operand, Value)])


def key_condition(
    terms: tuple[KeyTerm, ...], hash_key: str, hash_kind: str, range_key: str = "", range_kind: str = ""
) -> KeyCondition:
    """The conditions on keys, set against the key of a table or index. Raises ValidationException."""
    if len(terms) > 2:
        raise invalid("Conditions can be of length 1 or 2 only")
    given = {term.attribute: term for term in terms}
    if not range_key and len(terms) > 1:
        raise invalid("Query key condition not supported")
    for name, wanted, first in ((hash_key, hash_kind, True), (range_key, range_kind, False)):
        if not name:
            continue
        term = given.get(name)
        if term is None:
            if first or len(terms) > 1:
                raise invalid(f"Query condition missed key schema element: {name}")
            continue
        if term.operator not in _INDEXABLE:
            raise invalid("Attempted conditional constraint is not an indexable operation")
        _check_values(term, wanted)
        if first and term.operator != "=":
            raise invalid("Query key condition not supported")
    last = given.get(range_key) if range_key else None
    return KeyCondition(given[hash_key].values[0], last.operator if last else "", last.values if last else ())


def _check_values(term: KeyTerm, wanted: str) -> None:
    for value in term.values:
        if kind(value) != wanted:
            raise invalid(
                "One or more parameter values were invalid: Condition parameter type does not match schema type"
            )
        if value.s == "" or value.b == b"":
            raise invalid(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                f"empty {'string' if wanted == 'S' else 'binary'} value. Key: {term.attribute}"
            )


def _wrong_operator(operator: str) -> AwsError:
    return invalid(f"Invalid operator used in KeyConditionExpression: {operator}")


def _wrong(reason: str) -> AwsError:
    return invalid(f"Invalid condition in KeyConditionExpression: {reason}")
