"""What the data plane runs: by API and stage, from memory after the first time."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from cumulet.services.apigateway.rest.apis.store import ApiStore
from cumulet.services.apigateway.rest.definition import Definition
from cumulet.services.apigateway.rest.deployments.store import DeploymentStore
from cumulet.services.apigateway.rest.documentation.store import DocumentationStore
from cumulet.services.apigateway.rest.parts import PartStore
from cumulet.services.apigateway.rest.stages.store import StageStore
from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.api import apigateway as api


class Running(Struct, frozen=True, kw_only=True):
    """A stage with what is deployed to it; `canary` is what its canary runs, None where it has none.

    `revision` is another whenever any of it has changed: what is compiled of it can be kept by (API, stage, revision).
    """

    definition: Definition
    canary: Definition | None
    stage: api.Stage
    account: str
    region: str
    revision: int


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
        self._known: dict[str, dict[str, Running]] = {}
        self._revisions = itertools.count(1)

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

    def flush(self, what: str, api_id: str, stage: str) -> None:
        """Forget a stage's cached answers (`cache`), or those of its authorizers (`authorizers`)."""
        for forget in self.on_flush:
            forget(what, api_id, stage)

    def forget(self, api_id: str) -> None:
        """Load the API's stages again when they are next asked for."""
        self._known.pop(api_id, None)

    async def _load(self, api_id: str, name: str) -> Running | None:
        # Put into the map's entry of before: a change meanwhile leaves it to nobody.
        known = self._known.setdefault(api_id, {})
        owned = await self.apis.find(api_id)
        stage = await self.stages.get(api_id, name) if owned is not None else None
        if owned is None or stage is None:
            if not known:
                self._known.pop(api_id, None)
            return None
        definition = await self.deployments.snapshot(api_id, stage.deployment_id or "")
        if definition is None:
            return None
        canary_of = stage.canary_settings.deployment_id if stage.canary_settings else None
        running = Running(
            definition=definition,
            canary=await self.deployments.snapshot(api_id, canary_of) if canary_of else None,
            stage=stage,
            account=owned.account,
            region=owned.region,
            revision=next(self._revisions),
        )
        known[name] = running
        return running
