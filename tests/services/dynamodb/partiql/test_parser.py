from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services.dynamodb.expressions.helpers import item, unwrap, wrap

from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb import expressions
from cumulet.services.dynamodb.model import Key
from cumulet.services.dynamodb.partiql.operations import Bound
from cumulet.services.dynamodb.partiql.parser import parse
from cumulet.services.dynamodb.partiql.plans import reading, writing

KEY = Key("id", "S", "rk", "S")


def read(statement: str, *parameters: Any) -> tuple[str | None, str | None, str | None, dict[str, str], Any]:
    """The key condition, filter and projection of a SELECT, with its names and values."""
    bound = Bound(statement, [wrap(parameter) for parameter in parameters])
    plan = reading(statement, KEY)
    values = {name: unwrap(value) for name, value in (bound.used(plan.values) or {}).items()}
    return plan.keys, plan.filter, plan.projection, plan.names, values


@pytest.mark.parametrize(
    ("where", "keys", "filter_"),
    [
        ("id = 'a'", "#n0 = :0", None),
        ("'a' = id AND rk > 'b'", ":0 = #n0 AND #n1 > :1", None),
        ("rk BETWEEN 'a' AND 'b' AND id = 'a'", "#n0 = :2 AND #n1 BETWEEN :0 AND :1", None),
        ("id = 'a' AND begins_with(rk, 'b') AND n <> 1", "#n0 = :0 AND begins_with(#n1, :1)", "#n2 <> :2"),
        ("id = 'a' AND (n = 1 OR m.x[2] = 2)", "#n0 = :0", "#n1 = :1 OR #n2.#n3[2] = :2"),
        ("id = 'a' AND rk > 'a' AND rk < 'b'", None, "#n0 = :0 AND #n1 > :1 AND #n1 < :2"),
        ("id = 'a' OR id = 'b'", None, "#n0 = :0 OR #n0 = :1"),
        ("id > 'a'", None, "#n0 > :0"),
        ("NOT (id = 'a' AND n = 1)", None, "NOT (#n0 = :0 AND #n1 = :1)"),
        ("n IN [1, 2] AND n IS NOT MISSING", None, "#n0 IN (:0, :1) AND attribute_exists(#n0)"),
        ("n IS NULL OR n NOT IN (3)", None, "attribute_type(#n0, :0) OR NOT #n0 IN (:1)"),
    ],
)
def test_what_a_condition_becomes(where: str, keys: str | None, filter_: str | None) -> None:
    assert read(f"select * from t where {where}")[:2] == (keys, filter_)


def test_names_and_values() -> None:
    statement = """SELECT "#x", b."c d"[0] FROM "t" -- of a table
        WHERE id = ? /* that is
        all */ AND "#x" = {'k': [?, <<1, 2>>, -1e2, true, null]};"""
    keys, filter_, projection, names, values = read(statement, "a", "inner")
    assert (keys, filter_, projection) == ("#n0 = :0", "#n1 = :1", "#n1, #n2")
    assert names == {"#n0": "id", "#n1": "#x", "#n2": "b"}
    assert values == {":0": "a", ":1": {"k": ["inner", frozenset({1, 2}), -100, True, None]}}


