"""JSON Web Tokens of OpenID Connect issuers: verified against the keys that the issuer publishes.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.kernel.web import Client, WebRequest
from cumulet.services.apigateway.plane.kept import Kept

log = logging.getLogger(__name__)

_KEPT_SECONDS = 7_200.0
_AGAIN_SECONDS = 10.0
_FETCH_SECONDS = 5.0
_LARGEST = 1024 * 1024
_LONGEST = 16_384
_TOKENS = 4_096
_ISSUERS = 1_000
_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_BEARER = re.compile(r"bearer\s+", re.IGNORECASE)


class BadToken(Exception):
    """The token is not good; its text says why, as `error_description` has it."""


class IssuerSilent(Exception):
    """The issuer's keys could not be read, so nothing can be said of its tokens."""


class Claims(Struct, frozen=True):
    """What a good token says. `expires` is its end in seconds since 1970, 0 without one."""

    claims: dict[str, Any]
    scopes: tuple[str, ...]
    expires: float


class _Issuer:
    __slots__ = ("fetched", "fetching", "keys")

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.fetched = -_KEPT_SECONDS
        self.fetching: asyncio.Task[None] | None = None


class Verifier:
    """Verifies tokens. Keys are kept two hours; one that is unknown is asked for at most every ten seconds.

    `now` is real time in seconds since 1970, which issuers live in; `elapsed` seconds that only grow.
    """

    def __init__(self, client: Client, now: Callable[[], float], elapsed: Callable[[], float]) -> None:
        self._client = client
        self._now = now
        self._elapsed = elapsed
        self._issuers: Kept[str, _Issuer] = Kept(_ISSUERS, _ISSUERS)
        self._good: OrderedDict[tuple[bytes, str, tuple[str, ...]], Claims] = OrderedDict()

    async def verify(self, token: str, issuer: str, audience: Sequence[str], scopes: Sequence[str] = ()) -> Claims:
        """What the token says, if `issuer` made it for one of `audience` and it has one of `scopes`, where those are asked for.

        `token` may begin with `Bearer `. An audience is `aud`, or `client_id` where there is none. Raises BadToken,
        InsufficientScope and IssuerSilent.
        """
        text = _BEARER.sub("", token, count=1).strip()
        if not text or len(text) > _LONGEST:
            raise BadToken("the token is malformed")
        key = (hashlib.sha256(text.encode()).digest(), issuer, tuple(audience))
        claims = self._good.get(key)
        if claims is None:
            claims = await self._check(text, issuer, audience)
            self._good[key] = claims
            if len(self._good) > _TOKENS:
                self._good.popitem(last=False)
        elif claims.expires and claims.expires <= self._now():
            del self._good[key]
            raise BadToken("the token has expired")
        if scopes and not set(scopes) & set(claims.scopes):
            raise InsufficientScope("the token does not have a required scope")
        return claims

    async def _check(self, token: str, issuer: str, audience: Sequence[str]) -> Claims:
        import jwt  # noqa: PLC0415  with cryptography: most nodes verify no token

        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise BadToken("the token is malformed") from None
        algorithm = header.get("alg")
        if algorithm not in _ALGORITHMS:
            raise BadToken(f"signing method {algorithm} is invalid")
        found = await self._key(issuer, header.get("kid"))
        try:
            claims = jwt.decode(
                token,
                key=found,
                algorithms=[str(algorithm)],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            raise BadToken("the token has an invalid signature") from None
        return self._judged(claims, issuer, audience)

    def _judged(self, claims: dict[str, Any], issuer: str, audience: Sequence[str]) -> Claims:
        now = self._now()
        if claims.get("iss") != issuer:
            raise BadToken("the token does not have a valid issuer")
        meant = claims.get("aud")
        if meant is None:
            meant = claims.get("client_id")
        names = [meant] if isinstance(meant, str) else meant if isinstance(meant, list) else []
        if audience and not set(audience) & {name for name in names if isinstance(name, str)}:
            raise BadToken("the token does not have a valid audience")
        expires = _moment(claims, "exp")
        if expires is not None and expires <= now:
            raise BadToken("the token has expired")
        if (_moment(claims, "nbf") or 0.0) > now:
            raise BadToken("the token is not valid yet")
        if (_moment(claims, "iat") or 0.0) > now:
            raise BadToken("claim iat is after current time")
        scopes = claims.get("scope", claims.get("scp", ()))
        listed = scopes.split() if isinstance(scopes, str) else scopes
        return Claims(claims, tuple(str(one) for one in listed) if isinstance(listed, list) else (), expires or 0.0)

    async def _key(self, issuer: str, kid: object) -> Any:
        """The public key that a token names. Raises BadToken and IssuerSilent."""
        held = self._issuers.get(issuer)
        if held is None:
            self._issuers.put(issuer, held := _Issuer(), 1)
        age = self._elapsed() - held.fetched
        if age >= _KEPT_SECONDS or (kid not in held.keys and age >= _AGAIN_SECONDS):
            if held.fetching is None:
                held.fetching = asyncio.get_running_loop().create_task(self._fetch(issuer, held))
            try:
                # Shielded: a client that hangs up must not fail the others that wait for the same keys.
                await asyncio.shield(held.fetching)
            except IssuerSilent:
                if kid not in held.keys:
                    raise
        found = held.keys.get(str(kid))
        if found is None:
            raise BadToken("the token's kid is not one of the issuer's keys")
        return found

    async def _fetch(self, issuer: str, held: _Issuer) -> None:
        import jwt  # noqa: PLC0415

        try:
            about = await self._get(issuer.rstrip("/") + "/.well-known/openid-configuration")
            address = about.get("jwks_uri")
            if not isinstance(address, str):
                raise IssuerSilent("OIDC discovery document has no jwks_uri")
            keys: dict[str, Any] = {}
            for one in (await self._get(address)).get("keys", []):
                if isinstance(one, dict) and one.get("kty") == "RSA" and one.get("use", "sig") == "sig":
                    try:
                        keys[str(one.get("kid"))] = jwt.PyJWK(one, algorithm=one.get("alg", "RS256")).key
                    except (jwt.PyJWTError, ValueError, TypeError) as error:
                        log.warning("a key of %s cannot be read: %s", issuer, error)
            held.keys = keys
            held.fetched = self._elapsed()
        finally:
            held.fetching = None

    async def _get(self, url: str) -> dict[str, Any]:
        request = WebRequest(method="GET", path="", lines=[("Accept", "application/json")])
        try:
            answer = await self._client.send(url, request, seconds=_FETCH_SECONDS)
            if answer.status != 200 or not isinstance(answer.body, bytes) or len(answer.body) > _LARGEST:
                raise IssuerSilent(f"OIDC discovery: {url} answered {answer.status}")
            found = msgspec.json.decode(answer.body)
        except (OSError, TimeoutError, ValueError) as error:
            raise IssuerSilent(f"OIDC discovery endpoint communication error: {url}: {error}") from error
        if not isinstance(found, dict):
            raise IssuerSilent(f"OIDC discovery: {url} gave no JSON object")
        return found


class InsufficientScope(BadToken):
    """The token is good, but has none of the scopes that are asked for: 403."""


def _moment(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadToken(f"claim {name} is no number")
    return float(value)
