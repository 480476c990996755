"""What clients do: mounting, which on AWS is NFS. Other services ask by calls, as whom they act for, so permissions are checked.

https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html
"""

from __future__ import annotations

from cumulet.api import efs as api
from cumulet.kernel.call import Call
from cumulet.kernel.file_systems import FileSystemMount
from cumulet.services.efs.errors import refusal
from cumulet.services.efs.folders import NoRoot
from cumulet.services.efs.model import AVAILABLE
from cumulet.services.efs.state import Efs

_FUNCTION = (993, 990)
"""Who a function is where an access point does not say who its clients are: sbx_user1051, as on Lambda."""


async def client_mount(efs: Efs, call: Call, request: api.DescribeAccessPointsRequest) -> FileSystemMount:
    """A way in by the access point. Raises AccessPointNotFound, FileSystemNotFound, IncorrectFileSystemLifeCycleState,
    MountTargetNotFound when none is available, and BadRequest when there is no root directory."""
    point = await efs.access_point(call, request.access_point_id or "")
    owner = await efs.available(call, point.file_system)
    now = efs.clock.now()
    if not any(one.state(now) == AVAILABLE for one in await efs.mount_targets(owner.id)):
        raise refusal(api.MountTargetNotFound, f"File system '{owner.id}' has no mount target that is available.")
    try:
        await efs.folders.enter(owner.id, point.path, point.owner)
    except NoRoot:
        raise refusal(
            api.BadRequest, f"The root directory {point.path} of access point '{point.id}' does not exist."
        ) from None
    uid, gid = (point.user.uid, point.user.gid) if point.user is not None else _FUNCTION
    return FileSystemMount(
        file_system=owner.id,
        folder=efs.folders.path(owner.id),
        path=point.path,
        uid=uid,
        gid=gid,
        full=efs.keeper.is_full(owner.id),
    )


async def client_write(efs: Efs, call: Call, request: api.DescribeAccessPointsRequest) -> None:
    """Whether the caller may write there is decided before this is run."""


async def client_room(efs: Efs, call: Call, request: api.DescribeFileSystemsRequest) -> bool:
    """Whether there is room for more, looked up now."""
    return not await efs.keeper.look(request.file_system_id or "")
