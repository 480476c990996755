"""The first bytes of TLS connections."""

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.gateway import hello


def greeting(name: str | None) -> bytes:
    """What the library of this Python sends first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    ("name", "found"), [("api.example.com", "api.example.com"), ("Api.Test", "api.test"), (None, "")]
)
def test_the_name_is_found(name: str | None, found: str) -> None:
    assert hello.server_name(greeting(name)) == found


def test_every_beginning_asks_for_more() -> None:
    whole = greeting("api.example.com")
    assert {hello.server_name(whole[:length]) for length in range(len(whole))} == {None}


@given(st.integers(1, 400))
def test_a_greeting_may_come_in_several_records(size: int) -> None:
    whole = greeting("api.example.com")
    message = whole[5:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    records = b"".join(whole[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)
    assert hello.server_name(records) == "api.example.com"


@given(st.binary(max_size=600))
def test_any_bytes_are_read(data: bytes) -> None:
    assert hello.server_name(data) in {None, ""}


@given(st.integers(0, 250), st.binary(min_size=1, max_size=4))
def test_any_change_is_read(place: int, change: bytes) -> None:
    whole = greeting("api.example.com")
    name = hello.server_name(whole[:place] + change + whole[place + len(change) :])
    assert name is None or len(name) <= len(whole)
