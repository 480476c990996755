"""Operations on service-linked roles: roles that AWS's services define for themselves."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import msgspec
from msgspec import Struct

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.iam.model import DeletionTask, Role, not_found
from cumulet.services.iam.roles import SERVICE_PATH, remove_role
from cumulet.services.iam.shapes import new_role_shape
from cumulet.services.iam.state import Iam, new_unique_id
from cumulet.services.iam.store import ATTACHED


class Definition(Struct):
    """What a service names its role and policy; `suffix` tells whether there may be several."""

    role: str
    policy: str
    suffix: bool = False


@lru_cache(1)
def definitions() -> dict[str, Definition]:
    """The services with a role of their own, by service principal."""
    data = (files("cumulet.services.iam") / "data" / "service_roles.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, Definition])


async def create_service_linked_role(
    iam: Iam, call: Call, request: api.CreateServiceLinkedRoleRequest
) -> api.CreateServiceLinkedRoleResponse:
    service = request.aws_service_name
    definition = definitions().get(service)
    if definition is None:
        raise api.InvalidInputException(f"{service} is not a service with a service-linked role that Cumulet knows.")
    if request.custom_suffix and not definition.suffix:
        raise api.InvalidInputException(f"Custom suffix is not allowed for {service}")
    name = f"{definition.role}_{request.custom_suffix}" if request.custom_suffix else definition.role
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }
    role = Role(
        name=name,
        id=new_unique_id(Role),
        path=f"{SERVICE_PATH}{service}/",
        created=iam.now(),
        trust=msgspec.json.encode(trust).decode(),
        description=request.description,
    )
    async with iam.change(call) as change:
        if await change.find(Role, name) is not None:
            raise api.InvalidInputException(
                f"Service role name {name} has been taken in this account, please try a different suffix."
            )
        await change.add(role)
        await change.link(ATTACHED, role.id, f"arn:aws:iam::aws:policy{SERVICE_PATH}{definition.policy}")
    return api.CreateServiceLinkedRoleResponse(role=new_role_shape(role, call.account))


async def delete_service_linked_role(
    iam: Iam, call: Call, request: api.DeleteServiceLinkedRoleRequest
) -> api.DeleteServiceLinkedRoleResponse:
    async with iam.change(call) as change:
        role = await change.get(Role, request.role_name)
        if not role.path.startswith(SERVICE_PATH):
            raise not_found(Role, request.role_name)
        task = DeletionTask(name=f"task{role.path}{role.name}/{new_id()}", id=new_id(), created=iam.now())
        await remove_role(change, role)
        await change.add(task)
    return api.DeleteServiceLinkedRoleResponse(deletion_task_id=task.name)


async def get_service_linked_role_deletion_status(
    iam: Iam, call: Call, request: api.GetServiceLinkedRoleDeletionStatusRequest
) -> api.GetServiceLinkedRoleDeletionStatusResponse:
    task = await iam.view(call).find(DeletionTask, request.deletion_task_id)
    if task is None:
        raise api.NoSuchEntityException(f"Deletion task {request.deletion_task_id} cannot be found.")
    return api.GetServiceLinkedRoleDeletionStatusResponse(status=task.status)
