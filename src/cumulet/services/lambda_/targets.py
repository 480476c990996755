"""What an invocation needs to know of a function, kept in memory until the function changes."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from msgspec import json

from cumulet.compute import FunctionSpec, Image
from cumulet.kernel.call import Principal
from cumulet.kernel.ids import token
from cumulet.services.lambda_.access.credentials import CredentialCache
from cumulet.services.lambda_.capacity.model import MANAGED, SCALING, Scaling, concurrency, managed
from cumulet.services.lambda_.concurrency.idle import can_idle
from cumulet.services.lambda_.concurrency.snap_start import SNAP_START, is_on
from cumulet.services.lambda_.custom.state import CustomRuntimes
from cumulet.services.lambda_.errors import no_function
from cumulet.services.lambda_.file_systems.mounts import Mounts, digest
from cumulet.services.lambda_.images.images import Images
from cumulet.services.lambda_.lineage import name_of
from cumulet.services.lambda_.model import Alias, Function, Version
from cumulet.services.lambda_.names import LATEST, LATEST_PUBLISHED, FunctionKey, Reference, is_version
from cumulet.services.lambda_.packages.packages import Package, Packages
from cumulet.services.lambda_.reporting.metrics import Series
from cumulet.services.lambda_.runtimes import CUSTOM
from cumulet.services.lambda_.store import FunctionStore

_KEPT = 10_000
_UNQUALIFIED = ""


class Superseded(Exception):
    """The code of a target is gone: the function has other code now."""


class Target:
    """One version of a function, ready to be invoked."""

    __slots__ = (
        "durable",
        "function",
        "idles",
        "json_logs",
        "key",
        "lineage",
        "log_group",
        "managed",
        "memory",
        "number",
        "principal",
        "renew",
        "sample_at",
        "series",
        "snapshots",
        "spec",
        "storage_mb",
        "tenancy",
        "timeout",
        "traced",
        "version",
    )

    def __init__(self, key: FunctionKey, function: Function, version: Version) -> None:
        configuration = version.configuration
        self.key = key
        self.function = function
        self.version = version
        self.number = version.number
        self.durable = configuration.durable_config is not None
        self.idles = can_idle(version)
        self.snapshots = is_on(configuration)
        self.managed = managed(configuration)
        self.memory = configuration.memory_size or 128
        self.timeout = float(configuration.timeout or 3)
        logging = configuration.logging_config
        self.log_group = (logging.log_group if logging else None) or f"/aws/lambda/{key.name}"
        self.json_logs = logging is not None and logging.log_format == "JSON"
        self.lineage = name_of(key)
        self.tenancy = configuration.tenancy_config is not None
        self.storage_mb = storage.size if (storage := configuration.ephemeral_storage) else 512
        self.series: dict[str | None, Series] = {}
        """Where what is measured goes, by the qualifier of the call."""
        self.spec: FunctionSpec | None = None
        self.renew = 0.0
        self.principal: Principal | None = None
        self.traced = configuration.tracing_config is not None and configuration.tracing_config.mode == "Active"
        self.sample_at = 0.0
        """When the next invocation is traced in any case."""


class _Route(NamedTuple):
    """Where an alias leads: its version, and another one for a share of the calls."""

    main: str
    other: str
    weight: float


class Targets:
    """The cache; `forget` must be called whenever something of a function changed. `alter` has the last word on a spec."""

    def __init__(
        self,
        store: FunctionStore,
        packages: Packages,
        credentials: CredentialCache,
        images: Images,
        custom: CustomRuntimes,
    ) -> None:
        self._custom = custom
        self._store = store
        self._packages = packages
        self._credentials = credentials
        self._images = images
        self.mounts: Mounts
        """Set by `build`."""
        self.alter: Callable[[FunctionKey, FunctionSpec], FunctionSpec] = lambda _, spec: spec
        self._known: dict[FunctionKey, dict[str, Target | _Route]] = {}
        self._changes = 0

    def forget(self, key: FunctionKey) -> None:
        self._known.pop(key, None)
        self._changes += 1

    def forget_all(self) -> None:
        """What functions run on may be another version of their runtimes."""
        self._known.clear()
        self._changes += 1

    def using(self, file_system: str) -> list[Target]:
        """Those in memory that have it mounted."""
        found = {
            id(target): target
            for qualified in self._known.values()
            for target in qualified.values()
            if isinstance(target, Target) and target.spec is not None
            if any(one.file_system == file_system for one in target.spec.file_systems)
        }
        return list(found.values())

    def known(self, reference: Reference) -> Target | None:
        """The target without a look at the store, when it is in memory."""
        qualified = self._known.get(reference.key)
        if qualified is None:
            return None
        found = qualified.get(reference.qualifier or _UNQUALIFIED)
        if isinstance(found, _Route):
            found = qualified.get(_choose(found))
        return found if isinstance(found, Target) else None

    async def find(self, reference: Reference) -> Target:
        """Raises ResourceNotFoundException as Invoke does."""
        found = self.known(reference)
        if found is not None:
            return found
        qualifier = reference.qualifier or LATEST
        changes = self._changes
        function = await self._store.function(reference.key)
        missing = no_function(f"{reference.key.arn}:{qualifier}")
        if function is None:
            raise missing
        loaded: dict[str, Target | _Route] = {}
        version = qualifier
        if reference.qualifier is not None and not is_version(qualifier) and qualifier != LATEST:
            alias = await self._store.alias(reference.key, qualifier)
            if alias is None:
                raise missing
            route = _route(alias)
            loaded[qualifier] = route
            version = _choose(route)
        stored = await self._store.version(reference.key, version)
        if stored is not None and reference.qualifier is None and managed(stored.configuration):
            version, missing = LATEST_PUBLISHED, no_function(f"{reference.key.arn}:{LATEST_PUBLISHED}")
            stored = await self._store.version(reference.key, version)
        if stored is None:
            raise missing
        target = Target(reference.key, function, stored)
        if not stored.pending and changes == self._changes:
            loaded[version] = target
            if reference.qualifier is None:
                loaded[_UNQUALIFIED] = target
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known.setdefault(reference.key, {}).update(loaded)
        return target

    async def spec(self, target: Target, now: float) -> FunctionSpec:
        """What compute needs to run the target; the credentials in it are good for an invocation that starts `now`.

        Raises Superseded.
        """
        if target.spec is not None and now < target.renew:
            return target.spec
        deployment = target.version.deployment
        configuration = target.version.configuration
        credentials = await self._credentials.get(target.key, deployment, configuration.role or "")
        package = await self._store.package(target.version.code)
        if package is None:
            raise Superseded
        image, variables = await self._image(target.version, package)
        configs = configuration.file_system_configs
        mounted = await self.mounts.of(target.key, configs, credentials.principal) if configs else ()
        own = image is not None and not image.base
        storage = configuration.ephemeral_storage
        version_config = configuration.runtime_version_config
        spec = FunctionSpec(
            key=f"{deployment}.{credentials.generation}"
            + (f".{image.id}" if image and image.base else "")
            + (f".{digest(mounted)}" if mounted else ""),
            runtime=configuration.runtime or "",
            handler=configuration.handler or "",
            code=image.root if image and own else await self._packages.folder(package.id, package.blob),
            image=image,
            layers=await self._layers(target.version),
            file_systems=mounted,
            memory_mb=target.memory,
            timeout=target.timeout,
            tmp_mb=storage.size if storage else 512,
            environment=variables | environment(target) | credentials.variables,
            account=target.key.account,
            snapshot=target.snapshots,
            runtime_version_arn=version_config.runtime_version_arn or "" if version_config else "",
            concurrency=concurrency(configuration),
            max_environments=await self._most(target) if target.managed else 0,
        )
        spec = self.alter(target.key, spec)
        target.timeout = spec.timeout
        target.renew, target.principal = credentials.renew, credentials.principal
        target.spec = spec
        return spec

    async def _most(self, target: Target) -> int:
        """Environments there may be of a version that runs by a capacity provider."""
        document = await self._store.setting(SCALING, target.key, target.version.number)
        return 0 if document is None else json.decode(document, type=Scaling).most or 0

    async def _image(self, version: Version, package: Package) -> tuple[Image | None, dict[str, str]]:
        """The image that the version is or runs on, and what of its variables are the image's own."""
        if version.configuration.runtime_config is not None:
            return await self._custom.base(version.configuration.runtime_config)
        if not package.is_image:
            return None, {}
        config = version.configuration.image_config_response
        return await self._images.image(package, config.image_config if config else None)

    async def _layers(self, version: Version) -> tuple[Path, ...]:
        """Where its layers lie unpacked, in order. Raises Superseded."""
        folders = []
        for layer in version.layers:
            package = await self._store.package(layer)
            if package is None:
                raise Superseded
            folders.append(await self._packages.folder(package.id, package.blob))
        return tuple(folders)


