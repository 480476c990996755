"""Operations on permissions boundaries."""

from __future__ import annotations

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.services.iam.model import Role, User
from cumulet.services.iam.state import Iam
from cumulet.services.iam.store import BOUNDARY, Change, View


async def check_boundary(iam: Iam, view: View, arn: str) -> None:
    """Raises ValidationError, NoSuchEntity when a boundary's policy is not there."""
    try:
        await iam.policy(view, arn)
    except api.NoSuchEntityException:
        raise api.NoSuchEntityException(f"Scope ARN: {arn} does not exist or is not attachable.") from None


async def put_user_permissions_boundary(iam: Iam, call: Call, request: api.PutUserPermissionsBoundaryRequest) -> None:
    await _put(iam, call, User, request.user_name, request.permissions_boundary)


async def put_role_permissions_boundary(iam: Iam, call: Call, request: api.PutRolePermissionsBoundaryRequest) -> None:
    await _put(iam, call, Role, request.role_name, request.permissions_boundary)


async def delete_user_permissions_boundary(
    iam: Iam, call: Call, request: api.DeleteUserPermissionsBoundaryRequest
) -> None:
    await _delete(iam, call, User, request.user_name)


async def delete_role_permissions_boundary(
    iam: Iam, call: Call, request: api.DeleteRolePermissionsBoundaryRequest
) -> None:
    await _delete(iam, call, Role, request.role_name)


async def _put(iam: Iam, call: Call, kind: type[User] | type[Role], name: str, arn: str) -> None:
    async with iam.change(call) as change:
        entity = await change.get(kind, name)
        await check_boundary(iam, change, arn)
        await _unlink(change, entity)
        entity.boundary = arn
        await change.link(BOUNDARY, entity.id, arn)
        await change.put(entity)


async def _delete(iam: Iam, call: Call, kind: type[User] | type[Role], name: str) -> None:
    async with iam.change(call) as change:
        entity = await change.get(kind, name)
        if not entity.boundary:
            raise api.NoSuchEntityException(f"The permissions boundary for {entity.kind} {name} cannot be found.")
        await _unlink(change, entity)
        entity.boundary = ""
        await change.put(entity)


async def _unlink(change: Change, entity: User | Role) -> None:
    if entity.boundary:
        await change.unlink(BOUNDARY, entity.id, entity.boundary)
