"""Reference paths: what they read, and the documents they write."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.expressions import jsonpath
from cumulet.expressions.jsonpath import CannotSet, JsonPathError, PathNotFound

names = st.sampled_from(["a", "b", "odd name"])
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "text", ["$.a[*]", "$..a", "$.a[1:]", "$.a[0,1]", "$['a','b']", "$.a[?(@.b)]", "$.a.length()", "$a"]
)
def test_only_names_and_indexes(text: str) -> None:
    with pytest.raises(JsonPathError):
        jsonpath.reference(text)


@pytest.mark.parametrize(
    ("text", "document", "expected"),
    [
        ("$", {"a": 1}, "new"),
        ("$.a", {}, {"a": "new"}),
        ("$.a", {"a": 1, "b": 2}, {"a": "new", "b": 2}),
        ("$.a.b.c", {}, {"a": {"b": {"c": "new"}}}),
        ("$.a.b", {"a": {"c": 1}}, {"a": {"c": 1, "b": "new"}}),
        ("$['odd name'].b", {}, {"odd name": {"b": "new"}}),
        ("$.a[0].b", {"a": [{"c": 1}, 2]}, {"a": [{"c": 1, "b": "new"}, 2]}),
        ("$[1]", [1, 2], [1, "new"]),
        ("$.a[-1]", {"a": [1, 2]}, {"a": [1, "new"]}),
    ],
)
def test_set(text: str, document: Any, expected: Any) -> None:
    before = copy.deepcopy(document)
    assert jsonpath.reference(text).set(document, "new") == expected
    assert document == before


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("$.a", 1),
        ("$.a", []),
        ("$.a.b", {"a": 1}),
        ("$.a[0]", {}),
        ("$.a[0]", {"a": []}),
        ("$.a[0]", {"a": {}}),
        ("$[0]", {}),
    ],
)
def test_no_room(text: str, document: Any) -> None:
    with pytest.raises(CannotSet):
        jsonpath.reference(text).set(document, "new")


@given(documents, st.lists(names | st.integers(-2, 2), max_size=4), documents)
def test_what_was_set_is_there(document: Any, keys: list[str | int], value: Any) -> None:
    reference = jsonpath.reference("$" + "".join(f"[{key!r}]" for key in keys))
    before = copy.deepcopy(document)
    try:
        changed = reference.set(document, value)
    except CannotSet:
        with pytest.raises(PathNotFound):
            reference.get(document)
    else:
        assert reference.get(changed) == value
        assert reference.set(changed, value) == changed
    assert document == before
