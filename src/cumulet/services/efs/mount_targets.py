"""Mount targets: the ways to file systems. There are no networks here, so a subnet is what its name says it is."""

from __future__ import annotations

import ipaddress

from msgspec.structs import replace

from cumulet.api import efs as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.efs.errors import bad_request, refusal
from cumulet.services.efs.file_systems import new_id
from cumulet.services.efs.model import AVAILABLE, MountTarget, address_of, default_group, short, zone_of
from cumulet.services.efs.paging import page
from cumulet.services.efs.state import Efs, place_of

_MOST_GROUPS = 5


async def create_mount_target(
    efs: Efs, call: Call, request: api.CreateMountTargetRequest
) -> api.MountTargetDescription:
    if request.ipv6_address or request.ip_address_type in {"IPV6_ONLY", "DUAL_STACK"}:
        raise NotImplementedHere("Mount targets have IPv4 addresses alone here. See docs/services/efs.md.")
    _check_groups(request.security_groups)
    place, now = place_of(call), efs.clock.now()
    owner = await efs.available(call, request.file_system_id)
    made = MountTarget(
        id=new_id("fsmt"),
        place=place,
        file_system=owner.id,
        subnet=request.subnet_id,
        created=now,
        address=_address(request.ip_address) or address_of(owner.id, request.subnet_id),
        groups=tuple(request.security_groups or (default_group(place),)),
        # A file system of one zone is in its zone, wherever the subnet would be
        zone=owner.zone or zone_of(call.region, request.subnet_id),
    )
    async with efs.store.db.transaction() as tx:
        found = await efs.store.mount_targets(owner.id, tx)
        there = [one for one in found if not one.is_gone(now)]
        if any(one.subnet == made.subnet for one in there):
            raise refusal(api.MountTargetConflict, "mount target already exists in this AZ")
        if any(one.address == made.address for one in there):
            raise refusal(api.IpAddressInUse, f"The address {made.address} is already in use.")
        if len(there) >= efs.limits.mount_targets or (owner.zone and there):
            raise refusal(api.MountTargetConflict, f"File system '{owner.id}' can have no more mount targets.")
        await efs.store.purge(tx, [one for one in found if one.is_gone(now)])
        await efs.store.put_mount_target(tx, made)
    efs.announce(owner.id)
    return made.answer(now)


async def describe_mount_targets(
    efs: Efs, call: Call, request: api.DescribeMountTargetsRequest
) -> api.DescribeMountTargetsResponse:
    given = (request.file_system_id, request.mount_target_id, request.access_point_id)
    if sum(one is not None for one in given) != 1:
        raise bad_request("Please specify exactly one of FileSystemId, MountTargetId and AccessPointId.")
    if request.mount_target_id is not None:
        found = [await efs.mount_target(call, short(request.mount_target_id))]
    elif request.access_point_id is not None:
        found = await efs.mount_targets((await efs.access_point(call, request.access_point_id)).file_system)
    else:
        assert request.file_system_id is not None
        found = await efs.mount_targets((await efs.file_system(call, request.file_system_id)).id)
    shown, marker = page(found, request.marker, request.max_items, lambda one: one.id)
    now = efs.clock.now()
    return api.DescribeMountTargetsResponse(
        marker=request.marker, mount_targets=[one.answer(now) for one in shown], next_marker=marker
    )


async def delete_mount_target(efs: Efs, call: Call, request: api.DeleteMountTargetRequest) -> None:
    now = efs.clock.now()
    found = await efs.mount_target(call, request.mount_target_id)
    if found.deleted is None:
        await efs.store.edit_mount_target(found.place, found.id, lambda one: replace(one, deleted=now))
    efs.announce(found.file_system)


async def describe_mount_target_security_groups(
    efs: Efs, call: Call, request: api.DescribeMountTargetSecurityGroupsRequest
) -> api.DescribeMountTargetSecurityGroupsResponse:
    found = await _usable(efs, call, request.mount_target_id)
    return api.DescribeMountTargetSecurityGroupsResponse(security_groups=list(found.groups))


async def modify_mount_target_security_groups(
    efs: Efs, call: Call, request: api.ModifyMountTargetSecurityGroupsRequest
) -> None:
    _check_groups(request.security_groups)
    found = await _usable(efs, call, request.mount_target_id)
    groups = tuple(request.security_groups or ())
    await efs.store.edit_mount_target(found.place, found.id, lambda one: replace(one, groups=groups))


async def _usable(efs: Efs, call: Call, id: str) -> MountTarget:
    found = await efs.mount_target(call, id)
    if (state := found.state(efs.clock.now())) != AVAILABLE:
        raise refusal(api.IncorrectMountTargetState, f"Mount target '{id}' is {state}, not available.")
    return found


def _address(given: str | None) -> str:
    if not given:
        return ""
    try:
        return str(ipaddress.IPv4Address(given))
    except ValueError:
        raise bad_request(f"{given} is no valid IPv4 address.") from None


def _check_groups(groups: list[str] | None) -> None:
    if len(groups or ()) > _MOST_GROUPS:
        raise refusal(
            api.SecurityGroupLimitExceeded, f"A mount target can have {_MOST_GROUPS} security groups at most."
        )
