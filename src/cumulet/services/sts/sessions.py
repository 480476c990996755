"""Session credentials that prove themselves: nothing is stored, and restarts keep them valid.

A session token is the session's facts and an HMAC over them with the node's key; the secret that signs requests is
derived from the same key. Whoever holds a token can read the facts, and can change none.
"""

import base64
import binascii
import hashlib
import hmac
import zlib
from collections import OrderedDict

import msgspec
from msgspec import Struct

from cumulet.kernel.call import Principal
from cumulet.kernel.credentials import Credential
from cumulet.kernel.ids import access_key_id

_KEPT = 10_000
_MAX_TOKEN = 16_384
_VERSION = b"\x01"
_PROOF = 32


class Session(Struct, frozen=True, array_like=True):
    """The facts of a session. `policies` are texts or ARNs; `transitive` names the tags that chained sessions inherit."""

    access_key: str
    principal: Principal
    expires: int
    issued: int
    role_arn: str = ""
    policies: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    mfa: bool = False


class Issued(Struct, frozen=True):
    """What the holder of a session gets."""

    access_key: str
    secret: str
    token: str
    expires: int


class Sessions:
    """Makes and recognises session credentials. `key` is the node's secret, the same after every start."""

    def __init__(self, key: bytes) -> None:
        self._proof_key = hmac.digest(key, b"cumulet session token", hashlib.sha256)
        self._secret_key = hmac.digest(key, b"cumulet session secret", hashlib.sha256)
        self._known: OrderedDict[str, Credential] = OrderedDict()

    def issue(self, session: Session) -> Issued:
        body = zlib.compress(msgspec.msgpack.encode(session), 6)
        token = base64.b64encode(_VERSION + self._proof(body) + body).decode()
        return Issued(session.access_key, self._secret(body), token, session.expires)

    async def find(self, access_key: str, session_token: str | None) -> Credential | None:
        """The credential of a session, expired ones included; None when the token is not one of ours for that key."""
        if session_token is None:
            return None
        if (known := self.remembered(access_key, session_token)) is not None:
            return known
        credential = self._read(session_token)
        if credential is None or credential.access_key != access_key:
            return None
        self._known[access_key] = credential
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return credential

    def remembered(self, access_key: str, session_token: str | None) -> Credential | None:
        """As `find`, of what was found lately; None for all else."""
        known = self._known.get(access_key)
        return known if known is not None and known.session_token == session_token else None

    def recent(self, access_key: str) -> Credential | None:
        """The session of a call that this node has just authenticated."""
        return self._known.get(access_key)

    def _read(self, token: str) -> Credential | None:
        if len(token) > _MAX_TOKEN:
            return None
        try:
            raw = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            return None
        proof, body = raw[1 : 1 + _PROOF], raw[1 + _PROOF :]
        if raw[:1] != _VERSION or not hmac.compare_digest(proof, self._proof(body)):
            return None
        session = msgspec.msgpack.decode(zlib.decompress(body), type=Session)
        return Credential(
            session.access_key,
            self._secret(body),
            session.principal,
            session_token=token,
            expires=float(session.expires),
            role_arn=session.role_arn,
            session_policy=session.policies,
            session_tags=session.tags,
            source_identity=session.source_identity,
            extra={"transitive": session.transitive, "issued": session.issued, "mfa": session.mfa},
        )

    def _proof(self, body: bytes) -> bytes:
        return hmac.digest(self._proof_key, body, hashlib.sha256)

    def _secret(self, body: bytes) -> str:
        return base64.b64encode(hmac.digest(self._secret_key, body, hashlib.sha256)[:30]).decode()


def session_key(account: str) -> str:
    """A fresh access key id for a session of that account."""
    return access_key_id("ASIA", account)
