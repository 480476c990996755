"""Operations on users."""

from __future__ import annotations

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.services.iam.boundaries import check_boundary
from cumulet.services.iam.model import User, merged_tags
from cumulet.services.iam.shapes import user_shape
from cumulet.services.iam.state import Iam, caller_name, new_unique_id
from cumulet.services.iam.store import ATTACHED, BOUNDARY, MEMBER, Change


async def create_user(iam: Iam, call: Call, request: api.CreateUserRequest) -> api.CreateUserResponse:
    user = User(
        name=request.user_name,
        id=new_unique_id(User),
        path=request.path or "/",
        created=iam.now(),
        tags=merged_tags({}, request.tags),
        boundary=request.permissions_boundary or "",
    )
    async with iam.change(call) as change:
        await change.add(user)
        if user.boundary:
            await check_boundary(iam, change, user.boundary)
            await change.link(BOUNDARY, user.id, user.boundary)
    return api.CreateUserResponse(user=user_shape(user, call.account))


async def get_user(iam: Iam, call: Call, request: api.GetUserRequest) -> api.GetUserResponse:
    if request.user_name is None and call.principal.kind == "root":
        return api.GetUserResponse(user=_root(call.account))
    user = await iam.view(call).get(User, request.user_name or caller_name(call))
    return api.GetUserResponse(user=user_shape(user, call.account))


def _root(account: str) -> api.User:
    """The account's root as AWS shows it; it was there before anything was created."""
    return api.User(path="/", user_name="", user_id=account, arn=f"arn:aws:iam::{account}:root", create_date=0)


async def list_users(iam: Iam, call: Call, request: api.ListUsersRequest) -> api.ListUsersResponse:
    page = await iam.page(iam.view(call), User, request.path_prefix, request.marker, request.max_items)
    users = [user_shape(user, call.account, full=False) for user in page.items]
    return api.ListUsersResponse(users=users, is_truncated=page.truncated, marker=page.marker)


async def update_user(iam: Iam, call: Call, request: api.UpdateUserRequest) -> None:
    async with iam.edit(call, User, request.user_name) as user:
        user.name = request.new_user_name or user.name
        user.path = request.new_path or user.path


async def delete_user(iam: Iam, call: Call, request: api.DeleteUserRequest) -> None:
    async with iam.change(call) as change:
        user = await change.get(User, request.user_name)
        await _check_unused(change, user)
        if user.boundary:
            await change.unlink(BOUNDARY, user.id, user.boundary)
        await change.remove(user)


async def _check_unused(change: Change, user: User) -> None:
    """Raises DeleteConflict while something still hangs on the user."""
    reason = ""
    if await change.targets(ATTACHED, user.id):
        reason = "must detach all policies first."
    elif user.inline:
        reason = "must delete policies first."
    elif await change.keys_of(user.id):
        reason = "must delete access keys first."
    elif user.password:
        reason = "must delete login profile first."
    elif user.credentials or user.ssh_keys or await change.targets(MEMBER, user.id):
        reason = "must remove referenced objects first."
    if reason:
        raise api.DeleteConflictException(f"Cannot delete entity, {reason}")
