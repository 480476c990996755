import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.helpers import allows, policy, request, statement

from cumulet.policy.conditions import is_operator


def holds(operator: str, wanted: Any, *values: str) -> bool:
    """Whether a condition on `x:key` holds for a request whose key has these values; no values, no key."""
    compiled = policy(statement(Condition={operator: {"x:Key": wanted}}))
    return allows(compiled, request(x__key=values) if values else request())


@pytest.mark.parametrize(
    ("operator", "wanted", "yes", "no"),
    [
        ("StringEquals", "a", "a", "A"),
        ("StringNotEquals", "a", "A", "a"),
        ("StringEqualsIgnoreCase", "a", "A", "b"),
        ("StringNotEqualsIgnoreCase", "a", "b", "A"),
        ("StringLike", "a*c?", "abbcd", "abbc"),
        ("StringNotLike", "a*", "b", "ab"),
        ("NumericEquals", "10", "10.0", "11"),
        ("NumericNotEquals", "10", "11", "10.0"),
        ("NumericLessThan", "10", "9.5", "10"),
        ("NumericLessThanEquals", "10", "10", "10.5"),
        ("NumericGreaterThan", "10", "11", "10"),
        ("NumericGreaterThanEquals", "10", "10", "9"),
        ("DateEquals", "2026-01-01T00:00:00Z", "1767225600", "2026-01-02T00:00:00Z"),
        ("DateNotEquals", "2026-01-01", "2026-01-02", "2026-01-01T00:00:00Z"),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"),
        ("DateLessThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
        ("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"),
        ("DateGreaterThanEquals", "2026-01-01T00:00:00+02:00", "2025-12-31T22:00:00Z", "2025-12-31T21:59:59Z"),
        ("Bool", "true", "true", "false"),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", "QmluYXJ6"),
        ("IpAddress", "203.0.113.0/24", "203.0.113.9", "203.0.114.9"),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", "2001:db9::1"),
        ("NotIpAddress", "203.0.113.0/24", "203.0.114.9", "203.0.113.9"),
        ("ArnEquals", "arn:aws:sqs:*:111122223333:q", "arn:aws:sqs:eu-west-1:111122223333:q", "arn:aws:sqs:a:1:q"),
        ("ArnLike", "arn:aws:s3:::b*", "arn:aws:s3:::bucket", "arn:aws:s3:eu::bucket"),
        ("ArnNotEquals", "arn:aws:s3:::a", "arn:aws:s3:::b", "arn:aws:s3:::a"),
        ("ArnNotLike", "arn:aws:s3:::a*", "arn:aws:s3:::b", "arn:aws:s3:::ab"),
    ],
)
def test_every_operator(operator: str, wanted: str, yes: str, no: str) -> None:
    assert holds(operator, wanted, yes)
    assert not holds(operator, wanted, no)
    negated = "Not" in operator
    assert holds(operator, wanted) is negated  # a missing key
    assert holds(f"{operator}IfExists", wanted)
    assert not holds(f"{operator}IfExists", wanted, no)


def test_null_asks_whether_the_key_is_there() -> None:
    assert holds("Null", "true")
    assert not holds("Null", "true", "x")
    assert holds("Null", "false", "x")
    assert not holds("Null", "false")


def test_all_values_and_any_value() -> None:
    assert holds("ForAllValues:StringEquals", ["a", "b"], "a", "b", "a")
    assert not holds("ForAllValues:StringEquals", ["a", "b"], "a", "c")
    assert holds("ForAllValues:StringEquals", ["a"])  # nothing breaks the rule
    assert holds("ForAnyValue:StringEquals", ["a", "b"], "c", "a")
    assert not holds("ForAnyValue:StringEquals", ["a", "b"], "c")
    assert not holds("ForAnyValue:StringEquals", ["a"])
    assert holds("ForAllValues:StringNotEquals", ["a"], "b", "c")
    assert not holds("ForAllValues:StringNotEquals", ["a"], "b", "a")


def test_conditions_are_joined_by_and_and_values_by_or() -> None:
    compiled = policy(statement(Condition={"StringEquals": {"x:a": ["1", "2"], "x:b": "3"}, "Bool": {"x:c": "true"}}))
    assert allows(compiled, request(x__a="2", x__b="3", x__c="true"))
    assert not allows(compiled, request(x__a="2", x__b="4", x__c="true"))
    assert not allows(compiled, request(x__a="2", x__b="3"))


def test_an_operator_nobody_knows_never_holds() -> None:
    assert not holds("StringRhymes", "a", "a")
    assert not holds("ForSomeValues:StringEquals", "a", "a")
    assert not is_operator("StringRhymes")
    assert is_operator("ForAnyValue:StringLikeIfExists")


def test_values_that_are_no_numbers_dates_or_addresses_never_hold() -> None:
    assert not holds("NumericEquals", "ten", "ten")
    assert not holds("DateEquals", "yesterday", "yesterday")
    assert not holds("IpAddress", "nowhere", "nowhere")
    assert not holds("NumericLessThan", "10", "NaN")


def test_numbers_and_booleans_in_a_policy_are_compared_as_text_would_be() -> None:
    compiled = policy(statement(Condition={"Bool": {"x:a": True}, "NumericEquals": {"x:b": 3}}))
    assert allows(compiled, request(x__a="true", x__b="3"))


@given(st.text(max_size=10), st.text(max_size=10))
def test_an_operator_and_its_negation_never_agree(wanted: str, value: str) -> None:
    if any("\ud800" <= c <= "\udfff" for c in wanted + value):
        return
    json.dumps([wanted, value])
    for operator, negation in (
        ("StringEquals", "StringNotEquals"),
        ("StringLike", "StringNotLike"),
        ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
        ("ArnLike", "ArnNotLike"),
    ):
        assert holds(operator, wanted, value) is not holds(negation, wanted, value)
