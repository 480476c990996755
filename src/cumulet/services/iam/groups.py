"""Operations on groups and their members."""

from __future__ import annotations

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.services.iam.model import Group, User, over_quota, page
from cumulet.services.iam.shapes import group_shape, user_shape
from cumulet.services.iam.state import Iam, new_unique_id
from cumulet.services.iam.store import ATTACHED, MEMBER

MAX_GROUPS = 10


async def create_group(iam: Iam, call: Call, request: api.CreateGroupRequest) -> api.CreateGroupResponse:
    group = Group(name=request.group_name, id=new_unique_id(Group), path=request.path or "/", created=iam.now())
    async with iam.change(call) as change:
        await change.add(group)
    return api.CreateGroupResponse(group=group_shape(group, call.account))


async def get_group(iam: Iam, call: Call, request: api.GetGroupRequest) -> api.GetGroupResponse:
    view = iam.view(call)
    group = await view.get(Group, request.group_name)
    members = [await view.by_id(User, id) for id in await view.sources(MEMBER, group.id)]
    users, marker = page(
        [user for user in members if user is not None], lambda user: user.name, request.marker, request.max_items
    )
    return api.GetGroupResponse(
        group=group_shape(group, call.account),
        users=[user_shape(user, call.account, full=False) for user in users],
        is_truncated=marker is not None,
        marker=marker,
    )


async def list_groups(iam: Iam, call: Call, request: api.ListGroupsRequest) -> api.ListGroupsResponse:
    found = await iam.page(iam.view(call), Group, request.path_prefix, request.marker, request.max_items)
    groups = [group_shape(group, call.account) for group in found.items]
    return api.ListGroupsResponse(groups=groups, is_truncated=found.truncated, marker=found.marker)


async def list_groups_for_user(
    iam: Iam, call: Call, request: api.ListGroupsForUserRequest
) -> api.ListGroupsForUserResponse:
    view = iam.view(call)
    user = await view.get(User, request.user_name)
    joined = [await view.by_id(Group, id) for id in await view.targets(MEMBER, user.id)]
    groups, marker = page(
        [group for group in joined if group is not None], lambda group: group.name, request.marker, request.max_items
    )
    return api.ListGroupsForUserResponse(
        groups=[group_shape(group, call.account) for group in groups], is_truncated=marker is not None, marker=marker
    )


async def update_group(iam: Iam, call: Call, request: api.UpdateGroupRequest) -> None:
    async with iam.edit(call, Group, request.group_name) as group:
        group.name = request.new_group_name or group.name
        group.path = request.new_path or group.path


async def delete_group(iam: Iam, call: Call, request: api.DeleteGroupRequest) -> None:
    async with iam.change(call) as change:
        group = await change.get(Group, request.group_name)
        if await change.sources(MEMBER, group.id):
            raise api.DeleteConflictException("Cannot delete entity, must remove users from group first.")
        if await change.targets(ATTACHED, group.id):
            raise api.DeleteConflictException("Cannot delete entity, must detach all policies first.")
        if group.inline:
            raise api.DeleteConflictException("Cannot delete entity, must delete policies first.")
        await change.remove(group)


async def add_user_to_group(iam: Iam, call: Call, request: api.AddUserToGroupRequest) -> None:
    async with iam.change(call) as change:
        group = await change.get(Group, request.group_name)
        user = await change.get(User, request.user_name)
        joined = await change.targets(MEMBER, user.id)
        if group.id not in joined and len(joined) >= MAX_GROUPS:
            raise over_quota("GroupsPerUser", MAX_GROUPS)
        await change.link(MEMBER, user.id, group.id)


async def remove_user_from_group(iam: Iam, call: Call, request: api.RemoveUserFromGroupRequest) -> None:
    async with iam.change(call) as change:
        group = await change.get(Group, request.group_name)
        user = await change.get(User, request.user_name)
        if not await change.unlink(MEMBER, user.id, group.id):
            raise api.NoSuchEntityException(f"User {user.name} not in group {group.name}")
