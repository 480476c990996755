"""What AWS's validator says of definitions, and that ours says it and never raises anything else.

The texts are AWS's: recorded answers, and measurements others have published.
"""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.services.stepfunctions.asl.cases import FUNCTION

from cumulet.services.stepfunctions import asl

END = {"Type": "Succeed"}
INNER = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
NOT_SUPPORTED = "Field '{}' is not supported"


def found(document: Any, kind: asl.Kind = "STANDARD") -> list[tuple[str, str, str | None]]:
    text = document if isinstance(document, str) else json.dumps(document)
    return [(one.code, one.message, one.location) for one in asl.validate(text, kind) if one.severity == "ERROR"]


def of(state: dict[str, Any], language: str = "JSONPath", kind: asl.Kind = "STANDARD", **others: Any) -> Any:
    """The findings in a machine of the state "S", as (message, where in S)."""
    document = {"QueryLanguage": language, "StartAt": "S", "States": {"S": state, **others}}
    errors = found(document, kind)
    assert all(code == "SCHEMA_VALIDATION_FAILED" for code, _, _ in errors)
    return [(message, (location or "").removeprefix("/States/S")) for _, message, location in errors]


def passing(**fields: Any) -> dict[str, Any]:
    return {"Type": "Pass", "End": True, **fields}


