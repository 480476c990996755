"""S3's bodies held to what the request's headers promise of them."""

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable

from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import BytesStream, Stream, at_once, read_all
from cumulet.wire.aws_chunked import ChunkedStream, ChunkSigner
from cumulet.wire.http import HttpRequest
from cumulet.wire.signed import Signed

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def checked(request: HttpRequest, signed: Signed | None, secret: str | None) -> Stream:
    """The request's payload: out of its aws-chunked framing, its hash and signatures checked while it is read.

    `signed` is None for an anonymous request; `secret` None when any would do. Raises AwsError at once when the headers
    do not fit together; the stream raises at its end when the body breaks its promise.
    """
    kind = request.headers.get("x-amz-content-sha256") or (signed.payload if signed is not None else "")
    if not kind:
        if signed is not None and signed.version == 4 and not signed.presigned:
            raise AwsError("Missing required header for this request: x-amz-content-sha256", code="InvalidRequest")
        return _framed(request, None) if _is_chunked(request) else request.body
    if kind == "UNSIGNED-PAYLOAD":
        return _framed(request, None) if _is_chunked(request) else request.body
    if _SHA256.fullmatch(kind):
        return HashedStream(request.body, kind.lower())
    if kind in (_SIGNED, _SIGNED_TRAILER):
        # An anonymous or version 2 request has no signature for the chain to start from.
        signer = ChunkSigner(signed, secret) if signed is not None and signed.version == 4 else None
        return _framed(request, signer)
    if kind == _UNSIGNED_TRAILER:
        return _framed(request, None)
    raise AwsError(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER,"
        " STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a valid sha256 value.",
        code="InvalidArgument",
        fields={"ArgumentName": "x-amz-content-sha256", "ArgumentValue": kind},
    )


def check_content(request: HttpRequest, signed: Signed | None, secret: str | None) -> Awaitable[None] | None:
    """The same for a body that has been read whole: `request.content` becomes the payload, once it is right.

    What it gives back has to be awaited; there is nothing to wait for where the body is in memory.
    """
    stream = checked(request, signed, secret)
    if stream is request.body:
        return None
    content = at_once(stream)
    if content is None:
        return _read(request, stream)
    request.content, request.body = content, BytesStream(content)
    return None


async def _read(request: HttpRequest, stream: Stream) -> None:
    request.content = await read_all(stream)
    request.body = BytesStream(request.content)


def _is_chunked(request: HttpRequest) -> bool:
    coding = request.headers.get("content-encoding", "")
    return "aws-chunked" in coding and "x-amz-decoded-content-length" in request.headers


def _framed(request: HttpRequest, signer: ChunkSigner | None) -> ChunkedStream:
    headers = request.headers
    length = headers.get("x-amz-decoded-content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) < 19):
        raise AwsError("You must provide the Content-Length HTTP header.", code="MissingContentLength", status=411)
    names = headers.get("x-amz-trailer")
    if names is None and headers.get("x-amz-content-sha256", "").endswith("-TRAILER"):
        names = ""
    trailing = None
    if names is not None:
        trailing = tuple(name for part in names.split(",") if (name := part.strip().lower()))
    return ChunkedStream(request.body, int(length), signer=signer, trailing=trailing)


class HashedStream:
    """A body that must have the SHA-256 which its header says (and which was signed)."""

    def __init__(self, source: Stream, wanted: str) -> None:
        self._source = source
        self._wanted = wanted
        self._digest = hashlib.sha256()

    @property
    def length(self) -> int | None:
        return self._source.length

    @property
    def in_memory(self) -> bool:
        return isinstance(self._source, BytesStream)

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._pieces = aiter(self._source)
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            if (ours := self._digest.hexdigest()) != self._wanted:
                raise AwsError(
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                    code="XAmzContentSHA256Mismatch",
                    fields={"ClientComputedContentSHA256": self._wanted, "S3ComputedContentSHA256": ours},
                ) from None
            raise
        self._digest.update(piece)
        return piece
