"""AWS Signature Version 4, the server's side: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html."""

import calendar
import email.utils
import hashlib
import hmac
import re
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct

from cumulet.kernel.errors import NotImplementedHere
from cumulet.wire import signing_errors as errors
from cumulet.wire import sigv2
from cumulet.wire.http import HttpRequest
from cumulet.wire.payload import check_content
from cumulet.wire.payload import checked as payload
from cumulet.wire.signed import (
    ALGORITHM,
    LONGEST_CREDENTIAL,
    Signed,
    Style,
    basic,
    epoch,
    parameters,
    sign_text,
)
from cumulet.wire.signing_errors import expired_token, invalid_token, missing, unknown_key

__all__ = [
    "Signed",
    "Style",
    "check_content",
    "expired_token",
    "invalid_token",
    "missing",
    "parse",
    "payload",
    "unknown_key",
    "verify",
]

MAX_EXPIRES = 604_800
UNSIGNED = "UNSIGNED-PAYLOAD"
_SAFE = "-_.~"
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/_.~-]*")
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")
_HEX64 = re.compile(r"[0-9a-f]{64}")
# Sent with a signature, but never part of what S3 wants signed.
_MAY_BE_UNSIGNED = frozenset({"x-amz-content-sha256"})
_BETWEEN = (" ", ",")
_LONGEST_CLAIM = 4096
_QUERY_NAMES = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders")
_INCOMPLETE_QUERY = (
    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date,"
    " X-Amz-SignedHeaders, and X-Amz-Expires parameters."
)


def parse(request: HttpRequest, style: Style) -> Signed | None:
    """The request's signature, from the Authorization header or a presigned URL; None when it is not signed.

    Raises the style's error when it is there but malformed. S3 still takes version 2 (boto3 presigns with it by default).
    """
    authorization = request.headers.get("authorization")
    if authorization is not None:
        if authorization.startswith("AWS4-HMAC-SHA256"):
            return _from_header(request, authorization, style)
        if style == "s3" and authorization.startswith("AWS "):
            return sigv2.from_header(request, authorization)
        if authorization.startswith("AWS4-ECDSA-P256-SHA256"):
            raise NotImplementedHere("SigV4A signatures are not verified in Cumulet yet: sign with AWS4-HMAC-SHA256.")
        raise errors.unsupported(style, authorization)
    if "X-Amz-" in request.query:
        found = parameters(request.query)
        if "X-Amz-Algorithm" in found or "X-Amz-Signature" in found or "X-Amz-Credential" in found:
            return _from_query(request, found, style)
    if style == "s3" and ("AWSAccessKeyId=" in request.query or "Signature=" in request.query):
        return sigv2.from_query(request)
    return None


def verify(request: HttpRequest, signed: Signed, secret: str | None, now: float, style: Style) -> None:
    """Raise unless `secret` made the signature and its time is right; without a secret only the time is checked.

    `now` is real time, seconds since 1970. Styles other than s3 sign the body: `request.content` must hold it. S3 signs
    x-amz-content-sha256, and `payload` holds the body to that.
    """
    if signed.version == 2:
        sigv2.verify(request, signed, secret, now)
        return
    _check_time(signed, now, style)
    if style == "s3":
        _check_headers(request, signed)
    if secret is None:
        return
    canonical = _canonical_request(request, signed, style)
    to_sign = f"{ALGORITHM}\n{signed.timestamp}\n{signed.scope}\n{hashlib.sha256(canonical).hexdigest()}"
    if not hmac.compare_digest(sign_text(signed, secret, to_sign).encode(), signed.signature.encode()):
        raise errors.mismatch(signed, style, canonical, to_sign)


# --- parsing


