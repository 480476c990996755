"""The open connections of WebSocket APIs: in memory alone, as a connection survives no end of the node."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

GOING_AWAY = 1001


class Wire(Protocol):
    """A client's end of a connection."""

    async def send(self, data: bytes) -> bool:
        """Send one message, text where it is text; False when the client takes nothing. Raises ConnectionError when it is gone."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; `code` is of RFC 6455."""
        ...

    def check(self, now: float) -> None:
        """End the connection when it has been idle, or open, for too long. `now` is the loop's time."""
        ...


class Connection(Struct, kw_only=True, eq=False, weakref=True):
    """One client of a stage. Times are the clock's, in seconds since 1970; `authorizer` is what the authorizer said of it.

    `wire` is there while the connection is open; `identity` what is told of a caller that signed.
    """

    id: str
    api_id: str
    stage: str
    account: str
    region: str
    source_ip: str
    user_agent: str
    domain: str
    connected: float
    active: float
    endpoint: str = ""
    host: str = ""
    authorizer: dict[str, Any] | None = None
    identity: dict[str, Any] | None = None
    api_key: str = ""
    wire: Wire | None = None

    @property
    def arn(self) -> str:
        """What a permission for it names, without method."""
        return f"arn:aws:execute-api:{self.region}:{self.account}:{self.api_id}/{self.stage}"


class Sockets:
    """Connections by id."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._connections: dict[str, Connection] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def add(self, connection: Connection) -> None:
        self._connections[connection.id] = connection

    def check(self, now: float) -> None:
        """End those that have been idle, or open, for too long. `now` is the loop's time."""
        for connection in list(self._connections.values()):
            if connection.wire is not None:
                connection.wire.check(now)

    def end(self, api_id: str, stage: str) -> None:
        """Say goodbye to the clients of a stage that is gone."""
        for connection in list(self._connections.values()):
            if connection.wire is not None and (connection.api_id, connection.stage) == (api_id, stage):
                connection.wire.close(GOING_AWAY, "Going away")

    def remove(self, connection: Connection) -> bool:
        """Tells whether it was there."""
        return self._connections.pop(connection.id, None) is not None

    def find(self, id: str) -> Connection | None:
        """The open connection with that id."""
        found = self._connections.get(id)
        return found if found is not None and found.wire is not None else None

    def all(self) -> list[Connection]:
        """Those that are open."""
        return list(self._connections.values())


def new_connection_id() -> str:
    """An id as AWS makes them: `L0SM9cOFvHcCIhw=`."""
    return base64.urlsafe_b64encode(os.urandom(11)).decode()
