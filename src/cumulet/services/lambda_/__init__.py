"""AWS Lambda: functions, run in sandboxes, called and queued.

https://docs.aws.amazon.com/lambda/latest/dg/welcome.html
"""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cumulet.api.lambda_ import OPERATIONS
from cumulet.compute import Compute
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_ import (
    aliases,
    functions,
    invocations,
    recursion,
    runtime_management,
    streams,
    tag_store,
    tags,
    updates,
    versions,
)
from cumulet.services.lambda_.access import permissions, resource_policies
from cumulet.services.lambda_.access.credentials import CredentialCache
from cumulet.services.lambda_.capacity import providers, scaling
from cumulet.services.lambda_.capacity import store as capacity_store
from cumulet.services.lambda_.capacity.keeper import Keeper
from cumulet.services.lambda_.concurrency import concurrency, idle, provisioned
from cumulet.services.lambda_.concurrency.provisioning import Provisioner
from cumulet.services.lambda_.concurrency.snapshots import Snapshots
from cumulet.services.lambda_.custom import connectors
from cumulet.services.lambda_.custom.state import CustomRuntimes
from cumulet.services.lambda_.durable import callbacks, executions
from cumulet.services.lambda_.durable.engine import Engine
from cumulet.services.lambda_.durable.store import DurableStore
from cumulet.services.lambda_.events import configs as event_configs
from cumulet.services.lambda_.events.destinations import DEAD_LETTER, DESTINATION, Notices
from cumulet.services.lambda_.events.queue import EventQueue
from cumulet.services.lambda_.events.workers import EventWorker
from cumulet.services.lambda_.file_systems.mounts import Mounts
from cumulet.services.lambda_.file_systems.watch import Watch
from cumulet.services.lambda_.images.images import Images
from cumulet.services.lambda_.images.names import Repository
from cumulet.services.lambda_.images.registry import Registry
from cumulet.services.lambda_.images.store import ImageStore
from cumulet.services.lambda_.layers import layers
from cumulet.services.lambda_.layers import permissions as layer_permissions
from cumulet.services.lambda_.layers import store as layer_store
from cumulet.services.lambda_.limits import Limits
from cumulet.services.lambda_.names import refer
from cumulet.services.lambda_.packages import code_signing, code_signing_store
from cumulet.services.lambda_.packages.locations import Locations
from cumulet.services.lambda_.packages.packages import Packages
from cumulet.services.lambda_.reporting.logs import LogWriter
from cumulet.services.lambda_.sources import operations as mappings
from cumulet.services.lambda_.sources import store as mapping_store
from cumulet.services.lambda_.sources.hiring import roster
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.store import SCHEMA, FunctionStore
from cumulet.services.lambda_.targets import Targets
from cumulet.services.lambda_.urls import operations as urls
from cumulet.services.lambda_.urls import store as url_store
from cumulet.services.lambda_.urls.front import UrlFront
from cumulet.services.lambda_.workbench.debugging import Debugging
from cumulet.storage.blobs import Blobs
from cumulet.storage.database import Database
from cumulet.storage.outbox import Outbox
from cumulet.storage.seal import Seal
from cumulet.storage.signals import Signals

_LAST_BATCHES = 2.0
"""Seconds that functions get to end what they do for event sources, when the node stops."""

__all__ = ["Lambda", "Limits", "build"]

_OPERATIONS = operations_in(
    OPERATIONS,
    aliases,
    callbacks,
    code_signing,
    concurrency,
    event_configs,
    executions,
    functions,
    invocations,
    layer_permissions,
    layers,
    mappings,
    permissions,
    providers,
    provisioned,
    recursion,
    resource_policies,
    runtime_management,
    scaling,
    streams,
    tags,
    updates,
    urls,
    versions,
)


def build(  # noqa: PLR0913  the composition root passes each part once
    *,
    db: Database,
    blobs: Blobs,
    signals: Signals,
    clock: Clock,
    wall: Callable[[], float],
    calls: Calls,
    tasks: Tasks,
    compute: Compute,
    folder: Path,
    secret: bytes,
    images: Blobs,
    images_folder: Path,
    custom: CustomRuntimes,
    enforce: bool = False,
    limits: Limits | None = None,
    code_path: str = "/_cumulet/lambda/code/",
) -> Service:
    """Assemble the service.

    `wall` is real time, in which functions live whatever the clock shows. `blobs` and `folder` are for packages alone, `images`
    and `images_folder` for the registry of container images, and those unpacked; `custom` holds the runtimes of customers.
    `secret` is the node's key, `enforce` whether permissions are enforced, `code_path` where the node answers Code.Location with `state.download`. Compute's `on_log` must lead to
    `state.logs.line`.
    """
    limits = limits or Limits()
    store = FunctionStore(db, Seal(secret, "lambda"))
    packages = Packages(folder, blobs, tasks, limits)
    credentials = CredentialCache(calls, clock, enforce)
    registry = Registry(ImageStore(db), images)
    registry.on_delete = lambda repository: _sweep(tasks, registry, repository)
    unpacked = Images(registry, images_folder, compute.forget_image)
    lambda_ = Lambda(
        db=db,
        store=store,
        packages=packages,
        targets=Targets(store, packages, credentials, unpacked, custom),
        logs=LogWriter(calls, clock, tasks, limits.log_buffer),
        compute=compute,
        calls=calls,
        clock=clock,
        wall=wall,
        tasks=tasks,
        signals=signals,
        limits=limits,
        events=EventQueue(db, clock, tasks, limits.event_workers),
        outbox=Outbox(db, clock, tasks),
        locations=Locations(hashlib.sha256(b"lambda code" + secret).digest(), clock, code_path),
        credentials=credentials,
        enforce=enforce,
        images=unpacked,
        custom=custom,
    )
    _tie(lambda_, folder / "debuggers")
    return Service(
        "lambda",
        lambda_,
        _OPERATIONS,
        start=lambda: _start(lambda_),
        stop=lambda: _stop(lambda_),
        resource_policy=partial(_resource_policy, lambda_),
    )


