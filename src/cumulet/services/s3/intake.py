"""Takes in the bytes of an object or part: digests on the way, memory for small ones, a blob for the rest."""

import asyncio
import hashlib
from typing import Any

from msgspec import Struct

from cumulet.kernel import checksums as digests
from cumulet.kernel.streams import BytesStream, Stream, at_once
from cumulet.services.s3 import checksums, cipher
from cumulet.services.s3.errors import error
from cumulet.services.s3.model import INLINE, LARGEST_PUT
from cumulet.services.s3.state import S3
from cumulet.storage.blobs import Blobs, BlobWriter

_DIGESTED_AT_ONCE = 524_288  # each turn on a thread costs some 0.1 ms of handing over


class Promise(Struct):
    """What the sender says about the bytes. `algorithm` is the checksum to compute, `value` what it must be, if sent.

    `also` is another checksum to compute, which the sender knows nothing of; `stated` tells that the sender named one,
    `part` that the bytes are a part of an upload,
    `trailing` that the checksum comes after the bytes and is verified on the way, so that it need not be computed again.
    """

    algorithm: str = ""
    value: str = ""
    also: str = ""
    stated: bool = False
    part: bool = False
    trailing: bool = False
    md5: bytes | None = None
    customer_key: bytes = b""


class Taken(Struct):
    """What came: either `data` or `blob` holds it. `md5` is hexadecimal, `checksum` and `also` base 64."""

    size: int
    md5: str
    algorithm: str
    checksum: str
    data: bytes | None
    blob: str
    nonce: str = ""
    also: str = ""


def promise_of(request: Any, fallback: str = checksums.DEFAULT) -> Promise:
    """What a PutObject or UploadPart request promises. `fallback` is computed when it names no checksum."""
    algorithm, value = checksums.sent(request)
    if not algorithm and request.checksum_algorithm:
        algorithm = checksums.checked_algorithm(request.checksum_algorithm)
    if value:
        checksums.check_value(algorithm, value)
    names = getattr(request.body, "announced", ())
    announced = {digests.algorithm_of(name) or "" for name in names} - {""} if names else ()
    if not algorithm and len(announced) == 1:
        (algorithm,) = announced
    md5 = checksums.expected_md5(request.content_md5)
    return Promise(
        algorithm or fallback, value, md5=md5, stated=bool(algorithm), trailing=not value and algorithm in announced
    )


