"""What the operations of web functions share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cumulet.api import lambda_web as api
from cumulet.compute import Compute, RuntimeUnavailable
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.access.credentials import CredentialCache
from cumulet.services.lambda_.custom.connector_store import ConnectorStore
from cumulet.services.lambda_.packages.packages import Package, Packages
from cumulet.services.lambda_.reporting.logs import LogWriter
from cumulet.services.lambda_.web.errors import missing
from cumulet.services.lambda_.web.limits import Limits
from cumulet.services.lambda_.web.model import ACTIVE, FAILED, LATEST, PENDING, Endpoint, Revision, WebFunction
from cumulet.services.lambda_.web.names import WebKey
from cumulet.services.lambda_.web.store import WebStore
from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.services.lambda_.web.front import WebFront

_PATIENCE = 900
_WHOLE = 100


class Web:
    """The service's parts. `front`, which answers requests to endpoints, is set by `build`."""

    front: WebFront

    def __init__(  # noqa: PLR0913  the composition root passes each part once
        self,
        *,
        db: Database,
        store: WebStore,
        packages: Packages,
        credentials: CredentialCache,
        logs: LogWriter,
        compute: Compute,
        calls: Calls,
        clock: Clock,
        wall: Callable[[], float],
        tasks: Tasks,
        limits: Limits,
        enforce: bool,
    ) -> None:
        self.db = db
        self.store = store
        self.connectors = ConnectorStore(db)
        self.packages = packages
        self.credentials = credentials
        self.logs = logs
        self.compute = compute
        self.calls = calls
        self.clock = clock
        self.wall = wall
        self.tasks = tasks
        self.limits = limits
        self.enforce = enforce
        self._settling: dict[WebKey, asyncio.Task[None]] = {}

    async def function(self, key: WebKey, within: Transaction | None = None) -> WebFunction:
        """Raises ResourceNotFoundException."""
        found = await self.store.function(key, within)
        if found is None:
            raise missing("web function", key.name)
        return found

    @asynccontextmanager
    async def change(self, key: WebKey) -> AsyncIterator[Transaction]:
        """A transaction that changes something of a function; what is remembered of it is forgotten then."""
        async with self.db.transaction() as tx:
            yield tx
            tx.after_commit(lambda: self.front.forget(key))

    def settle(self, key: WebKey) -> None:
        """Bring revisions that were just made to Active, and endpoints to them, in the background."""
        before = self._settling.get(key)
        task = self._settling[key] = self.tasks.start(f"settle {key.name}", self._settle(key, before))

        def done(_: object) -> None:
            if self._settling.get(key) is task:
                del self._settling[key]

        task.add_done_callback(done)

    def retire(self, prefixes: Sequence[str], packages: Sequence[Package] = ()) -> None:
        """End environments whose keys begin so, then remove packages; in the background."""
        self.tasks.start("retire web functions", self._retire(tuple(prefixes), packages))

    async def _settle(self, key: WebKey, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait((before,))
        reasons: dict[str, str] = {}
        for revision in await self.store.revisions(key):
            if revision.state == PENDING:
                reasons[revision.id] = await self._unusable(revision.runtime)
        async with self.change(key) as tx:
            revisions = []
            for revision in await self.store.revisions(key, tx):
                settled = _settled(revision, reasons) if revision.id in reasons else revision
                if settled is not revision:
                    await self.store.put_revision(tx, key, settled)
                revisions.append(settled)
            for endpoint in await self.store.endpoints(key, tx):
                moved = moved_on(endpoint, revisions, self.clock.now())
                if moved is not endpoint:
                    await self.store.put_endpoint(tx, key, moved)
                    self.retire([f"{endpoint.id}.{one.id}" for one in revisions if not _serves(moved, one)])

    async def _unusable(self, runtime: str) -> str:
        """Why this node cannot run it; empty when it can."""
        await self.compute.provide(runtime)
        try:
            self.compute.check(runtime)
        except RuntimeUnavailable as error:
            return str(error)
        return ""

    async def _retire(self, prefixes: tuple[str, ...], packages: Sequence[Package]) -> None:
        for _ in range(_PATIENCE):
            keys = [key for key in self.compute.held() if key.startswith(prefixes)] if prefixes else []
            for key in keys:
                await self.compute.retire(key)
            if not packages or not any(self.compute.running(key) for key in keys):
                break
            await asyncio.sleep(1.0)
        for package in packages:
            now = await self.store.package(package.id)  # the same code may have come back meanwhile, in another blob
            if now is None:
                await self.packages.remove(package.id, package.blob)
            elif now.blob != package.blob:
                await self.packages.forget_blob(package.blob)


def _settled(revision: Revision, reasons: dict[str, str]) -> Revision:
    reason = reasons[revision.id]
    if not reason:
        return replace(revision, state=ACTIVE, reason="The revision is active.")
    error = api.RevisionError(attribute="runtime", error_code="RuntimeUnavailable", error_message=reason[:2048])
    return replace(revision, state=FAILED, reason="The revision could not be built.", errors=[error])


def _serves(endpoint: Endpoint, revision: Revision) -> bool:
    return any(weight.revision_id == revision.id for weight in endpoint.weights)


def moved_on(endpoint: Endpoint, revisions: Sequence[Revision], now: float) -> Endpoint:
    """The endpoint with what its revisions, newest first, have come to; itself where that changes nothing."""
    moved = endpoint
    newest = next((revision.id for revision in revisions if revision.state == ACTIVE), None)
    if newest is not None and (endpoint.mode == LATEST or not endpoint.weights):
        weights = [api.RevisionWeight(revision_id=newest, weight=_WHOLE)]
        if weights != endpoint.weights:
            moved = replace(moved, weights=weights, updated=now)
    if moved.state == PENDING and revisions:
        states = {revision.state for revision in revisions if _serves(moved, revision) or not moved.weights}
        if moved.weights and states == {ACTIVE}:
            moved = replace(moved, state=ACTIVE, reason="The endpoint is active.")
        elif FAILED in states and PENDING not in states:
            moved = replace(moved, state=FAILED, reason="A revision of the endpoint could not be built.")
    if moved.state == FAILED and moved.weights != endpoint.weights:
        moved = replace(moved, state=ACTIVE, reason="The endpoint is active.")
    return moved