def test_writes() -> None:
    statement = "UPDATE t SET a.b = a.b + 1, c = list_append(c, [1]) REMOVE d SET e = set_delete(e, <<'x'>>) WHERE rk = 'r' AND n = 1 AND id = 'i'"
    plan = writing(statement, KEY)
    assert plan.update == "SET #n0.#n1 = #n0.#n1 + :0, #n2 = list_append(#n2, :1) REMOVE #n3 DELETE #n4 :2"
    assert plan.condition == "attribute_exists(#n5) AND #n6 = :4"
    assert plan.key == (("id", ":5"), ("rk", ":3"))
    delete = writing("DELETE FROM t WHERE id = 'i' AND rk = 'r' AND n = 1", KEY)
    assert delete.condition == "attribute_not_exists(#n0) OR #n1 = :2"
    assert writing("DELETE FROM t WHERE id = 'i' AND rk = 'r'", KEY).condition is None


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "SELECT",
        "SELECT * FROM t WHERE",
        "SELECT * FROM t WHERE a",
        "SELECT * FROM t WHERE a =",
        "SELECT * FROM t WHERE a = 1 2",
        "SELECT * FROM t WHERE a = 'x",
        "SELECT * FROM t WHERE f(a)",
        "SELECT * FROM t WHERE size(a)",
        "SELECT * FROM t WHERE a[-1] = 1",
        "SELECT * FROM t WHERE a BETWEEN 2 AND 1",
        "INSERT INTO t VALUE 1",
        "INSERT INTO t VALUE {'a': <<>>}",
        "INSERT INTO t VALUE {'a': <<1, 'b'>>}",
        "INSERT INTO t VALUE {'a': <<1, 1.0>>}",
        "INSERT INTO t VALUE {a: 1}",
        "INSERT INTO t.i VALUE {'a': 1}",
        "UPDATE t WHERE id = 1",
        "UPDATE t SET a = set_add(b, <<1>>) WHERE id = 1",
        "UPDATE t SET a = 1 WHERE id = 1 RETURNING SOME OLD *",
        "DELETE t WHERE id = 1",
        "SELECT * FROM t WHERE " + "(" * 4000,
        "SELECT * FROM t WHERE a = " + "[" * 4000,
        "SELECT * FROM t WHERE a = " + "{'a':" * 1500,
        "SELECT * FROM t WHERE " + "size(" * 1500,
        "SELECT a" + ".a" * 4000 + "[",
        "/*" * 4000,
        "'" * 8191,
    ],
)
def test_statements_that_are_refused(statement: str) -> None:
    with pytest.raises(AwsError) as raised:
        bound = Bound(statement, None)
        if statement.startswith("INSERT"):
            bound.inserted()
    assert raised.value.code == "ValidationException"


WORDS = st.sampled_from(
    [
        "SELECT",
        "INSERT",
        "INTO",
        "VALUE",
        "UPDATE",
        "SET",
        "REMOVE",
        "DELETE",
        "FROM",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "IN",
        "BETWEEN",
        "IS",
        "MISSING",
        "NULL",
        "EXISTS",
        "ORDER",
        "BY",
        "RETURNING",
        "ALL",
        "OLD",
        "id",
        "rk",
        "a",
        '"q"',
        "'s'",
        "1",
        "-2.5",
        "?",
        "*",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "<<",
        ">>",
        ",",
        ".",
        ":",
        "=",
        "<>",
        "<",
        "size",
        "begins_with",
        "set_add",
        "true",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=30).map(" ".join)))
def test_any_text_is_read_or_refused(text: str) -> None:
    for statement in (text, f"SELECT * FROM t WHERE {text}", f"UPDATE t SET a = 1 WHERE id = 1 AND rk = 2 AND {text}"):
        try:
            Bound(statement, [wrap(1)] * parse(statement).parameters)
            (writing if statement.startswith("UPDATE") else reading)(statement, KEY)
        except AwsError as error:
            assert error.code == "ValidationException"  # noqa: PT017  # nothing need be raised
        except AssertionError:
            assert not statement.startswith("SELECT * FROM t")


@given(
    st.text(max_size=20),
    st.dictionaries(
        st.text(min_size=1, max_size=5), st.one_of(st.integers(-(10**38) + 1, 10**38 - 1), st.text()), max_size=3
    ),
)
def test_literals_are_what_they_say(text: str, entries: dict[str, Any]) -> None:
    def quoted(value: Any) -> str:
        return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"

    inner = ", ".join(f"{quoted(key)}: {quoted(value)}" for key, value in entries.items())
    statement = f"INSERT INTO t VALUE {{'a': {quoted(text)}, 'm': {{{inner}}}}}"
    assert Bound(statement, None).inserted() == item({"a": text, "m": entries})


def test_conditions_run_as_filters() -> None:
    plan = reading("SELECT * FROM t WHERE NOT (a = 1 AND b = 2) AND size(c) > 1", KEY)
    bound = Bound("SELECT * FROM t WHERE NOT (a = 1 AND b = 2) AND size(c) > 1", None)
    condition = expressions.bind(plan.names, bound.used(plan.values), filter=plan.filter).filter
    assert condition is not None
    assert condition.matches(item({"a": 1, "b": 3, "c": "xy"}))
    assert not condition.matches(item({"a": 1, "b": 2, "c": "xy"}))
