"""Access points: folders of file systems, each with who its clients are."""

from __future__ import annotations

from cumulet.api import efs as api
from cumulet.kernel.call import Call
from cumulet.services.efs.errors import bad_request, refusal
from cumulet.services.efs.file_systems import new_id
from cumulet.services.efs.model import AccessPoint, Owner, User, short, tags_of
from cumulet.services.efs.paging import page
from cumulet.services.efs.state import Efs, place_of


async def create_access_point(
    efs: Efs, call: Call, request: api.CreateAccessPointRequest
) -> api.AccessPointDescription:
    place, now = place_of(call), efs.clock.now()
    owner = await efs.available(call, request.file_system_id)
    directory, user = request.root_directory or api.RootDirectory(), request.posix_user
    creation = directory.creation_info
    made = AccessPoint(
        id=new_id("fsap"),
        place=place,
        file_system=owner.id,
        token=request.client_token,
        created=now,
        path=_path(directory.path),
        owner=Owner(creation.owner_uid, creation.owner_gid, creation.permissions) if creation is not None else None,
        user=User(user.uid, user.gid, tuple(user.secondary_gids or ())) if user is not None else None,
        tags=tags_of(request.tags),
    )
    async with efs.store.db.transaction() as tx:
        before = await efs.store.access_point_of_token(tx, place, made.token)
        if before is not None:
            raise refusal(
                api.AccessPointAlreadyExists,
                f"Access point '{before.id}' already exists with client token '{made.token}'",
                AccessPointId=before.id,
            )
        if len(await efs.store.access_points(place, owner.id, tx)) >= efs.limits.access_points:
            raise refusal(
                api.AccessPointLimitExceeded,
                f"File system '{owner.id}' has the {efs.limits.access_points} access points that it can have.",
            )
        await efs.store.add_access_point(tx, made)
    return made.answer(now)


async def describe_access_points(
    efs: Efs, call: Call, request: api.DescribeAccessPointsRequest
) -> api.DescribeAccessPointsResponse:
    if request.access_point_id is not None and request.file_system_id is not None:
        raise bad_request("You cannot specify both AccessPointId and FileSystemId.")
    if request.access_point_id is not None:
        found = [await efs.access_point(call, request.access_point_id)]
    elif request.file_system_id is not None:
        owner = await efs.file_system(call, request.file_system_id)
        found = await efs.store.access_points(owner.place, owner.id)
    else:
        found = await efs.store.access_points(place_of(call))
    shown, marker = page(found, request.next_token, request.max_results, lambda one: one.id)
    now = efs.clock.now()
    return api.DescribeAccessPointsResponse(access_points=[one.answer(now) for one in shown], next_token=marker)


async def delete_access_point(efs: Efs, call: Call, request: api.DeleteAccessPointRequest) -> None:
    """Its folder and what is in it stay."""
    found = await efs.access_point(call, request.access_point_id)
    await efs.store.remove_access_point(found.place, short(found.id))
    efs.announce(found.file_system)


def _path(given: str | None) -> str:
    path = "/" + "/".join(part for part in (given or "/").split("/") if part)
    if ".." in path.split("/"):
        raise bad_request("RootDirectory.Path cannot lead upwards.")
    return path
