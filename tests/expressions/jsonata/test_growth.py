"""How much an expression may come to hold: never less than it does."""

import json
import random

import pytest

from cumulet.expressions.jsonata.growth import Growth
from cumulet.expressions.jsonata.library import JsonataError, Program

DOCUMENT = json.dumps(
    {"states": {"input": {"items": list(range(40)), "text": "x" * 300, "deep": {"a": {"b": [1, 2]}}}}}
)


@pytest.mark.parametrize(
    "expression",
    [
        "$states.input.items",
        "[$states, $states, $states]",
        "$states.input.items.($states.input)",
        "$states.input.items.$states.input",
        "$states.input.items.{'a': $states.input.text}",
        "$map($states.input.items, function($v) { $states })",
        "$map($states.input.items, function($v) { $map($states.input.items, function($w) { $states.input.text }) })",
        "$states.input.items.($states.input.text & $states.input.text)",
        "$replace($states.input.text, 'x', $states.input.text)",
        "$join($states.input.items.$string(), $states.input.text)",
        "$split($states.input.text, '').($states.input.text)",
        "($a := [$states, $states]; $b := [$a, $a]; $c := [$b, $b]; [$c, $c])",
        "($a := $states.input.text; $b := $a & $a & $a; $c := $b & $b & $b; $c & $c)",
        "$states.input.items@$i.$states.input.items@$j.{'i': $i, 'j': $j}",
        "[0..200].($states.input.text)",
    ],
)
def test_estimates_are_not_too_low(expression: str) -> None:
    found = Program(expression, ("states",)).run(DOCUMENT, random.Random(1), 0, 5000)
    assert found is not None
    assert len(found) <= Growth(expression).bytes(DOCUMENT)


@pytest.mark.parametrize(
    "expression",
    [
        "$states.input.a + 1",
        "$count($states.input.items[price > 3])",
        "{'a': $states.input, 'b': $states.result}",
        "$map($states.input.items, function($v) { $v.name & '!' })",
        "$sum($states.input.items.(price * quantity))",
        "($total := $sum($states.input.prices); $rate := 0.2; {'total': $total, 'tax': $total * $rate})",
    ],
)
def test_usual_expressions_are_evaluated_in_this_process(expression: str) -> None:
    """Which has 32 MB for one, with an input of some kilobytes and some tens of items."""
    assert Growth(expression).bytes(DOCUMENT) < 32 * 1024 * 1024


@pytest.mark.parametrize(
    "expression",
    [
        "($f := function($x) { $f($x) }; $f(1))",
        "($f := λ($x) { $x }; $f(1))",
        "$reduce($states.input, function($a, $b) { $a & $b })",
        "$pad('x', 10)",
        "[1..$states.input]",
        "$range(1, 2, 3)",
        "$states.**.a",
    ],
)
def test_what_has_no_bound(expression: str) -> None:
    assert Growth(expression).bytes("{}") == float("inf")


def test_a_string_is_no_code() -> None:
    assert Growth("'$reduce( ** .. := function'").bytes("{}") < 1000


def test_too_large_a_result() -> None:
    program = Program(
        "$states.input.items.($states.input.items.($states.input.items.($states.input.text)))", ("states",)
    )
    with pytest.raises(JsonataError, match="memory limit exceeded"):
        program.run(DOCUMENT, random.Random(1), 0, 20_000)