def _tie(lambda_: Lambda, debuggers: Path) -> None:
    """Have the nouns know of each other what they need, once all are there. `debuggers` is for those that are attached."""
    lambda_.custom.on_change = lambda_.targets.forget_all
    lambda_.targets.mounts = Mounts(lambda_.calls, Watch(lambda_).mounted)
    lambda_.front = UrlFront(lambda_)
    lambda_.cleanups.append(lambda_.urls.clean)
    lambda_.provisioner = Provisioner(lambda_)
    lambda_.keeper = Keeper(lambda_)
    lambda_.cleanups.append(lambda_.capacity.forget)
    lambda_.snapshots = Snapshots(lambda_)
    lambda_.sources = roster(lambda_)
    lambda_.durable = Engine(lambda_, DurableStore(lambda_.db))
    lambda_.debugging = Debugging(lambda_.compute, lambda_.tasks, debuggers, lambda_.targets.forget)
    lambda_.targets.alter = lambda_.debugging.spec


async def _resource_policy(lambda_: Lambda, call: Call, arn: str) -> str | None:
    """What a function's, a layer's or an execution's own policy says."""
    if ":layer:" in arn:
        return await layer_permissions.policy_of(lambda_, arn)
    if "/durable-execution/" in arn:
        return None
    return await permissions.policy_of(lambda_, refer(call, arn))


def _sweep(tasks: Tasks, registry: Registry, repository: Repository) -> None:
    tasks.start("sweep images", registry.sweep(repository))


async def _start(lambda_: Lambda) -> None:
    """Go on with what a crash interrupted: functions between two states, queued events, notices, torn packages."""
    await lambda_.db.migrate("lambda", SCHEMA)
    await lambda_.db.migrate("lambda_layers", layer_store.SCHEMA)
    await lambda_.db.migrate("lambda_code_signing", code_signing_store.SCHEMA)
    await lambda_.db.migrate("lambda_idle", idle.SCHEMA)
    await lambda_.db.migrate("lambda_tags", tag_store.SCHEMA)
    await lambda_.db.migrate("lambda_sources", mapping_store.SCHEMA)
    await lambda_.db.migrate("lambda_urls", url_store.SCHEMA)
    await lambda_.db.migrate("lambda_capacity", capacity_store.SCHEMA)
    await lambda_.custom.start()
    lambda_.cleanups.append(lambda_.idle.forget)
    lambda_.tags.kinds["capacity-provider"] = partial(providers.check_there, lambda_)
    lambda_.tags.kinds["network-connector"] = partial(connectors.check_tagged, lambda_.custom)
    lambda_.tags.kinds["code-signing-config"] = partial(code_signing.check_there, lambda_)
    packages = await lambda_.store.packages()
    await lambda_.packages.start(packages)
    await lambda_.images.start(packages)
    notices = Notices(lambda_)
    lambda_.outbox.handle(DESTINATION, notices.destination)
    lambda_.outbox.handle(DEAD_LETTER, notices.dead_letter)
    await lambda_.outbox.start()
    for key in await lambda_.store.pending():
        lambda_.settle(key)
    lambda_.tasks.start("idle functions", idle.sweep(lambda_))
    lambda_.logs.start()
    lambda_.metrics.sample = lambda_.provisioner.measure
    await lambda_.metrics.start()
    await lambda_.provisioner.start()
    await lambda_.keeper.start()
    lambda_.tasks.start("lambda snapshots", lambda_.snapshots.watch())
    worker = EventWorker(lambda_)
    lambda_.events.handler, lambda_.events.room = worker.handle, worker.room
    await lambda_.events.start()
    await lambda_.sources.start()
    await lambda_.durable.start()


async def _stop(lambda_: Lambda) -> None:
    """Take no more from event sources, and write what waits in memory."""
    await lambda_.sources.close(_LAST_BATCHES)
    await lambda_.logs.flush()
    await lambda_.metrics.flush()
