"""The side of a connection on which answers leave."""

import asyncio
from collections.abc import AsyncIterable
from typing import cast

# Bodies up to this size are joined with their head: one buffer costs less than two.
_JOINED = 65_536


class Writer(asyncio.Protocol):
    """Writes to the transport, and waits while the client does not take it: then `_writable` is what to wait for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._writable: asyncio.Future[None] | None = None
        self._blocked_since = 0.0

    def pause_writing(self) -> None:
        self._blocked_since = self._loop.time()
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        self._blocked_since = 0.0
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None

    def _write(self, head: bytes, body: bytes | bytearray | memoryview) -> None:
        if len(body) <= _JOINED:
            self._transport.write(head + body)
        elif head:
            self._transport.writelines((head, body))
        else:
            self._transport.write(body)

    async def _send_pieces(self, body: AsyncIterable[bytes], *, chunked: bool) -> None:
        transport = self._transport
        async for piece in body:
            if not piece:
                continue
            if chunked:
                transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))
            else:
                transport.write(piece)
            if self._writable is not None:
                await self._writable
        if chunked:
            transport.write(b"0\r\n\r\n")

    async def _send_whole(self, head: bytes, body: AsyncIterable[bytes], length: int) -> None:
        """A body of known length; the head goes with its first piece, since every send costs more than a copy."""
        sent = 0
        async for piece in body:
            if not piece:
                continue
            sent += len(piece)
            if sent > length:
                break
            self._write(head, piece)
            head = b""
            if self._writable is not None:
                await self._writable
        if head:
            self._transport.write(head)
        if sent != length:
            raise ValueError(f"content-length said {length} bytes, the body had {sent} or more")
