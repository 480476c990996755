"""Values by themselves: numbers against Python's decimals, keys whose bytes sort as the values do, sizes, equality."""

from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.api.dynamodb import AttributeValue
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb import values

_EXACT = Context(prec=400, Emax=10_000, Emin=-10_000)

digits = st.integers(-(10**38) + 1, 10**38 - 1)
numbers = st.builds(lambda number, exponent: Decimal(number).scaleb(exponent, _EXACT), digits, st.integers(-100, 80))
texts = st.one_of(
    numbers.map(str),
    numbers.map(lambda number: f"{number:f}"),
    numbers.map(lambda number: f"{number:E}"),
)


def number(text: str) -> AttributeValue:
    return AttributeValue(n=values.normal_number(text))


@given(texts)
def test_a_number_keeps_its_value_in_one_plain_form(text: str) -> None:
    kept = values.normal_number(text)
    assert Decimal(kept) == Decimal(text)
    assert values.normal_number(kept) == kept
    assert "e" not in kept.lower()
    assert not kept.startswith(("+", "-0.", "00")) or Decimal(kept) < 0
    assert kept == "0" or not ("." in kept and kept.endswith("0"))


@given(st.text(max_size=20))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        kept = values.normal_number(text)
    except AwsError:
        return
    assert Decimal(kept) == Decimal(text)


@given(numbers, numbers)
def test_keys_of_numbers_sort_as_the_numbers(first: Decimal, second: Decimal) -> None:
    left, right = number(str(first)), number(str(second))
    keys = values.key_bytes(left), values.key_bytes(right)
    assert (keys[0] < keys[1], keys[0] == keys[1]) == (first < second, first == second)
    assert values.compare(left, right) == (first > second) - (first < second)


@given(st.text(), st.text())
def test_keys_of_strings_sort_by_their_bytes(first: str, second: str) -> None:
    try:
        encoded = first.encode(), second.encode()
    except UnicodeEncodeError:
        return
    left, right = AttributeValue(s=first), AttributeValue(s=second)
    assert values.key_bytes(left) == encoded[0]
    assert values.compare(left, right) == (encoded[0] > encoded[1]) - (encoded[0] < encoded[1])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("1e125", "1" + "0" * 125),
        ("1e-130", "0." + "0" * 129 + "1"),
        ("9" * 38, "9" * 38),
        ("0" * 1000 + "1", "1"),
        ("0e999999999999999", "0"),
    ],
)
def test_the_ends_of_what_is_allowed(text: str, kept: str) -> None:
    assert values.normal_number(text) == kept


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1_0", "\u0661", "0x1", "NaN", "Infinity", "1e", ".", "--1", "1e126", "1e-131"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(AwsError):
        values.normal_number(text)


def test_sizes_are_dynamodbs() -> None:
    item = {
        "é": AttributeValue(s="é"),  # 2 + 2
        "n": AttributeValue(n="123"),  # 1 + 3
        "b": AttributeValue(b=b"1234"),  # 1 + 4
        "t": AttributeValue(bool=True),  # 1 + 1
        "z": AttributeValue(null=True),  # 1 + 1
        "l": AttributeValue(l=[AttributeValue(s="ab")]),  # 1 + 3 + 1 + 2
        "m": AttributeValue(m={"k": AttributeValue(s="v")}),  # 1 + 3 + 1 + 2
        "s": AttributeValue(ss=["ab", "c"]),  # 1 + 3
    }
    assert values.item_size(item) == 35


def test_nesting_has_an_end() -> None:
    def nested(levels: int) -> AttributeValue:
        value = AttributeValue(s="x")
        for _ in range(levels):
            value = AttributeValue(l=[value])
        return value

    values.check_value(nested(31))
    with pytest.raises(AwsError, match="Nesting Levels"):
        values.check_value(nested(33))


def test_sets_have_no_order() -> None:
    assert values.equal(AttributeValue(ss=["a", "b"]), AttributeValue(ss=["b", "a"]))
    assert not values.equal(AttributeValue(ss=["a", "b"]), AttributeValue(ss=["a", "c"]))
    assert not values.equal(AttributeValue(ss=["1"]), AttributeValue(ns=["1"]))
    first = AttributeValue(m={"x": AttributeValue(l=[AttributeValue(ns=["1", "2"])])})
    second = AttributeValue(m={"x": AttributeValue(l=[AttributeValue(ns=["2", "1"])])})
    assert values.equal(first, second)
