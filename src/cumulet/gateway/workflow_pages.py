"""The node's own pages about workflows: mock configurations, and the debugger of executions."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from cumulet.gateway.admin import BadRequest, Page, read_body
from cumulet.kernel.errors import AwsError
from cumulet.wire.http import HttpRequest

_LARGEST = 4 << 20
_MOCKS = 'This takes {"account": number, "configuration": {...}}, or no configuration to forget it.'


_DEBUG = 'This takes {"execution": ARN, "breaks": [state, ...]}.'
_STEP = 'This takes {"execution": ARN, "stop": number, "input": JSON text, "variables": {...}}.'


class Mocks(Protocol):
    """What the service knows of mock configurations."""

    def give(self, account: str, text: bytes | str) -> Any: ...
    def forget(self, account: str) -> None: ...


class _Mocks(Struct):
    account: str
    configuration: dict[str, Any] | None = None


class _Watched(Struct):
    execution: str
    breaks: list[str] | None = None


class _Step(Struct):
    execution: str
    stop: int
    input: str | None = None
    variables: dict[str, Any] | None = None


class Bench(NamedTuple):
    """What developers do with workflows. `watch` and `go_on` are the debugger's, by the execution's ARN."""

    mocks: Mocks
    watch: Callable[[str, list[str] | None], Awaitable[Any]]
    go_on: Callable[[str, int, str | None, dict[str, Any] | None], Awaitable[None]]


def pages(bench: Callable[[], Awaitable[Bench]]) -> Mapping[tuple[str, str], Page]:
    """The pages by method and path. `bench` starts the service if need be."""

    async def give_mocks(request: HttpRequest) -> dict[str, Any]:
        asked = await read_body(request, _Mocks, _MOCKS, _LARGEST)
        mocks = (await bench()).mocks
        if asked.configuration is None:
            mocks.forget(asked.account)
            return {"cases": []}
        try:
            known = mocks.give(asked.account, msgspec.json.encode(asked.configuration))
        except AwsError as error:
            raise BadRequest(error.message) from error
        return {"cases": [{"machine": machine, "case": case} for machine, case in known.cases]}

    async def watch(request: HttpRequest) -> Any:
        asked = await read_body(request, _Watched, _DEBUG)
        return await (await bench()).watch(asked.execution, asked.breaks)

    async def step(request: HttpRequest) -> dict[str, Any]:
        asked = await read_body(request, _Step, _STEP, _LARGEST)
        try:
            await (await bench()).go_on(asked.execution, asked.stop, asked.input, asked.variables)
        except AwsError as error:
            raise BadRequest(error.message) from error
        return {}

    return {
        ("POST", "/_cumulet/mocks"): give_mocks,
        ("POST", "/_cumulet/executions/debug"): watch,
        ("POST", "/_cumulet/executions/step"): step,
    }
