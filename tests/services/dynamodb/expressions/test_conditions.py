from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services.dynamodb.expressions.helpers import matches, refusal

ITEM = {
    "n": 5,
    "s": "hello",
    "b": b"bytes",
    "yes": True,
    "nothing": None,
    "tags": frozenset({"a", "b"}),
    "numbers": frozenset({1, 2}),
    "els": [1, "two", [3], {"k": "v"}],
    "doc": {"k": {"deep": [10, 20]}},
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("n = :v", {":v": 5}),
        ("n <> :v", {":v": "5"}),
        ("absent <> :v", {":v": 5}),
        ("absent <> gone", None),
        ("n < :v", {":v": 6}),
        ("s >= :v", {":v": "hello"}),
        ("b > :v", {":v": b"bytea"}),
        ("n BETWEEN :l AND :h", {":l": 5, ":h": 7}),
        ("n between :l and :h and s = :s", {":l": 4, ":h": 5, ":s": "hello"}),
        ("n IN (:a, s, :b)", {":a": 4, ":b": 5}),
        ("tags = :v", {":v": frozenset({"b", "a"})}),
        ("els[3].k = :v", {":v": "v"}),
        ("doc.k.deep[1] = :v", {":v": 20}),
        ("(doc.k).deep[1] = :v", {":v": 20}),
        ("attribute_exists(nothing)", None),
        ("attribute_not_exists(doc.z)", None),
        ("attribute_not_exists(els[4])", None),
        ("attribute_type(yes, :t)", {":t": "BOOL"}),
        ("attribute_type(nothing, :t)", {":t": "NULL"}),
        ("attribute_type(numbers, :t)", {":t": "NS"}),
        ("begins_with(s, :v)", {":v": "he"}),
        ("begins_with(b, :v)", {":v": b"by"}),
        ("contains(s, :v)", {":v": "ell"}),
        ("contains(tags, :v)", {":v": "a"}),
        ("contains(numbers, :v)", {":v": 2}),
        ("contains(els, :v)", {":v": [3]}),
        ("contains(els, :v)", {":v": "two"}),
        ("size(s) = n", None),
        ("size(els) = :v", {":v": 4}),
        ("size(doc.k) < :v", {":v": 2}),
        ("size(:v) = :n", {":v": "\U0001f600", ":n": 2}),
        ("NOT n = :v", {":v": 6}),
        ("not not n = :v", {":v": 5}),
        ("n = :a OR n = :b AND s = :c", {":a": 5, ":b": 1, ":c": "x"}),
        ("NOT n = :b AND s = :c", {":b": 1, ":c": "hello"}),
        ("((n = :b) OR s = :c)", {":b": 1, ":c": "hello"}),
        ("(n) = (:v)", {":v": 5}),
    ],
)
def test_conditions_that_hold(text: str, values: dict[str, Any] | None) -> None:
    assert matches(text, ITEM, values)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("absent = :v", {":v": 5}),
        ("absent = gone", None),
        ("absent < gone", None),
        ("n = :v", {":v": "5"}),
        ("n <> :v", {":v": 5}),
        ("yes < :v", {":v": 5}),
        ("n < :v", {":v": "6"}),
        ("n BETWEEN s AND :h", {":h": 7}),
        ("absent IN (:a)", {":a": 4}),
        ("begins_with(n, :v)", {":v": "5"}),
        ("contains(n, :v)", {":v": 5}),
        ("contains(els, :v)", {":v": 3}),
        ("size(n) = :v", {":v": 1}),
        ("attribute_type(absent, :t)", {":t": "S"}),
        ("els.k = :v", {":v": "v"}),
        ("doc[0] = :v", {":v": "v"}),
        ("n = :a AND (n = :b OR n = :c)", {":a": 5, ":b": 1, ":c": 2}),
    ],
)
def test_conditions_that_do_not(text: str, values: dict[str, Any] | None) -> None:
    assert not matches(text, ITEM, values)


