"""Session credentials without a node."""

import asyncio
import base64

from hypothesis import given
from hypothesis import strategies as st

from cumulet.kernel.call import Principal
from cumulet.kernel.ids import access_key_id, account_of_access_key
from cumulet.services.sts.sessions import Session, Sessions

KEY = b"k" * 32
PRINCIPAL = Principal("assumed-role", "arn:aws:sts::111122223333:assumed-role/r/s", "AROA:s", "111122223333")
SESSION = Session("ASIA0000000000000000", PRINCIPAL, 2_000_000_000, 1_900_000_000, policies=("{}",), tags={"a": "b"})


def test_a_token_means_the_same_after_a_restart() -> None:
    issued = Sessions(KEY).issue(SESSION)
    found = asyncio.run(Sessions(KEY).find(issued.access_key, issued.token))
    assert found is not None
    assert (found.secret, found.principal, found.session_policy) == (issued.secret, PRINCIPAL, ("{}",))
    assert (found.expires, found.session_tags) == (2_000_000_000.0, {"a": "b"})
    assert issued.secret not in repr(found)


def test_another_node_key_means_another_world() -> None:
    issued = Sessions(KEY).issue(SESSION)
    assert asyncio.run(Sessions(b"x" * 32).find(issued.access_key, issued.token)) is None


def test_a_known_session_does_not_let_another_token_in() -> None:
    sessions = Sessions(KEY)
    issued = sessions.issue(SESSION)

    async def scenario() -> None:
        assert await sessions.find(issued.access_key, issued.token) is not None
        assert await sessions.find(issued.access_key, issued.token + "A") is None
        assert await sessions.find(issued.access_key, None) is None
        assert await sessions.find("ASIA1111111111111111", issued.token) is None

    asyncio.run(scenario())


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_token_is_no_token(position: int, change: int) -> None:
    sessions = Sessions(KEY)
    raw = bytearray(base64.b64decode(sessions.issue(SESSION).token))
    raw[position % len(raw)] ^= change
    forged = base64.b64encode(bytes(raw)).decode()
    assert asyncio.run(sessions.find(SESSION.access_key, forged)) is None


@given(st.text(max_size=80))
def test_any_text_is_no_token(text: str) -> None:
    assert asyncio.run(Sessions(KEY).find("ASIA0000000000000000", text)) is None


@given(st.integers(0, 10**12 - 1))
def test_an_access_key_id_tells_its_account(number: int) -> None:
    account = f"{number:012d}"
    key = access_key_id("AKIA", account)
    assert len(key) == 20
    assert account_of_access_key(key) == account
