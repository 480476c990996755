"""The pattern language: each operator, what is refused, and a search for differences from a plain evaluator."""

import ipaddress
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.delivery.patterns import InvalidPattern, compile_pattern


def matches(pattern: Any, event: Any) -> bool:
    return compile_pattern(json.dumps(pattern))(event)


@pytest.mark.parametrize(
    ("wanted", "yes", "no"),
    [
        ("a", ["a", ["b", "a"], [["a"]]], ["A", 1, None, {"a": 1}, []]),
        (1, [1, 1.0, [1]], [True, "1", 2]),
        (True, [True], [1, "true", False]),
        (None, [None], ["", "null", 0, False]),
        ("", [""], [None, " "]),
        ({"prefix": "ab"}, ["ab", "abc"], ["Ab", "a", 1]),
        ({"prefix": ""}, ["", "x"], [1, None]),
        ({"prefix": {"equals-ignore-case": "AB"}}, ["abc", "aBc"], ["ba"]),
        ({"suffix": ".png"}, ["a.png"], ["a.PNG", "png"]),
        ({"suffix": {"equals-ignore-case": ".PNG"}}, ["a.pNg"], ["a.jpg"]),
        ({"equals-ignore-case": "Alice"}, ["ALICE", "alice"], ["alic", 1]),
        ({"wildcard": "a*b*c"}, ["abc", "a-b-b-c", "a*b*c"], ["ab", "acb", "xabc", "abcx"]),
        ({"wildcard": r"a\*\\*"}, [r"a*\x"], ["axx", "a*x"]),
        ({"anything-but": "a"}, ["b", 1, None, ["a", "b"]], ["a", ["a"]]),
        ({"anything-but": ["a", "b"]}, ["c"], ["a", "b"]),
        ({"anything-but": [1, 2]}, [3, "1"], [1, 2.0]),
        ({"anything-but": {"prefix": "a"}}, ["b", 1], ["ab"]),
        ({"anything-but": {"prefix": ["a", "b"]}}, ["c"], ["ax", "bx"]),
        ({"anything-but": {"suffix": "a"}}, ["ab"], ["ba"]),
        ({"anything-but": {"wildcard": ["*/x/*", "y*"]}}, ["a/b"], ["a/x/b", "yes"]),
        ({"anything-but": {"equals-ignore-case": ["A", "b"]}}, ["c"], ["a", "B"]),
        ({"numeric": ["=", 3]}, [3, 3.0], [4, "3", True]),
        ({"numeric": [">", 0, "<=", 5]}, [1, 5, 0.1], [0, 5.1, None]),
        ({"exists": True}, ["", None, 0, [1]], [{"x": 1}, []]),
        ({"exists": False}, [{"x": 1}, []], ["", None, 0]),
        ({"cidr": "10.0.0.0/24"}, ["10.0.0.255"], ["10.0.1.0", "x", 1]),
        ({"cidr": "2001:db8::/32"}, ["2001:db8::1"], ["2001:db9::1", "10.0.0.1"]),
    ],
)
def test_operators(wanted: Any, yes: list[Any], no: list[Any]) -> None:
    for value in yes:
        assert matches({"field": [wanted]}, {"field": value}), value
    for value in no:
        assert not matches({"field": [wanted]}, {"field": value}), value


def test_only_exists_false_matches_what_is_not_there() -> None:
    assert matches({"a": [{"exists": False}]}, {})
    assert matches({"a": {"b": [{"exists": False}]}}, {"a": 1})
    for wanted in (None, {"anything-but": "x"}, {"exists": True}, ""):
        assert not matches({"a": [wanted]}, {"b": 1})


def test_fields_are_all_needed_and_values_are_alternatives() -> None:
    pattern = {"a": [1, {"prefix": "x"}], "b": {"c": ["y"]}}
    assert matches(pattern, {"a": "xy", "b": {"c": "y"}, "more": 1})
    assert not matches(pattern, {"a": 2, "b": {"c": "y"}})
    assert not matches(pattern, {"a": 1, "b": {"c": "z"}})
    assert matches({}, {"anything": 1})


