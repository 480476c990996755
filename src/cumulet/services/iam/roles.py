"""Operations on roles."""

from __future__ import annotations

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.services.iam.boundaries import check_boundary
from cumulet.services.iam.model import InstanceProfile, Role, checked_trust, merged_tags
from cumulet.services.iam.shapes import listed_role_shape, new_role_shape, role_shape
from cumulet.services.iam.state import Iam, new_unique_id
from cumulet.services.iam.store import ATTACHED, BOUNDARY, Change

SERVICE_PATH = "/aws-service-role/"


async def create_role(iam: Iam, call: Call, request: api.CreateRoleRequest) -> api.CreateRoleResponse:
    role = Role(
        name=request.role_name,
        id=new_unique_id(Role),
        path=request.path or "/",
        created=iam.now(),
        trust=checked_trust(request.assume_role_policy_document, request.role_name),
        description=request.description,
        max_session=request.max_session_duration or 3600,
        boundary=request.permissions_boundary or "",
        tags=merged_tags({}, request.tags),
    )
    async with iam.change(call) as change:
        await change.add(role)
        if role.boundary:
            await check_boundary(iam, change, role.boundary)
            await change.link(BOUNDARY, role.id, role.boundary)
    return api.CreateRoleResponse(role=new_role_shape(role, call.account))


async def get_role(iam: Iam, call: Call, request: api.GetRoleRequest) -> api.GetRoleResponse:
    role = await iam.view(call).get(Role, request.role_name)
    return api.GetRoleResponse(role=role_shape(role, call.account))


async def list_roles(iam: Iam, call: Call, request: api.ListRolesRequest) -> api.ListRolesResponse:
    page = await iam.page(iam.view(call), Role, request.path_prefix, request.marker, request.max_items)
    roles = [listed_role_shape(role, call.account) for role in page.items]
    return api.ListRolesResponse(roles=roles, is_truncated=page.truncated, marker=page.marker)


async def update_role(iam: Iam, call: Call, request: api.UpdateRoleRequest) -> api.UpdateRoleResponse:
    async with iam.edit(call, Role, request.role_name) as role:
        check_ours(role)
        if request.description is not None:
            role.description = request.description
        if request.max_session_duration is not None:
            role.max_session = request.max_session_duration
    return api.UpdateRoleResponse()


async def update_role_description(
    iam: Iam, call: Call, request: api.UpdateRoleDescriptionRequest
) -> api.UpdateRoleDescriptionResponse:
    async with iam.edit(call, Role, request.role_name) as role:
        role.description = request.description
    return api.UpdateRoleDescriptionResponse(role=role_shape(role, call.account))


async def update_assume_role_policy(iam: Iam, call: Call, request: api.UpdateAssumeRolePolicyRequest) -> None:
    trust = checked_trust(request.policy_document, request.role_name)
    async with iam.edit(call, Role, request.role_name) as role:
        check_ours(role)
        role.trust = trust


async def delete_role(iam: Iam, call: Call, request: api.DeleteRoleRequest) -> None:
    async with iam.change(call) as change:
        role = await change.get(Role, request.role_name)
        check_ours(role)
        if any(profile.role == role.name for profile in await change.entities(InstanceProfile)):
            raise api.DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
        if await change.targets(ATTACHED, role.id):
            raise api.DeleteConflictException("Cannot delete entity, must detach all policies first.")
        if role.inline:
            raise api.DeleteConflictException("Cannot delete entity, must delete policies first.")
        await remove_role(change, role)


async def remove_role(change: Change, role: Role) -> None:
    """Delete a role with all that hangs on it."""
    for arn in await change.targets(ATTACHED, role.id):
        await change.unlink(ATTACHED, role.id, arn)
    if role.boundary:
        await change.unlink(BOUNDARY, role.id, role.boundary)
    await change.remove(role)


def check_ours(role: Role) -> None:
    """Raises UnmodifiableEntity for a service-linked role, which only its service changes."""
    if role.path.startswith(SERVICE_PATH):
        raise api.UnmodifiableEntityException(
            f"Cannot perform the operation on the protected role '{role.name}' - this role is only modifiable by AWS"
        )
