"""Items in Python's own types, and expressions bound in one line."""

from typing import Any

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb import expressions
from cumulet.services.dynamodb.values import normal_number


def wrap(value: Any) -> api.AttributeValue:
    """None, bool, int, str, bytes, list, dict and frozenset as values of DynamoDB; `Number` texts as they are."""
    if value is None:
        return api.AttributeValue(null=True)
    if isinstance(value, bool):
        return api.AttributeValue(bool=value)
    if isinstance(value, int):
        return api.AttributeValue(n=normal_number(str(value)))
    if isinstance(value, str):
        return api.AttributeValue(s=value)
    if isinstance(value, bytes):
        return api.AttributeValue(b=value)
    if isinstance(value, list):
        return api.AttributeValue(l=[wrap(each) for each in value])
    if isinstance(value, dict):
        return api.AttributeValue(m=item(value))
    parts = list(value)
    if isinstance(parts[0], str):
        return api.AttributeValue(ss=parts)
    if isinstance(parts[0], bytes):
        return api.AttributeValue(bs=parts)
    return api.AttributeValue(ns=[str(part) for part in parts])


def item(values: dict[str, Any]) -> dict[str, api.AttributeValue]:
    return {name: wrap(value) for name, value in values.items()}


def unwrap(value: api.AttributeValue) -> Any:
    """The reverse of `wrap`; numbers that are no integers stay texts."""
    if value.n is not None:
        return int(value.n) if value.n.lstrip("-").isdecimal() else value.n
    if value.m is not None:
        return plain(value.m)
    if value.l is not None:
        return [unwrap(each) for each in value.l]
    if value.ns is not None:
        return frozenset(int(each) for each in value.ns)
    for held in (value.ss, value.bs):
        if held is not None:
            return frozenset(held)
    if value.null:
        return None
    return value.bool if value.bool is not None else value.s if value.s is not None else value.b


def plain(values: dict[str, api.AttributeValue]) -> dict[str, Any]:
    return {name: unwrap(value) for name, value in values.items()}


def matches(text: str, held: dict[str, Any], values: dict[str, Any] | None = None, **names: str) -> bool:
    """Whether a condition holds; `a="b"` gives the placeholder #a for b."""
    condition = expressions.bind(_names(names), _values(values), condition=text).condition
    assert condition is not None
    return condition.matches(item(held))


def updated(text: str, held: dict[str, Any] | None, values: dict[str, Any] | None = None, **names: str) -> Any:
    """The item after an update, which must leave the old one as it was."""
    update = expressions.bind(_names(names), _values(values), update=text).update
    assert update is not None
    old = None if held is None else item(held)
    applied = update.apply(old, item({"id": "1"}))
    assert old is None or plain(old) == held
    return plain(applied.item)


def projected(text: str, held: dict[str, Any], **names: str) -> Any:
    projection = expressions.bind(_names(names), None, projection=text).projection
    assert projection is not None
    return plain(projection.apply(item(held)))


def refusal(**parameters: Any) -> str:
    """The message of the ValidationException that binding raises; names and values are given as Python's."""
    names, values = parameters.pop("names", None), parameters.pop("values", None)
    try:
        expressions.bind(names, _values(values), **parameters)
    except AwsError as error:
        return error.message if (error.code, error.status) == ("ValidationException", 400) else repr(error)
    return ""


def _names(names: dict[str, str]) -> dict[str, str] | None:
    return {f"#{name}": stands_for for name, stands_for in names.items()} or None


def _values(values: dict[str, Any] | None) -> dict[str, api.AttributeValue] | None:
    return None if values is None else item(values)
