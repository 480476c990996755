"""What the data plane runs: by API and stage, from memory after the first time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from cumulet.services.apigateway.domains.security import STRICT
from cumulet.services.apigateway.plane.kept import Kept
from cumulet.services.apigateway.rest import definition as definitions
from cumulet.services.apigateway.rest.apis.store import ApiStore
from cumulet.services.apigateway.rest.definition import Definition
from cumulet.services.apigateway.rest.deployments.store import DeploymentStore
from cumulet.services.apigateway.rest.documentation.store import DocumentationStore
from cumulet.services.apigateway.rest.parts import PartStore
from cumulet.services.apigateway.rest.stages.store import StageStore
from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.api import apigateway as api


_MOST = 5_000
_LARGEST = 32 << 20
"""APIs whose stages are kept, and bytes of what is deployed to them, which is some times as large in memory."""


class Running(Struct, kw_only=True):
    """A stage with what is deployed to it; `canary` is what its canary runs, None where it has none.

    `strict`: the API's own address wants its name in TLS as in Host. It is another whenever any of it has changed; `kept` is for what the data plane compiles of it.
    """

    definition: Definition
    canary: Definition | None
    stage: api.Stage
    strict: bool
    account: str
    region: str
    kept: Any = None


class Rest:
    """REST APIs as the data plane sees them, and the stores of what they are made of."""

    def __init__(self, db: Database) -> None:
        self.apis = ApiStore(db)
        self.parts = PartStore(db)
        self.deployments = DeploymentStore(db)
        self.stages = StageStore(db)
        self.documentation = DocumentationStore(db)
        self.on_flush: list[Callable[[str, str, str], None]] = []
        """Called with `cache` or `authorizers`, API and stage, when what is kept for a stage is to be forgotten."""
        self._known: Kept[str, dict[str, Running]] = Kept(_MOST, _LARGEST)

    async def running(self, api_id: str, stage: str) -> Running | None:
        """What a stage runs; None when there is no such API or stage."""
        known = self._known.get(api_id)
        if known is not None and (found := known.get(stage)) is not None:
            return found
        return await self._load(api_id, stage)

    async def knows(self, api_id: str) -> bool:
        """Whether a REST API has this id."""
        return api_id in self._known or await self.apis.find(api_id) is not None

    def changed(self, tx: Transaction, api_id: str) -> None:
        """Something that runs is being changed: a stage, its deployment, or all by deleting the API."""
        tx.after_commit(lambda: self.forget(api_id))

    def gone(self, tx: Transaction, api_id: str, stage: str) -> None:
        """A stage is being deleted: one that gets its name, and its API's id, is to begin with nothing."""
        self.changed(tx, api_id)
        tx.after_commit(lambda: self.flush("cache", api_id, stage))
        tx.after_commit(lambda: self.flush("authorizers", api_id, stage))

    def flush(self, what: str, api_id: str, stage: str) -> None:
        """Forget a stage's cached answers (`cache`), or those of its authorizers (`authorizers`)."""
        for forget in self.on_flush:
            forget(what, api_id, stage)

    def forget(self, api_id: str) -> None:
        """Load the API's stages again when they are next asked for."""
        self._known.drop(api_id)

    async def _load(self, api_id: str, name: str) -> Running | None:
        known = self._known.get(api_id)
        if known is None:
            self._known.put(api_id, known := {})
        loaded = await self._read(api_id, name)
        mine = self._known.get(api_id) is known
        if loaded is None:
            if mine and not known:
                self._known.drop(api_id)
            return None
        running, size = loaded
        known[name] = running
        if mine:  # else something changed meanwhile, and nobody finds it any more
            self._known.grow(api_id, size)
        return running

    async def _read(self, api_id: str, name: str) -> tuple[Running, int] | None:
        """A stage with the bytes of its deployments, all as they are at one moment; None when it is not there."""
        deployed: bytes | None = None
        canary: bytes | None = None
        while True:
            owned = await self.apis.find(api_id)
            stage = await self.stages.get(api_id, name) if owned is not None else None
            if owned is None or stage is None:
                return None
            deployed = await self.deployments.snapshot(api_id, stage.deployment_id or "")
            canary_of = stage.canary_settings.deployment_id if stage.canary_settings else None
            canary = await self.deployments.snapshot(api_id, canary_of) if canary_of else None
            if deployed is not None and (canary is not None or not canary_of):
                break
            # A stage that was led elsewhere meanwhile, and its old deployment deleted, is looked at once more.
            if await self.stages.get(api_id, name) == stage:
                return None
        running = Running(
            definition=definitions.decode(deployed),
            canary=definitions.decode(canary) if canary is not None else None,
            stage=stage,
            strict=owned.api.endpoint_access_mode == STRICT,
            account=owned.account,
            region=owned.region,
        )
        return running, len(deployed) + len(canary or b"")
