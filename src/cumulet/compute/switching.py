"""A connection to a server inside that becomes one of another protocol: WebSockets, passed on as they are."""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from cumulet.compute.upstream import Broken, Upstream

_SWITCHING_PROTOCOLS = 101


class Switching(Upstream):
    """After `ask`, `switched` tells whether the server has changed the protocol. Then `begin` says who gets what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.switched = False
        self._rest = b""
        self._sink: Callable[[bytes], None] | None = None
        self._gone: Callable[[], None] | None = None
        self._pausing: Callable[[bool], None] | None = None

    def data_received(self, data: bytes) -> None:
        if self.switched:
            self._take(data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as switch:
            self.switched = True
            if not self._head.done():
                self._head.set_result(None)
            self._take(data[switch.args[0] :])
            self.pause(True)  # whoever is to take more may never come
        except (httptools.HttpParserError, ValueError):
            self.fail(Broken("the server's answer is no HTTP"))
            self.close()

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() == _SWITCHING_PROTOCOLS:
            self.status = _SWITCHING_PROTOCOLS
            return
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.switched:
            self.lost = True
            if self._gone is not None:
                self._gone()
            return
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        if self._pausing is not None:
            self._pausing(True)
        else:
            super().pause_writing()

    def resume_writing(self) -> None:
        if self._pausing is not None:
            self._pausing(False)
        else:
            super().resume_writing()

    # once it is switched

    def begin(self, sink: Callable[[bytes], None], gone: Callable[[], None], pausing: Callable[[bool], None]) -> None:
        """`sink` gets what comes, `gone` is called at the end; `pausing` is told when it takes no more, and when it does again."""
        self._sink, self._gone, self._pausing = sink, gone, pausing
        rest, self._rest = self._rest, b""
        self.pause(False)
        if rest:
            sink(rest)
        if self.lost:
            gone()

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def pause(self, paused: bool) -> None:
        """Whether what comes has to wait."""
        if not self._transport.is_closing():
            if paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def end(self) -> None:
        """Nothing more is to be sent."""
        if not self._transport.is_closing():
            self._transport.close()

    def _take(self, data: bytes) -> None:
        if self._sink is not None:
            self._sink(data)
        else:
            self._rest += data


class Tunnel(asyncio.Protocol):
    """The client's end of such a connection."""

    def __init__(self, inside: Switching, *, traffic: Callable[[], None]) -> None:
        """`traffic` is called whenever something passes; `over` may be set to what is called at the end."""
        self._inside = inside
        self._traffic = traffic
        self.over: Callable[[], None] = lambda: None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._inside.begin(self._out, transport.close, self._pause)

    def data_received(self, data: bytes) -> None:
        self._traffic()
        if not self._inside.lost:
            self._inside.write(data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._inside.end()
        self.over()

    def pause_writing(self) -> None:
        self._inside.pause(True)

    def resume_writing(self) -> None:
        self._inside.pause(False)

    def close(self) -> None:
        """End both sides."""
        self._inside.end()
        if self._transport is not None:
            self._transport.close()

    def _out(self, data: bytes) -> None:
        self._traffic()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _pause(self, paused: bool) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing():
            if paused:
                transport.pause_reading()
            else:
                transport.resume_reading()
