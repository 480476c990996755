"""Condition operators, compiled once per policy to tests of a request's context.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import base64
import binascii
import ipaddress
import operator as compare
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from cumulet.policy.patterns import arn_matcher, matcher
from cumulet.policy.variables import Keys, Template

Test = Callable[[Keys], bool]
Hit = Callable[[str, Keys], bool]
"""Whether one value of the request matches any of the policy's values."""


def compile_conditions(conditions: dict[str, dict[str, tuple[str, ...]]], *, variables: bool) -> tuple[Test, ...]:
    """The tests of a Condition block; all must hold. An unknown operator never holds."""
    return tuple(
        _compile(name, key.lower(), values, variables=variables)
        for name, block in conditions.items()
        for key, values in block.items()
    )


def is_operator(name: str) -> bool:
    """Whether IAM has an operator of that name, set prefixes and IfExists included."""
    _, base, _ = _split(name)
    return base in _OPERATORS or base == "null"


def _split(name: str) -> tuple[str, str, bool]:
    quantifier, colon, base = name.lower().rpartition(":")
    if colon and quantifier not in ("forallvalues", "foranyvalue"):
        return "", "", False
    if_exists = base.endswith("ifexists")
    return quantifier, base.removesuffix("ifexists"), if_exists


def _never(_: Keys) -> bool:
    return False


def _compile(name: str, key: str, values: tuple[str, ...], *, variables: bool) -> Test:
    quantifier, base, if_exists = _split(name)
    if base == "null":
        return _null(key, values)
    if base not in _OPERATORS:
        return _never
    make, negated = _OPERATORS[base]
    hit = make(values, variables)
    if quantifier == "forallvalues":
        return lambda keys: all(hit(value, keys) is not negated for value in keys(key) or ())
    if quantifier == "foranyvalue":
        missing = if_exists

        def any_value(keys: Keys) -> bool:
            found = keys(key)
            return missing if found is None else any(hit(value, keys) is not negated for value in found)

        return any_value
    return _plain(key, hit, negated=negated, if_exists=if_exists)


def _plain(key: str, hit: Hit, *, negated: bool, if_exists: bool) -> Test:
    def plain(keys: Keys) -> bool:
        found = keys(key)
        if found is None:
            return if_exists or negated
        for value in found:
            if hit(value, keys):
                return not negated
        return negated

    return plain


def _null(key: str, values: tuple[str, ...]) -> Test:
    wanted = {value.lower() == "true" for value in values}
    return lambda keys: (keys(key) is None) in wanted


def _texts(values: tuple[str, ...], variables: bool, fold: Callable[[str], str]) -> Hit:
    templates = [Template(value, variables=variables, globs=False) for value in values]
    fixed = frozenset(fold(template.fixed) for template in templates if template.fixed is not None)
    open_ = [template for template in templates if template.fixed is None]
    if not open_:
        return lambda value, _: fold(value) in fixed

    def hit(value: str, keys: Keys) -> bool:
        value = fold(value)
        if value in fixed:
            return True
        filled = (template.fill(keys) for template in open_)
        return any(text is not None and fold(text) == value for text in filled)

    return hit


def _string_equals(values: tuple[str, ...], variables: bool) -> Hit:
    return _texts(values, variables, str)


def _string_equals_ignore_case(values: tuple[str, ...], variables: bool) -> Hit:
    return _texts(values, variables, str.lower)


def _patterns(values: tuple[str, ...], variables: bool, make: Callable[[str], Callable[[str], bool]]) -> Hit:
    templates = [Template(value, variables=variables, globs=True) for value in values]
    fixed = [make(template.fixed) for template in templates if template.fixed is not None]
    open_ = [template for template in templates if template.fixed is None]

    def hit(value: str, keys: Keys) -> bool:
        for test in fixed:
            if test(value):
                return True
        for template in open_:
            text = template.fill(keys)
            if text is not None and make(text)(value):
                return True
        return False

    return hit


def _string_like(values: tuple[str, ...], variables: bool) -> Hit:
    return _patterns(values, variables, matcher)


def _arn_like(values: tuple[str, ...], variables: bool) -> Hit:
    return _patterns(values, variables, arn_matcher)


def _bool(values: tuple[str, ...], variables: bool) -> Hit:
    wanted = frozenset(value.lower() for value in values)
    return lambda value, _: value.lower() in wanted


def _binary(values: tuple[str, ...], variables: bool) -> Hit:
    wanted = frozenset(_decoded(value) for value in values)
    return lambda value, _: _decoded(value) in wanted


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


@lru_cache(1024)
def _instant(text: str) -> Decimal | None:
    """Seconds since 1970 of an ISO 8601 date or an epoch number."""
    number = _number(text)
    if number is not None and len(text) != 4:  # four digits are a year
        return number
    try:
        moment = datetime.fromisoformat(text if len(text) != 4 else f"{text}-01-01")
    except ValueError:
        return None
    return Decimal((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _ordered(
    read: Callable[[str], Decimal | None], test: Callable[[Decimal, Decimal], bool]
) -> Callable[[tuple[str, ...], bool], Hit]:
    def make(values: tuple[str, ...], variables: bool) -> Hit:
        bounds = [bound for bound in map(read, values) if bound is not None]

        def hit(value: str, _: Keys) -> bool:
            number = read(value)
            return number is not None and any(test(number, bound) for bound in bounds)

        return hit

    return make


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


@lru_cache(4096)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _ip_address(values: tuple[str, ...], variables: bool) -> Hit:
    networks: Sequence[Network] = [network for network in map(_network, values) if network is not None]

    def hit(value: str, _: Keys) -> bool:
        address = _address(value)
        return address is not None and any(
            address.version == network.version and address in network for network in networks
        )

    return hit


_OPERATORS: dict[str, tuple[Callable[[tuple[str, ...], bool], Hit], bool]] = {
    "stringequals": (_string_equals, False),
    "stringnotequals": (_string_equals, True),
    "stringequalsignorecase": (_string_equals_ignore_case, False),
    "stringnotequalsignorecase": (_string_equals_ignore_case, True),
    "stringlike": (_string_like, False),
    "stringnotlike": (_string_like, True),
    "numericequals": (_ordered(_number, compare.eq), False),
    "numericnotequals": (_ordered(_number, compare.eq), True),
    "numericlessthan": (_ordered(_number, compare.lt), False),
    "numericlessthanequals": (_ordered(_number, compare.le), False),
    "numericgreaterthan": (_ordered(_number, compare.gt), False),
    "numericgreaterthanequals": (_ordered(_number, compare.ge), False),
    "dateequals": (_ordered(_instant, compare.eq), False),
    "datenotequals": (_ordered(_instant, compare.eq), True),
    "datelessthan": (_ordered(_instant, compare.lt), False),
    "datelessthanequals": (_ordered(_instant, compare.le), False),
    "dategreaterthan": (_ordered(_instant, compare.gt), False),
    "dategreaterthanequals": (_ordered(_instant, compare.ge), False),
    "bool": (_bool, False),
    "binaryequals": (_binary, False),
    "ipaddress": (_ip_address, False),
    "notipaddress": (_ip_address, True),
    "arnequals": (_arn_like, False),
    "arnlike": (_arn_like, False),
    "arnnotequals": (_arn_like, True),
    "arnnotlike": (_arn_like, True),
}
