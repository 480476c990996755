"""What a statement reads or writes, once the key of its table or index is known: as the parameters of other operations.

Plans are kept by statement and key; only values differ between calls.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.expressions.conditions import Plan, plan_condition
from cumulet.services.dynamodb.expressions.keeping import KEPT
from cumulet.services.dynamodb.expressions.trees import Both, Call, Comparison, Condition, Either, Path, Value
from cumulet.services.dynamodb.model import Key
from cumulet.services.dynamodb.partiql.parser import parse
from cumulet.services.dynamodb.partiql.rendering import Renderer, conditions_of, heads
from cumulet.services.dynamodb.partiql.statements import Delete, Exists, Insert, Select, Update

_RANGES = frozenset({"=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"})


class Reading(NamedTuple):
    """How a SELECT is read: as a query if `keys` is given, as a scan if not. `item`: by its whole key, where it can be."""

    keys: str | None
    filter: str | None
    projection: str | None
    names: dict[str, str]
    values: tuple[str, ...]
    item: tuple[tuple[str, str], ...]
    """Attributes of the whole key and the placeholders of their values, or empty."""
    only_key: bool
    """Whether nothing but the whole key is asked for."""
    columns: tuple[tuple[Path, str], ...]
    """Parts of attributes and what they are called in the answer; empty where attributes are returned as they are."""
    forward: bool
    filtered: tuple[str, ...]
    """The attributes that are filtered by beside a condition on the partition key; empty where there is no such condition."""


class Writing(NamedTuple):
    """How an UPDATE or DELETE is written."""

    key: tuple[tuple[str, str], ...]
    update: str
    condition: str | None
    names: dict[str, str]
    values: tuple[str, ...]


@lru_cache(KEPT)
def where_plan(text: str) -> Plan | None:
    """What is checked of a statement's condition before its table is looked up."""
    where = _where(text)
    if where is None:
        return None
    names = {name: name for name in heads(where)}
    return plan_condition(where, "", _Same(names))


class _Same(dict[str, str]):
    """Names that stand for themselves: in statements # begins no placeholder."""

    def __missing__(self, name: str) -> str:
        return name

    def __contains__(self, name: object) -> bool:
        return True


@lru_cache(KEPT)
def reading(text: str, key: Key) -> Reading:
    """The plan of a SELECT (or of that within EXISTS) on a table or index with this key."""
    body = parse(text).body
    select = body.select if isinstance(body, Exists) else body
    assert isinstance(select, Select)
    conditions = conditions_of(select.where)
    hashes = [at for name, _ in key.hashes if (at := _equality(conditions, name)) is not None]
    keyed = [*hashes, *_ranges(conditions, key)]
    rest = [each for at, each in enumerate(conditions) if at not in keyed]
    whole = len(hashes) == len(key.hashes)
    queried = whole and not {*key.names} & {name for each in rest for name in heads(each)}
    _check_order(select, key, keyed=whole)
    write = Renderer()
    keys = write.condition(_joined([conditions[at] for at in keyed])) if queried else None
    filtered = rest if queried else list(conditions)
    filter_ = write.condition(_joined(filtered)) if filtered else None
    wanted = dict.fromkeys(Path(path.steps[:1]) for path in select.paths)
    projection = ", ".join(map(write.path, wanted)) or None
    names, values = write.names, tuple(write.values)
    item = _whole_key(conditions, key)
    return Reading(
        keys,
        filter_,
        projection,
        names,
        values,
        item,
        bool(item) and len(conditions) == len(item),
        tuple([(path, _column(path)) for path in select.paths]) if any(len(p.steps) > 1 for p in select.paths) else (),
        not (select.order and select.order[-1][1]),
        _filtered(conditions, key),
    )


@lru_cache(KEPT)
def writing(text: str, key: Key) -> Writing:
    """The plan of an UPDATE or DELETE, or of an EXISTS as a check, on a table with this key."""
    body = parse(text).body
    where = (
        body.select.where if isinstance(body, Exists) else body.where if isinstance(body, (Update, Delete)) else None
    )
    conditions = conditions_of(where)
    whole = _whole_key(conditions, key)
    if not whole:
        raise invalid("Where clause does not contain a mandatory equality on all key attributes")
    used = {at for name in key.names if (at := _equality(conditions, name)) is not None}
    rest = [each for at, each in enumerate(conditions) if at not in used]
    write = Renderer()
    update = write.update(body.actions) if isinstance(body, Update) else ""
    condition: str | None = None
    present = Call("attribute_exists", (Path((key.hash,)),))
    if isinstance(body, Delete):
        absent = Call("attribute_not_exists", present.arguments)
        condition = write.condition(Either((absent, _joined(rest)))) if rest else None
    else:
        condition = write.condition(_joined([present, *rest]))
    return Writing(whole, update, condition, write.names, tuple(write.values))