class _Claim(Struct, frozen=True):
    """What an Authorization header says before its signature: the same in all requests of a client for a day."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]


def _from_header(request: HttpRequest, authorization: str, style: Style) -> Signed:
    headers = request.headers
    timestamp = headers.get("x-amz-date") or _from_date(headers.get("date", ""))
    # Clients write the signature last.
    before, _, signature = authorization.rpartition("Signature=")
    claim = _claim(before) if "," not in signature and len(before) <= _LONGEST_CLAIM else None
    if claim is None or not signature or claim.date != timestamp[:8] or epoch(timestamp) is None:
        claim, signature = _read_header(authorization, timestamp, style)
    return Signed(
        claim.access_key,
        claim.date,
        claim.region,
        claim.service,
        claim.signed_headers,
        signature.strip(),
        timestamp,
        headers.get("x-amz-security-token"),
        headers.get("x-amz-content-sha256", ""),
    )


@lru_cache(1024)
def _claim(before: str) -> _Claim | None:
    """The claim of a header whose signature is its last part; None where more is to be said about it."""
    parts = _parts(before) if before[-1:] in _BETWEEN else {}
    credential = _credential(parts.get("Credential", ""))
    if credential is None or not parts.get("SignedHeaders"):
        return None
    return _Claim(*credential, _names(parts["SignedHeaders"]))


def _read_header(authorization: str, timestamp: str, style: Style) -> tuple[_Claim, str]:
    """The claim and the signature of any header. Raises the style's error for a malformed one."""
    before, _, signature = authorization.rpartition("Signature=")
    if before[-1:] in _BETWEEN and "," not in signature:
        parts = _parts(before) | {"Signature": signature}
    else:
        parts = _parts(authorization)
    absent = [name for name in ("Credential", "Signature", "SignedHeaders") if not parts.get(name)]
    if absent:
        raise errors.incomplete_header(style, authorization, absent)
    credential = _credential(parts["Credential"])
    if credential is None:
        raise errors.bad_credential(style, parts["Credential"], authorization, presigned=False)
    if epoch(timestamp) is None:
        raise errors.no_date(style, authorization)
    if credential[1] != timestamp[:8]:
        raise errors.bad_scope_date(style, credential[1], timestamp, presigned=False)
    return _Claim(*credential, _names(parts["SignedHeaders"])), parts["Signature"]


def _from_query(request: HttpRequest, found: dict[str, str], style: Style) -> Signed:
    # Only S3 wants X-Amz-Expires; elsewhere a URL without it lives as long as a signed request does.
    if not all(found.get(name) for name in _QUERY_NAMES) or (style == "s3" and "X-Amz-Expires" not in found):
        raise errors.bad_query(style, _INCOMPLETE_QUERY)
    if found["X-Amz-Algorithm"] != ALGORITHM:
        words = 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'
        raise errors.bad_query(style, words)
    credential = _credential(found["X-Amz-Credential"])
    if credential is None:
        raise errors.bad_credential(style, found["X-Amz-Credential"], "", presigned=True)
    timestamp = found["X-Amz-Date"]
    if epoch(timestamp) is None:
        raise errors.bad_query(style, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    access_key, date, region, service = credential
    if date != timestamp[:8]:
        raise errors.bad_scope_date(style, date, timestamp, presigned=True)
    return Signed(
        access_key=access_key,
        date=date,
        region=region,
        service=service,
        signed_headers=_names(found["X-Amz-SignedHeaders"]),
        signature=found["X-Amz-Signature"],
        timestamp=timestamp,
        session_token=found.get("X-Amz-Security-Token"),
        presigned=True,
        expires=_expires(found.get("X-Amz-Expires", str(errors.SKEW)), style),
        payload=found.get("X-Amz-Content-Sha256") or request.headers.get("x-amz-content-sha256", ""),
    )


def _expires(text: str, style: Style) -> int:
    try:
        seconds = int(text)
    except ValueError:
        raise errors.bad_query(style, "X-Amz-Expires should be a number") from None
    if seconds < 0:
        raise errors.bad_query(style, "X-Amz-Expires must be non-negative")
    if seconds > MAX_EXPIRES:
        raise errors.bad_query(
            style,
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than"
            f" {MAX_EXPIRES} seconds",
        )
    return seconds


def _parts(text: str) -> dict[str, str]:
    """The names and values of an Authorization header."""
    found: dict[str, str] = {}
    for part in text[len(ALGORITHM) :].split(","):
        name, _, value = part.strip().partition("=")
        found[name] = value
    return found


def _credential(text: str) -> tuple[str, str, str, str] | None:
    """The parts of a credential scope; None for what is none."""
    if len(text) > LONGEST_CREDENTIAL:
        return None
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or not all(parts) or parts[4] != "aws4_request":
        return None
    return parts[0], parts[1], parts[2], parts[3]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.lower() for name in text.split(";"))


