"""The open connections of WebSocket APIs: in memory alone, as a connection survives no end of the node."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from msgspec import Struct


class Wire(Protocol):
    """A client's end of a connection."""

    async def send(self, data: bytes) -> bool:
        """Send one message, text where it is text; False when the client takes nothing. Raises ConnectionError when it is gone."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; `code` is of RFC 6455."""
        ...


class Connection(Struct, kw_only=True, eq=False):
    """One client of a stage. Times are the clock's, in seconds since 1970; `authorizer` is what the authorizer said of it."""

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
    authorizer: dict[str, Any] | None = None
    identity: dict[str, Any] = {}
    usage_key: str = ""
    wire: Wire | None = None
    headers: dict[str, str] = {}

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

    def remove(self, connection: Connection) -> bool:
        """Tells whether it was there."""
        return self._connections.pop(connection.id, None) is not None

    def find(self, id: str) -> Connection | None:
        """The open connection with that id."""
        found = self._connections.get(id)
        return found if found is not None and found.wire is not None else None

    def of(self, api_id: str, stage: str | None = None) -> Iterable[Connection]:
        """Those of an API, or of one of its stages."""
        return [
            one for one in self._connections.values() if one.api_id == api_id and (stage is None or one.stage == stage)
        ]


def new_connection_id() -> str:
    """An id as AWS makes them: `L0SM9cOFvHcCIhw=`."""
    return base64.urlsafe_b64encode(os.urandom(11)).decode()
