"""The bytes of an object, as a stream that stays whole while the object is overwritten or deleted."""

from collections.abc import AsyncIterator

from cumulet.kernel.streams import BytesStream, Stream
from cumulet.services.s3.cipher import decrypted
from cumulet.services.s3.model import Part, Stored
from cumulet.services.s3.state import S3


class Gone(Exception):
    """The bytes were removed between reading the row and opening them: look the object up again."""


class _Pieces:
    """An answer's body from a generator whose first piece is already there."""

    def __init__(self, first: bytes, rest: AsyncIterator[bytes], length: int) -> None:
        self._first = first
        self._rest = rest
        self._length = length

    @property
    def length(self) -> int | None:
        return self._length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        first, self._first = self._first, b""  # not held while the rest goes out
        yield first
        del first
        async for piece in self._rest:
            yield piece


async def open_bytes(s3: S3, row: Stored, data: bytes | None, start: int, end: int, key: bytes = b"") -> Stream:
    """The bytes start <= offset < end of a version, decrypted under the customer's `key` if it has one.

    Raises Gone when they were removed meanwhile. What it gives holds its files open until it is read or dropped.
    """
    if start >= end:
        return BytesStream(b"")
    if data is not None and not key:
        return BytesStream(data if end - start == len(data) else data[start:end])
    if row.upload:
        pieces = _parts(s3, row.upload, start, end, key)
    else:
        nonce = row.details().customer_nonce if key else ""
        pieces = _run(s3, data, row.blob, nonce, key, start, end - start)
    try:
        first = await anext(pieces)
    except (FileNotFoundError, StopAsyncIteration):
        raise Gone from None
    return _Pieces(first, pieces, end - start)


async def _parts(s3: S3, upload: str, start: int, end: int, key: bytes) -> AsyncIterator[bytes]:
    s3.readers[upload] += 1  # keeps the parts' blobs in place, see workers.empty_trash
    try:
        for part, data in await s3.uploads.parts_between(upload, start, end):
            begin = max(0, start - part.start)
            length = min(part.size, end - part.start) - begin
            async for piece in _part(s3, part, data, key, begin, length):
                yield piece
    finally:
        s3.readers[upload] -= 1
        if not s3.readers[upload]:
            del s3.readers[upload]


def _part(s3: S3, part: Part, data: bytes | None, key: bytes, begin: int, length: int) -> AsyncIterator[bytes]:
    return _run(s3, data, part.blob, part.nonce, key, begin, length)


def _run(
    s3: S3, data: bytes | None, blob: str, nonce: str, key: bytes, start: int, length: int
) -> AsyncIterator[bytes]:
    """A stretch of bytes that were written as one."""
    pieces = s3.blobs.read(blob, start, length) if blob else _once((data or b"")[start : start + length])
    return decrypted(pieces, key, nonce, start) if key else pieces


async def _once(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data