def _from_date(text: str) -> str:
    """A Date header (RFC 9110, or ISO 8601 as some SDKs write) in the form that is signed; "" when unreadable."""
    if epoch(text) is not None:
        return text
    parsed = email.utils.parsedate_tz(text)
    if parsed is None:
        return ""
    try:
        return basic(int(calendar.timegm((*parsed[:6], 0, 0, 0)) - (parsed[9] or 0)))
    except (ValueError, OverflowError):
        return ""


# --- checking


def _check_time(signed: Signed, now: float, style: Style) -> None:
    then = epoch(signed.timestamp) or 0.0
    if not signed.presigned:
        if abs(now - then) > errors.SKEW:
            raise errors.skewed(signed, style, then, now)
    elif then - now > errors.SKEW:
        raise errors.not_yet(signed, style, then, now)
    elif now > then + signed.expires:
        raise errors.expired(signed, style, then + signed.expires, now)


def _check_headers(request: HttpRequest, signed: Signed) -> None:
    names = signed.signed_headers
    unsigned = [
        name
        for name in request.headers
        if name.startswith("x-amz-") and name not in names and name not in _MAY_BE_UNSIGNED
    ]
    if "host" not in names:
        unsigned.append("host")
    if unsigned:
        raise errors.not_signed(unsigned)


def _canonical_request(request: HttpRequest, signed: Signed, style: Style) -> bytes:
    headers = request.headers
    lines = [f"{name}:{_squeezed(headers.get(name, ''))}\n" for name in signed.signed_headers]
    path = _s3_path(request.path) if style == "s3" else _path(request.path)
    query = _query(request.query, signed.presigned) if request.query else ""
    text = (
        f"{request.method}\n{path}\n{query}\n{''.join(lines)}\n{';'.join(signed.signed_headers)}\n"
        f"{_payload_hash(request, signed, style)}"
    )
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _payload_hash(request: HttpRequest, signed: Signed, style: Style) -> str:
    if style == "s3":
        return signed.payload or UNSIGNED
    if signed.payload == UNSIGNED or signed.payload.startswith("STREAMING-"):
        return signed.payload
    return hashlib.sha256(request.content).hexdigest()


def _squeezed(value: str) -> str:
    return " ".join(value.split()) if "  " in value or "\t" in value else value.strip()


def _s3_path(path: str) -> str:
    """Encoded once, nothing normalised; an encoded slash stays one."""
    if _PLAIN_PATH.fullmatch(path):
        return path
    segments = path.encode("latin-1", "replace").split(b"/")
    return "/".join([quote(unquote_to_bytes(segment), safe=_SAFE) for segment in segments]) or "/"


def _path(path: str) -> str:
    """Dot segments and doubled slashes removed, then encoded again on top of what the client encoded."""
    if "/." in path or "//" in path:
        kept: list[str] = []
        for segment in path.split("/"):
            if segment == "..":
                del kept[-1:]
            elif segment and segment != ".":
                kept.append(segment)
        path = "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")
    if _PLAIN_PATH.fullmatch(path):
        return path
    return quote(path.encode("latin-1", "replace"), safe="/" + _SAFE) or "/"


def _query(query: str, presigned: bool) -> str:
    pairs = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name and not (presigned and name == "X-Amz-Signature"):
            pairs.append((_again(name), _again(value)))
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def _again(text: str) -> str:
    """Percent-encoded as AWS does it, however the client did."""
    if _PLAIN.fullmatch(text):
        return text
    return quote(unquote_to_bytes(text.replace("+", " ").encode("latin-1", "replace")), safe=_SAFE)
