"""What the data planes of HTTP and WebSocket APIs run: by API and stage, from memory after the first time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from cumulet.api import apigatewayv2 as v2
from cumulet.kernel.web import WebRequest
from cumulet.services.apigateway.http.definition import Definition, thaw
from cumulet.services.apigateway.http.store import STAGE, ApiStore, PartStore, SnapshotStore


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


class Programs:
    """Stages as they run. A change of an API makes all of them be loaded anew."""

    def __init__(self, apis: ApiStore, parts: PartStore, snapshots: SnapshotStore) -> None:
        self._apis = apis
        self._parts = parts
        self._snapshots = snapshots
        self._known: dict[str, dict[str, Running | None]] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._resets: list[Callable[[tuple[str, str]], None]] = []

    async def running(self, api_id: str, stage: str) -> Running | None:
        """What a stage runs; None when there is no such API or stage, or nothing is deployed to it."""
        known = self._known.get(api_id)
        if known is not None and (found := known.get(stage)) is not None:
            return found
        return await self._load(api_id, stage)

    def knows(self, api_id: str) -> bool:
        """Whether an API with this id has been called lately: the cheap question."""
        return api_id in self._known

    async def protocol(self, api_id: str) -> str | None:
        """HTTP or WEBSOCKET; None when there is no such API."""
        for running in self._known.get(api_id, {}).values():
            if running is not None:
                return running.api.protocol_type
        owned = await self._apis.find(api_id)
        return owned.api.protocol_type if owned is not None else None

    def forget(self, api_id: str) -> None:
        """Load the API's stages again when they are next asked for."""
        self._known.pop(api_id, None)
        for listener in self._listeners:
            listener(api_id)

    def reset_authorizers(self, api_id: str, stage: str) -> None:
        """Forget what authorizers said for a stage."""
        for reset in self._resets:
            reset((api_id, stage))

    def listen(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called with the id of each API that was changed."""
        self._listeners.append(listener)

    def on_reset(self, reset: Callable[[tuple[str, str]], None]) -> None:
        """Have `reset` called with `(api id, stage)` when a stage's authorizers shall forget."""
        self._resets.append(reset)

    async def _load(self, api_id: str, name: str) -> Running | None:
        # Put into the map's entry of before: a change meanwhile leaves it to nobody.
        known = self._known.setdefault(api_id, {})
        owned = await self._apis.find(api_id)
        stage = await self._parts.get(api_id, STAGE, name) if owned is not None else None
        body = await self._snapshots.get(api_id, stage.deployment_id) if stage and stage.deployment_id else None
        if owned is None or stage is None or body is None:
            if not known:
                self._known.pop(api_id, None)
            return None
        running = Running(definition=thaw(body), api=owned.api, stage=stage, account=owned.account, region=owned.region)
        known[name] = running
        return running


def domain_of(request: WebRequest, running: Running, *, mapped: bool) -> str:
    """The domain name that functions are told, by which they find the API, as backends of WebSockets do: AWS's own.

    With `mapped` it is the custom one that was called. That of this machine means nothing in their sandboxes.
    """
    if not mapped:
        return f"{running.id}.execute-api.{running.region}.amazonaws.com"
    host = request.headers.get("host", "")
    return host if host.startswith("[") else host.partition(":")[0]