def test_fields_of_an_array_match_in_one_of_its_elements() -> None:
    pattern = {"items": {"name": ["a"], "size": [1]}}
    assert matches(pattern, {"items": [{"name": "b"}, {"name": "a", "size": 1}]})
    assert not matches(pattern, {"items": [{"name": "a", "size": 2}, {"name": "b", "size": 1}]})


def test_or_at_any_depth() -> None:
    pattern = {"a": {"$or": [{"b": [1]}, {"c": [2], "d": [3]}], "e": [4]}}
    assert matches(pattern, {"a": {"b": 1, "e": 4}})
    assert matches(pattern, {"a": {"c": 2, "d": 3, "e": 4}})
    assert not matches(pattern, {"a": {"b": 1}})
    assert not matches(pattern, {"a": {"c": 2, "e": 4}})
    assert matches({"$or": ["x"]}, {"$or": "x"})


def test_names_with_dots_are_paths() -> None:
    assert matches({"a.b": [1]}, {"a": {"b": 1}})
    assert matches({"a": {"b": [1]}}, {"a.b": 1})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "Filter is not an object"),
        ('"text"', "Filter is not an object"),
        ('{"a": 1}', '"a" must be an object or an array'),
        ('{"a": null}', '"a" must be an object or an array'),
        ('{"a": []}', "Empty arrays are not allowed"),
        ('{"a": {}}', "Empty objects are not allowed"),
        ('{"a": [{"PREFIX": "x"}]}', "Unrecognized match type PREFIX"),
        ('{"a": [{"prefix": 1}]}', "prefix match pattern must be a string"),
        ('{"a": [{"numeric": 1}]}', "Value of numeric must be an array."),
        ('{"a": [{"numeric": [">", 0, ">", 1]}]}', "Bad numeric range operator: >"),
        ('{"a": [{"numeric": [">", 0, "<"]}]}', "Value of < must be numeric"),
        ('{"a": [{"numeric": [">", 5, "<", 1]}]}', "Bottom must be less than top"),
        ('{"a": [{"wildcard": "a**"}]}', "Consecutive wildcard characters at pos 2"),
        ('{"a": [{"cidr": "10.0.0.0"}]}', "Malformed CIDR, one '/' required"),
        ('{"a": [{"cidr": "10.0.0.0/x"}]}', "Malformed CIDR, mask bits must be an integer"),
        ('{"a": [{"cidr": "x/24"}]}', "Nonstandard IP address: x"),
        ('{"a": [{"anything-but": null}]}', "Value of anything-but must be an array or single string/number value."),
        ('{"a": [{"anything-but": ["a", null]}]}', "Inside anything but list, start|null|boolean is not supported."),
        ('{"a": [{"anything-but": {"prefix": ""}}]}', "Null prefix/suffix not allowed"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidPattern) as caught:
        compile_pattern(text)
    assert caught.value.message == reason


@pytest.mark.parametrize(
    "text", ["", "{", "{'a': [1]}", '{"a": [[1]]}', '{"a": [{"exists": 0}]}', '{"a": [{}]}', "[" * 10_000]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InvalidPattern):
        compile_pattern(text)


def test_a_wildcard_takes_no_time_on_texts_made_to_defeat_it() -> None:
    assert not matches({"a": [{"wildcard": "*a*b*c*d"}]}, {"a": "abc" * 50_000})


# The same language, evaluated as it is read, without any of the compiler's shortcuts.

_MISSING = object()


def plain(pattern: dict[str, Any], event: Any) -> bool:
    if isinstance(event, list) and event:
        return any(plain(pattern, each) for each in event)
    found = event if isinstance(event, dict) else {}
    for name, wanted in pattern.items():
        if name == "$or":
            if not any(plain(each, found) for each in wanted):
                return False
        elif isinstance(wanted, dict):
            if not plain(wanted, found.get(name, _MISSING)):
                return False
        elif not any(leaf(each, found.get(name, _MISSING)) for each in wanted):
            return False
    return True


