"""What the data planes of HTTP and WebSocket APIs run: by API and stage, from memory after the first time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from cumulet.api import apigatewayv2 as v2
from cumulet.kernel.web import WebRequest
from cumulet.services.apigateway.http.definition import Definition, thaw
from cumulet.services.apigateway.http.store import STAGE, ApiStore, PartStore, SnapshotStore
from cumulet.services.apigateway.plane.kept import Kept

_MOST = 5_000
_LARGEST = 32 << 20
"""APIs that are kept, and bytes of what is deployed to their stages, which is some times as large in memory."""


class Running(Struct, kw_only=True):
    """A stage with what is deployed to it; `api` is the API as it is now. `kept` is for what a data plane compiles of it."""

    definition: Definition
    api: v2.Api
    stage: v2.Stage
    account: str
    region: str
    kept: Any = None

    @property
    def id(self) -> str:
        return self.api.api_id or ""


class _Known(Struct):
    """An API as it is now, the stages it has, and those of them that have been called."""

    account: str
    region: str
    api: v2.Api
    stages: frozenset[str]
    running: dict[str, Running] = {}


class Programs:
    """Stages as they run. A change of an API makes all of them be loaded anew."""

    def __init__(self, apis: ApiStore, parts: PartStore, snapshots: SnapshotStore) -> None:
        self._apis = apis
        self._parts = parts
        self._snapshots = snapshots
        self._known: Kept[str, _Known] = Kept(_MOST, _LARGEST)
        self._resets: list[Callable[[tuple[str, str]], None]] = []
        self._changes = 0

    async def running(self, api_id: str, stage: str) -> Running | None:
        """What a stage runs; None when there is no such API or stage, or nothing is deployed to it."""
        known = self._known.get(api_id) or await self._know(api_id)
        if known is None or stage not in known.stages:
            return None
        return known.running.get(stage) or await self._load(known, stage)

    def knows(self, api_id: str) -> bool:
        """Whether an API with this id has been called lately: the cheap question."""
        return api_id in self._known

    async def protocol(self, api_id: str) -> str | None:
        """HTTP or WEBSOCKET; None when there is no such API."""
        known = self._known.get(api_id) or await self._know(api_id)
        return known.api.protocol_type if known is not None else None

    def forget(self, api_id: str) -> None:
        """Load the API's stages again when they are next asked for."""
        self._changes += 1
        self._known.drop(api_id)

    def reset_authorizers(self, api_id: str, stage: str) -> None:
        """Forget what authorizers said for a stage."""
        for reset in self._resets:
            reset((api_id, stage))

    def on_reset(self, reset: Callable[[tuple[str, str]], None]) -> None:
        """Have `reset` called with `(api id, stage)` when a stage's authorizers shall forget."""
        self._resets.append(reset)

    async def _know(self, api_id: str) -> _Known | None:
        before = self._changes
        owned = await self._apis.find(api_id)
        if owned is None:
            return None
        stages = frozenset(stage.stage_name for stage in await self._parts.page(api_id, STAGE))
        known = _Known(owned.account, owned.region, owned.api, stages)
        if before == self._changes:  # else something may have changed while it was read
            self._known.put(api_id, known)
        return known

    async def _load(self, known: _Known, name: str) -> Running | None:
        api_id = known.api.api_id or ""
        while True:
            stage = await self._parts.get(api_id, STAGE, name)
            if stage is None or not stage.deployment_id:
                return None
            body = await self._snapshots.get(api_id, stage.deployment_id)
            if body is not None:
                break
            # A stage that was led elsewhere meanwhile, and its old deployment deleted, is looked at once more.
            if await self._parts.get(api_id, STAGE, name) == stage:
                return None
        running = Running(definition=thaw(body), api=known.api, stage=stage, account=known.account, region=known.region)
        # Into what was known before: a change meanwhile leaves it to nobody.
        known.running[name] = running
        if self._known.get(api_id) is known:
            self._known.grow(api_id, len(body))
        return running


def domain_of(request: WebRequest, running: Running, *, mapped: bool) -> str:
    """The domain name that functions are told, by which they find the API, as backends of WebSockets do: AWS's own.

    With `mapped` it is the custom one that was called. That of this machine means nothing in their sandboxes.
    """
    if not mapped:
        return f"{running.id}.execute-api.{running.region}.amazonaws.com"
    host = request.headers.get("host", "")
    return host if host.startswith("[") else host.partition(":")[0]
