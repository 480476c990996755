"""Customer-managed runtimes, for the operations on them and for the functions that use them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from cumulet.api import lambda_ as functions_api
from cumulet.api import lambda_core as api
from cumulet.compute import Image, RuntimeUnavailable
from cumulet.kernel.clock import Clock
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.custom.connector_store import ConnectorStore
from cumulet.services.lambda_.custom.model import (
    ACTIVE,
    CREATING,
    FAILED,
    CustomRuntime,
    Item,
    RuntimeAlias,
    RuntimeKey,
    RuntimeVersion,
    parse,
    reached,
    today,
)
from cumulet.services.lambda_.custom.store import SCHEMA, RuntimeStore
from cumulet.services.lambda_.images.images import Images
from cumulet.services.lambda_.images.store import SCHEMA as IMAGES
from cumulet.services.lambda_.packages.packages import Package
from cumulet.services.lambda_.tag_store import SCHEMA as TAGS
from cumulet.services.lambda_.tag_store import TagStore
from cumulet.storage.database import Database, Transaction

_BOOTSTRAP = "var/runtime/bootstrap"
_TASK = "/var/task"

I = TypeVar("I", bound=Item)  # noqa: E741  an item


class Base(NamedTuple):
    """What a function with a custom runtime runs on: an image without its code, and the image's variables."""

    image: Image
    variables: dict[str, str]


class CustomRuntimes:
    """The service's state. `images` unpacks into `folder`, which is for runtimes alone; `on_change` is called when functions
    may run on another version than before."""

    def __init__(self, db: Database, clock: Clock, tasks: Tasks, images: Images, folder: Path) -> None:
        self.db = db
        self.clock = clock
        self.tasks = tasks
        self.images = images
        self.store = RuntimeStore(db)
        self.connectors = ConnectorStore(db)
        self.tags = TagStore(db)
        self.on_change: Callable[[], None] = lambda: None
        self._folder = folder
        self._started: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Once, whoever asks first: go on with versions that were being made, remove images that no version has."""
        if self._started is None:
            self._started = asyncio.ensure_future(self._start())
        await asyncio.shield(self._started)

    async def _start(self) -> None:
        await self.db.migrate("lambda_custom_runtimes", SCHEMA)
        await self.db.migrate("lambda_images", IMAGES)
        await self.db.migrate("lambda_tags", TAGS)
        await self.connectors.start()
        self._folder.mkdir(parents=True, exist_ok=True)
        versions = await self.store.versions(self.clock.now())
        known = {version.image for _, _, version in versions}
        for path in list(self._folder.iterdir()):
            if path.name not in known:
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        for key, name, version in versions:
            if version.status == CREATING:
                self.settle(key, name)

    def settle(self, key: RuntimeKey, name: str) -> None:
        """Have the image of a new version unpacked, in the background."""
        self.tasks.start(f"make runtime {key.name} {name}", self._settle(key, name))

    async def _settle(self, key: RuntimeKey, name: str) -> None:
        version = await self.get(RuntimeVersion, key, name)
        status = ACTIVE
        try:
            await self.images.ready(_package(version))
        except RuntimeUnavailable:
            status = FAILED
        async with self.db.transaction() as tx:
            version = await self.get(RuntimeVersion, key, name, tx)
            await self.store.put(tx, key, name, replace(version, status=status))

    async def get(self, kind: type[I], key: RuntimeKey, name: str = "", within: Transaction | None = None) -> I:
        """Raises ResourceNotFoundException."""
        found = await self.store.get(kind, key, name, self.clock.now(), within)
        if found is None:
            arn = {CustomRuntime: key.arn, RuntimeVersion: key.version(name), RuntimeAlias: key.alias(name)}[kind]
            raise api.ResourceNotFoundException(f"The resource {arn} does not exist.")
        return found

    # For functions

    async def check(self, account: str, config: functions_api.FunctionRuntimeConfig | None, *, new: bool) -> None:
        """Whether a function of this account may use it, if any: raises Lambda's InvalidParameterValueException."""
        if config is None:
            return
        key = parse(config.runtime_arn)
        wrong = functions_api.InvalidParameterValueException
        if key is None or key.account != account:
            raise wrong(f"The runtime {config.runtime_arn} does not exist, or is not this account's.")
        now = self.clock.now()
        runtime = await self.store.get(CustomRuntime, key, "", now)
        alias = await self.store.get(RuntimeAlias, key, config.runtime_alias, now)
        if runtime is None or alias is None or alias.due is not None or runtime.due is not None:
            raise wrong(f"The runtime alias {key.alias(config.runtime_alias)} does not exist.")
        lifecycle = reached(alias.lifecycle or runtime.lifecycle, now)
        if lifecycle is None:
            return
        blocked = lifecycle.function_create_block_date if new else lifecycle.function_update_block_date
        if blocked is not None and blocked <= today(now):
            what = "creating" if new else "updating"
            raise wrong(f"The runtime alias {key.alias(config.runtime_alias)} is blocked for {what} functions.")

    async def base(self, config: functions_api.FunctionRuntimeConfig) -> Base:
        """What the function's alias leads to now. Raises RuntimeAliasDeletedException, RuntimeUnavailable."""
        key = parse(config.runtime_arn)
        now = self.clock.now()
        gone = functions_api.RuntimeAliasDeletedException(
            f"The runtime alias {config.runtime_alias} of {config.runtime_arn} is no longer available. "
            "Update your function to use an available runtime alias."
        )
        if key is None:
            raise gone
        runtime = await self.store.get(CustomRuntime, key, "", now)
        alias = await self.store.get(RuntimeAlias, key, config.runtime_alias, now)
        version = await self.store.get(RuntimeVersion, key, alias.version, now) if alias is not None else None
        if runtime is None or alias is None or version is None or any(one.due for one in (runtime, alias, version)):
            raise gone
        package = _package(version)
        root = await self.images.ready(package)
        own = None
        if (root / _BOOTSTRAP).is_file():
            own = functions_api.ImageConfig(entry_point=[f"/{_BOOTSTRAP}"], command=[], working_directory=_TASK)
        image, variables = await self.images.image(package, own)
        argv = image.argv[:1] if own is not None else image.argv
        whole = Image(id=f"runtime {image.id}", root=image.root, argv=argv, folder=_TASK, base=True)
        return Base(whole, variables)


def _package(version: RuntimeVersion) -> Package:
    return Package(id=version.image, blob=version.blob, size=0)
