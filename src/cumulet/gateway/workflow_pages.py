"""The node's own pages about workflows: mock configurations, and the debugger of executions."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from cumulet.gateway.admin import BadRequest, Page, read_body
from cumulet.kernel.errors import AwsError
from cumulet.wire.http import HttpRequest

_LARGEST = 4 << 20
_MOCKS = 'This takes {"account": number, "configuration": {...}}, or no configuration to forget it.'


class Mocks(Protocol):
    """What the service knows of mock configurations."""

    def give(self, account: str, text: bytes | str) -> Any: ...
    def forget(self, account: str) -> None: ...


class _Mocks(Struct):
    account: str
    configuration: dict[str, Any] | None = None


def pages(workflows: Callable[[], Awaitable[Any]]) -> Mapping[tuple[str, str], Page]:
    """The pages by method and path. `workflows` gives the service's state, which it starts if need be."""

    async def give_mocks(request: HttpRequest) -> dict[str, Any]:
        asked = await read_body(request, _Mocks, _MOCKS, _LARGEST)
        mocks: Mocks = (await workflows()).mocks
        if asked.configuration is None:
            mocks.forget(asked.account)
            return {"cases": []}
        try:
            known = mocks.give(asked.account, msgspec.json.encode(asked.configuration))
        except AwsError as error:
            raise BadRequest(error.message) from error
        return {"cases": [{"machine": machine, "case": case} for machine, case in known.cases]}

    return {("POST", "/_cumulet/mocks"): give_mocks}
