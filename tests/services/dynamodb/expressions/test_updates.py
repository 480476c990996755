from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services.dynamodb.expressions.helpers import item, plain, projected, refusal, updated

from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb import expressions

ITEM: dict[str, Any] = {
    "n": 5,
    "s": "x",
    "tags": frozenset({"a", "b"}),
    "els": [0, 1, 2, 3],
    "doc": {"k": {"deep": [10, {"x": 1}]}, "z": "z"},
}


@pytest.mark.parametrize(
    ("text", "values", "changes"),
    [
        ("SET n = :v", {":v": "new"}, {"n": "new"}),
        ("set n=n+:v,s=n", {":v": 1}, {"n": 6, "s": 5}),
        ("SET n = :v - n", {":v": 1}, {"n": -4}),
        ("SET n = (n + :v)", {":v": 1}, {"n": 6}),
        ("SET n = (n) - (:v)", {":v": 1}, {"n": 4}),
        ("SET c = if_not_exists(c, :v) + :v", {":v": 1}, {"c": 2}),
        ("SET n = if_not_exists(n, absent)", None, {}),
        ("SET els = list_append(:v, els)", {":v": ["x"]}, {"els": ["x", 0, 1, 2, 3]}),
        ("SET c = list_append(if_not_exists(c, :v), :v)", {":v": ["x"]}, {"c": ["x", "x"]}),
        (
            "SET els[1] = :v, els[9] = :w, els[7] = :x",
            {":v": "b", ":w": "9", ":x": "7"},
            {"els": [0, "b", 2, 3, "7", "9"]},
        ),
        ("REMOVE els[1], els[0] SET els[3] = :v", {":v": "last"}, {"els": [2, "last"]}),
        ("REMOVE els[17], doc.nope, nope", None, {}),
        ("REMOVE doc.k.deep[0] SET doc.k.deep[1].x = :v", {":v": 2}, {"doc": {"k": {"deep": [{"x": 2}]}, "z": "z"}}),
        ("SET doc.k.deep[5] = :v REMOVE doc.z", {":v": 2}, {"doc": {"k": {"deep": [10, {"x": 1}, 2]}}}),
        (
            "ADD n :v, tags :t, c :v",
            {":v": -7, ":t": frozenset({"b", "c"})},
            {"n": -2, "tags": frozenset("abc"), "c": -7},
        ),
        ("DELETE tags :t", {":t": frozenset({"b", "c"})}, {"tags": frozenset("a")}),
        ("DELETE c :t, doc.c :t", {":t": frozenset({"b", "c"})}, {}),
        ("ADD doc.c :v", {":v": 1}, {"doc": ITEM["doc"] | {"c": 1}}),
        ("REMOVE s SET c = s", None, {"s": None, "c": "x"}),
    ],
)
def test_what_updates_do(text: str, values: dict[str, Any] | None, changes: dict[str, Any]) -> None:
    expected = {name: value for name, value in (ITEM | changes).items() if value is not None}
    assert updated(text, ITEM, values) == expected


def test_the_last_element_of_a_set_takes_the_attribute_with_it() -> None:
    assert updated("DELETE tags :t", ITEM, {":t": frozenset({"a", "b"})}) == {
        name: value for name, value in ITEM.items() if name != "tags"
    }


def test_items_that_do_not_exist() -> None:
    assert updated("SET a = :v ADD c :v", None, {":v": 1}) == {"id": "1", "a": 1, "c": 1}
    assert updated("REMOVE a.b[1]", None) == {"id": "1"}
    for text, creates in (("SET a = :v", True), ("ADD a :v", True), ("DELETE a :s", False), ("REMOVE a", False)):
        values = {":v": 1} if ":v" in text else {":s": frozenset("a")} if ":s" in text else None
        bound = expressions.bind(None, item(values) if values else None, update=text).update
        assert bound is not None
        assert bound.creates is creates


