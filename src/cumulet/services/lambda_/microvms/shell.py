"""Shells: a terminal inside of a MicroVM, spoken to by WebSocket."""

import asyncio
import os
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.microvms.life import Life, NotAwake
from cumulet.services.lambda_.microvms.state import Microvms

_ROWS, _COLUMNS = 24, 80
_CHUNK = 16_384
_NORMAL, _GONE = 1000, 1001


class Wire(Protocol):
    """The client's end."""

    async def send(self, data: bytes) -> bool: ...

    def close(self, code: int, reason: str) -> None: ...


class Limits(Struct, frozen=True):
    """Of a WebSocket to a shell; bounds of ours."""

    socket_message: int = 131_072
    socket_frame: int = 131_072
    socket_idle: float = 3600.0
    socket_life: float = 28_800.0


class Session:
    """One shell. `wire` is there once its WebSocket is open."""

    def __init__(self, life: Life, terminal: int) -> None:
        self.life = life
        self.terminal = terminal
        self.wire: Wire | None = None
        self.subprotocol = ""
        self.connection = self
        self.reading: asyncio.Task[None] | None = None
        self.forget: Callable[[], None] = lambda: None
        self.over = False


class Shells:
    """Takes WebSockets' messages as what is typed, and sends what is shown."""

    limits = Limits()

    def __init__(self, service: Microvms) -> None:
        self._service = service
        self._loop_tasks = service.tasks

    async def start(self, life: Life) -> Session | None:
        """A shell that waits for its WebSocket; None where the MicroVM takes none. Raises OSError."""
        if life.shells >= self._service.limits.shells:
            return None
        life.shells += 1
        try:
            async with asyncio.timeout(self._service.limits.hold_seconds):
                machine = await life.awake()
                terminal = await machine.shell(_ROWS, _COLUMNS)
        except NotAwake:
            life.shells -= 1
            return None
        except BaseException:
            life.shells -= 1
            raise
        os.set_blocking(terminal, False)
        session = Session(life, terminal)
        session.forget = life.hold(lambda: self._end(session, _GONE, "The MicroVM takes no more requests."))
        life.touch()
        return session

    # What gateway.websockets asks for

    def opened(self, connection: Session, wire: Any) -> None:
        connection.wire = wire
        connection.reading = self._loop_tasks.start("shell", self._read(connection))

    async def message(self, connection: Session, data: str | bytes) -> None:
        connection.life.touch()
        left = data.encode() if isinstance(data, str) else data
        while left and not connection.over:
            try:
                left = left[os.write(connection.terminal, left) :]
            except BlockingIOError:
                await asyncio.sleep(0.01)
            except OSError:
                return

    def closed(self, connection: Session, code: int, reason: str) -> None:
        del code, reason
        self._end(connection, _NORMAL, "")

    # Its terminal

    async def _read(self, session: Session) -> None:
        loop, wire = asyncio.get_running_loop(), session.wire
        assert wire is not None
        try:
            await wire.send(msgspec.json.encode({"type": "session_init", "sessionId": new_id()}))
            while not session.over:
                readable = asyncio.Event()
                loop.add_reader(session.terminal, readable.set)
                try:
                    await readable.wait()
                finally:
                    if not session.over:
                        loop.remove_reader(session.terminal)
                try:
                    data = os.read(session.terminal, _CHUNK)
                except BlockingIOError:
                    continue
                except OSError:  # its last process has gone
                    data = b""
                if not data:
                    break
                session.life.touch()
                await wire.send(data)
        except ConnectionError:
            pass
        self._end(session, _NORMAL, "The shell has ended.")

    def _end(self, session: Session, code: int, reason: str) -> None:
        if session.over:
            return
        session.over = True
        session.life.shells -= 1
        session.forget()
        asyncio.get_running_loop().remove_reader(session.terminal)
        os.close(session.terminal)
        if session.wire is not None:
            session.wire.close(code, reason)
        if session.reading is not None and session.reading is not asyncio.current_task():
            session.reading.cancel()
