"""Bodies that are not held in memory whole."""

from collections.abc import AsyncIterator
from typing import Protocol

from msgspec import Struct


class Stream(Protocol):
    """The bytes of a request's or an answer's body, read once, in pieces, as fast as the reader takes them.

    `length` is the number of bytes when it is known before reading (decoded content, without chunk framing).
    Reading raises AwsError when the bytes break what the sender promised (length, checksum, signature).
    """

    @property
    def length(self) -> int | None: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class BytesStream(Struct, eq=False):
    """A stream over bytes already in memory."""

    data: bytes

    @property
    def length(self) -> int | None:
        return len(self.data)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Once(self.data)


class _Once:
    """Gives its bytes, if any, in one piece. An async generator would cost the loop four times as much a request."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        data, self._data = self._data, b""
        if not data:
            raise StopAsyncIteration
        return data


def at_once(stream: Stream) -> bytes | None:
    """The whole of a stream whose bytes are in memory, which nothing has to be awaited for; None of any other.

    Raises what reading it does. A stream over another says by `in_memory` whether that one is.
    """
    if isinstance(stream, BytesStream):
        return stream.data
    if not getattr(stream, "in_memory", False):
        return None
    try:
        read_all(stream).send(None)
    except StopIteration as end:
        whole: bytes = end.value
        return whole
    raise AssertionError("bytes in memory had to be waited for")


async def read_all(stream: Stream) -> bytes:
    """The whole of a stream; for streams whose size something else has bounded."""
    if isinstance(stream, BytesStream):
        return stream.data
    return b"".join([piece async for piece in stream])