def _ranges(conditions: tuple[Condition, ...], key: Key) -> list[int]:
    """Where the conditions on the sort key's attributes are, from left to right up to the first that is no equality."""
    found = []
    for name, _ in key.ranges:
        at = next((at for at, each in enumerate(conditions) if _is_range(each, name)), None)
        if at is None:
            break
        found.append(at)
        if not _equal_value(conditions[at], name):
            break
    return found


def _filtered(conditions: tuple[Condition, ...], key: Key) -> tuple[str, ...]:
    def keyed(name: str) -> bool:
        return _equality(conditions, name) is not None or any(
            isinstance(each, Comparison) and each.operator == "IN" and each.operands[0] == Path((name,))
            for each in conditions
        )

    if not all(keyed(name) for name, _ in key.hashes):
        return ()
    return tuple(dict.fromkeys(name for each in conditions for name in heads(each) if name not in key.names))


def _joined(conditions: list[Condition]) -> Condition:
    return conditions[0] if len(conditions) == 1 else Both(tuple(conditions))


def _equality(conditions: tuple[Condition, ...], name: str) -> int | None:
    """Where an attribute is said to equal a value."""
    for at, each in enumerate(conditions):
        if _equal_value(each, name):
            return at
    return None


def _equal_value(condition: Condition, name: str) -> str:
    """The placeholder that an attribute is said to equal, or ""."""
    if not (isinstance(condition, Comparison) and condition.operator == "="):
        return ""
    first, second = condition.operands
    if isinstance(second, Path):
        first, second = second, first
    return second.name if first == Path((name,)) and isinstance(second, Value) else ""


def _is_range(condition: Condition, name: str) -> bool:
    if not name:
        return False
    if isinstance(condition, Comparison) and condition.operator in _RANGES:
        operands = condition.operands
    elif isinstance(condition, Call) and condition.name in _RANGES:
        operands = condition.arguments
    else:
        return False
    return operands[0] == Path((name,)) and all(isinstance(each, Value) for each in operands[1:])


def _whole_key(conditions: tuple[Condition, ...], key: Key) -> tuple[tuple[str, str], ...]:
    found = []
    for name in key.names:
        at = _equality(conditions, name)
        if at is None:
            return ()
        found.append((name, _equal_value(conditions[at], name)))
    return tuple(found)


@lru_cache(KEPT)
def partitions(text: str, name: str) -> tuple[str, ...]:
    """The placeholders of the values that the partition key `name` may have by a statement's condition; none where it may be any."""
    for condition in conditions_of(_where(text)):
        if found := _equal_value(condition, name):
            return (found,)
        if isinstance(condition, Comparison) and condition.operator == "IN":
            first, *others = condition.operands
            if first == Path((name,)) and all(isinstance(each, Value) for each in others):
                return tuple([each.name for each in others if isinstance(each, Value)])
    return ()


@lru_cache(KEPT)
def mentioned(text: str) -> tuple[str, ...]:
    """The attributes that a statement reads or writes by name."""
    body = parse(text).body
    select = body.select if isinstance(body, Exists) else body
    found = [name for condition in conditions_of(_where(text)) for name in heads(condition)]
    if isinstance(select, Select):
        found += [str(path.steps[0]) for path in select.paths]
    elif isinstance(select, Update):
        found += [str(action.path.steps[0]) for action in select.actions]
    return tuple(dict.fromkeys(found))


def _where(text: str) -> Condition | None:
    body = parse(text).body
    if isinstance(body, Exists):
        body = body.select
    return None if isinstance(body, Insert) else body.where


def _check_order(select: Select, key: Key, *, keyed: bool) -> None:
    for name, _ in select.order:
        if not keyed:
            raise invalid(
                "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."
            )
        if name not in key.names:
            raise invalid(f"Variable reference {name} in ORDER BY clause must be part of the primary key")


def _column(path: Path) -> str:
    """What a part is called: `b` for a.b, `b[0]` for a.b[0]."""
    last = max(at for at, step in enumerate(path.steps) if isinstance(step, str))
    return str(path.steps[last]) + "".join(f"[{step}]" for step in path.steps[last + 1 :])
