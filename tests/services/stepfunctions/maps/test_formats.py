"""Items found in files, whatever pieces the files come in."""

import asyncio
import csv
import importlib.util
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.maps import parquet
from cumulet.services.stepfunctions.maps.formats import NOT_ITERABLE, Csv, Format, JsonArray, JsonLines, pointed

_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
_SIZES = st.lists(st.integers(1, 9), min_size=1)


def read(format: Format, content: bytes, sizes: list[int]) -> list[Any]:
    """The values, of a file that comes in pieces of these sizes, again and again."""
    found, place, turn = [], 0, 0
    while place < len(content):
        size = sizes[turn % len(sizes)]
        found += [value for value, _ in format.feed(content[place : place + size])]
        place, turn = place + size, turn + 1
    return found + [value for value, _ in format.end()]


@settings(max_examples=150, deadline=None)
@given(st.lists(_JSON), _SIZES, st.sampled_from([None, 2]))
def test_an_array_s_elements_are_found_in_any_pieces(values: list[Any], sizes: list[int], indent: int | None) -> None:
    assert read(JsonArray(), json.dumps(values, indent=indent).encode(), sizes) == values


@settings(max_examples=100, deadline=None)
@given(st.lists(_JSON), _SIZES)
def test_lines_are_found_in_any_pieces(values: list[Any], sizes: list[int]) -> None:
    assert read(JsonLines(), "\n".join(json.dumps(value) for value in values).encode(), sizes) == values


_CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters='\n,"'))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(_CELL, _CELL), min_size=1), _SIZES)
def test_rows_are_found_in_any_pieces(rows: list[tuple[str, str]], sizes: list[int]) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(rows)
    found = read(Csv(["one", "two"]), out.getvalue().encode(), sizes)
    assert found == [{"one": one, "two": two} for one, two in rows]


def test_rows_are_as_long_as_their_header() -> None:
    text = b"H1,\nValue4,Value5,Value6\n,,,\n   \n\n"
    assert read(Csv(None), text, [7]) == [{"": "Value5", "H1": "Value4"}, {"": "", "H1": ""}, {"": "", "H1": "   "}]


def test_columns_are_told_in_the_order_of_java_s_hash_table() -> None:
    (row,) = read(Csv(None), b"0,True,{}\na,b,c\n", [99])
    assert list(row) == ["0", "{}", "True"]


def test_delimiters() -> None:
    assert read(Csv(None, "PIPE"), b"a|b\n1|2,3\n", [99]) == [{"a": "1", "b": "2,3"}]


def test_an_object_s_values_are_items() -> None:
    format = JsonArray()
    found = list(format.feed(b'{"a": [1], "b": {"c": 2}}')) + list(format.end())
    assert found == [([1], "a"), ({"c": 2}, "b")]


@pytest.mark.parametrize(
    ("make", "text", "cause"),
    [
        (lambda: Csv(["a", "a"]), b"", "CSV headers cannot contain duplicates."),
        (lambda: Csv(None), b"a,a\n", "CSV headers cannot contain duplicates."),
        (lambda: Csv(None), b"a\n\xff\n", "The CSV file is not encoded in UTF-8."),
        (JsonArray, b'{"Hello": "world"}', NOT_ITERABLE),
        (JsonArray, b'"Hello"', NOT_ITERABLE),
        (JsonArray, b"[1, 2", "The JSON file ends before its last item does."),
        (JsonArray, b"[1,, 2]", "The JSON file cannot be read: a value is missing."),
        (JsonLines, b"{", "The JSON file cannot be read"),
    ],
)
def test_files_that_are_none(make: Callable[[], Format], text: bytes, cause: str) -> None:
    with pytest.raises(StatesError) as error:
        read(make(), text, [99])
    assert error.value.name == "States.ItemReaderFailed"
    assert (error.value.cause or "").startswith(cause)


def test_a_pointer_leads_to_the_items() -> None:
    content = b'{"a/b": {"rows": [1, 2]}, "c": 3}'
    assert [value for value, _ in pointed(content, "/a~1b/rows")] == [1, 2]
    with pytest.raises(StatesError, match="leads to nothing"):
        list(pointed(content, "/none"))
    with pytest.raises(StatesError, match="non-iterable"):
        list(pointed(content, "/c"))


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="it can be read here")
def test_parquet_says_what_it_needs() -> None:
    async def main() -> None:
        async for _ in parquet.rows(b"PAR1"):
            pass

    with pytest.raises(StatesError, match="install it and start the node again"):
        asyncio.run(main())
