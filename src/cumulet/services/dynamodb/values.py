"""Attribute values: which are valid, how large they are, how they compare, and as keys whose bytes sort as values do.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from __future__ import annotations

import base64
import re
from decimal import Decimal
from functools import lru_cache

from msgspec.structs import astuple

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.errors import invalid, invalid_values

Item = dict[str, "api.AttributeValue"]

KINDS = ("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL")
"""The types in the order of AttributeValue's members."""
MOST_BYTES = 400 * 1024
"""An item's size at most, names included."""
DEEPEST = 32
"""Levels that a value may be nested in."""
_LONGEST_NAME = 65_535
_NUMBER = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?", re.ASCII)
_MOST_DIGITS = 38
_EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
_SEVERAL = (
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
)


def kind(value: api.AttributeValue) -> str:
    """The type of a value that is valid: S, N, B, SS, NS, BS, M, L, NULL or BOOL."""
    if value.s is not None:
        return "S"
    for name, held in zip(KINDS, astuple(value), strict=True):
        if held is not None:
            return name
    raise invalid(_EMPTY)


def check_item(item: Item) -> int:
    """Refuse what is no value; numbers are brought to DynamoDB's form in place. Raises ValidationException.

    Gives the item's size: on the way that costs half of what `item_size` does.
    """
    total = 0
    for name, value in item.items():
        length = len(name)
        if not 0 < length <= _LONGEST_NAME:
            raise _wrong_name(name)
        total += length if name.isascii() else len(name.encode())
        if (text := value.s) is not None and astuple(value).count(None) == 9:
            total += len(text) if text.isascii() else len(text.encode())
        elif (number := value.n) is not None and astuple(value).count(None) == 9:
            value.n = number = normal_number(number)
            total += _number_size(number)
        else:
            _check_slowly(value, 1)
            total += value_size(value)
    return total


def _wrong_name(name: str) -> AwsError:
    if not name:
        return invalid_values("Empty attribute name")
    return invalid_values(f"Attribute name is too large, must be less than {_LONGEST_NAME + 1} bytes")


def check_value(value: api.AttributeValue, depth: int = 1) -> None:
    """As `check_item`, for one value; `depth` counts the levels it is nested in, which may be 32."""
    if value.s is None or astuple(value).count(None) != 9:
        _check_slowly(value, depth)


def _check_slowly(value: api.AttributeValue, depth: int) -> None:
    held = astuple(value)
    empty = held.count(None)
    if empty == 10:
        raise invalid(_EMPTY)
    if depth > DEEPEST:
        raise too_deep()
    if value.n is not None:
        value.n = normal_number(value.n)
        if empty == 9:
            return
    if value.null is False:
        raise invalid_values("Null attribute value types must have the value of true")
    _check_sets(value)
    for part in (*(value.m or {}).values(), *(value.l or ())):
        check_value(part, depth + 1)
    if empty != 9:
        raise invalid(_SEVERAL)


def too_deep() -> AwsError:
    """What a value is refused with that is nested more than `DEEPEST` levels deep."""
    return invalid(
        "Nesting Levels have exceeded supported limits: Attributes have nested levels beyond supported limit"
    )


def _check_sets(value: api.AttributeValue) -> None:
    for held, name in (
        (value.ss, "An string set  may"),
        (value.ns, "An number set  may"),
        (value.bs, "Binary sets should"),
    ):
        if held is not None and not held:
            raise invalid_values(f"{name} not be empty")
    if value.ns is not None:
        value.ns = [normal_number(number) for number in value.ns]
        if len(set(value.ns)) != len(value.ns):
            raise invalid("Input collection contains duplicates")
    if value.ss is not None and len(set(value.ss)) != len(value.ss):
        raise invalid_values(f"Input collection [{', '.join(value.ss)}] contains duplicates.")
    if value.bs is not None and len(set(value.bs)) != len(value.bs):
        shown = ", ".join([base64.b64encode(part).decode() for part in value.bs])
        raise invalid_values(f"Input collection [{shown}]of type BS contains duplicates.")


def normal_number(text: str) -> str:
    """A number in DynamoDB's form: plain decimal digits, no needless zeros or sign. Raises ValidationException."""
    if text.isdecimal() and text.isascii() and len(text) <= _MOST_DIGITS and (text[0] != "0" or text == "0"):
        return text
    if not text:
        raise invalid("The parameter cannot be converted to a numeric value")
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise _no_number(text)
    whole, fraction = match[2], match[3] or ""
    exponent = _exponent(match[4])
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0"
    # The place of the first digit that counts: 0 for units, 1 for tens, -1 for tenths.
    place = len(digits) - len(fraction) - 1 + exponent
    digits = digits.rstrip("0")
    if place > 125:
        raise invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
    if place < -130:
        raise invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    if len(digits) > _MOST_DIGITS:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    return ("-" if match[1] == "-" else "") + _plain(digits, place)