def task(**fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": FUNCTION, "End": True, **fields}


def test_texts_that_are_no_definition() -> None:
    assert found(" ") == [("SCHEMA_VALIDATION_FAILED", "Definition must be a valid JSON object", None)]
    assert found("[]") == [("SCHEMA_VALIDATION_FAILED", "Definition must be a valid JSON object", None)]
    where = '[Source: (String)"not a definition"; line: 1, column: 4]'
    message = "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
    assert found("not a definition") == [("INVALID_JSON_DESCRIPTION", f"{message}\n at {where}", where)]
    assert found("{'a': 1}")[0][1].startswith(
        "Unexpected character (''' (code 39)): was expecting double-quote to start field name"
    )
    assert found({}) == [("SCHEMA_VALIDATION_FAILED", "These fields are required: [States, StartAt]", "/")]
    assert found({"States": {"A": END}}) == [("SCHEMA_VALIDATION_FAILED", "These fields are required: [StartAt]", "/")]


def test_the_message_of_an_invalid_definition() -> None:
    document = {"StartAt": "pass1", "States": {"pass1": {"Type": "Pass", "Next": "pass3"}, "pass2": passing()}}
    with pytest.raises(asl.InvalidDefinition) as refused:
        asl.compile(json.dumps(document))
    assert str(refused.value) == (
        "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: pass3 at "
        '/States/pass1/Next, MISSING_TRANSITION_TARGET: State "pass2" is not reachable. at /States/pass2\''
    )


def test_ways_through_a_machine() -> None:
    def walk(**states: Any) -> list[tuple[str, str, str | None]]:
        return found({"StartAt": "A", "States": states})

    nowhere, no_end = "MISSING_TRANSITION_TARGET", ("MISSING_END_STATE", "Workflow has no terminal state", None)
    to_a, to_b = {"Type": "Pass", "Next": "A"}, {"Type": "Pass", "Next": "B"}
    assert walk(A=to_b, B=to_a) == [no_end]
    assert walk(A=to_b, B=to_a, C=to_a) == [no_end]
    assert walk(A=to_b, B=to_a, C=passing()) == [(nowhere, 'State "C" is not reachable.', "/States/C")]
    assert walk(A={"Type": "Pass", "Next": "NOPE"}) == [
        (nowhere, "Missing 'Next' target: NOPE", "/States/A/Next"),
        no_end,
    ]
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "X"}], "Default": "Y"}
    caught = {**task(), "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]}
    assert walk(A=choice, B=caught)[:3] == [
        (nowhere, "Missing 'Next' target: X", "/States/A/Choices[0]/Next"),
        (nowhere, "Missing 'Next' target: Y", "/States/A/Default"),
        (nowhere, "Missing 'Next' target: Z", "/States/B/Catch[0]/Next"),
    ]
    outward = {"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "B"}, "J": END}}
    assert (nowhere, "Missing 'Next' target: B", "/States/A/Branches[0]/States/I/Next") in walk(
        A={"Type": "Parallel", "Branches": [outward], "Next": "B"}, B=END
    )
    assert found({"StartAt": "B", "States": {"A": END}})[0] == (nowhere, "Missing 'StartAt' target: B", "/StartAt")


def test_names() -> None:
    twice = {"Type": "Parallel", "Branches": [INNER, INNER], "End": True}
    assert found({"StartAt": "P", "States": {"P": twice}}) == [
        ("DUPLICATE_STATE_NAME", "Duplicate State name: I", "/States/P/Branches[1]/States/I")
    ]
    long = "x" * 81
    assert [code for code, _, _ in found({"StartAt": long, "States": {long: END}})] == ["INVALID_STATE_NAME"]
    assert found({"StartAt": "x" * 80, "States": {"x" * 80: END}}) == []
    for label, code in (("x" * 41, "INVALID_LABEL_NAME"), ("a b", "INVALID_LABEL_NAME"), ("", "INVALID_LABEL_NAME")):
        labelled = {"Type": "Map", "ItemProcessor": INNER, "Label": label, "End": True}
        assert [found[0] for found in found({"StartAt": "M", "States": {"M": labelled}})] == [code]


@pytest.mark.parametrize(
    ("assign", "code", "message"),
    [
        ({"states": 1}, "RESERVED_VARIABLE_NAME", "Cannot assign to reserved variable '$states'."),
        (
            {"a-b": 1},
            "INVALID_VARIABLE_NAME",
            "Invalid variable name 'a-b': the variable name contains invalid characters.",
        ),
    ],
)
def test_variables(assign: Any, code: str, message: str) -> None:
    name = next(iter(assign))
    for language in ("JSONPath", "JSONata"):
        document = {"QueryLanguage": language, "StartAt": "S", "States": {"S": passing(Assign=assign)}}
        assert found(document) == [(code, message, f"/States/S/Assign/{name}")]


@pytest.mark.parametrize(
    ("state", "findings"),
    [
        ({"Type": "Pass"}, [("This object should have only one of the following fields: [Next, End]", "")]),
        (passing(Next="S"), [("There should only be one of the following fields: [Next, End]", "")]),
        (passing(bugInputPath="$"), [(NOT_SUPPORTED.format("bugInputPath"), "")]),
        (passing(TimeoutSeconds=1), [(NOT_SUPPORTED.format("TimeoutSeconds"), "")]),
        (passing(Catch=[]), [(NOT_SUPPORTED.format("Catch"), "")]),
        (
            {"Type": "Pas"},
            [("The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]", "/Type")],
        ),
        (passing(InputPath="x$"), [("Value must be a valid JSONPath.", "/InputPath")]),
        (passing(ResultPath="$.a[*]"), [("Value is not a Reference Path", "/ResultPath")]),
        (passing(ResultPath="$v.a"), [("Value is not a Reference Path", "/ResultPath")]),
        (passing(ResultPath="a"), [("Value is not a Reference Path: Reference path didn't start with '$'", "/ResultPath")]),
        (
            passing(Parameters={"parsed.$": "States.StringToJson('{\"a\":\"\\\"b\"}"}),
            [("The value for the field 'parsed.$' must be a valid JSONPath or a valid intrinsic function call", "/Parameters")],
        ),
        (
            passing(Output="{% 1 %}"),
            [("The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage", "")],
        ),
        (task(Credentials={}), [("The field 'RoleArn' is required but was missing", "/Credentials")]),
        (task(Credentials=None), [("Expected value of type Object", "/Credentials")]),
        (task(TimeoutSeconds=0), [("Minimum value is 1", "/TimeoutSeconds")]),
        (task(TimeoutSeconds=10**8), [("Maximum value is 99999999", "/TimeoutSeconds")]),
        (task(TimeoutSeconds="5"), [("Expected value of type Integer", "/TimeoutSeconds")]),
        (task(TimeoutSeconds=5, TimeoutSecondsPath="$.a"), [("There should only be one of the following fields: [TimeoutSeconds, TimeoutSecondsPath]", "")]),
        (task(Retry=[{}]), [("These fields are required: [ErrorEquals]", "/Retry[0]")]),
        (task(Retry=[{"ErrorEquals": []}]), [("Value cannot be empty", "/Retry[0]/ErrorEquals")]),
        (task(Retry=[{"ErrorEquals": ["A", "States.ALL"]}]), [("States.ALL must appear alone and at end of list", "/Retry[0]/ErrorEquals")]),
        (task(Retry=[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["A"]}]), [("States.ALL must appear alone and at end of list", "/Retry[0]/ErrorEquals")]),
        (task(Retry=[{"ErrorEquals": ["A"], "BackoffRate": 0.5}]), [("Minimum value is 1.0", "/Retry[0]/BackoffRate")]),
        (task(Retry=[{"ErrorEquals": ["A"], "JitterStrategy": "X"}]), [("Value should be one of the following: [NONE, FULL]", "/Retry[0]/JitterStrategy")]),
        (task(Catch=[{"ErrorEquals": ["A"]}]), [("These fields are required: [Next]", "/Catch[0]")]),
        (task(Resource="nothing"), [("Value is not a valid resource ARN", "/Resource")]),
        (
            task(Resource="arn:aws:states:::dynamodb:query", Parameters={}),
            [("The resource provided arn:aws:states:::dynamodb:query is not recognized. The value is not a valid resource ARN, or the resource is not available in this region.", "/Resource")],
        ),
        (task(Resource="arn:aws:states:::lambda:invoke"), [("Parameters field is required for resource ARN: arn:aws:states:::lambda:invoke", "")]),
        (task(Resource="arn:aws:states:::lambda:invoke", Parameters={}), [("The field 'FunctionName' is required but was missing", "/Parameters")]),
        ({"Type": "Wait", "Seconds": 1, "Timestamp": "2016-03-14T01:59:00Z", "End": True}, [("There should only be one of the following fields: [SecondsPath, Seconds, TimestampPath, Timestamp]", "")]),
        ({"Type": "Wait", "Timestamp": "2016-03-14 01:59:00Z", "End": True}, [("String does not match RFC3339 timestamp", "/Timestamp")]),
        ({"Type": "Wait", "Seconds": -1, "End": True}, [("Minimum value is 0", "/Seconds")]),
        ({"Type": "Fail", "Error": "a", "ErrorPath": "$.a"}, [("There should only be one of the following fields: [Error, ErrorPath]", "")]),
        ({"Type": "Parallel", "Branches": [], "End": True}, [("Value cannot be empty", "/Branches")]),
        ({"Type": "Parallel", "Branches": [{}], "End": True}, [("These fields are required: [States, StartAt]", "/Branches[0]")]),
        ({"Type": "Map", "End": True}, [("This object should have only one of the following fields: [ItemProcessor, Iterator]", "")]),
        ({"Type": "Map", "ItemProcessor": INNER, "ToleratedFailurePercentage": 105, "End": True}, [("Maximum value is 100.0", "/ToleratedFailurePercentage")]),
        ({"Type": "Map", "ItemProcessor": INNER, "MaxConcurrencyPath": "$$.Execution.Input.n", "End": True}, [("Value is not a Reference Path", "/MaxConcurrencyPath")]),
        ({"Type": "Map", "ItemProcessor": {**INNER, "QueryLanguage": "JSONata"}, "End": True}, [(NOT_SUPPORTED.format("QueryLanguage"), "/ItemProcessor")]),
        ({"Type": "Map", "ItemProcessor": {**INNER, "ProcessorConfig": {"Mode": "DISTRIBUTED"}}, "End": True}, [("These fields are required: [ExecutionType]", "/ItemProcessor/ProcessorConfig")]),
        ({"Type": "Choice", "Choices": []}, [("Value cannot be empty", "/Choices")]),
        ({"Type": "Choice", "Choices": [{"Next": "S"}]}, [("The object must have only one of the following fields, [And, Or, Not, Variable, Condition]", "/Choices[0]")]),
        ({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True}]}, [("These fields are required: [Next]", "/Choices[0]")]),
        ({"Type": "Choice", "Choices": [{"Not": {"Variable": "$.a", "IsNull": True, "Next": "S"}, "Next": "S"}]}, [(NOT_SUPPORTED.format("Next"), "/Choices[0]/Not")]),
        ({"Type": "Choice", "Choices": [{"Variable": "a", "IsNull": True, "Next": "S"}]}, [("Value is not a Reference Path: Reference path didn't start with '$'", "/Choices[0]/Variable")]),
    ],
)  # fmt: skip
def test_states_with_paths(state: dict[str, Any], findings: Any) -> None:
    assert of(state) == findings


