"""JSONata in states: what expressions see, what they may not do, and what AWS says of it."""

from typing import Any

import pytest
from tests.services.stepfunctions.asl.cases import CONTEXT, FUNCTION, evaluated, ran, scope, state

from cumulet.services.stepfunctions import asl


def failure(expression: str, input: Any = None, **fields: Any) -> asl.StatesError:
    with pytest.raises(asl.StatesError) as failed:
        ran({"Type": "Pass", "Output": "{% " + expression + " %}", **fields}, input, None, "JSONata")
    return failed.value


@pytest.mark.parametrize(
    ("expression", "input", "result"),
    [
        ("$states.input", {"a": [1]}, {"a": [1]}),
        ("$states.input.a.b", {"a": {"b": None}}, None),
        ("$states.input.a", {"a": [1]}, [1]),
        ("$states.input.items.price", {"items": [{"price": 1}, {"price": 2}]}, [1, 2]),
        ("$states.context.Execution.Name", None, "e"),
        ("$v + $states.input", 2, 5),
        ("$v", None, 3),
        ("$sum($states.input.(a * b))", [{"a": 1, "b": 2}, {"a": 3, "b": 4}], 14),
        ("($x := 4; $x * $x)", None, 16),
        ("$map($states.input, function($i) { $i & '!' })", ["a", "b"], ["a!", "b!"]),
        ("$contains('aaa', /^(a+)+$/)", None, True),
        ("{'a': $v, 'b': [$v]}", None, {"a": 3, "b": [3]}),
        ("$partition([1..5], 2)", None, [[1, 2], [3, 4], [5]]),
        ("$range(0, 6, 2)", None, [0, 2, 4, 6]),
        ("$range(-1.7, 2, 1)", None, [-1, 0, 1, 2]),
        ("$range(1, 9, 9)", None, 1),
        ("$hash('input', 'SHA-1')", None, "140f86aae51ab9e1cda9b4254fe98a74eb54c1a1"),
        ("$random(42)", None, 0.7275636800328681),
        ("$parse('{\"a\": 1}').a", None, 1),
        ("$length($uuid())", None, 36),
        ("$millis()", None, 1_700_000_000_000),
        ("$now()", None, "2023-11-14T22:13:20.000Z"),
        ("$random() < 1", None, True),
        ("''", None, ""),
        ("null", None, None),
    ],
)
def test_results(expression: str, input: Any, result: Any) -> None:
    assert evaluated(expression, input, {"v": 3}) == result


@pytest.mark.parametrize(
    ("expression", "ending"),
    [
        ("$states.input.no", "returned nothing (undefined)."),
        ("$no", "returned nothing (undefined)."),
        ("$fn := function($x){$x}", "returned an unsupported result type."),
        ("$no(1)", "threw an error during evaluation. T1006: Attempted to invoke a non-function"),
        ("$eval('1+1')", "threw an error during evaluation. T1006: Attempted to invoke a non-function"),
        (
            "$abs('a')",
            'threw an error during evaluation. T0410: Argument 1 of function "abs" does not match function signature',
        ),
        (
            "1 + 'a'",
            'threw an error during evaluation. T2002: The right side of the "+" operator must evaluate to a number',
        ),
        (
            "$sum([1..900000])",
            "threw an error during evaluation: Expression evaluation memory limit exceeded: Check for excessive memory usage",
        ),
    ],
)
def test_failures_name_expression_and_field(expression: str, ending: str) -> None:
    failed = failure(expression, {})
    assert (failed.name, failed.location) == ("States.QueryEvaluationError", "Output")
    assert failed.cause == f"The JSONata expression '{expression}' specified for the field 'Output' {ending}"


def test_fields_are_named_to_the_leaf() -> None:
    def location(**fields: Any) -> str | None:
        with pytest.raises(asl.StatesError) as failed:
            ran({"Type": "Pass", **fields}, {}, None, "JSONata")
        return failed.value.location

    assert location(Output={"a": {"b": ["x", "{% $no %}"]}}) == "Output/a/b[1]"
    assert location(Assign={"a": "{% $no %}"}) == "Assign/a"


@pytest.mark.parametrize(
    "expression",
    [
        "($f := function($x) { $f($x + 1) }; $f(1))",
        "($f := function($x) { 1 + $f($x + 1) }; $f(1))",
        "($p := function($s, $n) { $n = 0 ? $s : $p($s & $s, $n - 1) }; $length($p('x', 40)))",
        "$length($pad('x', 5000000000))",
        "$reduce([1..60], function($p, $i) { [$p, $p] })",
        "[1..400000].[1..400000]",
        "+".join(["1"] * 300),
    ],
)
def test_runaways_are_ended(expression: str) -> None:
    """By depth, time or memory; in a process of their own where memory cannot be bounded here."""
    failed = failure(expression)
    assert failed.name == "States.QueryEvaluationError"
    assert failed.cause is not None
    assert "threw an error during evaluation: " in failed.cause
    assert evaluated("1 + 1") == 2


def test_what_grows_is_evaluated_as_well() -> None:
    assert evaluated("$reduce([1..100], function($a, $b) { $a + $b })") == 5050
    assert evaluated("$pad($states.input, 5, '#')", "ab") == "ab###"
    assert evaluated("$range(1, 3, 1)") == [1, 2, 3]


def test_a_task_in_full() -> None:
    task = state(
        {
            "Type": "Task",
            "Resource": FUNCTION,
            "Arguments": {"n": "{% $states.input.n + 1 %}"},
            "TimeoutSeconds": "{% $states.input.n %}",
            "Output": {"was": "{% $states.input.n %}", "got": "{% $states.result.value %}"},
            "Assign": {"kept": "{% $states.result %}"},
        },
        "JSONata",
    )
    begun = task.begin({"n": 1}, scope(), inspect=True)
    assert (begun.arguments, begun.timeout) == ({"n": 2}, 1)
    finished = task.finish({"n": 1}, begun, {"value": 5}, scope())
    assert (finished.output, finished.assigned) == ({"was": 1, "got": 5}, {"kept": {"value": 5}})
    assert finished.trace == {"afterArguments": {"n": 2}, "result": {"value": 5}}


def test_assign_and_output_see_the_variables_before_them() -> None:
    document = {"Type": "Pass", "Assign": {"x": 2}, "Output": "{% $x %}"}
    found = state(document, "JSONata").run({}, scope({"x": 1}))
    assert (found.output, found.assigned) == (1, {"x": 2})


def test_a_variable_with_the_name_of_a_function() -> None:
    assert evaluated("$count + 1", None, {"count": 2}) == 3


def test_timestamps_and_texts() -> None:
    wait = state({"Type": "Wait", "Timestamp": "{% $states.input %}"}, "JSONata")
    assert wait.begin("2016-03-14T01:59:00Z", scope()).timestamp == 1457920740
    with pytest.raises(asl.StatesError) as failed:
        wait.begin("2016-03-14 01:59:00Z", scope())
    assert (failed.value.name, failed.value.location) == ("States.QueryEvaluationError", "Timestamp")
    fail = state({"Type": "Fail", "Error": "{% 'E' & $states.input %}", "Cause": "because"}, "JSONata")
    begun = fail.begin(1, scope())
    assert (begun.error, begun.cause) == ("E1", "because")


def test_the_context_is_what_the_engine_gave() -> None:
    assert evaluated("$states.context") == CONTEXT


def test_what_json_does_not_have_is_not_parsed() -> None:
    assert failure("$parse('NaN')").name == failure("$parse('[-Infinity]')").name == "States.QueryEvaluationError"
