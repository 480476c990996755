"""Map, Parallel, Wait and Fail: what is to be done, and what AWS says where it cannot be."""

from typing import Any

import pytest
from tests.services.stepfunctions.asl.cases import machine, scope, state

from cumulet.services.stepfunctions import asl

INNER = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
DISTRIBUTED = {**INNER, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}


def mapped(language: str = "JSONPath", processor: dict[str, Any] = INNER, **fields: Any) -> asl.Map:
    found = state({"Type": "Map", "ItemProcessor": processor, **fields}, language)
    assert isinstance(found, asl.Map)
    return found


def cause(found: asl.State, input: Any, *, distribute: bool = False) -> str | None:
    with pytest.raises(asl.StatesError) as failed:
        begun = found.begin(input, scope())
        assert distribute
        assert isinstance(found, asl.Map)
        found.distribute(input, begun, scope())
    return failed.value.cause


def test_items_and_their_input() -> None:
    found = mapped(
        InputPath="$.in",
        ItemsPath="$.items",
        ItemSelector={"n.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "all.$": "$.items"},
        MaxConcurrencyPath="$.most",
        ResultSelector={"first.$": "$[0]"},
        ResultPath="$.out",
    )
    given = {"in": {"items": ["a", "b"], "most": "2"}}
    begun = found.begin(given, scope(), inspect=True)
    assert (begun.items, begun.max_concurrency, begun.keys) == (["a", "b"], 2, None)
    assert found.item(given, begun, 1, "b", scope()) == {"n": 1, "v": "b", "all": ["a", "b"]}
    assert found.finish(given, begun, [1, 2], scope()).output == {**given, "out": {"first": 1}}
    assert begun.trace is not None
    assert begun.trace["afterItemsPath"] == ["a", "b"]


def test_older_names_and_defaults() -> None:
    document = {"Type": "Map", "Iterator": INNER, "Parameters": {"v.$": "$$.Map.Item.Value"}}
    found = state(document)
    assert isinstance(found, asl.Map)
    begun = found.begin([7], scope())
    assert found.item([7], begun, 0, 7, scope()) == {"v": 7}
    assert (found.mode, begun.max_concurrency) == ("INLINE", 0)
    plain = mapped()
    assert plain.item([7], plain.begin([7], scope()), 0, 7, scope()) == 7


def test_items_by_expression() -> None:
    found = mapped("JSONata", Items="{% $states.input.x %}", ItemSelector="{% $states.context.Map.Item.Value + 1 %}")
    begun = found.begin({"x": [1, 2]}, scope())
    assert begun.items == [1, 2]
    assert found.item({}, begun, 0, 1, scope()) == 2
    assert mapped("JSONata", Items=[1, "{% 2 %}"]).begin({}, scope()).items == [1, 2]
    assert mapped("JSONata").begin([3], scope()).items == [3]


@pytest.mark.parametrize(
    ("found", "input", "text"),
    [
        (mapped("JSONata"), {"a": 1}, 'Map state input must be an array but was: {"a":1}'),
        (mapped(), {"a": 1}, 'Reference path "$" must point to array.'),
        (mapped(ItemsPath="$$.Execution.Name"), {}, 'Reference path "$.Execution.Name" must point to array.'),
        (mapped(MaxConcurrencyPath="$[0].m"), [{"m": {}}], 'The MaxConcurrencyPath field refers to value "{}" which is not a valid integer: $[0].m'),
        (mapped(MaxConcurrencyPath="$[0].m"), [{"m": "No"}], 'The MaxConcurrencyPath field refers to value "No" which is not a valid integer: $[0].m'),
        (
            mapped("JSONata", Items="{% {'foo': 'bar'} %}"),
            {},
            ("The JSONata expression '{'foo': 'bar'}' specified for the field 'Items' returned an unexpected result type. "
            "Expected 'array', but was 'object' for value: {\"foo\":\"bar\"}"),
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_mapped(found: asl.Map, input: Any, text: str) -> None:
    assert cause(found, input) == text


def test_distribution() -> None:
    found = mapped(
        processor=DISTRIBUTED,
        Label="here",
        ItemReader={
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON", "MaxItemsPath": "$.most"},
            "Parameters": {"Bucket.$": "$.bucket", "Key": "k"},
        },
        ItemBatcher={"MaxItemsPerBatch": 3, "MaxInputBytesPerBatchPath": "$.bytes", "BatchInput": {"b.$": "$.bucket"}},
        ResultWriter={
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket.$": "$.bucket", "Prefix": "p"},
        },
        ToleratedFailureCountPath="$.count",
        ToleratedFailurePercentage=5,
    )
    given = {"bucket": "B", "most": 10, "bytes": 99, "count": 2}
    assert (found.mode, found.execution_type, found.label, found.has_reader) == (
        "DISTRIBUTED",
        "STANDARD",
        "here",
        True,
    )
    begun = found.begin(given, scope())
    assert begun.items is None
    plan = found.distribute(given, begun, scope())
    assert plan.reader is not None
    assert (plan.reader.arguments, plan.reader.config) == (
        {"Bucket": "B", "Key": "k"},
        {"InputType": "JSON", "MaxItems": 10},
    )
    assert plan.writer is not None
    assert plan.writer.arguments == {"Bucket": "B", "Prefix": "p"}
    assert plan.batcher is not None
    assert (plan.batcher.max_items, plan.batcher.max_bytes, plan.batcher.batch_input) == (3, 99, {"b": "B"})
    assert (plan.tolerated_count, plan.tolerated_percentage) == (2, 5)


@pytest.mark.parametrize(
    ("fields", "value", "text"),
    [
        ({"ToleratedFailureCountPath": "$[0]"}, -1, "ToleratedFailureCount cannot be negative."),
        ({"ToleratedFailureCountPath": "$[0]"}, 1.5, 'The ToleratedFailureCountPath field refers to value "1.5" which is not a valid integer: $[0]'),
        ({"ToleratedFailurePercentagePath": "$[0]"}, -1.1, "ToleratedFailurePercentage must be between 0 and 100."),
        ({"ToleratedFailurePercentagePath": "$[0]"}, "x", 'The ToleratedFailurePercentagePath field refers to value "x" which is not a valid float: $[0]'),
    ],
)  # fmt: skip
def test_what_cannot_be_tolerated(fields: dict[str, Any], value: Any, text: str) -> None:
    assert cause(mapped(processor=DISTRIBUTED, **fields), [value], distribute=True) == text


def test_objects_can_be_distributed() -> None:
    begun = mapped(processor=DISTRIBUTED).begin({"a": 1}, scope())
    assert (begun.keys, begun.items) == (["a"], [{"Key": "a", "Value": 1}])


def test_parallel() -> None:
    branches = [INNER, {"StartAt": "J", "States": {"J": {"Type": "Succeed"}}}]
    found = state({"Type": "Parallel", "Branches": branches, "Parameters": {"x.$": "$.a"}, "ResultPath": "$.r"})
    assert isinstance(found, asl.Parallel)
    begun = found.begin({"a": 1}, scope())
    assert begun.arguments == {"x": 1}
    assert [branch.start_at for branch in found.branches] == ["I", "J"]
    assert found.finish({"a": 1}, begun, [1, 2], scope()).output == {"a": 1, "r": [1, 2]}


@pytest.mark.parametrize(
    ("fields", "input", "text"),
    [
        ({"SecondsPath": "$.x"}, {"x": -1}, "The SecondsPath parameter references a negative value: $.x == -1"),
        ({"SecondsPath": "$.x"}, {"x": 1.5}, "The SecondsPath parameter cannot be parsed as a long value: $.x == 1.5"),
        ({"SecondsPath": "$.x"}, {}, "The SecondsPath parameter does not reference an input value: $.x"),
        (
            {"TimestampPath": "$.x"},
            {"x": "2016-13-05T21:29:29Z"},
            (
                "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: "
                "$.x == 2016-13-05T21:29:29Z"
            ),
        ),
        ({"Timestamp": "2099-01-01T00:00:00Z"}, {}, "Wait state delay is too long."),
    ],
)
def test_what_cannot_be_waited_for(fields: dict[str, Any], input: Any, text: str) -> None:
    assert cause(state({"Type": "Wait", **fields}), input) == text


def test_waits() -> None:
    assert state({"Type": "Wait", "Seconds": 5}).begin({}, scope()).seconds == 5
    assert state({"Type": "Wait", "SecondsPath": "$.s"}).begin({"s": 7}, scope()).seconds == 7
    found = state({"Type": "Wait", "TimestampPath": "$.t"})
    assert found.begin({"t": "2024-01-01T01:00:00+01:00"}, scope()).timestamp == 1704067200
    found = state({"Type": "Wait", "Seconds": 5, "Assign": {"x.$": "$"}, "InputPath": "$.a", "OutputPath": "$.b"})
    given = {"a": {"b": 1}}
    finished = found.finish(given, found.begin(given, scope()), None, scope())
    assert (finished.output, finished.assigned) == (1, {"x": {"b": 1}})


def test_fails() -> None:
    begun = state({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('{}!', $.c)"}).begin(
        {"e": "E", "c": "x"}, scope()
    )
    assert (begun.error, begun.cause) == ("E", "x!")
    assert state({"Type": "Fail"}).begin({}, scope()).error is None
    text = "The JSONPath '$.e' specified for the field 'ErrorPath' could not be found in the input '{}'"
    assert cause(state({"Type": "Fail", "ErrorPath": "$.e"}), {}) == text


def test_a_machine_finds_its_states_and_their_variables() -> None:
    found = machine(
        {"Type": "Map", "ItemProcessor": INNER, "MaxConcurrencyPath": "$most", "ItemSelector": {"x.$": "States.Array($a, $b.c)"}, "Next": "C"},
        C={"Type": "Choice", "Choices": [{"Variable": "$v", "StringEqualsPath": "$w.x", "Next": "J"}], "Default": "J"},
        J={"Type": "Succeed", "QueryLanguage": "JSONata", "Output": "{% ($own := 1; $sum($list) + $own + $map($list, $f)) %}"},
    )  # fmt: skip
    inner = found.find("I")
    assert inner is not None
    assert inner.name == "I"
    assert found.find("no") is None
    assert found.references() == {"S": ["a", "b", "most"], "C": ["v", "w"], "J": ["f", "list"]}