@pytest.mark.parametrize(
    ("state", "findings"),
    [
        (
            passing(Parameters={}),
            [("The QueryLanguage is set to 'JSONata', but field 'Parameters' is only supported for the 'JSONPath' QueryLanguage", "")],
        ),
        (passing(QueryLanguage="JSONPath"), [("'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine", "")]),
        (passing(QueryLanguage="X"), [("Value should be one of the following: [JSONPath, JSONata]", "/QueryLanguage")]),
        (passing(Output="{% 1"), [("JSONata string must start with {% and end with %}", "/Output")]),
        (passing(Output={"a": ["1 %}"]}), [("JSONata string must start with {% and end with %}", "/Output/a[0]")]),
    ],
)  # fmt: skip
def test_states_with_expressions(state: dict[str, Any], findings: Any) -> None:
    assert of(state, "JSONata") == findings


@pytest.mark.parametrize(
    ("expression", "code", "message"),
    [
        ("1 +", "INVALID_JSONATA_EXPRESSION", "Unexpected end of expression"),
        ('"open', "INVALID_JSONATA_EXPRESSION", "String literal must be terminated by a matching quote"),
        ("a[1,2)", "INVALID_JSONATA_EXPRESSION", 'Expected "]", got ","'),
        ('{"a":}', "INVALID_JSONATA_EXPRESSION", 'The symbol "}" cannot be used as a unary operator'),
        ("phone", "UNSUPPORTED_JSONATA_EXPRESSION", "Reference to 'phone' at the top level is not supported."),
        ("$sum(a.b)", "UNSUPPORTED_JSONATA_EXPRESSION", "Reference to 'a' at the top level is not supported."),
        ("**.a", "UNSUPPORTED_JSONATA_EXPRESSION", "Reference to '**' at the top level is not supported."),
        ("/* open", "INVALID_JSONATA_EXPRESSION", "Comment has no closing tag"),
        ("$$", "UNSUPPORTED_JSONATA_EXPRESSION", "Reference to '$$' at the top level is not supported."),
    ],
)
def test_expressions(expression: str, code: str, message: str) -> None:
    document = {
        "QueryLanguage": "JSONata",
        "StartAt": "S",
        "States": {"S": passing(Output={"v": "{% " + expression + " %}"})},
    }
    assert found(document) == [(code, message, "/States/S/Output/v")]


