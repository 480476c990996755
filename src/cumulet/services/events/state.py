"""What the operations of EventBridge share."""

from __future__ import annotations

from msgspec import Struct

from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.services.events.authorizing import Authorizing
from cumulet.services.events.store import ConnectionStore


class Events(Struct, frozen=True, kw_only=True):
    """The parts of the service."""

    connections: ConnectionStore
    authorizing: Authorizing
    calls: Calls
    clock: Clock