def test_placeholders_of_names() -> None:
    assert matches("#and.#or = :v", {"and": {"x.y": 1}}, {":v": 1}, **{"and": "and", "or": "x.y"})


PREFIX = "Invalid ConditionExpression: "
OPERANDS = "Incorrect operand type for operator or function; operator or function: "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("  \n", "The expression can not be empty;"),
        ("whatever", 'Syntax error; token: "<EOF>", near: "whatever"'),
        ("a =", 'Syntax error; token: "<EOF>", near: "="'),
        ("a = = :s", 'Syntax error; token: "=", near: "= = :s"'),
        ("_a = :s", 'Syntax error; token: "_", near: "_a"'),
        ("a IN ()", 'Syntax error; token: ")", near: "()"'),
        ("a[:s] = :s", 'Syntax error; token: ":s", near: "[:s]"'),
        ("a[#s] = :s", 'Syntax error; token: "#s", near: "[#s]"'),
        ("a = :s AND b", 'Syntax error; token: "<EOF>", near: "b"'),
        ("(a) AND b = :s", 'Syntax error; token: "AND", near: ") AND b"'),
        ("a = 5", 'Syntax error; token: "5", near: "= 5"'),
        ("a BETWEEN :n OR :n", 'Syntax error; token: "OR", near: ":n OR :n"'),
        ("a[99999999999] = :s", "List index is not within the allowable range; index: [99999999999]"),
        ("((a = :s))", "The expression has redundant parentheses;"),
        ("a = ((:s))", "The expression has redundant parentheses;"),
        ("NOT ((a = :s))", "The expression has redundant parentheses;"),
        ("f(a) = dog(b) OR abort = :s", "Invalid function name; function: f"),
        ("Size(a) = :n", "Invalid function name; function: Size"),
        ("if_not_exists(a, b) = :s", "The function is not allowed in a condition expression; function: if_not_exists"),
        ("size(a)", "The function is not allowed to be used this way in an expression; function: size"),
        ("size(a) AND a = :s", "The function is not allowed to be used this way in an expression; function: size"),
        (
            "attribute_exists(a) = :s",
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        ("a = :zz AND aBort = :s", "Attribute name is a reserved keyword; reserved keyword: aBort"),
        (
            "a = :zz AND b < :b",
            "An expression attribute value used in expression is not defined; attribute value: :zz",
        ),
        (
            "#zz = :zz",
            "An expression attribute name used in the document path is not defined; attribute name: #zz",
        ),
        (
            "begins_with(a)",
            (
                "Incorrect number of operands for operator or function; operator or function: begins_with, "
                "number of operands: 1"
            ),
        ),
        (
            "a.b[1] <> a.b[1]",
            (
                "The first operand must be distinct from the remaining operands for this operator or function; "
                "operator: <>, first operand: [a, b, [1]]"
            ),
        ),
        (
            "contains(a, #a)",
            (
                "The first operand must be distinct from the remaining operands for this operator or function; "
                "operator: contains, first operand: [a]"
            ),
        ),
        (
            "attribute_exists(:s)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        ("a < :b", f"{OPERANDS}<, operand type: BOOL"),
        ("a BETWEEN :b AND :b", f"{OPERANDS}BETWEEN, operand type: BOOL"),
        ("attribute_not_exists(z) OR NOT (a >= :b)", f"{OPERANDS}>=, operand type: BOOL"),
        ("begins_with(a, :n)", f"{OPERANDS}begins_with, operand type: N"),
        ("size(:n) = :n", f"{OPERANDS}size, operand type: N"),
        ("size(size(a)) = :n", f"{OPERANDS}size, operand type: N"),
        ("attribute_type(a, b)", f"{OPERANDS}attribute_type, operand type: {{NS,SS,L,BS,N,M,B,BOOL,NULL,S}}"),
        ("attribute_type(a, :n)", f"{OPERANDS}attribute_type, operand type: N"),
        (
            "attribute_type(a, :s)",
            "Invalid attribute type name found; type: x, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "a BETWEEN :n AND :s",
            (
                "The BETWEEN operator requires same data type for lower and upper bounds; "
                "lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {S:x}"
            ),
        ),
        (
            "a BETWEEN :n AND :m",
            (
                "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
                "lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {N:4}"
            ),
        ),
        (
            " ".join(["a = :s"] + ["AND a = :s"] * 150),
            "The expression contains too many operators; operator count: 301",
        ),
        ("x" * 4097, "Expression size has exceeded the maximum allowed size; expression size: 4097"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    values = {":s": "x", ":n": 5, ":m": 4, ":b": True}
    assert refusal(condition=text, values=values, names={"#a": "a"}) == PREFIX + message


def test_what_is_just_within_the_limits() -> None:
    assert matches(" OR ".join(["a < b"] * 150), {"a": 1, "b": 2})
    assert matches("a < b " + "or (a < b " * 149 + ")" * 149, {"a": 1, "b": 2})
    assert matches(f"a IN ({', '.join(f':v{n}' for n in range(100))})", {"a": 99}, {f":v{n}": n for n in range(100)})
    assert not matches("NOT " * 299 + "a < b", {"a": 1, "b": 2})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"condition": "a = :a", "names": {}}, "ExpressionAttributeNames must not be empty"),
        ({"condition": "a = :a", "values": {}}, "ExpressionAttributeValues must not be empty"),
        (
            {"condition": "#", "names": {"#": "a"}},
            'ExpressionAttributeNames contains invalid key: Syntax error; key: "#"',
        ),
        (
            {"condition": "(", "names": {"#a-b": "a"}},
            'ExpressionAttributeNames contains invalid key: Syntax error; key: "#a-b"',
        ),
        (
            {"condition": "(", "names": {"#" + "a" * 255: "a"}},
            (
                "ExpressionAttributeNames contains invalid key: "
                "The expression attribute map contains a key that is too long; size of key: 256"
            ),
        ),
        (
            {"condition": "(", "names": {"#a": ""}},
            "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a",
        ),
        (
            {"condition": "(", "values": {":": 1}},
            'ExpressionAttributeValues contains invalid key: Syntax error; key: ":"',
        ),
        (
            {"condition": "(", "values": {":" + "a" * 255: 1}},
            (
                "ExpressionAttributeValues contains invalid key: "
                "The expression attribute map contains a key that is too long;"
            ),
        ),
        (
            {"condition": "attribute_exists(#a)", "names": {"#a": "a", "#c": "c", "#b": "b"}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#c, #b}",
        ),
        (
            {"update": "SET a = :a", "condition": "a = :b", "values": {":a": 1, ":b": 2, ":c": 3}},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:c}",
        ),
        (
            {"update": "SET a = :zz", "condition": "(", "values": {":a": 1}},
            (
                "Invalid UpdateExpression: "
                "An expression attribute value used in expression is not defined; attribute value: :zz"
            ),
        ),
        (
            {"key_condition": "a = :a", "filter": "#b = :a", "values": {":a": 1}},
            (
                "Invalid FilterExpression: "
                "An expression attribute name used in the document path is not defined; attribute name: #b"
            ),
        ),
    ],
)
def test_placeholders_that_are_refused(parameters: dict[str, Any], message: str) -> None:
    assert refusal(**parameters) == message


