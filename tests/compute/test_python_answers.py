"""What handlers return is written as AWS's Python runtime writes it, which is simplejson's way; expectations are that library's."""

import collections
import datetime as dt
import decimal
import enum
import math
from typing import Any

import pytest

from cumulet.compute.runtimes.inside import answers, faults

Point = collections.namedtuple("Point", "x y")
D = decimal.Decimal


class Colour(enum.IntEnum):
    RED = 3


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"


class Record(dict[str, Any]):
    def _asdict(self) -> dict[str, Any]:
        return {"of": "method"}


class Wrong:
    def _asdict(self) -> list[int]:
        return [1]


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(Point(1, circle))
    return circle


def _deep() -> list[Any]:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


encode = answers.encoder()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, -2.5, True, None, "x"], "b": ()}, '{"a": [1, -2.5, true, null, "x"], "b": []}'),
        ({2: 1, 2.5: 2, None: 3, True: 4, "2": 5}, '{"2": 1, "2.5": 2, "null": 3, "true": 4, "2": 5}'),
        (Point(1, D("2.50")), '{"x": 1, "y": 2.50}'),
        ([(1, Point(2, 3))], '[[1, {"x": 2, "y": 3}]]'),
        (Record(a=1), '{"of": "method"}'),
        ([D("1E+3"), D("-0.0"), D("Infinity"), D("NaN"), D("-sNaN")], "[1E+3, -0.0, Infinity, NaN, NaN]"),
        ([math.nan, math.inf, -math.inf, 1e22], "[NaN, Infinity, -Infinity, 1e+22]"),
        ({b"k": b"v", b"k2": [b""]}, '{"k": "v", "k2": [""]}'),
        ([Colour.RED, {Colour.RED: Loud("x")}, {Loud("y"): 1}], '[3, {"3": "x"}, {"y": 1}]'),
        (collections.OrderedDict(b=1, a=collections.Counter("aab")), '{"b": 1, "a": {"a": 2, "b": 1}}'),
        ("\"\\\n\x00\x7f/", '"\\"\\\\\\n\\u0000\\u007f/"' if answers.ASCII_ONLY else '"\\"\\\\\\n\\u0000\x7f/"'),
        (["é\u2028"], '["\\u00e9\\u2028"]' if answers.ASCII_ONLY else '["é\u2028"]'),
        (10**30, "1" + "0" * 30),
    ],
)  # fmt: skip
def test_writes_as_simplejson(value: object, text: str) -> None:
    assert encode(value) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": {1}}, "Object of type set is not JSON serializable"),
        ([dt.datetime(2020, 1, 1, tzinfo=dt.UTC)], "Object of type datetime is not JSON serializable"),
        (Point, "Object of type type is not JSON serializable"),
        (bytearray(b"x"), "Object of type bytearray is not JSON serializable"),
        (1j, "Object of type complex is not JSON serializable"),
        ({(1, 2): 1}, "keys must be str, int, float, bool or None, not tuple"),
        ({D(1): 1}, "keys must be str, int, float, bool or None, not decimal.Decimal"),
        (Wrong(), "_asdict() must return a dict, not list"),
        (_circle(), "Circular reference detected"),
        ([b"\xff"], "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (_deep(), "maximum recursion depth exceeded"),
    ],
)
def test_refuses_in_the_words_of_simplejson(value: object, message: str) -> None:
    with pytest.raises((TypeError, ValueError, RecursionError)) as refused:
        encode(value)
    assert str(refused.value).startswith(message)
    assert encode({"a": 1}) == '{"a": 1}', "nothing of it stays"


def test_writes_the_same_where_the_interpreter_has_nothing_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"a": [1, (2.5, True), {"é": None}], "b": {}, "c": []}
    monkeypatch.setattr("json.encoder.c_make_encoder", None)
    assert answers.encoder()(value) == encode(value)


def test_errors_are_written_in_the_same_characters() -> None:
    document, _ = faults.describe(ValueError("é \ud800"), "id")
    assert document.startswith(
        b'{"errorMessage": "\\u00e9 \\ud800"' if answers.ASCII_ONLY else b'{"errorMessage": "\xc3\xa9 \\ud800"'
    )