def _exponent(text: str | None) -> int:
    if not text:
        return 0
    if len(text) > 12:  # no number of such a magnitude can be held, and no text makes up for it
        return -(10**12) if text[0] == "-" else 10**12
    return int(text)


def _no_number(text: str) -> AwsError:
    return invalid(f"The parameter cannot be converted to a numeric value: {text}")


def _plain(digits: str, place: int) -> str:
    if place < 0:
        return "0." + "0" * (-place - 1) + digits
    whole = place + 1
    if len(digits) <= whole:
        return digits + "0" * (whole - len(digits))
    return f"{digits[:whole]}.{digits[whole:]}"


def _parts(text: str) -> tuple[bool, str, int]:
    """Of a normal number: whether it is below zero, its digits, and the place of the first."""
    negative = text[0] == "-"
    whole, _, fraction = text.lstrip("-").partition(".")
    if whole != "0":
        return negative, (whole + fraction).rstrip("0"), len(whole) - 1
    digits = fraction.lstrip("0")
    return negative, digits, len(digits) - len(fraction) - 1


def item_size(item: Item) -> int:
    """Bytes of an item as DynamoDB counts them: names in UTF-8, and values."""
    total = 0
    for name, value in item.items():
        text = value.s
        total += len(name) if name.isascii() else len(name.encode())
        if text is not None:
            total += len(text) if text.isascii() else len(text.encode())
        else:
            total += value_size(value)
    return total


def value_size(value: api.AttributeValue) -> int:
    """Bytes of a value as DynamoDB counts them."""
    if value.s is not None:
        return len(value.s.encode())
    if value.n is not None:
        return _number_size(value.n)
    if value.b is not None:
        return len(value.b)
    if value.m is not None:
        return 3 + len(value.m) + item_size(value.m)
    if value.l is not None:
        return 3 + len(value.l) + sum(map(value_size, value.l))
    if value.ss is not None:
        return sum(len(text.encode()) for text in value.ss)
    if value.ns is not None:
        return sum(map(_number_size, value.ns))
    if value.bs is not None:
        return sum(map(len, value.bs))
    return 1


@lru_cache(4096)
def _number_size(text: str) -> int:
    negative, digits, place = _parts(text)
    if not digits:
        return 1
    # Two digits a byte, beginning at an even place.
    return 1 + (len(digits) + 1) // 2 + (0 if len(digits) % 2 or place % 2 else 1) + negative


def key_bytes(value: api.AttributeValue) -> bytes:
    """A key's value (S, N or B) as bytes; those of one type sort as DynamoDB sorts the values."""
    if value.s is not None:
        return value.s.encode()
    if value.n is not None:
        return _number_bytes(value.n)
    if value.b is not None:
        return value.b
    raise invalid(_EMPTY)


@lru_cache(4096)
def _number_bytes(text: str) -> bytes:
    """A sign, the place of the first digit, then pairs of digits; all turned round below zero."""
    negative, digits, place = _parts(text)
    if not digits:
        return b"\x01"
    if len(digits) % 2:
        digits += "0"
    pairs = [int(digits[at : at + 2]) for at in range(0, len(digits), 2)]
    if negative:
        return bytes([0, 125 - place, *(200 - pair for pair in pairs), 255])
    return bytes([2, place + 130, *pairs])


def equal(first: api.AttributeValue, second: api.AttributeValue) -> bool:
    """Whether two valid values are the same; sets have no order, numbers are in their normal form."""
    if first == second:
        return True
    for left, right in ((first.ss, second.ss), (first.ns, second.ns), (first.bs, second.bs)):
        if left is not None:
            return right is not None and len(left) == len(right) and set(left) == set(right)
    if first.l is not None and second.l is not None:
        return len(first.l) == len(second.l) and all(map(equal, first.l, second.l))
    if first.m is not None and second.m is not None:
        theirs = second.m
        return len(first.m) == len(theirs) and all(
            name in theirs and equal(value, theirs[name]) for name, value in first.m.items()
        )
    return False


def compare(first: api.AttributeValue, second: api.AttributeValue) -> int | None:
    """-1, 0 or 1 for two strings, numbers or binaries; None when they have no order (other types, or different ones)."""
    left: str | bytes | Decimal
    right: str | bytes | Decimal
    if first.s is not None and second.s is not None:
        # As bytes of UTF-8: the order of code points, which is Python's.
        left, right = first.s, second.s
        return (left > right) - (left < right)
    if first.n is not None and second.n is not None:
        left, right = Decimal(first.n), Decimal(second.n)
        return (left > right) - (left < right)
    if first.b is not None and second.b is not None:
        left, right = first.b, second.b
        return (left > right) - (left < right)
    return None