# An evaluator of its own, on trees that are made first and written as texts afterwards.

ATTRIBUTES = ("a", "b", "c")
SCALARS = st.one_of(
    st.integers(-3, 3), st.sampled_from(["", "x", "xy", "é"]), st.sampled_from([b"", b"x"]), st.booleans()
)
OPERATORS = {
    "=": lambda x, y: x == y,
    "<>": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
}
LEAVES = st.one_of(
    st.tuples(st.sampled_from(sorted(OPERATORS)), st.sampled_from(ATTRIBUTES), SCALARS),
    st.tuples(st.just("exists"), st.sampled_from(ATTRIBUTES)),
    st.tuples(st.just("in"), st.sampled_from(ATTRIBUTES), st.lists(SCALARS, min_size=1, max_size=3)),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("and"), inner, inner),
        st.tuples(st.just("or"), inner, inner),
    ),
    max_leaves=12,
)
STRENGTH = {"or": 1, "and": 2, "not": 3}


def written(tree: Any, values: dict[str, Any], outer: int = 0) -> str:
    def placeholder(value: Any) -> str:
        values[f":v{len(values)}"] = value
        return f":v{len(values) - 1}"

    kind = tree[0]
    if kind in STRENGTH:
        strength = STRENGTH[kind]
        parts = [written(part, values, strength + (kind != "not")) for part in tree[1:]]
        text = f"NOT {parts[0]}" if kind == "not" else f" {kind.upper()} ".join(parts)
        return f"({text})" if strength < outer else text
    if kind == "exists":
        return f"attribute_exists({tree[1]})"
    if kind == "in":
        return f"{tree[1]} IN ({', '.join(map(placeholder, tree[2]))})"
    return f"{tree[1]} {kind} {placeholder(tree[2])}"


