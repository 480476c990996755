"""The grammar of UpdateExpression, checked as DynamoDB checks it.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from cumulet.services.dynamodb.expressions.keeping import KEPT, Names
from cumulet.services.dynamodb.expressions.leaves import needs_path, wrong_count, wrong_type
from cumulet.services.dynamodb.expressions.lexer import END, Words, read, refuse
from cumulet.services.dynamodb.expressions.operands import Reader, out_of_place
from cumulet.services.dynamodb.expressions.scope import (
    Values,
    overlapping,
    placeholders,
    route,
    undefined_name,
    undefined_value,
)
from cumulet.services.dynamodb.expressions.trees import Action, Call, Operand, Path, Route, Value
from cumulet.services.dynamodb.values import kind

KEYWORDS = frozenset({"SET", "REMOVE", "ADD", "DELETE"})
FUNCTIONS = frozenset({"if_not_exists", "list_append"})
SUMS = frozenset({"+", "-"})
MOST_OPERATORS = 300
_LONG_NAMES = {"S": "STRING", "N": "NUMBER", "B": "BINARY", "NULL": "NULL", "BOOL": "BOOLEAN", "L": "LIST", "M": "MAP"}
_SUMMED = {"ADD": ("N", "SS", "NS", "BS"), "DELETE": ("SS", "NS", "BS")}


@lru_cache(KEPT)
def parse_update(text: str, parameter: str = "UpdateExpression") -> tuple[Action, ...]:
    """The actions of an update, in the order they are written. Raises ValidationException."""
    words = read(text, parameter)
    reader = Reader(words, FUNCTIONS, KEYWORDS, frozenset({"list_append"}))
    actions: list[Action] = []
    seen: set[str] = set()
    twice = ""
    while True:
        section = words.peek().upper()
        if section not in KEYWORDS:
            words.fail()
        words.next()
        if section in seen and not twice:
            twice = section
        seen.add(section)
        actions.append(_action(section, reader))
        while words.take(","):
            actions.append(_action(section, reader))
        if words.peek() == END:
            break
    operators = sum(isinstance(each.operand, Call) and each.operand.name in SUMS for each in actions)
    _check_words(reader, twice, operators)
    return tuple(actions)


def _check_words(reader: Reader, twice: str, operators: int) -> None:
    """What is wrong with words in their places. Reserved words come first here, other than in conditions."""
    refuse_with = reader.words.refuse
    if operators > MOST_OPERATORS:
        raise refuse_with(f"The expression contains too many operators; operator count: {MOST_OPERATORS + 1}")
    if reader.reserved:
        raise refuse_with(f"Attribute name is a reserved keyword; reserved keyword: {reader.reserved}")
    if reader.unknown:
        raise refuse_with(out_of_place(reader.unknown))
    if reader.misused:
        raise refuse_with(
            f"The function is not allowed to be used this way in an expression; function: {reader.misused}"
        )
    if twice:
        raise refuse_with(f'The "{twice}" section can only be used once in an update expression;')


def _action(section: str, reader: Reader) -> Action:
    path = reader.path()
    if section == "REMOVE":
        return Action(section, path)
    if section == "SET":
        reader.words.expect("=")
        return Action(section, path, _set_value(reader))
    return Action(section, path, reader.value())


def _set_value(reader: Reader) -> Operand:
    """An operand, or two with + or - between; in one pair of parentheses if need be."""
    words = reader.words
    around = words.peek() == "(" and _spans_sum(words)
    if around:
        words.next()
    value = reader.argument()
    if words.peek() in SUMS:
        operator = words.next()
        value = Call(operator, (value, reader.argument()))
    if around:
        words.expect(")")
    return value


def _spans_sum(words: Words) -> bool:
    """Whether the parenthesis that opens here holds a sum, and not just its first operand."""
    depth, ahead = 0, 0
    while True:
        word = words.peek(ahead)
        if word == END or (depth == 1 and word in SUMS):
            return word != END
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return False
        ahead += 1


class Step(NamedTuple):
    """An action with its path's placeholders replaced."""

    action: Action
    route: Route


class Plan(NamedTuple):
    """An update that waits for the values of a call."""

    parameter: str
    steps: tuple[Step, ...]
    calls: tuple[Call, ...]
    """Its functions and sums, inner ones first."""
    wrong: str
    """What is wrong with its names and paths."""
    used: tuple[str, ...]
    """The placeholders of values in the order they are written."""
    names: frozenset[str]
    values: frozenset[str]
    given: Mapping[str, str]


def plan_update(text: str, names: Names, parameter: str = "UpdateExpression") -> Plan:
    """The plan of a text with these names. Raises ValidationException for what no values could make right."""
    given = dict(names)
    actions = parse_update(text, parameter)
    used = [name for action in actions for name in _placeholders(action)]
    for name in used:
        if name[0] == "#" and name not in given:
            raise refuse(parameter, undefined_name(name))
    steps = tuple([Step(action, route(action.path, given)) for action in actions])
    return Plan(
        parameter,
        steps,
        tuple([call for each in actions if isinstance(each.operand, Call) for call in _calls(each.operand)]),
        overlapping([step.route for step in steps]),
        tuple([name for name in used if name[0] == ":"]),
        frozenset(name for name in used if name[0] == "#"),
        frozenset(name for name in used if name[0] == ":"),
        given,
    )


def check_update(plan: Plan, values: Values) -> None:
    """Raise what is wrong: values that are not given, paths, operands of ADD and DELETE, then functions."""
    for name in plan.used:
        if name not in values:
            raise refuse(plan.parameter, undefined_value(name))
    if plan.wrong:
        raise refuse(plan.parameter, plan.wrong)
    for step in plan.steps:
        if step.action.kind in _SUMMED and isinstance(step.action.operand, Value):
            found = kind(values[step.action.operand.name])
            if found not in _SUMMED[step.action.kind]:
                raise refuse(plan.parameter, _wrong_summed(step.action.kind, found))
    for call in plan.calls:
        reason = _wrong_call(call, values)
        if reason:
            raise refuse(plan.parameter, reason)


def _wrong_summed(section: str, found: str) -> str:
    return (
        f"Incorrect operand type for operator or function; operator: {section}, "
        f"operand type: {_LONG_NAMES.get(found, found)}"
    )


def _calls(call: Call) -> Iterator[Call]:
    for argument in call.arguments:
        if isinstance(argument, Call):
            yield from _calls(argument)
    yield call


def _wrong_call(call: Call, values: Values) -> str:
    if len(call.arguments) != 2:
        return wrong_count(call.name, len(call.arguments))
    if call.name == "if_not_exists":
        return "" if isinstance(call.arguments[0], Path) else needs_path(call.name)
    wanted = "L" if call.name == "list_append" else "N"
    for argument in call.arguments:
        if isinstance(argument, Value) and kind(values[argument.name]) != wanted:
            return wrong_type(call.name, kind(values[argument.name]))
    return ""


def _placeholders(action: Action) -> Iterator[str]:
    yield from placeholders(action.path)
    if action.operand is not None:
        yield from _of_operand(action.operand)


def _of_operand(operand: Operand) -> Iterator[str]:
    if isinstance(operand, Value):
        yield operand.name
    elif isinstance(operand, Path):
        yield from placeholders(operand)
    else:
        for argument in operand.arguments:
            yield from _of_operand(argument)
