"""What paths find: a table of Jayway's behaviour, and a naive reading of the same grammar beside the compiled one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.expressions import jsonpath
from cumulet.expressions.jsonpath import JsonPathError, PathNotFound

STORE = {
    "book": [
        {"category": "reference", "author": "Rees", "title": "Sayings", "price": 8.95},
        {"category": "fiction", "author": "Waugh", "title": "Honour", "price": 12.99},
        {"category": "fiction", "author": "Melville", "title": "Moby", "isbn": "0-553", "price": 8.99},
        {"category": "fiction", "author": "Tolkien", "title": "Rings", "isbn": "0-395", "price": 22.99, "lent": None},
    ],
    "bicycle": {"colour": "red", "price": 20, "odd name": [1, 2, 3, 4], "it's": True},
}
TITLES = {
    "$.book[*].title": ["Sayings", "Honour", "Moby", "Rings"],
    "$..title": ["Sayings", "Honour", "Moby", "Rings"],
    "$.book..title": ["Sayings", "Honour", "Moby", "Rings"],
    "$.book[0,1].title": ["Sayings", "Honour"],
    "$.book[:2].title": ["Sayings", "Honour"],
    "$.book[:-3].title": ["Sayings"],
    "$.book[1:2].title": ["Honour"],
    "$.book[-2:].title": ["Moby", "Rings"],
    "$.book[2:].title": ["Moby", "Rings"],
    "$.book[-9:].title": ["Sayings", "Honour", "Moby", "Rings"],
    "$..book[2].title": ["Moby"],
    "$.book[?(@.isbn)].title": ["Moby", "Rings"],
    "$.book[?(!@.isbn)].title": ["Sayings", "Honour"],
    "$.book[?(@.lent)].title": ["Rings"],
    "$.book[?(@.lent == null)].title": ["Rings"],
    "$.book[?(@.price < 10)].title": ["Sayings", "Moby"],
    "$.book[?(@.price<=$.bicycle.price)].title": ["Sayings", "Honour", "Moby"],
    "$.book[?(@['category'] == 'fiction' && (@.price > 20 || @.author == \"Waugh\"))].title": ["Honour", "Rings"],
    "$.book[?(!(@.category == 'fiction'))].title": ["Sayings"],
    "$.book[?(@.isbn != '0-553')].title": ["Sayings", "Honour", "Rings"],
    "$.book[?(@.author =~ /^t.*N$/i)].title": ["Rings"],
    "$.book[?(@.author =~ /tol/i)].title": [],
    "$.book[?(@.author in ['Rees', 'Tolkien'])].title": ["Sayings", "Rings"],
    "$.book[?(@.author nin ['Rees', 'Tolkien'])].title": ["Honour", "Moby"],
    "$.book[?(@.title contains 'o')].title": ["Honour", "Moby"],
    "$.book[?(@.title size 5)].title": ["Rings"],
    "$.book[?(@.price == '8.95')].title": ["Sayings"],
    "$.book[?(@.price === '8.95')].title": [],
    "$.book[?('Rees' == @.author)].title": ["Sayings"],
    "$.book[?(@.author==Rees)].title": ["Sayings"],
    "$.*[?(@.price == 20)].colour": ["red"],
    "$.bicycle[?(@.price == 20)].colour": ["red"],
    "$.none[*].title": [],
    "$.book[*].none": [],
    "$.none[?(@.a == 1)]": [],
    "$.book[7:]": [],
}
VALUES: dict[str, Any] = {
    "$": STORE,
    "$.book[1].title": "Honour",
    "$['book'][1]['title']": "Honour",
    "$.['book'].[1].title": "Honour",
    '$["book"][-1]["title"]': "Rings",
    "$.bicycle['odd name'][0]": 1,
    "$.bicycle['it\\'s']": True,
    "$.bicycle['colour','price','none']": {"colour": "red", "price": 20},
    "$.book.length()": 4,
    "$.bicycle.keys()": ["colour", "price", "odd name", "it's"],
    "$..price.max()": 22.99,
    "$.bicycle['odd name'].sum()": 10.0,
    "$.bicycle['odd name'].avg()": 2.5,
    "$.bicycle['odd name'].min()": 1.0,
    "$.bicycle['odd name'].stddev()": 1.25**0.5,
    "$.bicycle['odd name'].first()": 1,
    "$.bicycle['odd name'].last()": 4,
    "$.bicycle['odd name'].index(2)": 3,
    "$.bicycle['odd name'].append(5, 6)": [1, 2, 3, 4, 5, 6],
    '$.concat($.bicycle.colour, "-", $.book[0].author)': "red-Rees",
    "bicycle.colour": "red",
    " $.bicycle.colour ": "red",
}
INVALID = {
    "": 0,
    "$.": 2,
    "$..": 3,
    "$...a": 3,
    "$a": 1,
    "$.a b": 3,
    "$.a[": 3,
    "$.a[x]": 3,
    "$.a['x'": 7,
    "$.a['x": 4,
    "$.a['x',]": 8,
    "$[:]": 1,
    "$[99999999999]": 1,
    "$.a[?(@.b == )]": 13,
    "$.a[?(@.b ~ 1)]": 10,
    "$.a[?(@.b like 1)]": 10,
    "$.a[?(@.b == 1)": 15,
    "$.a[?(1)]": 7,
    "$.a[?(@.b =~ /x)]": 13,
    "$.a.none()": 4,
    "$.a.concat(1": 12,
}


@pytest.mark.parametrize("text", TITLES)
def test_indefinite_paths_give_lists(text: str) -> None:
    path = jsonpath.compile(text)
    assert not path.definite
    assert path.read(STORE) == path.find(STORE) == TITLES[text]


@pytest.mark.parametrize("text", VALUES)
def test_definite_paths_give_values(text: str) -> None:
    path = jsonpath.compile(text)
    assert path.definite
    assert path.read(STORE) == VALUES[text]
    assert path.find(STORE) == [VALUES[text]]


@pytest.mark.parametrize("text", INVALID)
def test_errors_carry_positions(text: str) -> None:
    with pytest.raises(JsonPathError) as raised:
        jsonpath.compile(text)
    assert raised.value.position == INVALID[text], raised.value.message


@pytest.mark.parametrize(
    "text",
    ["$.none", "$.book.title", "$.book[4]", "$.book[-5]", "$.bicycle[0]", "$.book['title']", "$.bicycle.colour.x"],
)
def test_a_definite_path_that_leads_nowhere_is_not_found(text: str) -> None:
    with pytest.raises(PathNotFound):
        jsonpath.compile(text).read(STORE)
    assert jsonpath.compile(text).find(STORE) == []


@pytest.mark.parametrize("text", ["$[1:5]", "$[1:]", "$[:1]", "$.a[?(@.b)]", "$.a[1:]"])
def test_slices_and_filters_of_what_they_do_not_fit_are_errors(text: str) -> None:
    with pytest.raises(PathNotFound):
        jsonpath.compile(text).read({"a": "text"})


def test_true_is_not_one() -> None:
    assert jsonpath.compile("$[?(@.a == 1)]").read([{"a": True}, {"a": 1}, {"a": 1.0}]) == [{"a": 1}, {"a": 1.0}]
    assert jsonpath.compile("$[?(@.a == [true])]").read([{"a": [1]}, {"a": [True]}]) == [{"a": [True]}]


def test_work_is_bounded() -> None:
    wide: Any = 1
    for _ in range(5):
        wide = [wide] * 10
    with pytest.raises(JsonPathError, match="too much work"):
        jsonpath.compile("$..*..*..*..*").read(wide)
    with pytest.raises(JsonPathError, match="could take too long"):
        jsonpath.compile("$[?(@.a =~ /(a+)+b/)]").read([{"a": "a" * 40}])
    with pytest.raises(JsonPathError, match="deeply"):
        jsonpath.compile("$[?(" + "(" * 60 + "@.a" + ")" * 60 + ")]")
    with pytest.raises(JsonPathError):
        jsonpath.compile("$" + ".a" * 201)
    with pytest.raises(JsonPathError):
        jsonpath.compile("$." + "a" * 10_000)
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert jsonpath.compile("$..[0]").read(deep)[-1] == 1


def test_a_path_is_compiled_once() -> None:
    assert jsonpath.compile("$.once") is jsonpath.compile("$.once")


names = st.sampled_from(["a", "b", "c", "odd name", "ü", "it's", ""])
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
selectors = st.one_of(
    names.map(lambda name: ("name", name)),
    st.integers(-4, 4).map(lambda index: ("index", index)),
    st.just(("every", None)),
    st.tuples(st.just("from"), st.integers(-4, 4)),
    st.tuples(st.just("scan name"), names),
    st.tuples(st.just("has"), names),
    st.tuples(st.just("over"), st.integers(-3, 3)),
)


def written(steps: list[tuple[str, Any]]) -> str:
    """The path that these selectors are."""
    text = "$"
    for kind, value in steps:
        quoted = "'" + str(value).replace("'", "\\'") + "'"
        text += {
            "name": f"[{quoted}]",
            "index": f"[{value}]",
            "every": "[*]",
            "from": f"[{value}:]",
            "scan name": f"..[{quoted}]",
            "has": f"[?(@[{quoted}])]",
            "over": f"[?(@.a > {value})]",
        }[kind]
    return text


def children(node: Any) -> list[Any]:
    return list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []


def below(node: Any) -> list[Any]:
    return [node] + [inner for child in children(node) for inner in below(child)]


def chosen(kind: str, value: Any, node: Any) -> list[Any]:
    """What one selector finds at one node, read naively."""
    if kind == "name":
        return [node[value]] if isinstance(node, dict) and value in node else []
    if kind == "index":
        return [node[value]] if isinstance(node, list) and -len(node) <= value < len(node) else []
    if kind == "every":
        return children(node)
    if kind == "from":
        return node[value:] if isinstance(node, list) else []
    if kind == "scan name":
        return [found[value] for found in below(node) if isinstance(found, dict) and value in found]
    candidates = [node] if isinstance(node, dict) else node if isinstance(node, list) else []
    if kind == "has":
        return [item for item in candidates if isinstance(item, dict) and value in item]
    return [item for item in candidates if isinstance(item, dict) and type(item.get("a")) is int and item["a"] > value]


@given(documents, st.lists(selectors, max_size=4))
def test_as_a_naive_reading_finds(document: Any, steps: list[tuple[str, Any]]) -> None:
    expected = [document]
    for kind, value in steps:
        expected = [found for node in expected for found in chosen(kind, value, node)]
    assert jsonpath.compile(written(steps)).find(document) == expected


@given(st.text(max_size=40))
def test_any_text_is_a_path_or_an_error(text: str) -> None:
    position = 0
    try:
        jsonpath.compile("$" + text).find({"a": [1, {"b": "c"}]})
    except JsonPathError as error:
        position = error.position
    assert -1 <= position <= len(text) + 2


@given(st.text(alphabet="$.@[]()?*:,'\"ab01<>=!&|~/\\ -", max_size=30))
def test_texts_of_the_signs_of_paths(text: str) -> None:
    test_any_text_is_a_path_or_an_error.hypothesis.inner_test(text)  # type: ignore[attr-defined]