def leaf(wanted: Any, value: Any) -> bool:
    absent = value is _MISSING or value == [] or isinstance(value, dict)
    if wanted == {"exists": False} and isinstance(wanted["exists"], bool):
        return absent or (isinstance(value, list) and any(leaf(wanted, each) for each in value))
    if absent:
        return False
    if isinstance(value, list):
        return any(leaf(wanted, each) for each in value)
    if not isinstance(wanted, dict):
        return json.dumps(wanted) == json.dumps(value)
    ((name, argument),) = wanted.items()
    return operator(name, argument, value)


def operator(name: str, argument: Any, value: Any) -> bool:
    if name == "anything-but":
        if isinstance(argument, dict):
            ((inner, several),) = argument.items()
            return not any(operator(inner, each, value) for each in several)
        return all(json.dumps(each) != json.dumps(value) for each in argument)
    if name == "exists":
        return True
    if name == "numeric":
        return isinstance(value, int) and not isinstance(value, bool) and within(argument, value)
    return isinstance(value, str) and of_text(name, argument, value)


def within(argument: list[Any], value: int) -> bool:
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all({"<": value < bound, ">": value > bound, "=": value == bound}[sign] for sign, bound in pairs)


def of_text(name: str, argument: str, value: str) -> bool:
    if name == "cidr":
        is_address = re.fullmatch(r"\d+\.\d+\.\d+\.\d+", value) is not None
        return is_address and ipaddress.ip_address(value) in ipaddress.ip_network(argument)
    if name == "wildcard":
        return re.fullmatch(".*".join(map(re.escape, argument.split("*"))), value, re.DOTALL) is not None
    if name == "prefix":
        return value[: len(argument)] == argument
    if name == "suffix":
        return value[max(0, len(value) - len(argument)) :] == argument
    return value.lower() == argument.lower()


_names = st.sampled_from(["a", "b", "c"])
_texts = st.sampled_from(["", "a", "b", "ab", "AB", "aba", "10.0.0.1", "10.0.1.1"])
_scalars = st.one_of(st.none(), st.booleans(), st.integers(-2, 3), _texts)
_globs = st.sampled_from(["*", "a*", "*b", "a*b", "*b*a", "ab"])
_operators = st.one_of(
    st.fixed_dictionaries({"prefix": _texts}),
    st.fixed_dictionaries({"suffix": _texts}),
    st.fixed_dictionaries({"equals-ignore-case": _texts}),
    st.fixed_dictionaries({"wildcard": _globs}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"cidr": st.just("10.0.0.0/24")}),
    st.fixed_dictionaries({"numeric": st.tuples(st.just("="), st.integers(-2, 3)).map(list)}),
    st.fixed_dictionaries({"numeric": st.just([">", -1, "<", 3])}),
    st.fixed_dictionaries({"anything-but": st.lists(_texts, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"anything-but": st.lists(st.integers(-2, 3), min_size=1, max_size=2)}),
    st.fixed_dictionaries(
        {"anything-but": st.fixed_dictionaries({"wildcard": st.lists(_globs, min_size=1, max_size=2)})}
    ),
)
_leaves = st.lists(st.one_of(_scalars, _operators), min_size=1, max_size=2)
_patterns: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(_names, _leaves, min_size=1, max_size=2),
    lambda inner: st.one_of(
        st.dictionaries(_names, st.one_of(_leaves, inner), min_size=1, max_size=2),
        st.fixed_dictionaries({"$or": st.lists(inner, min_size=2, max_size=2)}),
    ),
    max_leaves=4,
)
_events = st.dictionaries(
    _names,
    st.recursive(
        _scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(_names, inner, max_size=2)),
        max_leaves=6,
    ),
    max_size=3,
)


@given(_patterns, _events)
def test_compiled_patterns_match_what_a_plain_evaluator_matches(pattern: Any, event: Any) -> None:
    assert matches(pattern, event) == plain(pattern, event)