@pytest.mark.parametrize(
    "expression",
    [
        "$states.input.items[price > 5].name",
        "$map($states.input, function($v, $i) { $v.name & $i })",
        "$states.input.items{category: $sum(price)}",
        "$states.input ~> |items|{'x': price}|",
        "$sort($states.input, function($l, $r) { $l.a > $r.a })",
        "$states.input^(>price)",
        "$match('a/b', /a\\/(b)/i)",
        "( $x := $states.input; $x.a )",
        "$states.input.`odd name`",
        "$states.input.items@$i.($i.a)",
        "true and null = false or 1 in [1]",
        "[0..5].$power(2, $)",
        "$states.input.$zip(one, two) ~> $map($sum)",
        "($f := function($x)<n:n>{ $x + 1 }; $f($states.input))",
        "λ($a)<a<n>>{ $a }([1])",
    ],
)
def test_expressions_that_are_fine(expression: str) -> None:
    document = {
        "QueryLanguage": "JSONata",
        "StartAt": "S",
        "States": {"S": passing(Output="{% " + expression + " %}")},
    }
    assert found(document) == []


def test_error_output_is_for_catchers() -> None:
    catcher = {"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "T"}
    assert of(task(Catch=[catcher]), "JSONata", T=END) == []
    document = {"StartAt": "S", "States": {"S": passing(QueryLanguage="JSONata", Output="{% $states.errorOutput %}")}}
    assert [code for code, _, _ in found(document)] == ["UNSUPPORTED_JSONATA_EXPRESSION"]


def test_express() -> None:
    queue = {"QueueUrl": "u", "MessageBody": "b"}
    waiting = task(Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken", Parameters=queue)
    nested = task(Resource="arn:aws:states:::states:startExecution.sync:2", Parameters={"StateMachineArn": "a"})
    activity = task(Resource="arn:aws:states:us-east-1:111111111111:activity:a")
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    distributed = {"Type": "Map", "ItemProcessor": {**INNER, "ProcessorConfig": config}, "End": True}
    for state, finding in (
        (waiting, ("Express state machine does not support '.waitForTaskToken' service integration ", "/Resource")),
        (nested, ("Express state machine does not support '.sync' service integration", "/Resource")),
        (activity, ("Express state machine does not support Activity ARN", "/Resource")),
        (
            distributed,
            (
                "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines",
                "/ItemProcessor/ProcessorConfig/Mode",
            ),
        ),
    ):
        assert of(state) == []
        assert of(state, kind="EXPRESS") == [finding]


def test_warnings_refuse_nothing() -> None:
    document = {"StartAt": "S", "States": {"S": passing(Parameters={"a": "$.b"}, Result={"c.$": "$.d"})}}
    found = asl.validate(json.dumps(document))
    assert {(one.severity, one.code, one.location) for one in found} == {
        ("WARNING", "NO_DOLLAR", "/States/S/Parameters/a"),
        ("WARNING", "PASS_RESULT_IS_STATIC", "/States/S/Result"),
    }
    asl.compile(json.dumps(document))


def test_hostile_shapes() -> None:
    flow: Any = INNER
    for depth in range(40):
        flow = {"StartAt": f"P{depth}", "States": {f"P{depth}": {"Type": "Parallel", "Branches": [flow], "End": True}}}
    assert [code for code, _, _ in found(flow)] == ["TOO_DEEPLY_NESTED"]
    rule: Any = {"Variable": "$.a", "IsNull": True}
    for _ in range(70):
        rule = {"Not": rule}
    choice = {"Type": "Choice", "Choices": [{**rule, "Next": "T"}]}
    assert {code for code, _, _ in found({"StartAt": "S", "States": {"S": choice, "T": END}})} == {"TOO_DEEPLY_NESTED"}
    assert found("[" * 100_000)
    assert found('{"a":' * 100_000)
    many = {f"s{n}": {"Type": "Pass", "Next": f"s{n + 1}"} for n in range(10_000)}
    assert found({"StartAt": "s0", "States": {**many, "s10000": END}}) == []
    assert len(found({"StartAt": "x", "States": {f"s{n}": {} for n in range(5000)}})) == 1000
    assert found('"' + "x" * 1_048_576 + '"')[0][0] == "SCHEMA_VALIDATION_FAILED"


SOME = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["$", "$.a", "$$", "$v", "{% 1 %}", "{% a", "{% $$ %}", "States.UUID()", "S", "States.ALL", "JSONata", "Pass", ""])
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "a.$", "Next", "Variable", "And", "ErrorEquals", "StartAt", "States", "RoleArn", "Mode", "IsNull"]) | st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FIELDS = [
    "Next", "End", "Comment", "InputPath", "OutputPath", "ResultPath", "Parameters", "Arguments", "ResultSelector", "Result", "Output",
    "Assign", "Resource", "Retry", "Catch", "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "Credentials", "Choices", "Default",
    "Seconds", "SecondsPath", "Timestamp", "TimestampPath", "Error", "ErrorPath", "Cause", "Branches", "ItemProcessor", "Iterator", "Items",
    "ItemsPath", "ItemSelector", "ItemReader", "ItemBatcher", "ResultWriter", "Label", "MaxConcurrency", "ToleratedFailureCount", "QueryLanguage",
]  # fmt: skip


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"]),
    fields=st.dictionaries(st.sampled_from(FIELDS), SOME, max_size=5),
    machine=st.dictionaries(st.sampled_from(["QueryLanguage", "TimeoutSeconds", "Version", "x"]), SOME, max_size=2),
    express=st.booleans(),
)
def test_any_state_is_compiled_or_refused(
    kind: str, fields: dict[str, Any], machine: dict[str, Any], express: bool
) -> None:
    """Nothing but InvalidDefinition is ever raised; and what is compiled can be begun."""
    document = {**machine, "StartAt": "S", "States": {"S": {"Type": kind, **fields}}}
    try:
        compiled = asl.compile(json.dumps(document), "EXPRESS" if express else "STANDARD")
    except asl.InvalidDefinition:
        return
    try:
        compiled.states["S"].begin({"a": 1}, asl.Scope({}, {"v": 1}))
        compiled.references()
    except asl.StatesError:
        pass


@settings(derandomize=True, max_examples=100, deadline=None)
@given(text=st.text(max_size=30) | SOME.map(json.dumps))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(asl.InvalidDefinition):
        asl.compile(text)
