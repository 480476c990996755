"""Where a client may connect to: servers of a cluster name each other, and could name what only this machine reaches."""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from typing import Any

from cumulet.kernel.addresses import is_of_this_machine, serves_credentials


class GuardedLoop(asyncio.SelectorEventLoop):
    """A loop whose sockets connect to no address that clouds serve credentials at; to this machine, only when that was permitted.

    `refused` says what was last refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refused = ""
        self._here = False

    async def permit(self, servers: Sequence[str]) -> None:
        """Servers that a user named: when one of them is this machine, others of the cluster may be, too."""
        for server in servers:
            with contextlib.suppress(OSError, ValueError):
                for found in await self.getaddrinfo(
                    server.rpartition(":")[0].strip("[]"), None, type=socket.SOCK_STREAM
                ):
                    self._here = self._here or is_of_this_machine(str(found[4][0]))

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Raises PermissionError. Names are addresses by now."""
        host = str(address[0])
        if serves_credentials(host):
            self.refused = f"link-local addresses are not called from here ({host})"
        elif is_of_this_machine(host) and not self._here:
            self.refused = f"servers of the cluster are said to be at {host}, which is the node's own machine"
        else:
            await super().sock_connect(sock, address)
            return
        raise PermissionError(self.refused)