WRONG_PATH = "The document path provided in the update expression is invalid for update"
WRONG_TYPE = "An operand in the update expression has an incorrect data type"
ABSENT = "The provided expression refers to an attribute that does not exist in the item"
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("SET n = absent", None, ABSENT),
        ("SET n = absent + :v", {":v": 1}, ABSENT),
        ("SET n = s + :v", {":v": 1}, WRONG_TYPE),
        ("SET n = list_append(n, :v)", {":v": [1]}, WRONG_TYPE),
        ("ADD s :v", {":v": 1}, WRONG_TYPE),
        ("ADD els :v", {":v": frozenset({1})}, WRONG_TYPE),
        ("DELETE tags :v", {":v": frozenset({1})}, WRONG_TYPE),
        ("SET absent.x = :v", {":v": 1}, WRONG_PATH),
        ("SET s.x = :v", {":v": 1}, WRONG_PATH),
        ("SET els.x = :v", {":v": 1}, WRONG_PATH),
        ("SET doc[0] = :v", {":v": 1}, WRONG_PATH),
        ("SET els[7].x = :v", {":v": 1}, WRONG_PATH),
        ("REMOVE absent.x", None, WRONG_PATH),
        ("REMOVE s[0]", None, WRONG_PATH),
        ("SET n = n + :v", {":v": 10**50}, OVERFLOW),
        ("SET n = :v + :v", {":v": 9 * 10**125}, OVERFLOW),
    ],
)
def test_what_items_do_not_allow(text: str, values: dict[str, Any] | None, message: str) -> None:
    with pytest.raises(AwsError) as raised:
        updated(text, ITEM, values)
    assert (raised.value.code, raised.value.message) == ("ValidationException", message)


OVERLAP = "must remove or rewrite one of these paths; path one: "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("INVALID SYNTAX HERE", 'Syntax error; token: "INVALID", near: "INVALID SYNTAX"'),
        ("ADD hits : incr", 'Syntax error; token: ":", near: "hits : incr"'),
        ("SET a = :s,", 'Syntax error; token: "<EOF>", near: ","'),
        ("SET _123 = :s", 'Syntax error; token: "_", near: "SET _123"'),
        ("SET :s = a", 'Syntax error; token: ":s", near: "SET :s ="'),
        ("SET a = b + c + d", 'Syntax error; token: "+", near: "c + d"'),
        ("SET a = if_not_exists(a, :s + :s)", 'Syntax error; token: "+", near: ":s + :s"'),
        ("SET a = (b.c).d", 'Syntax error; token: ".", near: ").d"'),
        ("REMOVE a SET abort = f(a)", "Attribute name is a reserved keyword; reserved keyword: abort"),
        ("SET a = f(a) SET b = c", "Invalid function name; function: f"),
        ("SET a = size(b)", "The function is not allowed in an update expression; function: size"),
        ("SET a = List_append(a, b)", "Invalid function name; function: List_append"),
        (
            "SET a = list_append(list_append(a, b), c)",
            "The function is not allowed to be used this way in an expression; function: list_append",
        ),
        ("set a = #zz set c = :zz", 'The "SET" section can only be used once in an update expression;'),
        ("REMOVE a SET b = c REMOVE d", 'The "REMOVE" section can only be used once in an update expression;'),
        (
            "SET a = :zz, a = #zz",
            "An expression attribute name used in the document path is not defined; attribute name: #zz",
        ),
        ("SET a = :zz, a = b", "An expression attribute value used in expression is not defined; attribute value: :zz"),
        ("SET a = b, a = c", f"Two document paths overlap with each other; {OVERLAP}[a], path two: [a]"),
        ("SET a.b[1] = b REMOVE a", f"Two document paths overlap with each other; {OVERLAP}[a, b, [1]], path two: [a]"),
        ("REMOVE a, #a.b", f"Two document paths overlap with each other; {OVERLAP}[a], path two: [a, b]"),
        (
            "SET d[1] = a, d.b = a, c[1].a = a, c = a",
            f"Two document paths overlap with each other; {OVERLAP}[c, [1], a], path two: [c]",
        ),
        (
            "REMOVE a.b SET a[1] = c",
            f"Two document paths conflict with each other; {OVERLAP}[a, b], path two: [a, [1]]",
        ),
        (
            "SET b = list_append(:s, a) ADD a.b :s",
            "Incorrect operand type for operator or function; operator: ADD, operand type: STRING",
        ),
        ("DELETE a :n", "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER"),
        ("ADD a :l", "Incorrect operand type for operator or function; operator: ADD, operand type: LIST"),
        (
            "SET a = if_not_exists(c)",
            (
                "Incorrect number of operands for operator or function; operator or function: if_not_exists, "
                "number of operands: 1"
            ),
        ),
        (
            "SET a = if_not_exists(:s, c)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            "SET a = list_append(a, :n)",
            "Incorrect operand type for operator or function; operator or function: list_append, operand type: N",
        ),
        (
            "SET a = :s - :l",
            "Incorrect operand type for operator or function; operator or function: -, operand type: S",
        ),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    found = refusal(update=text, values={":s": "x", ":n": 5, ":l": [1]}, names={"#a": "a"})
    assert found == f"Invalid UpdateExpression: {message}"


