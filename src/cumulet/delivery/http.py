"""HTTP out of the platform: integrations of APIs, HTTP endpoints of workflows."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cumulet.kernel.web import WebAnswer, WebRequest

if TYPE_CHECKING:
    from cumulet.delivery.http_pool import Pool


class HttpClient:
    """A `kernel.web.Client`. Its library, which takes half as long to import as a node to start, is loaded with the first request.

    `own_port` tells where this node listens; `trusted` is a file of authorities that count beside those of this machine.
    """

    def __init__(self, own_port: Callable[[], int], trusted: Path | None = None) -> None:
        self._own_port = own_port
        self._trusted = trusted
        self._pool: Pool | None = None

    async def close(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            await self._pool.close()

    async def send(
        self,
        url: str,
        request: WebRequest,
        *,
        seconds: float,
        stream: bool = False,
        verify: bool = True,
        certificate: str = "",
        server_name: str = "",
    ) -> WebAnswer:
        """See kernel/web.py."""
        if self._pool is None:
            from cumulet.delivery.http_pool import Pool  # noqa: PLC0415  see above

            self._pool = Pool(self._own_port, self._trusted)
        return await self._pool.send(
            url,
            request,
            seconds=seconds,
            stream=stream,
            verify=verify,
            certificate=certificate,
            server_name=server_name,
        )
