"""What the operations of EFS share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from cumulet.kernel.call import Call
from cumulet.kernel.clock import Clock
from cumulet.services.efs.errors import no_access_point, no_file_system, no_mount_target, not_available
from cumulet.services.efs.folders import Folders
from cumulet.services.efs.limits import Limits
from cumulet.services.efs.model import AVAILABLE, AccessPoint, FileSystem, MountTarget, Place, short
from cumulet.services.efs.store import Store

if TYPE_CHECKING:
    from cumulet.services.efs.workers import Keeper

CHANGED = "efs:changed"
"""The signal that a way to a file system is new or gone, or what may be done there changed; its payload is the file system's id."""


class Efs(Struct, frozen=True):
    """The parts of the service. `announce` tells others that ways to a file system changed."""

    store: Store
    folders: Folders
    clock: Clock
    keeper: Keeper
    limits: Limits
    announce: Callable[[str], None]

    async def file_system(self, call: Call, id: str) -> FileSystem:
        """By id or ARN. Raises FileSystemNotFound."""
        found = await self.store.file_system(place_of(call), short(id))
        if found is None:
            raise no_file_system(short(id))
        return found

    async def available(self, call: Call, id: str) -> FileSystem:
        """The same; raises IncorrectFileSystemLifeCycleState too."""
        found = await self.file_system(call, id)
        check_available(found, self.clock.now())
        return found

    async def mount_target(self, call: Call, id: str) -> MountTarget:
        """Raises MountTargetNotFound."""
        found = await self.store.mount_target(place_of(call), id)
        if found is None or found.is_gone(self.clock.now()):
            raise no_mount_target(id)
        return found

    async def mount_targets(self, file_system: str) -> list[MountTarget]:
        """Those that are there."""
        now = self.clock.now()
        return [one for one in await self.store.mount_targets(file_system) if not one.is_gone(now)]

    async def access_point(self, call: Call, id: str) -> AccessPoint:
        """By id or ARN. Raises AccessPointNotFound."""
        found = await self.store.access_point(place_of(call), short(id))
        if found is None:
            raise no_access_point(short(id))
        return found


def check_available(one: FileSystem, now: float) -> None:
    """Raises IncorrectFileSystemLifeCycleState."""
    state = one.state(now)
    if state != AVAILABLE:
        raise not_available(one.id, state)


def place_of(call: Call) -> Place:
    return Place(call.account, call.region)
