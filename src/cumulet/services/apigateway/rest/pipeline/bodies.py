"""Bodies: which are binary, how they are converted on the way, and compression.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html
"""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from collections.abc import Sequence

LARGEST = 10 * 1024 * 1024
TO_BINARY = "CONVERT_TO_BINARY"
TO_TEXT = "CONVERT_TO_TEXT"


class NotBase64(ValueError):
    """A text that was to become binary is no base64."""


class MediaTypes:
    """The types that an API treats as binary."""

    def __init__(self, names: Sequence[str]) -> None:
        # As they are sent to AWS, slashes may be written as in a patch's path.
        given = [name.replace("~1", "/").lower() for name in names]
        self.all = "*/*" in given
        # A wildcard stands at the right alone.
        self._names = frozenset(name for name in given if not name.startswith("*"))

    def has(self, media_type: str) -> bool:
        """Whether a Content-Type, or the first of an Accept header, is one of them."""
        if self.all:
            return True
        if not self._names:
            return False
        kind = media_type.partition(",")[0].partition(";")[0].strip().lower()
        return kind in self._names or ("/" in kind and f"{kind.partition('/')[0]}/*" in self._names)


def of_request(body: bytes, *, binary: bool, handling: str | None) -> bytes:
    """A request's body for the integration. Raises NotBase64."""
    if handling == TO_TEXT:
        return base64.b64encode(body) if binary else as_text(body).encode()
    if handling == TO_BINARY:
        return body if binary else decoded(body)
    return body if binary else as_utf8(body)


def of_answer(body: bytes, *, binary: bool, wanted: bool, handling: str | None) -> bytes:
    """An integration's body for the client; `wanted`: it accepts a binary type. Raises NotBase64."""
    if handling == TO_TEXT:
        return base64.b64encode(body) if binary else as_utf8(body)
    if handling == TO_BINARY:
        return body if binary else decoded(body)
    if binary:
        return body if wanted else base64.b64encode(body)
    return decoded(body) if wanted else as_utf8(body)


def as_text(body: bytes) -> str:
    """Bytes as text, whatever they are."""
    return body.decode("utf-8", "replace")


def as_utf8(body: bytes) -> bytes:
    """Bytes as they are once they have been text."""
    return body if body.isascii() else as_text(body).encode()


def decoded(body: bytes | str) -> bytes:
    """Raises NotBase64."""
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotBase64(str(error)) from error


def inflate(body: bytes, coding: str) -> bytes | None:
    """A compressed request's body, no more of it than one byte over the largest; None when it is broken, or the coding is not known."""
    kind = coding.strip().lower()
    if kind == "identity":
        return body
    if kind not in {"gzip", "deflate"}:
        return None
    try:
        machine = zlib.decompressobj(wbits=31 if kind == "gzip" else 15)
        out = machine.decompress(body, LARGEST + 1)
    except zlib.error:
        return None
    return out if machine.eof or len(out) > LARGEST else None


def compress(body: bytes, accepted: str) -> tuple[bytes, str] | None:
    """The body as the client accepts it, and its coding; None when it names none of ours: `*` is not enough.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-receive-response-with-compressed-payload.html
    """
    offers: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, rest = part.partition(";")
        quality = rest.partition("q=")[2].strip()
        try:
            offers[name.strip()] = float(quality) if quality else 1.0
        except ValueError:
            offers[name.strip()] = 0.0
    for coding in ("gzip", "deflate"):
        if offers.get(coding, 0.0) > 0:
            return (gzip.compress(body, 6, mtime=0), coding) if coding == "gzip" else (zlib.compress(body, 6), coding)
    return None