def test_what_returns_of_updates_show() -> None:
    values = item({":v": 1})
    update = expressions.bind(
        None, values, update="SET els[9] = :v, doc.k.deep[0] = :v, n = :v REMOVE els[1], s"
    ).update
    assert update is not None
    applied = update.apply(item(ITEM))
    # As on AWS: paths are looked up in the new item as they are, so what moved up shows and what was appended does not.
    assert plain(applied.updated.apply(applied.item)) == {"els": [2], "doc": {"k": {"deep": [1]}}, "n": 1}
    assert plain(applied.updated.apply(item(ITEM))) == {"els": [1], "doc": {"k": {"deep": [10]}}, "n": 5, "s": "x"}


def test_values_are_not_nested_deeper_by_updates() -> None:
    deep: Any = "x"
    for _ in range(30):
        deep = [deep]
    assert updated("SET doc.c = :v", {"doc": {}}, {":v": deep})["doc"]["c"] == deep
    with pytest.raises(AwsError, match="Nesting Levels have exceeded supported limits"):
        updated("SET doc.c.d = :v", {"doc": {"c": {}}}, {":v": deep})


@given(st.lists(st.integers(0, 12), min_size=0, max_size=8), st.data())
def test_lists_keep_their_indexes_until_the_end(old: list[int], data: st.DataObject) -> None:
    removed = data.draw(st.sets(st.integers(0, 10), max_size=4))
    written = data.draw(
        st.dictionaries(
            st.integers(0, 10).filter(lambda at: at not in removed), st.integers(-(10**9), 10**9), max_size=4
        )
    )
    if not removed and not written:
        return
    text = ""
    if written:
        text += "SET " + ", ".join(f"a[{at}] = :v{at}" for at in written)
    if removed:
        text += " REMOVE " + ", ".join(f"a[{at}]" for at in removed)
    kept = [written.get(at, value) for at, value in enumerate(old) if at not in removed]
    appended = [written[at] for at in sorted(written) if at >= len(old)]
    values = {f":v{at}": value for at, value in written.items()} or None
    assert updated(text, {"a": old}, values)["a"] == kept + appended


@given(st.integers(-(10**40), 10**40), st.integers(-(10**40), 10**40))
def test_sums_are_exact_or_refused(first: int, second: int) -> None:
    values = {":a": first, ":b": second}
    for text, result in (("SET n = :a + :b", first + second), ("SET n = :a - :b", first - second)):
        if any(len(str(abs(number)).rstrip("0")) > 38 for number in (first, second, result)):
            with pytest.raises(AwsError):
                updated(text, {}, values)
        else:
            assert updated(text, {}, values)["n"] == result


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n, absent", {"n": 5}),
        ("els[3], els[1], els[9]", {"els": [1, 3]}),
        ("doc.k.deep[1].x, doc.z, s", {"doc": {"k": {"deep": [{"x": 1}]}, "z": "z"}, "s": "x"}),
        ("doc.k.nope, els.x, n.x", {}),
        ("#d", {"doc": ITEM["doc"]}),
    ],
)
def test_what_projections_show(text: str, expected: dict[str, Any]) -> None:
    names = {"d": "doc"} if "#d" in text else {}
    assert projected(text, ITEM, **names) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("!!", 'Syntax error; token: "!", near: "!!"'),
        ("a, ", 'Syntax error; token: "<EOF>", near: ","'),
        ("a b", 'Syntax error; token: "b", near: "a b"'),
        ("size(a)", 'Syntax error; token: "(", near: "size(a"'),
        ("a, abort, #zz", "Attribute name is a reserved keyword; reserved keyword: abort"),
        ("a, a, #zz", "An expression attribute name used in the document path is not defined; attribute name: #zz"),
        ("a.b, c, a", f"Two document paths overlap with each other; {OVERLAP}[a, b], path two: [a]"),
        ("a[1], a.b", f"Two document paths conflict with each other; {OVERLAP}[a, [1]], path two: [a, b]"),
    ],
)
def test_projections_that_are_refused(text: str, message: str) -> None:
    assert refusal(projection=text) == f"Invalid ProjectionExpression: {message}"
