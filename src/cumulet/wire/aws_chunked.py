"""The `aws-chunked` framing that SDKs send bodies in, with a signature per chunk or checksums after the last one.

docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html
"""

import hashlib
import hmac
import re
from collections.abc import AsyncIterator

from cumulet.kernel import checksums
from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import BytesStream, Stream
from cumulet.wire.signed import ALGORITHM, Signed, sign_text
from cumulet.wire.signing_errors import MISMATCH_S3

_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_LINE_LIMIT = 1024
_TRAILER_LIMIT = 16_384
_LEAST_CHUNK = 8192
_SIZE = re.compile(rb"[0-9a-fA-F]{1,16}")
_SIGNATURE = "x-amz-trailer-signature"


def incomplete() -> AwsError:
    """The body ended early, or its framing is broken."""
    words = "You did not provide the number of bytes specified by the Content-Length HTTP header"
    return AwsError(words, code="IncompleteBody", status=400)


def malformed_trailer() -> AwsError:
    """What follows the last chunk is not what was announced."""
    words = "The request contained trailing data that was not well-formed or did not conform to our published schema."
    return AwsError(words, code="MalformedTrailerError", status=400)


class ChunkSigner:
    """The chain of signatures: each chunk's covers the one before it, the first one the request's own.

    Without a secret (development keys) every signature is right.
    """

    def __init__(self, signed: Signed, secret: str | None) -> None:
        self._signed = signed
        self._secret = secret
        self._previous = signed.signature

    def check_chunk(self, digest: str, signature: str) -> None:
        """Raise SignatureDoesNotMatch unless the chunk of this SHA-256 was signed so."""
        self._check(f"{ALGORITHM}-PAYLOAD", f"{_EMPTY_HASH}\n{digest}", signature)

    def check_trailer(self, trailer: bytes, signature: str) -> None:
        """The same for the trailer's lines, each `name:value` and a line feed."""
        self._check(f"{ALGORITHM}-TRAILER", hashlib.sha256(trailer).hexdigest(), signature)

    def _check(self, kind: str, what: str, signature: str) -> None:
        signed = self._signed
        if self._secret is not None:
            to_sign = f"{kind}\n{signed.timestamp}\n{signed.scope}\n{self._previous}\n{what}"
            ours = sign_text(signed, self._secret, to_sign)
            if not hmac.compare_digest(ours.encode(), signature.encode("latin-1", "replace")):
                fields = {
                    "AWSAccessKeyId": signed.access_key,
                    "StringToSign": to_sign,
                    "SignatureProvided": signature,
                    "StringToSignBytes": to_sign.encode().hex(" "),
                }
                raise AwsError(MISMATCH_S3, code="SignatureDoesNotMatch", status=403, fields=fields)
        self._previous = signature


