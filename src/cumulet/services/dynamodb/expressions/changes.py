"""What an update makes of an item. Everything is read from the item as it was; it is left as it was.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeVar

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.expressions.arithmetic import add, subtract
from cumulet.services.dynamodb.expressions.keeping import KEPT, Names, recalled
from cumulet.services.dynamodb.expressions.paths import child, getter
from cumulet.services.dynamodb.expressions.projections import Projection
from cumulet.services.dynamodb.expressions.scope import Values, route
from cumulet.services.dynamodb.expressions.trees import Action, Operand, Path, Route, Value
from cumulet.services.dynamodb.expressions.updates import Plan, check_update, plan_update
from cumulet.services.dynamodb.values import DEEPEST, Item, too_deep

T = TypeVar("T", str, bytes)
Read = Callable[[Item, Values], "api.AttributeValue"]
Edit = Callable[["_Draft", Values, "api.AttributeValue | None"], None]
"""Writes to a draft; the last argument is the value that was read for it."""


class Applied(NamedTuple):
    """The item after an update."""

    item: Item
    updated: Projection
    """The paths that were written: what UPDATED_OLD shows of the old item and UPDATED_NEW of the new one."""


class Program:
    """An update that waits for the values of a call, with what it does once they are checked."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.updated = Projection(tuple([step.route for step in plan.steps]))
        self.creates = any(step.action.kind in ("SET", "ADD") for step in plan.steps)

    @cached_property
    def edits(self) -> tuple[tuple[Read | None, Edit], ...]:
        """Only of a plan that `check_update` has let pass. What SET reads is read before anything is written."""
        return tuple([_edit(step.action, step.route, self.plan.given) for step in self.plan.steps])


class Update:
    """An update with the values of a call. `creates`: it makes an item that does not exist; REMOVE and DELETE do not."""

    __slots__ = ("_edits", "_values", "creates", "plan", "updated")

    def __init__(self, program: Program, values: Values) -> None:
        self.plan = program.plan
        self.updated = program.updated
        self.creates = program.creates
        self._edits = program.edits
        self._values = values

    @property
    def routes(self) -> tuple[Route, ...]:
        """The paths it writes."""
        return self.updated.routes

    def apply(self, item: Item | None, key: Item | None = None) -> Applied:
        """The new item. Without an old one (None) it begins with `key`. Raises ValidationException."""
        draft = _Draft(item, key)
        values = self._values
        found = [None if read is None else read(draft.old, values) for read, _ in self._edits]
        for (_, edit), value in zip(self._edits, found, strict=True):
            edit(draft, values, value)
        return Applied(draft.done(), self.updated)


def bind_update(text: str, names: Names, values: Values) -> Update:
    """An update, checked with the names and values of a call. Raises ValidationException."""
    program = recalled(_program, names, text)
    check_update(program.plan, values)
    return Update(program, values)


@lru_cache(KEPT)
def _program(text: str, names: Names) -> Program:
    return Program(plan_update(text, names))


class _Draft:
    """An item while it is changed. Maps and lists on the way to a change are copied; lists keep their indexes to the end."""

    __slots__ = ("_appended", "_removed", "exists", "item", "old")

    def __init__(self, item: Item | None, key: Item | None) -> None:
        self.exists = item is not None
        self.old: Item = item if item is not None else {}
        self.item: Item = dict(item if item is not None else key or {})
        self._appended: dict[Route, list[tuple[int, api.AttributeValue]]] = {}
        self._removed: dict[Route, list[int]] = {}

    def put(self, where: Route, value: api.AttributeValue) -> None:
        """Write a value; beyond the end of a list it is appended."""
        last = where[-1]
        if len(where) == 1:
            self.item[str(last)] = value
            return
        parent = self._own(where)
        if isinstance(last, int):
            held = parent.l or []
            if last < len(held):
                held[last] = value
            else:
                self._appended.setdefault(where[:-1], []).append((last, value))
        elif parent.m is not None:
            parent.m[last] = value

    def remove(self, where: Route) -> None:
        """Take a value away; elements behind it move up when all is done."""
        last = where[-1]
        if len(where) == 1:
            self.item.pop(str(last), None)
            return
        parent = self._own(where)
        if isinstance(last, int):
            self._removed.setdefault(where[:-1], []).append(last)
        elif parent.m is not None:
            parent.m.pop(last, None)

    def _own(self, where: Route) -> api.AttributeValue:
        """The map or list that a path ends in, as a copy of this draft's. Raises ValidationException if it is none."""
        head = str(where[0])
        place = _copy(self.item.get(head))
        if place is not None:
            self.item[head] = place
        for step in where[1:-1]:
            if place is None:
                break
            inner = _copy(child(place, step))
            if inner is not None:
                if isinstance(step, int):
                    (place.l or [])[step] = inner
                else:
                    (place.m or {})[step] = inner
            place = inner
        if place is None or (place.l if isinstance(where[-1], int) else place.m) is None:
            raise invalid("The document path provided in the update expression is invalid for update")
        return place

    def done(self) -> Item:
        """The item, its lists closed up, inner ones first."""
        for where in sorted({*self._appended, *self._removed}, key=len, reverse=True):
            place: api.AttributeValue | None = self.item[str(where[0])]
            for step in where[1:]:
                place = None if place is None else child(place, step)
            if place is None or place.l is None:
                continue
            gone = set(self._removed.get(where, ()))
            added = sorted(self._appended.get(where, ()), key=lambda entry: entry[0])
            place.l = [value for at, value in enumerate(place.l) if at not in gone] + [value for _, value in added]
        return self.item


