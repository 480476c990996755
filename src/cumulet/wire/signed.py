"""What a request's signature says, and the keys that signatures are made with."""

import calendar
import hmac
import time
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote_plus

from msgspec import Struct

# Whose errors to answer with: S3's own, the query services', the JSON services' (CBOR too), the REST ones'.
Style = Literal["s3", "query", "json", "rest-json", "rest-xml"]

ALGORITHM = "AWS4-HMAC-SHA256"
TIMESTAMP = "%Y%m%dT%H%M%SZ"
LONGEST_CREDENTIAL = 1024
"""Characters of a credential: those that were seen are remembered, and nobody's has a quarter of them."""


class Signed(Struct, frozen=True):
    """A signature and all that it names. `signed_headers` are lower case, in the order given; `timestamp` is ISO 8601 basic.

    `payload` is the x-amz-content-sha256 of the request ("" without): a hash, or how the body is signed.
    `expires` is seconds for SigV4 and the time itself for version 2.
    """

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    session_token: str | None = None
    payload: str = ""
    presigned: bool = False
    expires: int = 0
    version: Literal[2, 4] = 4

    @property
    def scope(self) -> str:
        """The scope as it is signed."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@lru_cache(64)
def parameters(query: str) -> dict[str, str]:
    """The query's parameters decoded; of one sent twice the first, as AWS takes it. Shared: do not change it."""
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        found.setdefault(unquote_plus(name), unquote_plus(value))
    return found


@lru_cache(256)
def epoch(timestamp: str) -> float | None:
    """The time of a `YYYYMMDDTHHMMSSZ`, None when it is not one."""
    if len(timestamp) != 16 or not timestamp.isascii():
        return None
    try:
        return float(calendar.timegm(time.strptime(timestamp, TIMESTAMP)))
    except ValueError:
        return None


@lru_cache(256)
def basic(when: int) -> str:
    """A time as `YYYYMMDDTHHMMSSZ`."""
    return time.strftime(TIMESTAMP, time.gmtime(when))


@lru_cache(256)
def extended(when: int) -> str:
    """A time as `YYYY-MM-DDTHH:MM:SSZ`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


@lru_cache(4096)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@lru_cache(4096)
def _keyed(secret: str, date: str, region: str, service: str) -> hmac.HMAC:
    """HMAC with that key, to be copied: looking up the digest costs thrice what the signature of a request does."""
    return hmac.new(signing_key(secret, date, region, service), digestmod="sha256")


def sign_text(signed: Signed, secret: str, to_sign: str) -> str:
    """The signature of `to_sign` in the scope of a request."""
    keyed = _keyed(secret, signed.date, signed.region, signed.service).copy()
    keyed.update(to_sign.encode())
    return keyed.hexdigest()
