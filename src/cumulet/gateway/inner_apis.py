"""Calls of this node to its own APIs: what workflows invoke them by."""

from typing import TYPE_CHECKING

from cumulet.gateway import execute_api
from cumulet.gateway.authenticate import ANYBODY
from cumulet.kernel.credentials import Credential
from cumulet.kernel.ids import new_id
from cumulet.kernel.streams import BytesStream
from cumulet.kernel.web import WebAnswer, WebRequest
from cumulet.wire.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from cumulet.gateway.chain import Gateway


class InnerApis:
    """See `kernel.web.Apis`."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway

    async def send(self, host: str, request: WebRequest, credential: Credential | None) -> WebAnswer | None:
        """The answer of the API at `host`; None where there is none."""
        lines = [
            (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in request.lines
        ]
        wire = HttpRequest(
            request.method,
            request.path,
            request.query,
            request.headers | {"host": host},
            BytesStream(request.content),
            request.scheme,
            request.peer,
            request.content,
            lines,
        )
        request_id = new_id()
        address = await execute_api.address_for(self._gateway, wire, host.lower())
        if address is None:
            return None

        async def identify() -> Credential:
            return credential or ANYBODY

        response = await execute_api.serve(self._gateway, wire, request_id, address, identify)
        return _answer(response)


def _answer(response: HttpResponse) -> WebAnswer:
    headers = [*response.headers.items(), *response.more]
    return WebAnswer(status=response.status, headers=headers, body=response.body)