class _Sink:
    """Collects pieces: into memory up to INLINE bytes, then into a blob that is opened for them."""

    def __init__(self, blobs: Blobs, promise: Promise) -> None:
        self._blobs = blobs
        self._promise = promise
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._checksum = None if promise.trailing else digests.new(promise.algorithm)
        self._also = digests.new(promise.also) if promise.also and promise.also != promise.algorithm else None
        self._cipher = cipher.Encryption(promise.customer_key) if promise.customer_key else None
        self._pieces: list[bytes] = []
        self._undigested: list[bytes] = []
        self._digested = 0
        self._digesting: asyncio.Future[None] | None = None
        self._manager: Any = None
        self._writer: BlobWriter | None = None
        self.size = 0

    async def take(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > LARGEST_PUT:
            raise too_large(self.size)
        self._undigested.append(piece)
        if self._cipher is not None:
            piece = self._cipher.update(piece)
        if self._writer is not None:
            await self._writer.write(piece)
            if self.size - self._digested >= _DIGESTED_AT_ONCE:
                await self._digest_aside()
            return
        self._pieces.append(piece)
        if self.size > INLINE:
            self._manager = self._blobs.writer()
            self._writer = await self._manager.__aenter__()
            for piece in self._pieces:
                await self._writer.write(piece)
            self._pieces = []

    async def _digest_aside(self) -> None:
        """Have a thread digest what came, while more comes: digests cost more than all the rest of a large upload."""
        await self._digests_done()
        pieces, self._undigested, self._digested = self._undigested, [], self.size
        self._digesting = asyncio.get_running_loop().run_in_executor(None, self._digest, pieces)

    async def _digests_done(self) -> None:
        if self._digesting is not None:
            await self._digesting
            self._digesting = None

    def _digest(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._md5.update(piece)
            if self._checksum is not None:
                self._checksum.update(piece)
            if self._also is not None:
                self._also.update(piece)

    async def finish(self, trailers: dict[str, str]) -> Taken:
        """Check what was promised, make the bytes durable, and tell what they were."""
        if self._writer is None:
            self._digest(self._undigested)
            return self._checked(trailers, "")
        await self._digest_aside()
        blob = await self._writer.commit()  # the disk and the digests take their time side by side
        try:
            await self._digests_done()
            return self._checked(trailers, blob)
        except BaseException:
            await self._blobs.delete(blob)
            raise

    def _checked(self, trailers: dict[str, str], blob: str) -> Taken:
        promise, calculated = self._promise, self._md5.digest()
        checksum = self._checksum.base64() if self._checksum is not None else _late(promise, trailers)
        _check(promise, checksum, calculated)
        data = None if blob else b"".join(self._pieces)
        nonce = self._cipher.nonce if self._cipher else ""
        also = self._also.base64() if self._also is not None else checksum
        return Taken(self.size, calculated.hex(), promise.algorithm, checksum, data, blob, nonce, also)

    async def close(self) -> None:
        if self._manager is not None:
            await self._manager.__aexit__(None, None, None)


def _late(promise: Promise, trailers: dict[str, str]) -> str:
    """The checksum that came after the bytes."""
    return trailers[digests.header(promise.algorithm)] if promise.trailing else ""


def _check(promise: Promise, checksum: str, md5: bytes) -> None:
    if promise.value and promise.value != checksum:
        raise checksums.mismatch(promise.algorithm)
    if promise.md5 is not None and promise.md5 != md5:
        raise checksums.wrong_md5(promise.md5, md5, part=promise.part)


def taken_at_once(body: Stream | None, promise: Promise) -> Taken | None:
    """As `taken_in`, of what is in memory, small, and kept as it came; None of any other body."""
    if body is None or body.length is None or body.length > INLINE or promise.customer_key or promise.also:
        return None
    data = at_once(body)
    if data is None:
        return None
    md5 = hashlib.md5(data, usedforsecurity=False).digest()
    if promise.trailing:
        checksum = _late(promise, getattr(body, "trailers", {}))
    else:
        checksum = digests.of(promise.algorithm, data)
    _check(promise, checksum, md5)
    return Taken(len(data), md5.hex(), promise.algorithm, checksum, data, "", also=checksum)


def too_large(size: int) -> Exception:
    return error(
        400,
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size",
        ProposedSize=str(size),
        MaxSizeAllowed=str(LARGEST_PUT),
    )


class taken_in:  # noqa: N801  used as a function; a generator would cost as much as taking in a small object does
    """Take in `body` (None: no bytes). A blob that the block raises after is removed again."""

    __slots__ = ("_blob", "_body", "_promise", "_s3")

    def __init__(self, s3: S3, body: Stream | None, promise: Promise) -> None:
        self._s3 = s3
        self._body = body
        self._promise = promise
        self._blob = ""

    async def __aenter__(self) -> Taken:
        body, sink = self._body, _Sink(self._s3.blobs, self._promise)
        try:
            if isinstance(body, BytesStream):
                if body.data:
                    await sink.take(body.data)
            elif body is not None:
                if body.length is not None and body.length > LARGEST_PUT:
                    raise too_large(body.length)
                async for piece in body:
                    await sink.take(piece)
            taken = await sink.finish(getattr(body, "trailers", None) or {})
        finally:
            await sink.close()
        self._blob = taken.blob
        return taken

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or not self._blob:
            return
        if isinstance(error, asyncio.CancelledError):
            # The client went away while the row was being written: it may have been, so that is looked into later.
            self._s3.doubtful.append((asyncio.get_running_loop().time(), self._blob))
        else:
            await self._s3.blobs.delete(self._blob)
