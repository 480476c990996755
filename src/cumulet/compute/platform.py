"""Where environments find the platform by AWS's names: one place that they share, or one of their own."""

import socket
from collections.abc import Callable, Sequence

from cumulet.compute.linux.firewall import PLATFORM
from cumulet.compute.model import OnEndpoint
from cumulet.compute.names import Names, Serving


class Platform:
    """Answers names and requests there, on the sockets of `sandbox.platform_sockets`."""

    def __init__(self, name_servers: Sequence[str], on_endpoint: OnEndpoint | None) -> None:
        self._names = Names(name_servers)
        self._on_endpoint = on_endpoint
        self._serving: list[Callable[[], None]] = []

    def share(self, sockets: list[socket.socket]) -> None:
        """These are the place that is shared from now on."""
        self._end()
        self._begin(sockets, self._serving, alone=False)

    def take_own(self, listeners: list[socket.socket], on_end: list[Callable[[], None]]) -> list[socket.socket]:
        """What is left of an environment's listeners; the others are a place of its own, until `on_end` is called."""
        own = [one for one in listeners if one.getsockname()[0] == PLATFORM]
        if own:
            self._begin(own, on_end, alone=True)
        return [one for one in listeners if one not in own]

    def close(self) -> None:
        self._end()
        self._names.close()

    def _begin(self, sockets: list[socket.socket], on_end: list[Callable[[], None]], *, alone: bool) -> None:
        datagrams, streams, *listeners = sockets
        serving: Serving = self._names.serve(datagrams, streams, alone=alone)
        on_end.append(serving.close)
        for listener in listeners:
            close = None if self._on_endpoint is None else self._on_endpoint(None, listener)
            on_end.append(close or listener.close)

    def _end(self) -> None:
        for close in self._serving:
            close()
        self._serving.clear()
