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

_UNSUPPORTED = "Query key condition not supported"
_INDEXABLE = frozenset({"=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"})


class KeyTerm(NamedTuple):
    """A condition on one attribute: `=`, `<`, `<=`, `>`, `>=`, `BETWEEN` (two values) or `begins_with`.

    The older KeyConditions may hold other operators; `key_condition` refuses them.
    """

    attribute: str
    operator: str
    values: tuple[api.AttributeValue, ...]


class KeyCondition(NamedTuple):
    """Which values of the partition key's attributes, and of the sort key's if `operator` is not "": those that `equal`
    says of the first ones, then what the operator says of the next."""

    hash: tuple[api.AttributeValue, ...]
    equal: tuple[api.AttributeValue, ...]
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
    terms: tuple[KeyTerm, ...], hashes: tuple[tuple[str, str], ...], ranges: tuple[tuple[str, str], ...]
) -> KeyCondition:
    """The conditions on keys, set against the key of a table or index: its attributes and their types.

    All attributes of the partition key equal something; those of the sort key have conditions from left to right, of
    which only the last may be another than equality. Raises ValidationException.
    """
    several = len(hashes) + len(ranges) > 2
    if len(terms) > 2 and not several:
        raise invalid("Conditions can be of length 1 or 2 only")
    given = {term.attribute: term for term in terms}
    if not ranges and len(terms) > len(hashes):
        raise invalid(_UNSUPPORTED)
    first = tuple([_wanted(given, name, kind, only_equal=True).values[0] for name, kind in hashes])
    count = len(terms) - len(hashes)
    if count > len(ranges):
        raise invalid(_UNSUPPORTED)
    if not count:
        return KeyCondition(first, (), "", ())
    *equal, last = [
        _wanted(given, name, kind, only_equal=at < count) for at, (name, kind) in enumerate(ranges[:count], 1)
    ]
    return KeyCondition(first, tuple([term.values[0] for term in equal]), last.operator, last.values)


def _wanted(given: dict[str, KeyTerm], name: str, kind: str, *, only_equal: bool) -> KeyTerm:
    """The condition on an attribute of the key."""
    term = given.get(name)
    if term is None:
        raise invalid(f"Query condition missed key schema element: {name}")
    if term.operator not in _INDEXABLE:
        raise invalid("Attempted conditional constraint is not an indexable operation")
    _check_values(term, kind)
    if only_equal and term.operator != "=":
        raise invalid(_UNSUPPORTED)
    return term


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
