"""What is taken as an event, how functions are named, and the lines around an invocation."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.api.lambda_ import (
    InvalidParameterValueException,
    InvalidRequestContentException,
    ResourceNotFoundException,
)
from cumulet.kernel.call import Call, Principal
from cumulet.services.lambda_.names import FunctionKey, refer
from cumulet.services.lambda_.payloads import checked

CALL = Call("111122223333", "us-east-1", Principal.root("111122223333"), "request")
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)


@given(DOCUMENTS)
def test_every_document_is_taken_as_it_is(document: Any) -> None:
    payload = json.dumps(document, ensure_ascii=False).encode()
    assert checked(payload) == payload


@given(st.binary(max_size=40))
def test_anything_else_is_refused_in_the_words_of_aws(payload: bytes) -> None:
    try:
        json.loads(payload.decode())
    except (ValueError, RecursionError):
        if payload:
            with pytest.raises(InvalidRequestContentException, match=r"^Could not parse request body into json"):
                checked(payload)


def test_a_deep_document_is_refused_and_not_fatal() -> None:
    with pytest.raises(InvalidRequestContentException):
        checked(b"[" * 1_000_000)


@pytest.mark.parametrize(
    ("payload", "place"),
    [(b"n\x87r", "line: 1, column: 3"), (b"\x99", "line: 1, column: 1"), (b'{\n "\xff"}', "line: 2, column: 4")],
)
def test_the_place_of_a_bad_byte_is_told(payload: bytes, place: str) -> None:
    with pytest.raises(InvalidRequestContentException, match=place):
        checked(payload)


@pytest.mark.parametrize(
    ("name", "qualifier", "expected"),
    [
        ("f", None, ("f", None)),
        ("f", "live", ("f", "live")),
        ("f:1", None, ("f", "1")),
        ("f:$LATEST", "$LATEST", ("f", "$LATEST")),
        ("function:f", None, ("f", None)),
        ("111122223333:function:f:2", None, ("f", "2")),
        ("arn:aws:lambda:us-east-1:111122223333:function:f", "1", ("f", "1")),
        ("arn:aws:lambda:us-east-1:111122223333:function:f:live", None, ("f", "live")),
    ],
)
def test_names(name: str, qualifier: str | None, expected: tuple[str, str | None]) -> None:
    reference = refer(CALL, name, qualifier)

    assert reference.key == FunctionKey("111122223333", "us-east-1", expected[0])
    assert reference.qualifier == expected[1]


def test_names_that_cannot_be() -> None:
    with pytest.raises(InvalidParameterValueException, match="derived qualifier"):
        refer(CALL, "f:1", "2")
    with pytest.raises(ResourceNotFoundException, match="not reachable in this region"):
        refer(CALL, "arn:aws:lambda:eu-west-1:111122223333:function:f")
    with pytest.raises(InvalidParameterValueException):
        refer(CALL, "arn:aws:sqs:us-east-1:111122223333:q")


@given(st.text(max_size=60))
def test_any_name_is_a_name_or_an_error_of_aws(name: str) -> None:
    with contextlib.suppress(InvalidParameterValueException, ResourceNotFoundException):
        assert refer(CALL, name).key.name in name