def alike(one: Any, other: Any) -> bool:
    return type(one) is type(other)


def true_of(tree: Any, held: dict[str, Any]) -> bool:
    kind = tree[0]
    if kind == "not":
        return not true_of(tree[1], held)
    if kind == "and":
        return true_of(tree[1], held) and true_of(tree[2], held)
    if kind == "or":
        return true_of(tree[1], held) or true_of(tree[2], held)
    if kind == "exists":
        return tree[1] in held
    if kind == "in":
        return tree[1] in held and any(alike(held[tree[1]], each) and held[tree[1]] == each for each in tree[2])
    if tree[1] not in held or not alike(held[tree[1]], tree[2]):
        return bool(kind == "<>")
    return bool(OPERATORS[kind](held[tree[1]], tree[2]))


def ordered_booleans(tree: Any) -> bool:
    """Whether a boolean is compared with < and the like, which DynamoDB refuses."""
    if tree[0] in STRENGTH:
        return any(ordered_booleans(part) for part in tree[1:])
    return len(tree) == 3 and tree[0] in ("<", "<=", ">", ">=") and isinstance(tree[2], bool)


@given(TREES, st.dictionaries(st.sampled_from(ATTRIBUTES), SCALARS))
def test_conditions_mean_what_an_evaluator_of_its_own_says(tree: Any, held: dict[str, Any]) -> None:
    values: dict[str, Any] = {}
    text = written(tree, values)
    if ordered_booleans(tree):
        assert "Incorrect operand type" in refusal(condition=text, values=values or None)
    else:
        assert matches(text, held, values or None) == true_of(tree, held)


WORDS = st.sampled_from(
    [
        "a",
        "#n",
        ":v",
        "(",
        ")",
        "[",
        "]",
        "0",
        ".",
        ",",
        "=",
        "<",
        "<>",
        "AND",
        "or",
        "NOT",
        "IN",
        "BETWEEN",
        "SET",
        "REMOVE",
        "ADD",
        "DELETE",
        "+",
        "-",
        "size",
        "contains",
        "if_not_exists",
        "list_append",
        "?",
        "é",
        "\x00",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=40).map(" ".join)))
def test_any_text_is_bound_or_refused(text: str) -> None:
    for parameter in ("condition", "filter", "key_condition", "update", "projection"):
        refusal(**{parameter: text}, names={"#n": "n"}, values={":v": 1})


@pytest.mark.parametrize(
    "text",
    [
        "(" * 4096,
        "(a=" * 1300,
        "NOT " * 1000,
        "size(" * 800,
        "a.b" * 1300,
        "a[0]" + "[0]" * 1300,
        "NOT(" * 1000,
        "SET a = " + "list_append(" * 330,
        "SET a = " + "(" * 4000,
        "SET a=" + "if_not_exists(a," * 250 + "b" + ")" * 250,
    ],
)
def test_hostile_nesting_is_refused_or_bound_without_harm(text: str) -> None:
    for parameter in ("condition", "key_condition", "update", "projection"):
        refusal(**{parameter: text})
