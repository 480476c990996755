"""What the operations of Lambda share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec import json

from cumulet.api.lambda_ import FunctionConfiguration
from cumulet.compute import Compute, RuntimeUnavailable
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.access.credentials import CredentialCache
from cumulet.services.lambda_.capacity.model import managed
from cumulet.services.lambda_.capacity.store import CapacityStore
from cumulet.services.lambda_.concurrency.idle import Idleness, can_idle
from cumulet.services.lambda_.concurrency.slots import Slots
from cumulet.services.lambda_.concurrency.snap_start import is_on
from cumulet.services.lambda_.custom.state import CustomRuntimes
from cumulet.services.lambda_.errors import no_function
from cumulet.services.lambda_.events.queue import EventQueue
from cumulet.services.lambda_.images.images import Images
from cumulet.services.lambda_.layers.store import LayerStore
from cumulet.services.lambda_.limits import Limits
from cumulet.services.lambda_.model import PROVISIONED, Function, Provision, Version
from cumulet.services.lambda_.names import LATEST, FunctionKey, Reference, is_version
from cumulet.services.lambda_.packages.code_signing_store import SigningStore
from cumulet.services.lambda_.packages.locations import Locations
from cumulet.services.lambda_.packages.packages import Package, Packages
from cumulet.services.lambda_.reporting.logs import LogWriter
from cumulet.services.lambda_.reporting.metrics import Metrics
from cumulet.services.lambda_.store import FunctionStore
from cumulet.services.lambda_.tag_store import TagStore
from cumulet.services.lambda_.targets import Targets
from cumulet.services.lambda_.urls.store import UrlStore
from cumulet.storage.database import Database, Transaction
from cumulet.storage.outbox import Outbox
from cumulet.storage.signals import Signals

if TYPE_CHECKING:
    from cumulet.services.lambda_.capacity.keeper import Keeper
    from cumulet.services.lambda_.concurrency.provisioning import Provisioner
    from cumulet.services.lambda_.concurrency.snapshots import Snapshots

if TYPE_CHECKING:
    from cumulet.services.lambda_.durable.engine import Engine
    from cumulet.services.lambda_.workbench.debugging import Debugging

if TYPE_CHECKING:
    from cumulet.services.lambda_.sources.roster import Roster
    from cumulet.services.lambda_.urls.front import UrlFront

CHANGED = "lambda:changed"

Cleanup = Callable[[Transaction, FunctionKey, str | None], Awaitable[None]]
"""Removes what belongs to a function (qualifier None), or to one version or alias of it, in the transaction of its deletion."""

_RETIRE_PATIENCE = 900.0


class Lambda:
    """The service's parts, and what several nouns need of them. `durable` is given to it when it is there: it needs it, too."""

    durable: "Engine"
    debugging: "Debugging"

    sources: "Roster"
    """Event source mappings; set by `build`."""

    front: "UrlFront"
    keeper: "Keeper"
    provisioner: "Provisioner"
    """Set by `build`: it needs all the others."""
    snapshots: "Snapshots"
    """Set by `build`, too."""

    def __init__(  # noqa: PLR0913  the composition root passes each part once
        self,
        *,
        db: Database,
        store: FunctionStore,
        packages: Packages,
        targets: Targets,
        logs: LogWriter,
        compute: Compute,
        calls: Calls,
        clock: Clock,
        wall: Callable[[], float],
        tasks: Tasks,
        signals: Signals,
        limits: Limits,
        events: EventQueue,
        outbox: Outbox,
        locations: Locations,
        credentials: CredentialCache,
        enforce: bool,
        images: Images,
        custom: CustomRuntimes,
    ) -> None:
        self.db = db
        self.store = store
        self.packages = packages
        self.targets = targets
        self.logs = logs
        self.compute = compute
        self.calls = calls
        self.clock = clock
        self.wall = wall
        self.tasks = tasks
        self.signals = signals
        self.limits = limits
        self.events = events
        self.outbox = outbox
        self.locations = locations
        self.credentials = credentials
        self.enforce = enforce
        self.images = images
        self.custom = custom
        self.slots = Slots(limits)
        self.metrics = Metrics(db, clock, tasks)
        self.tags = TagStore(db)
        self.layers = LayerStore(db)
        self.signing = SigningStore(db)
        self.urls = UrlStore(db)
        self.capacity = CapacityStore(db)
        self.idle = Idleness(db)
        self.cleanups: list[Cleanup] = []
        """What else goes with a function, a version or an alias: nouns with tables of their own add themselves.
        Settings (`store.put_setting`) go by themselves."""
        self.policies: dict[tuple[FunctionKey, str | None], str | None] = {}
        """Texts of functions' policies, which every invocation by a service asks for; a change of any function empties it."""
        self._unreserved: dict[tuple[str, str], int] = {}
        self._settling: dict[FunctionKey, asyncio.Task[None]] = {}
        signals.subscribe(CHANGED, self._forget)

    # Finding

    async def function(self, key: FunctionKey, within: Transaction | None = None) -> Function:
        """Raises ResourceNotFoundException."""
        function = await self.store.function(key, within)
        if function is None:
            raise no_function(key.arn)
        return function

    async def version(self, reference: Reference, within: Transaction | None = None) -> Version:
        """The version that a name, version or alias means; raises ResourceNotFoundException."""
        qualifier = reference.qualifier or LATEST
        if qualifier != LATEST and not is_version(qualifier):
            alias = await self.store.alias(reference.key, qualifier, within)
            if alias is None:
                raise no_function(reference.arn)
            qualifier = alias.version
        version = await self.store.version(reference.key, qualifier, within)
        if version is None:
            raise no_function(reference.arn)
        return version

    def known_unreserved(self, key: FunctionKey) -> int | None:
        """The same as `unreserved`, when it is in memory."""
        return self._unreserved.get((key.account, key.region))

    async def unreserved(self, account: str, region: str) -> int:
        """The concurrency that functions without a reservation share."""
        known = self._unreserved.get((account, region))
        if known is None:
            reserved = await self.store.reserved(account, region)
            known = self.limits.concurrent_executions - sum(reserved.values())
            for name, document in await self.store.settings_of_account(PROVISIONED, account, region):
                known -= 0 if name in reserved else json.decode(document, type=Provision).requested
            self._unreserved[account, region] = known
        return known

    async def clean(self, tx: Transaction, key: FunctionKey, qualifier: str | None = None) -> None:
        """Remove what belongs to a function, version or alias that is being deleted."""
        for cleanup in self.cleanups:
            await cleanup(tx, key, qualifier)

    async def download(self, id: str, query: Mapping[str, str]) -> tuple[int, AsyncIterator[bytes]] | None:
        """The size and bytes of a package, for an address that GetFunction gave; None when it is not good any more."""
        package = await self.store.package(id) if self.locations.check(id, query) else None
        return None if package is None else (package.size, self.packages.read(package.blob))

    # Changing

    @asynccontextmanager
    async def change(self, key: FunctionKey) -> AsyncIterator[Transaction]:
        """A transaction that changes something of a function; what is remembered of it is forgotten then."""
        async with self.db.transaction() as tx:
            yield tx
            tx.after_commit(lambda: self.signals.publish(CHANGED, "\0".join(key).encode()))

    def settle(self, key: FunctionKey) -> None:
        """Bring versions that were just made or changed to Active, in the background."""
        before = self._settling.get(key)
        task = self.tasks.start(f"settle {key.name}", self._settle(key, before))
        self._settling[key] = task
        task.add_done_callback(lambda _: self._settled(key, task))

    async def settled(self, key: FunctionKey) -> None:
        """Wait until no change of the function is under way."""
        while (task := self._settling.get(key)) is not None:
            await asyncio.wait((task,))

    def retire(self, deployments: Sequence[str], packages: Sequence[Package]) -> None:
        """End the environments of deployments, then forget packages that nothing uses any more; in the background."""
        self.tasks.start("retire", self._retire(set(deployments), packages))

    async def _settle(self, key: FunctionKey, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait((before,))
        unusable = await self._fetch(key)
        failed = await self._initialise(key)
        async with self.change(key) as tx:
            for version in await self.store.pending_versions(key, tx):
                ready = self._made_ready(version, unusable.get(version.code, ""))
                if version.number in failed and ready.configuration.state == "Active":
                    reason, code = failed[version.number]
                    ready = ready.changed(
                        state="Failed", state_reason=reason, state_reason_code=code, last_update_status="Failed"
                    )
                await self.store.put_version(tx, key, ready)
                if can_idle(version):
                    await self.idle.touch(tx, key, self.clock.now())

    async def _initialise(self, key: FunctionKey) -> dict[str, tuple[str, str]]:
        """Initialise pending versions that have snapshots or instances; the reason and its code, by version, where that failed."""
        failed = {}
        for version in await self.store.pending_versions(key, self.db):
            why = None
            if is_on(version.configuration):
                why = await self.snapshots.make(key, version)
            elif managed(version.configuration) and version.number != LATEST:
                why = await self.keeper.make(key, version)
            if why is not None:
                failed[version.number] = why
        return failed

    async def _fetch(self, key: FunctionKey) -> dict[str, str]:
        """Have what versions run on that are to become Active: runtimes, and their images unpacked; why not, by package, for
        images that cannot be."""
        unusable = {}
        for version in await self.store.pending_versions(key, self.db):
            if version.configuration.runtime_config is not None:
                try:
                    await self.custom.base(version.configuration.runtime_config)
                except (RuntimeUnavailable, AwsError) as error:
                    unusable[version.code] = str(error)
                continue
            if not version.image_uri:
                await self.compute.provide(version.configuration.runtime or "")
            package = await self.store.package(version.code) if version.image_uri else None
            if package is not None:
                try:
                    await self.images.ready(package)
                except RuntimeUnavailable as error:
                    unusable[package.id] = str(error)
        return unusable

    def _made_ready(self, version: Version, unusable: str) -> Version:
        """The version with the state that this node's runtimes, and its image, allow."""
        configuration = version.configuration
        reason = unusable or None
        if not version.image_uri and configuration.runtime_config is None:
            try:
                self.compute.check(configuration.runtime or "")
                self.compute.prepare(configuration.runtime or "", configuration.memory_size or 128)
            except RuntimeUnavailable as error:
                reason = str(error)
        code = None if reason is None else "InvalidImage" if unusable else "InvalidRuntime"
        if configuration.last_update_status == "InProgress":
            return version.changed(
                revision_id=new_id(),
                last_update_status="Successful" if reason is None else "Failed",
                last_update_status_reason=reason,
                last_update_status_reason_code=code,
            )
        return version.changed(
            revision_id=new_id(),
            state=_usable(configuration) if reason is None else "Failed",
            state_reason=reason,
            state_reason_code=code,
            last_update_status="Successful" if reason is None else "Failed",
            last_update_status_reason=reason,
            last_update_status_reason_code=code,
        )

    def _settled(self, key: FunctionKey, task: "asyncio.Task[None]") -> None:
        if self._settling.get(key) is task:
            del self._settling[key]

    async def _retire(self, deployments: set[str], packages: Sequence[Package]) -> None:
        await self._retire_environments(deployments)
        waited = 0.0
        while packages and waited < _RETIRE_PATIENCE:
            await asyncio.sleep(1.0)  # who was about to invoke the old code does it now
            waited += 1.0
            if not await self._retire_environments(deployments):
                break
        for package in packages:
            if package.is_image:
                if await self.store.package(package.id) is None:
                    await self.images.remove(package)
                continue
            now = await self.store.package(package.id)  # the same code may have come back meanwhile, in another blob
            if now is None:
                await self.packages.remove(package.id, package.blob)
            elif now.blob != package.blob:
                await self.packages.forget_blob(package.blob)

    async def _retire_environments(self, deployments: set[str]) -> bool:
        """Tells whether any of them is still at work."""
        keys = [key for key in self.compute.held() if key.partition(".")[0] in deployments]
        for key in keys:
            await self.compute.retire(key)
        return any(self.compute.running(key) for key in keys)

    def _forget(self, payload: bytes) -> None:
        account, region, name = payload.decode().split("\0")
        key = FunctionKey(account, region, name)
        self.targets.forget(key)
        self.policies = {}
        self.provisioner.changed(key)
        self.keeper.changed(key)
        self._unreserved.pop((account, region), None)


def _usable(configuration: FunctionConfiguration) -> str:
    """Of a function with a capacity provider only what is published can be invoked."""
    return "ActiveNonInvocable" if managed(configuration) and configuration.version == LATEST else "Active"
