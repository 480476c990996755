"""Frames between the platform and a built-in runtime, on the loop, with a bound on what an environment may send."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import cast

import msgspec

from cumulet.compute.model import Invocation
from cumulet.compute.runtimes.inside.frames import HEAD, INVOKE, RESTORE

_encode = msgspec.json.Encoder().encode

Frame = tuple[int, bytes | None]
"""Its kind, and its payload; None where that was larger than allowed."""


class _Header(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a runtime is told of an invocation beside the event: what there is of it."""

    request_id: str
    deadline_ms: int
    function_arn: str
    client_context: msgspec.Raw | None = None
    identity: msgspec.Raw | None = None
    trace: str = ""
    environment: Mapping[str, str] = {}
    tenant_id: str = ""


class FrameChannel(asyncio.Protocol):
    """The platform's end. `on_frame` gets each frame; `on_end` is called once when the other side closes or misbehaves."""

    def __init__(self, on_frame: Callable[[Frame], None], on_end: Callable[[], None]) -> None:
        self._on_frame = on_frame
        self._on_end = on_end
        self._buffer = bytearray()
        self._skip = 0
        self._transport: asyncio.Transport | None = None
        self.limit = 1 << 20

    @classmethod
    async def open(
        cls, sock: socket.socket, on_frame: Callable[[Frame], None], on_end: Callable[[], None]
    ) -> "FrameChannel":
        _, channel = await asyncio.get_running_loop().create_unix_connection(lambda: cls(on_frame, on_end), sock=sock)
        return channel

    def invoke(self, invocation: Invocation) -> None:
        """Send an event; the answer comes as a frame."""
        header = _encode(
            _Header(
                request_id=invocation.request_id,
                deadline_ms=invocation.deadline_ms,
                function_arn=invocation.function_arn,
                client_context=msgspec.Raw(invocation.client_context) if invocation.client_context else None,
                identity=msgspec.Raw(invocation.identity) if invocation.identity else None,
                trace=invocation.trace,
                environment=invocation.environment,
                tenant_id=invocation.tenant_id,
            )
        )
        assert self._transport is not None
        self.limit = invocation.max_response
        if self._transport.is_closing():  # its end has been noticed already, or will be
            return
        head = HEAD.pack(INVOKE, len(header), len(invocation.payload))
        self._transport.write(head + header + invocation.payload)

    def restore(self, variables: Mapping[str, str]) -> None:
        """Have what waits as a snapshot go on, with these variables changed."""
        assert self._transport is not None
        header = _encode({"environment": variables})
        self._transport.write(HEAD.pack(RESTORE, len(header), 0) + header)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Take nothing from the other side for now."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        if not self._buffer and not self._skip and len(data) >= HEAD.size:
            kind, header_length, length = HEAD.unpack_from(data)
            if not header_length and len(data) == HEAD.size + length and length <= self.limit:
                self._on_frame((kind, data[HEAD.size :]))
                return
        self._buffer += data
        self._parse()

    def _parse(self) -> None:
        while True:
            if self._skip:
                dropped = min(self._skip, len(self._buffer))
                del self._buffer[:dropped]
                self._skip -= dropped
            if self._skip or len(self._buffer) < HEAD.size:
                return
            kind, header_length, length = HEAD.unpack_from(self._buffer)
            if header_length:
                self.close()
                return
            if length > self.limit:
                del self._buffer[: HEAD.size]
                self._skip = length
                self._on_frame((kind, None))
                continue
            end = HEAD.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(memoryview(self._buffer)[HEAD.size : end])
            del self._buffer[:end]
            self._on_frame((kind, payload))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._on_end()
