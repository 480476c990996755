"""Rules that need no node."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.kernel.errors import AwsError
from cumulet.services.s3.headers import mail_safe
from cumulet.services.s3.model import is_bucket_name, is_version, new_version, order_of
from cumulet.services.s3.ranges import byte_range, copy_range


@given(st.integers(1, 2**62))
def test_version_ids_hold_their_order(order: int) -> None:
    version = new_version(order)
    assert len(version) == 32
    assert is_version(version)
    assert order_of(version) == order
    assert not is_version(version[:-1] + ("0" if version[-1] != "0" else "1"))


@given(st.text(alphabet="bytes=-,0123456789 ", max_size=20), st.integers(0, 100))
def test_ranges_lie_within_the_object(header: str, size: int) -> None:
    with contextlib.suppress(AwsError):
        found = byte_range(header, size)
        assert found is None or 0 <= found[0] < found[1] <= size


@pytest.mark.parametrize("header", ["0-8", "bytes=1-", "bytes=-5", "bytes=5-1", "bytes=0-100", "bytes=10-11"])
def test_ranges_of_copies_must_be_whole(header: str) -> None:
    with pytest.raises(AwsError):
        copy_range(header, 10)


@given(st.text())
def test_metadata_never_breaks_a_header(value: str) -> None:
    shown = mail_safe(value)
    assert shown.isascii()
    assert not any(char in shown for char in "\r\n\x00")


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("abc", True),
        ("a.b-c1", True),
        ("ab", False),
        ("Abc", False),
        ("a" * 64, False),
        ("-ab", False),
        ("1.2.3.4", False),
    ],
)
def test_bucket_names(name: str, good: bool) -> None:
    assert is_bucket_name(name) is good
