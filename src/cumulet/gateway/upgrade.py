"""Answers after which a connection speaks another protocol."""

import asyncio
from collections.abc import Callable

from cumulet.wire.http import HttpResponse

SWITCHING = 101


class Upgrade(HttpResponse):
    """An answer (status 101) after which another protocol owns the connection.

    `protocol` makes it; it gets `connection_made(transport)`, and then in `data_received` what the client sent ahead.
    """

    status: int = SWITCHING
    protocol: Callable[[], asyncio.Protocol] = asyncio.Protocol