def _copy(value: api.AttributeValue | None) -> api.AttributeValue | None:
    """A map or list that can be changed, its elements shared; None for anything else."""
    if value is None:
        return None
    if value.m is not None:
        return api.AttributeValue(m=dict(value.m))
    if value.l is not None:
        return api.AttributeValue(l=list(value.l))
    return None


def _edit(action: Action, where: Route, names: Mapping[str, str]) -> tuple[Read | None, Edit]:
    if action.kind == "SET":
        assert action.operand is not None
        return _operand(action.operand, names), lambda draft, _, value: _put(draft, where, value)
    if action.kind == "REMOVE":
        return None, lambda draft, _values, _value: _remove(draft, where)
    assert isinstance(action.operand, Value)
    name = action.operand.name
    get = getter(where)
    if action.kind == "ADD":
        return None, lambda draft, values, _: draft.put(where, sum_of(get(draft.old), values[name]))
    return None, lambda draft, values, _: _delete(draft, where, get(draft.old), values[name])


def _put(draft: _Draft, where: Route, value: api.AttributeValue | None) -> None:
    assert value is not None
    if (value.m is not None or value.l is not None) and len(where) + _levels(value) > DEEPEST + 1:
        raise too_deep()
    draft.put(where, value)


def _levels(value: api.AttributeValue) -> int:
    """Levels of maps and lists within a value, itself included."""
    parts = value.l if value.l is not None else value.m.values() if value.m is not None else ()
    return 1 + max(map(_levels, parts), default=0)


def _remove(draft: _Draft, where: Route) -> None:
    if draft.exists:  # of an item that does not exist, any path can be removed
        draft.remove(where)


def _delete(draft: _Draft, where: Route, held: api.AttributeValue | None, value: api.AttributeValue) -> None:
    if held is None:
        if draft.exists and len(where) > 1:
            draft.remove(where)  # for its refusal of paths that lead nowhere
        return
    left = difference(held, value)
    if left is None:
        draft.remove(where)
    else:
        draft.put(where, left)


def sum_of(held: api.AttributeValue | None, value: api.AttributeValue) -> api.AttributeValue:
    """A number and another, or two sets of one type together. Raises ValidationException."""
    if held is None:
        return value
    if value.n is not None and held.n is not None:
        return api.AttributeValue(n=add(held.n, value.n))
    if value.ss is not None and held.ss is not None:
        return api.AttributeValue(ss=list(dict.fromkeys([*held.ss, *value.ss])))
    if value.ns is not None and held.ns is not None:
        return api.AttributeValue(ns=list(dict.fromkeys([*held.ns, *value.ns])))
    if value.bs is not None and held.bs is not None:
        return api.AttributeValue(bs=list(dict.fromkeys([*held.bs, *value.bs])))
    raise _wrong_data_type()


def difference(held: api.AttributeValue, value: api.AttributeValue) -> api.AttributeValue | None:
    """What is left of a set without the elements of another of its type, or None. Raises ValidationException."""
    if value.ss is not None and held.ss is not None:
        strings = _without(held.ss, value.ss)
        return api.AttributeValue(ss=strings) if strings else None
    if value.ns is not None and held.ns is not None:
        numbers = _without(held.ns, value.ns)
        return api.AttributeValue(ns=numbers) if numbers else None
    if value.bs is not None and held.bs is not None:
        binaries = _without(held.bs, value.bs)
        return api.AttributeValue(bs=binaries) if binaries else None
    raise _wrong_data_type()


def _without(held: list[T], gone: list[T]) -> list[T]:
    out = set(gone)
    return [each for each in held if each not in out]


def _operand(node: Operand, names: Mapping[str, str]) -> Read:
    if isinstance(node, Value):
        name = node.name
        return lambda item, values: values[name]
    if isinstance(node, Path):
        get = getter(route(node, names))
        return lambda item, values: _present(get(item))
    second = _operand(node.arguments[1], names)
    if node.name == "if_not_exists":
        assert isinstance(node.arguments[0], Path)
        found = getter(route(node.arguments[0], names))
        return lambda item, values: found(item) or second(item, values)
    first = _operand(node.arguments[0], names)
    if node.name == "list_append":
        return lambda item, values: api.AttributeValue(l=[*_list(first(item, values)), *_list(second(item, values))])
    work = add if node.name == "+" else subtract
    return lambda item, values: api.AttributeValue(n=work(_number(first(item, values)), _number(second(item, values))))


def _present(value: api.AttributeValue | None) -> api.AttributeValue:
    if value is None:
        raise invalid("The provided expression refers to an attribute that does not exist in the item")
    return value


def _list(value: api.AttributeValue) -> list[api.AttributeValue]:
    if value.l is None:
        raise _wrong_data_type()
    return value.l


def _number(value: api.AttributeValue) -> str:
    if value.n is None:
        raise _wrong_data_type()
    return value.n


def _wrong_data_type() -> AwsError:
    return invalid("An operand in the update expression has an incorrect data type")
