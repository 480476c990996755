"""Tokens of OAuth: the client credentials grant (RFC 6749, 4.4), asked of a connection's authorization endpoint.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection-auth.html
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from cumulet.kernel.connections import HttpParameters
from cumulet.kernel.web import Client, WebRequest
from cumulet.services.events.model import Secrets

_SECONDS = 20.0
_LARGEST = 65_536
_FORM = "application/x-www-form-urlencoded"


class Token(Struct, frozen=True):
    """`seconds` is how long it is good; 0 where the endpoint does not say."""

    text: str
    seconds: float


class Refused(Exception):
    """There is no token; the text says why, without any secret."""


async def ask(client: Client, secrets: Secrets) -> Token:
    """A new token. Raises Refused."""
    url, request = _request(secrets)
    try:
        answer = await client.send(url, request, seconds=_SECONDS)
    except TimeoutError:
        raise Refused(f"The authorization endpoint did not answer within {_SECONDS:g} s.") from None
    except (ConnectionError, ValueError) as error:
        raise Refused(f"The authorization endpoint cannot be reached: {error}") from error
    assert isinstance(answer.body, bytes)
    if not 200 <= answer.status < 300:
        raise Refused(f"The authorization endpoint answered with status {answer.status}.")
    return _read(answer.body)


def _request(secrets: Secrets) -> tuple[str, WebRequest]:
    parameters = secrets.token_parameters or HttpParameters()
    own = {"grant_type": "client_credentials", "client_id": secrets.name, "client_secret": secrets.secret}
    query = [(each.key, each.value) for each in parameters.query]
    lines = [(each.key, each.value) for each in parameters.headers]
    fields = own | {each.key: each.value for each in parameters.body}
    if not any(name.lower() == "accept" for name, _ in lines):
        lines.append(("Accept", "application/json"))
    content = b""
    if secrets.method == "GET":
        query = [*fields.items(), *query]
    else:
        kind = next((value for name, value in lines if name.lower() == "content-type"), None)
        if kind is None:
            lines.append(("Content-Type", _FORM))
        content = _body(fields, kind or _FORM)
    url = with_query(secrets.endpoint, query)
    return url, WebRequest(method=secrets.method, path="", lines=lines, content=content)


def _body(fields: dict[str, str], kind: str) -> bytes:
    if "json" in kind.lower():
        return msgspec.json.encode(fields)
    return urlencode(fields).encode()


def with_query(url: str, pairs: list[tuple[str, str]]) -> str:
    """The address with parameters added to those that it has."""
    if not pairs:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(pairs, quote_via=quote)}"


def _read(body: bytes) -> Token:
    try:
        found: Any = msgspec.json.decode(body) if len(body) <= _LARGEST else None
    except (msgspec.DecodeError, RecursionError):
        found = None
    text = found.get("access_token") if isinstance(found, dict) else None
    if not isinstance(text, str) or not text.isprintable() or not text.isascii():
        raise Refused("The authorization endpoint's answer has no access_token.")
    seconds = found.get("expires_in")
    if isinstance(seconds, str) and seconds.isdecimal():
        seconds = float(seconds[:12])
    good = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 < seconds < 1e12
    return Token(text, float(seconds) if good else 0.0)