class ChunkedStream:
    """The payload inside an aws-chunked body, as a stream; `length` is x-amz-decoded-content-length.

    Pieces are handed on as they come: only the end of the stream says that signatures, length and checksums were right
    (it raises otherwise), so nothing may be kept for good before it. After it `trailers` holds the trailing fields.
    """

    def __init__(
        self, source: Stream, length: int, *, signer: ChunkSigner | None = None, trailing: tuple[str, ...] | None = None
    ) -> None:
        """`trailing` names the fields announced by x-amz-trailer; None when the framing has no trailer at all."""
        self._source = source
        self._length = length
        self._signer = signer
        self._trailing = trailing
        self._sums = [checksums.new(name) for field in trailing or () if (name := checksums.algorithm_of(field))]
        self._pieces: AsyncIterator[bytes] | None = None
        self._piece = memoryview(b"")
        self._digest: hashlib._Hash | None = None
        self._signature = ""
        self._total = 0
        self._number = 0
        self._last_size = _LEAST_CHUNK
        self.trailers: dict[str, str] = {}

    @property
    def length(self) -> int | None:
        return self._length

    @property
    def in_memory(self) -> bool:
        return isinstance(self._source, BytesStream)

    @property
    def announced(self) -> tuple[str, ...]:
        """The trailing fields that will have come, and been checked, when the stream has ended."""
        return self._trailing or ()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._pieces = aiter(self._source)
        while size := await self._begin_chunk():
            left = size
            while left:
                part = await self._some(left)
                left -= len(part)
                if self._digest is not None:
                    self._digest.update(part)
                for checksum in self._sums:
                    checksum.update(part)
                yield part
            if await self._line():
                raise incomplete()
            self._end_chunk()
        self._end_chunk()
        if self._total != self._length:
            raise incomplete()
        self._read_trailer(await self._rest())

    async def _begin_chunk(self) -> int:
        size, self._signature = await self._chunk_head()
        if size and self._last_size < _LEAST_CHUNK:
            raise _small_chunk(self._number, self._last_size)
        self._total += size
        if self._total > self._length:
            raise incomplete()
        self._last_size = size
        self._number += 1
        self._digest = hashlib.sha256() if self._signer is not None else None
        return size

    def _end_chunk(self) -> None:
        if self._signer is not None and self._digest is not None:
            self._signer.check_chunk(self._digest.hexdigest(), self._signature)

    # --- the source, in the amounts that the framing asks for

    async def _more(self) -> bool:
        if self._pieces is None:
            return False
        try:
            self._piece = memoryview(await anext(self._pieces))
        except StopAsyncIteration:
            self._pieces = None
            return False
        return True

    async def _some(self, most: int) -> bytes:
        """At least one byte, at most `most`."""
        while not self._piece:
            if not await self._more():
                raise incomplete()
        part, self._piece = self._piece[:most], self._piece[most:]
        return bytes(part)

    async def _line(self) -> bytes:
        """Up to a line feed; a carriage return before it is dropped."""
        line = b""
        while True:
            head = bytes(self._piece[: _LINE_LIMIT - len(line)])
            end = head.find(b"\n")
            if end >= 0:
                self._piece = self._piece[end + 1 :]
                line += head[:end]
                if not line.endswith(b"\r"):
                    raise incomplete()
                return line[:-1]
            line += head
            if len(line) >= _LINE_LIMIT or not await self._more():
                raise incomplete()

    async def _chunk_head(self) -> tuple[int, str]:
        size, _, extension = (await self._line()).partition(b";")
        if not _SIZE.fullmatch(size):
            raise incomplete()
        if self._signer is None:
            return int(size, 16), ""
        name, _, signature = extension.partition(b"=")
        if name != b"chunk-signature":
            raise incomplete()
        return int(size, 16), signature.decode("latin-1")

    async def _rest(self) -> bytes:
        rest = bytearray(self._piece)
        while len(rest) <= _TRAILER_LIMIT and await self._more():
            rest += self._piece
        if len(rest) > _TRAILER_LIMIT:
            raise malformed_trailer()
        return bytes(rest)

    # --- what follows the last chunk

    def _read_trailer(self, rest: bytes) -> None:
        if self._trailing is None:
            if rest.strip(b"\r\n"):
                raise malformed_trailer()
            return
        fields: dict[str, str] = {}
        for line in rest.split(b"\n"):
            text = line.rstrip(b"\r").decode("latin-1")
            if not text:
                continue
            name, colon, value = text.partition(":")
            name = name.strip(" \t").lower()
            if not colon or name in fields:
                raise malformed_trailer()
            fields[name] = value.strip(" \t")
        signature = fields.pop(_SIGNATURE, None)
        if sorted(fields) != sorted(self._trailing):
            raise malformed_trailer()
        if self._signer is not None:
            if signature is None:
                raise malformed_trailer()
            lines = "".join(f"{name}:{value}\n" for name, value in sorted(fields.items()))
            self._signer.check_trailer(lines.encode("latin-1"), signature)
        for checksum in self._sums:
            _check_sum(checksum, fields[checksums.header(checksum.algorithm)])
        self.trailers = fields


def _check_sum(checksum: checksums.Checksum, sent: str) -> None:
    name = checksum.algorithm
    if not checksums.is_valid(name, sent):
        raise AwsError(f"Value for {checksums.header(name)} trailing header is invalid.", code="InvalidRequest")
    if checksum.base64() != sent:
        raise AwsError(f"The {name} you specified did not match the calculated checksum.", code="BadDigest")


def _small_chunk(number: int, size: int) -> AwsError:
    words = "Only the last chunk is allowed to have a size less than 8192 bytes"
    return AwsError(
        words, code="InvalidChunkSizeError", status=403, fields={"Chunk": str(number), "BadChunkSize": str(size)}
    )
