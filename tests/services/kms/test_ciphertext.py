"""The format of ciphertexts: opens with its own key and context, unchanged, and with nothing else."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.policy import ciphertexts
from cumulet.services.kms.crypto import symmetric

IDS = st.uuids(version=4).map(str) | st.binary(min_size=16, max_size=16).map(lambda raw: f"mrk-{raw.hex()}")
ACCOUNTS = st.integers(0, 10**12 - 1).map(lambda number: f"{number:012d}")
HEADERS = st.builds(ciphertexts.Header, ACCOUNTS, IDS, st.binary(min_size=16, max_size=16))
CONTEXTS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
SECRET = os.urandom(32)


@given(header=HEADERS)
def test_headers_read_back(header: ciphertexts.Header) -> None:
    packed = header.pack()
    assert len(packed) == ciphertexts.SIZE
    assert ciphertexts.read(packed + b"rest") == header


@given(blob=st.binary(max_size=80))
def test_anything_is_a_header_or_none(blob: bytes) -> None:
    header = ciphertexts.read(blob)
    assert header is None or header.pack() == blob[: ciphertexts.SIZE]


@given(header=HEADERS, context=CONTEXTS, plaintext=st.binary(max_size=100))
def test_what_is_encrypted_opens(header: ciphertexts.Header, context: dict[str, str], plaintext: bytes) -> None:
    blob = symmetric.encrypt(SECRET, header, context, plaintext)
    assert len(plaintext) < 8 or plaintext not in blob[ciphertexts.SIZE :]
    assert symmetric.decrypt(SECRET, dict(reversed(context.items())), blob) == plaintext


@given(header=HEADERS, context=CONTEXTS, other=CONTEXTS, data=st.data())
def test_nothing_else_opens(
    header: ciphertexts.Header, context: dict[str, str], other: dict[str, str], data: st.DataObject
) -> None:
    blob = symmetric.encrypt(SECRET, header, context, b"secret")
    if other != context:
        with pytest.raises(symmetric.Unopened):
            symmetric.decrypt(SECRET, other, blob)
    at = data.draw(st.integers(0, len(blob) - 1))
    changed = blob[:at] + bytes([blob[at] ^ (1 << data.draw(st.integers(0, 7)))]) + blob[at + 1 :]
    for wrong in (changed, blob[:at], blob + b"\0"):
        with pytest.raises(symmetric.Unopened):
            symmetric.decrypt(SECRET, context, wrong)
    with pytest.raises(symmetric.Unopened):
        symmetric.decrypt(os.urandom(32), context, blob)


@given(one=CONTEXTS, other=CONTEXTS)
def test_contexts_differ_as_bytes(one: dict[str, str], other: dict[str, str]) -> None:
    assert (symmetric.canonical(one) == symmetric.canonical(other)) is (one == other)


@given(text=st.text(max_size=60))
def test_any_text_is_a_token_or_none(text: str) -> None:
    assert ciphertexts.read_token(text) is None or text


def test_tokens_tell_their_grant() -> None:
    grant = ciphertexts.Grant("arn:aws:kms:us-east-1:111122223333:key/abc", "f" * 64)
    assert ciphertexts.read_token(grant.token()) == grant
