"""Expressions of others: what they match, and that none can take long."""

import pytest

from cumulet.expressions.regexes import Expression, InvalidExpression, TooComplex


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        (r"[\w.]+@([\w-]+\.)+\w{2,}", "someone.else@a-b.example.com", "someone@com"),
        (r"(\+\d{1,2}\s?)?\(?\d{3}\)?[\s.-]?\d{3}[\s.-]?\d{4}", "+1 (555) 123-4567", "555-12-4567"),
        (r"\p{Alpha}+(,\p{Alpha}+)*", "a,bc,d", "a,,b"),
        (r"\d{4}-\d{2}-\d{2}", "2020-01-31", "2020-1-31"),
        (r"(cat|dog)s?", "dogs", "dog!"),
        (r".*needle.*", "x" * 2000 + "needle" + "y" * 2000, "x" * 4000),
    ],
)
def test_usual_expressions(text: str, good: str, bad: str) -> None:
    expression = Expression(text)
    assert expression.matches(good)
    assert not expression.matches(bad)


def test_flags() -> None:
    assert Expression("a.b", "is").matches("A\nB")
    with pytest.raises(InvalidExpression):
        Expression("a", "q")


@pytest.mark.parametrize("text", ["(", "[a", "a{2,1}", "*", r"\p{Nothing}", "a" * 3000])
def test_what_is_none(text: str) -> None:
    with pytest.raises(InvalidExpression):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "against"),
    [
        ("(a+)+b", "a" * 40),
        ("(a|a)*b", "a" * 40),
        ("(a|aa)+b", "a" * 60),
        ("(a*)*b", "a" * 40),
        ("(.*)*x", "a" * 40),
        (r"(\d+,?)+;", "1" * 50),
        (r"(\s*\w+\s*)*!", "a " * 30),
        ("a?" * 40 + "a" * 40, "a" * 40),
        ("(a|b|ab)" * 40 + "x", "ab" * 40),
        ("(a{0,5}){20}b", "a" * 60),
        ("a*" * 8 + "b", "a" * 200),
        (".*.*.*x", "a" * 5000),
        (r"(\w)\1*\1*x", "a" * 20000),
        ("(?=(a+)+b)a", "a" * 40),
        ("([a-z]+[a-z])+1", "a" * 60),
        ("(?i)([a-z]+A)+1", "a" * 60),
    ],
)
def test_what_could_take_long_is_refused(text: str, against: str) -> None:
    with pytest.raises(TooComplex):
        Expression(text).matches(against)


@pytest.mark.parametrize(
    ("text", "given", "fits"),
    [
        (r"(\n|.)+", "ab\n" * 20_000, True),
        (r"(.|\n)*Error(.|\n)*", "ab\n" * 5_000 + "Error: x", True),
        (r".*BadRequest.*|.*Invalid.*", "Invalid" + "Inv" * 50_000, True),
        (r".*\"errorCode\":4\d\d.*", '"errorCode":' * 20_000, False),
        (r"[\s\S]*error[\s\S]*", "err" * 900, False),
    ],
)
def test_selection_patterns_of_large_texts(text: str, given: str, fits: bool) -> None:
    """What integration responses are selected by is tried against whole bodies."""
    assert Expression(text, "s").matches(given) is fits
