"""Amazon Elastic File System: file systems that functions mount.

https://docs.aws.amazon.com/efs/latest/ug/whatisefs.html
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from cumulet.api.efs import OPERATIONS
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Operation, Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.efs import access_points, file_systems, mount_targets, mounts, policies, settings, tags
from cumulet.services.efs.folders import Folders
from cumulet.services.efs.limits import Limits
from cumulet.services.efs.model import Place
from cumulet.services.efs.state import CHANGED, Efs
from cumulet.services.efs.store import SCHEMA, Store
from cumulet.services.efs.workers import Keeper
from cumulet.storage.database import Database
from cumulet.storage.signals import Signals

_INSIDE: dict[str, Callable[[Any, Call, Any], Coroutine[Any, Any, Any]]] = {
    "ClientMount": mounts.client_mount,
    "ClientWrite": mounts.client_write,
    "ClientRoom": mounts.client_room,
}
"""What other services ask, and no model has."""


def build(
    *, db: Database, clock: Clock, tasks: Tasks, signals: Signals, folder: Path, limits: Limits | None = None
) -> Service:
    """The service on a database of its own; `folder` holds the file systems and nothing else."""
    limits = limits or Limits()
    store, folders = Store(db), Folders(folder)
    keeper = Keeper(store, folders, clock, tasks, limits)
    efs = Efs(
        store=store,
        folders=folders,
        clock=clock,
        keeper=keeper,
        limits=limits,
        announce=lambda id: signals.publish(CHANGED, id.encode()),
    )

    async def start() -> None:
        await db.migrate("efs", SCHEMA)
        await keeper.start()

    async def resource_policy(call: Call, arn: str) -> str | None:
        del call
        try:
            parsed = Arn.parse(arn)
        except ValueError:
            return None
        kind, _, id = parsed.resource.partition("/")
        found = await store.file_system(Place(parsed.account, parsed.region), id) if kind == "file-system" else None
        return None if found is None else policies.effective(found)

    operations = operations_in(OPERATIONS, file_systems, mount_targets, access_points, policies, settings, tags)
    operations |= {name: Operation(name, run) for name, run in _INSIDE.items()}
    return Service("efs", efs, operations, start, resource_policy=resource_policy)
