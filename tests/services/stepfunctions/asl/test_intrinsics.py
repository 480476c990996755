"""The 18 intrinsic functions; expected values are AWS's where the developer guide or a recorded answer has them."""

import contextlib
import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.services.stepfunctions.asl.cases import passed, scope

from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.asl import functions, intrinsics, paths

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)


def called(call: str, input: Any = None) -> Any:
    return passed({"x.$": call}, input)["x"]


@pytest.mark.parametrize(
    ("call", "input", "result"),
    [
        ("States.Array()", None, []),
        ("States.Array($, 1, 'a', null, true)", {"b": 2}, [{"b": 2}, 1, "a", None, True]),
        ("States.ArrayPartition($, 4)", [1, 2, 3, 4, 5, 6, 7, 8, 9], [[1, 2, 3, 4], [5, 6, 7, 8], [9]]),
        ("States.ArrayContains($, 5)", [1, 5], True),
        ("States.ArrayContains($, 1)", [True], False),
        ("States.ArrayRange(1, 9, 2)", None, [1, 3, 5, 7, 9]),
        ("States.ArrayRange(9, 1, -3)", None, [9, 6, 3]),
        ("States.ArrayGetItem($, 2)", [1, 2, 3], 3),
        ("States.ArrayLength($)", [1, 2], 2),
        ("States.ArrayUnique($)", [1, 1, 1.1, True, "1", {"a": 1, "b": 2}, {"b": 2, "a": 1}], [1, 1.1, True, "1", {"a": 1, "b": 2}]),
        ("States.Base64Encode('Data to encode')", None, "RGF0YSB0byBlbmNvZGU="),
        ("States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", None, "Data to encode"),
        ("States.Hash('input data', 'SHA-1')", None, "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("States.JsonMerge($.a, $.b, false)", {"a": {"x": {"y": 1}, "z": 1}, "b": {"x": {"w": 2}}}, {"x": {"w": 2}, "z": 1}),
        ("States.StringToJson($)", '{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ("States.StringToJson('')", None, None),
        ("States.JsonToString($)", {"a": [1, "x"]}, '{"a":[1,"x"]}'),
        ("States.MathAdd(1.5, 1.51)", None, 4),
        ("States.MathAdd(-1.5, -1.51)", None, -3),
        ("States.MathAdd(-1.49, 0)", None, -1),
        ("States.StringSplit('This.is+a,test=string', '.+,=')", None, ["This", "is", "a", "test", "string"]),
        ("States.StringSplit(', , ,', ',')", None, [" ", " "]),
        ("States.Format('Hello, {} and {}.', $.a, $.b)", {"a": "x", "b": 2}, "Hello, x and 2."),
        ("States.Format('{}', $)", {"Arg1": 1, "Arg2": [], "s": "t"}, "{Arg1=1, Arg2=[], s=t}"),
        (r"States.Format('\{\} {} it\'s \\', 1)", None, "{} 1 it's \\"),
        ("States.ArrayGetItem(States.StringSplit('a-b', '-'), States.MathAdd(States.ArrayLength(States.StringSplit('a-b', '-')), -1))", None, "b"),
        ("States.Format('{}', $['a,b)'][0])", {"a,b)": [3]}, "3"),
        ("States.StringSplit('Hello\nWorld', '\n')", None, ["Hello", "World"]),
    ],
)  # fmt: skip
def test_calls(call: str, input: Any, result: Any) -> None:
    found = called(call, input)
    assert json.dumps(found) == json.dumps(result)


@pytest.mark.parametrize(
    ("call", "input"),
    [
        ("States.ArrayRange(1, 5000, 1)", None),
        ("States.ArrayRange(1, 5, 0)", None),
        ("States.ArrayGetItem($, 3)", [1, 2, 3]),
        ("States.ArrayGetItem($, -1)", [1]),
        ("States.ArrayPartition($, 0)", [1]),
        ("States.ArrayLength($)", "text"),
        ("States.Base64Encode($)", "x" * 10_001),
        ("States.Base64Decode('!')", None),
        ("States.Hash('x', 'SHA-3')", None),
        ("States.JsonMerge($, $, true)", {}),
        ("States.StringToJson('{')", None),
        ("States.MathAdd($, 1)", 2**31),
        ("States.MathAdd($, 1)", True),
        ("States.MathRandom(5, 5)", None),
        ("States.Format('{} {}', 1)", None),
        ("States.Format('{', 1)", None),
        ("States.Format('a', 1)", None),
    ],
)
def test_calls_that_fail(call: str, input: Any) -> None:
    with pytest.raises(asl.StatesError) as failed:
        called(call, input)
    assert failed.value.name == "States.IntrinsicFailure"
    assert failed.value.cause is not None
    assert failed.value.cause.startswith(f"The function '{call}' had the following error: ")


@pytest.mark.parametrize(
    "text",
    [
        "States.Nothing()",
        "States.UUID(1)",
        "States.MathAdd(1)",
        "States.MathAdd(1, '1')",
        "States.Array(1",
        "States.Array(1,)",
        "States.Array('x)",
        r"States.Format('\x')",
        "States.Format(1)",
        "States.UUID() x",
        "States.Array(" * 12 + ")" * 12,
    ],
)
def test_what_is_no_call(text: str) -> None:
    with pytest.raises(intrinsics.BadCall):
        intrinsics.call(text)


def test_arguments_that_are_nested_too_deeply() -> None:
    deep: Any = []
    for _ in range(20_000):
        deep = [deep]
    with pytest.raises(asl.StatesError, match="nested too deeply"):
        called("States.Format('{}', $)", deep)


def test_what_is_drawn_at_random() -> None:
    assert len(called("States.UUID()")) == 36
    assert 1 <= called("States.MathRandom(1, 9)") < 9
    assert called("States.MathRandom(1, 999, 3)") == called("States.MathRandom(1, 999, 3)")
    # The reference: new java.util.Random(42).nextDouble().
    assert functions.java_random(42) == 0.7275636800328681


@settings(derandomize=True, max_examples=40, deadline=None)
@given(value=JSON)
def test_json_goes_there_and_back(value: Any) -> None:
    assert called("States.StringToJson(States.JsonToString($))", value) == value


@settings(derandomize=True, max_examples=40, deadline=None)
@given(text=st.text(max_size=50))
def test_base64_goes_there_and_back(text: str) -> None:
    assert called("States.Base64Decode(States.Base64Encode($))", text) == text


@settings(derandomize=True, max_examples=40, deadline=None)
@given(array=st.lists(JSON, max_size=8), size=st.integers(1, 10))
def test_partitions_hold_all(array: list[Any], size: int) -> None:
    parts = called(f"States.ArrayPartition($, {size})", array)
    assert [item for part in parts for item in part] == array
    assert all(0 < len(part) <= size for part in parts)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(array=st.lists(JSON, max_size=8))
def test_unique_keeps_one_of_each(array: list[Any]) -> None:
    found = called("States.ArrayUnique($)", array)
    assert all(any(functions.same(item, kept) for kept in found) for item in array)
    assert not any(functions.same(one, other) for n, one in enumerate(found) for other in found[:n])


@settings(derandomize=True, max_examples=40, deadline=None)
@given(text=st.text(alphabet=string.printable, max_size=40))
def test_any_text_is_a_call_or_is_none(text: str) -> None:
    for tried in (text, "States." + text, f"States.Format('{text}')", f"States.Array({text})"):
        with contextlib.suppress(intrinsics.BadCall, asl.StatesError, paths.NotFound):
            intrinsics.call(tried).read({}, scope())