def environment(target: Target) -> dict[str, str]:
    """The variables a function sees, but for credentials, its log stream and where it finds the node.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    configuration = target.version.configuration
    runtime = configuration.runtime or ""
    own = configuration.environment.variables if configuration.environment else None
    variables = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": (
            "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
        ),
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "PWD": "/var/task",
        "SHLVL": "0",
    }
    if target.version.image_uri or runtime == CUSTOM:
        variables = {}  # an image has its own
    variables |= {
        **(own or {}),
        "_HANDLER": configuration.handler or "",
        "AWS_REGION": target.key.region,
        "AWS_DEFAULT_REGION": target.key.region,
        "AWS_LAMBDA_FUNCTION_NAME": target.key.name,
        "AWS_LAMBDA_FUNCTION_VERSION": target.version.number,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(target.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": target.log_group,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
    }
    if target.managed:
        variables["AWS_LAMBDA_INITIALIZATION_TYPE"] = MANAGED
    if target.snapshots:
        variables["AWS_LAMBDA_INITIALIZATION_TYPE"] = SNAP_START
        del variables["AWS_LAMBDA_LOG_GROUP_NAME"]  # as on AWS
    if runtime and runtime != CUSTOM and not runtime.startswith("provided"):
        variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{runtime}"
    logging = configuration.logging_config
    if logging is not None and logging.log_format == "JSON":
        variables["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        variables["AWS_LAMBDA_LOG_LEVEL"] = logging.application_log_level or "INFO"
    return variables


def _route(alias: Alias) -> _Route:
    other, weight = next(iter(alias.weights.items()), ("", 0.0))
    return _Route(alias.version, other, weight)


def _choose(route: _Route) -> str:
    if route.weight and int(token(4), 16) < route.weight * 2**32:
        return route.other
    return route.main
