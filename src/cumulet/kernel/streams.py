"""Bodies that are not held in memory whole."""

from collections.abc import AsyncIterator
from typing import Protocol


class Stream(Protocol):
    """The bytes of a request's or an answer's body, read once, in pieces, as fast as the reader takes them.

    `length` is the number of bytes when it is known before reading (decoded content, without chunk framing).
    Reading raises AwsError when the bytes break what the sender promised (length, checksum, signature).
    """

    @property
    def length(self) -> int | None: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class BytesStream:
    """A stream over bytes already in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def length(self) -> int | None:
        return len(self.data)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.data:
            yield self.data


async def read_all(stream: Stream) -> bytes:
    """The whole of a stream; for streams whose size something else has bounded."""
    return b"".join([piece async for piece in stream])
