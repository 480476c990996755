"""Receipt handles: what was given is understood, everything else is refused in AWS's way."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.api.sqs import ReceiptHandleIsInvalid
from cumulet.services.sqs import receipt
from cumulet.services.sqs.receipt import Receipt

NUMBER = st.integers(0, 2**63 - 1)
RECEIPTS = st.builds(Receipt, NUMBER, NUMBER, NUMBER, st.integers(0, 2**32 - 1), st.floats(0, 1e11, allow_nan=False))


@given(RECEIPTS)
def test_a_handle_says_what_it_is_for(given_receipt: Receipt) -> None:
    assert receipt.parse(given_receipt.queue, given_receipt.handle()) == given_receipt


@given(RECEIPTS, st.integers(0, 300), st.integers(1, 255))
def test_a_changed_handle_is_refused(given_receipt: Receipt, place: int, change: int) -> None:
    raw = bytearray(base64.b64decode(given_receipt.handle()))
    raw[3 + place % (len(raw) - 3)] ^= change
    with pytest.raises(ReceiptHandleIsInvalid):
        receipt.parse(given_receipt.queue, base64.b64encode(raw).decode())


@given(st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode()))
def test_any_text_is_a_handle_or_an_error_of_aws(text: str) -> None:
    with contextlib.suppress(ReceiptHandleIsInvalid):
        receipt.parse(1, text)
