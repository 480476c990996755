"""Choice: every operator of JSONPath, and conditions of JSONata."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.services.stepfunctions.asl.cases import scope, state

from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.asl import choices

EARLY, LATE = "2016-03-14T01:59:00Z", "2016-03-14T01:59:00.5Z"


def chosen(rule: dict[str, Any], input: Any, **fields: Any) -> bool:
    document = {"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], "Default": "No", **fields}
    found = state(document, Yes={"Type": "Succeed"}, No={"Type": "Succeed"}).run(input, scope({"v": "a"}))
    return found.next == "Yes"


def test_there_are_39_operators() -> None:
    assert len(choices.OPERATORS) == 39


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("String", "a", "b"), ("Numeric", 1, 2.5), ("Timestamp", EARLY, LATE)],
)
def test_orders(kind: str, low: Any, high: Any) -> None:
    given = {"low": low, "high": high, "other": None}
    expected = {
        "Equals": (False, True, False),
        "LessThan": (True, False, False),
        "GreaterThan": (False, False, True),
        "LessThanEquals": (True, True, False),
        "GreaterThanEquals": (False, True, True),
    }
    for name, results in expected.items():
        pairs = (("low", "high"), ("low", "low"), ("high", "low"))
        for (left, right), result in zip(pairs, results, strict=True):
            assert chosen({"Variable": f"$.{left}", f"{kind}{name}": given[right]}, given) is result
            assert chosen({"Variable": f"$.{left}", f"{kind}{name}Path": f"$.{right}"}, given) is result
        # A value of another kind is neither equal, nor less, nor greater.
        assert not chosen({"Variable": "$.other", f"{kind}{name}": low}, given)


@pytest.mark.parametrize(
    ("operator", "values"),
    [
        ("IsNull", [None]),
        ("IsNumeric", [1, 1.5]),
        ("IsString", ["a", EARLY]),
        ("IsBoolean", [True, False]),
        ("IsTimestamp", [EARLY]),
        ("IsPresent", [None, 1, 1.5, "a", EARLY, True, False, {}, []]),
    ],
)
def test_kinds(operator: str, values: list[Any]) -> None:
    value: Any
    for value in [None, 1, 1.5, "a", EARLY, True, False, {}, []]:
        is_one = any(value is one or (value == one and type(value) is type(one)) for one in values)
        assert chosen({"Variable": "$.x", operator: True}, {"x": value}) is is_one
        assert chosen({"Variable": "$.x", operator: False}, {"x": value}) is not is_one


def test_presence_and_absence() -> None:
    assert chosen({"Variable": "$.x", "IsPresent": False}, {})
    with pytest.raises(asl.StatesError) as failed:
        chosen({"Variable": "$.x", "IsNull": True}, {})
    assert failed.value.name == "States.Runtime"
    assert failed.value.cause == "Invalid path '$.x': The choice state's condition path references an invalid value."


def test_combinations_and_other_roots() -> None:
    yes, no = {"Variable": "$.a", "NumericEquals": 1}, {"Variable": "$.a", "NumericEquals": 2}
    given = {"a": 1}
    assert chosen({"And": [yes, yes]}, given)
    assert not chosen({"And": [yes, no]}, given)
    assert chosen({"Or": [no, yes]}, given)
    assert chosen({"Not": {"And": [yes, no]}}, given)
    assert chosen({"Variable": "$v", "StringEquals": "a"}, given)
    assert chosen({"Variable": "$$.Execution.Name", "StringEquals": "e"}, given)
    assert chosen({"Variable": "$.b", "BooleanEqualsPath": "$.c"}, {"b": True, "c": True})
    assert not chosen({"Variable": "$.b", "BooleanEquals": True}, {"b": 1})
    assert not chosen({"Variable": "$.b", "NumericEquals": 1}, {"b": True})


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("a*", "abc", True),
        ("*.log", "x.log", True),
        ("a*b*c", "a--b--c", True),
        ("a*b*c", "acb", False),
        ("*", "", True),
        ("ab*ba", "aba", False),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        (r"a\\*", "a\\xyz", True),
        ("exact", "exact", True),
        ("exact", "exactly", False),
    ],
)
def test_string_matches(pattern: str, text: str, fits: bool) -> None:
    assert choices.matcher(pattern)(text) is fits
    assert chosen({"Variable": "$", "StringMatches": pattern}, text) is fits


@settings(derandomize=True, max_examples=40, deadline=None)
@given(parts=st.lists(st.text(alphabet="ab", max_size=3), min_size=1, max_size=5), filler=st.text(max_size=3))
def test_patterns_fit_what_they_were_made_of(parts: list[str], filler: str) -> None:
    assert choices.matcher("*".join(parts))(filler.join(parts)) or len(parts) == 1


@settings(derandomize=True, max_examples=40, deadline=None)
@given(pattern=st.text(alphabet="ab*", max_size=10), text=st.text(alphabet="ab", max_size=10))
def test_patterns_are_as_regular_expressions(pattern: str, text: str) -> None:
    import re

    expected = re.fullmatch("".join(".*" if letter == "*" else letter for letter in pattern), text) is not None
    assert choices.matcher(pattern)(text) is expected


def test_long_patterns_are_linear() -> None:
    assert not choices.matcher("a*" * 2000 + "b")("a" * 20_000)


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
def test_no_rule_and_no_default(language: str) -> None:
    rule = {"Condition": "{% false %}"} if language == "JSONata" else {"Variable": "$.a", "NumericEquals": 2}
    choice = state({"Type": "Choice", "Choices": [{**rule, "Next": "T"}]}, language, T={"Type": "Succeed"})
    with pytest.raises(asl.StatesError) as failed:
        choice.run({"a": 1}, scope())
    assert failed.value.name == "States.NoChoiceMatched"


def test_fields_of_rules() -> None:
    choice = state(
        {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $states.input.n > 5 %}", "Output": "{% $states.input.n %}", "Assign": {"big": True}, "Next": "T"},
                {"Condition": False, "Next": "T"},
            ],
            "Assign": {"big": "{% false %}"},
            "Output": "none",
            "Default": "T",
        },
        "JSONata",
        T={"Type": "Succeed"},
    )  # fmt: skip
    large, small = choice.run({"n": 6}, scope()), choice.run({"n": 1}, scope())
    assert (large.output, large.assigned, large.index) == (6, {"big": True}, 0)
    assert (small.output, small.assigned, small.index) == ("none", {"big": False}, None)
    paths = state(
        {
            "Type": "Choice",
            "InputPath": "$.in",
            "Choices": [{"Variable": "$.a", "IsPresent": True, "Assign": {"x.$": "$.a"}, "Next": "T"}],
            "OutputPath": "$.a",
        },
        T={"Type": "Succeed"},
    )
    found = paths.run({"in": {"a": 3}}, scope())
    assert (found.output, found.assigned, found.index) == (3, {"x": 3}, 0)


def test_conditions_are_booleans() -> None:
    choice = state(
        {"Type": "Choice", "Choices": [{"Condition": "{% 1 %}", "Next": "T"}]}, "JSONata", T={"Type": "Succeed"}
    )
    with pytest.raises(asl.StatesError) as failed:
        choice.run({}, scope())
    assert (failed.value.name, failed.value.location) == ("States.QueryEvaluationError", "Choices[0]/Condition")
    assert failed.value.cause == (
        "The JSONata expression '1' specified for the field 'Choices[0]/Condition' returned an unexpected result type. "
        "Expected 'boolean', but was 'number' for value: 1"
    )
