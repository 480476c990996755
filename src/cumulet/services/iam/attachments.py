"""Operations that attach managed policies to users, groups and roles."""

from __future__ import annotations

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.services.iam.inline import Holder
from cumulet.services.iam.model import WITH_INLINE, Entity, Group, Role, User, over_quota, page, policy_arn
from cumulet.services.iam.roles import check_ours
from cumulet.services.iam.state import Iam
from cumulet.services.iam.store import ATTACHED, BOUNDARY, View

MAX_ATTACHED = 10


async def attach_user_policy(iam: Iam, call: Call, request: api.AttachUserPolicyRequest) -> None:
    await _attach(iam, call, User, request.user_name, request.policy_arn)


async def attach_group_policy(iam: Iam, call: Call, request: api.AttachGroupPolicyRequest) -> None:
    await _attach(iam, call, Group, request.group_name, request.policy_arn)


async def attach_role_policy(iam: Iam, call: Call, request: api.AttachRolePolicyRequest) -> None:
    await _attach(iam, call, Role, request.role_name, request.policy_arn)


async def detach_user_policy(iam: Iam, call: Call, request: api.DetachUserPolicyRequest) -> None:
    await _detach(iam, call, User, request.user_name, request.policy_arn)


async def detach_group_policy(iam: Iam, call: Call, request: api.DetachGroupPolicyRequest) -> None:
    await _detach(iam, call, Group, request.group_name, request.policy_arn)


async def detach_role_policy(iam: Iam, call: Call, request: api.DetachRolePolicyRequest) -> None:
    await _detach(iam, call, Role, request.role_name, request.policy_arn)


async def list_attached_user_policies(
    iam: Iam, call: Call, request: api.ListAttachedUserPoliciesRequest
) -> api.ListAttachedUserPoliciesResponse:
    view = iam.view(call)
    found = await attached(view, await view.get(User, request.user_name), request.path_prefix)
    policies, marker = page(found, _arn, request.marker, request.max_items)
    return api.ListAttachedUserPoliciesResponse(
        attached_policies=policies, is_truncated=marker is not None, marker=marker
    )


async def list_attached_group_policies(
    iam: Iam, call: Call, request: api.ListAttachedGroupPoliciesRequest
) -> api.ListAttachedGroupPoliciesResponse:
    view = iam.view(call)
    found = await attached(view, await view.get(Group, request.group_name), request.path_prefix)
    policies, marker = page(found, _arn, request.marker, request.max_items)
    return api.ListAttachedGroupPoliciesResponse(
        attached_policies=policies, is_truncated=marker is not None, marker=marker
    )


async def list_attached_role_policies(
    iam: Iam, call: Call, request: api.ListAttachedRolePoliciesRequest
) -> api.ListAttachedRolePoliciesResponse:
    view = iam.view(call)
    found = await attached(view, await view.get(Role, request.role_name), request.path_prefix)
    policies, marker = page(found, _arn, request.marker, request.max_items)
    return api.ListAttachedRolePoliciesResponse(
        attached_policies=policies, is_truncated=marker is not None, marker=marker
    )


async def list_entities_for_policy(
    iam: Iam, call: Call, request: api.ListEntitiesForPolicyRequest
) -> api.ListEntitiesForPolicyResponse:
    view = iam.view(call)
    await iam.policy(view, request.policy_arn)
    relation = BOUNDARY if request.policy_usage_filter == "PermissionsBoundary" else ATTACHED
    found = await _holders(view, relation, request.policy_arn, request.path_prefix or "/")
    if relation is ATTACHED and request.policy_usage_filter is None:
        found |= await _holders(view, BOUNDARY, request.policy_arn, request.path_prefix or "/")
    wanted = [entity for entity in found.values() if request.entity_filter in (None, entity.label)]
    entities, marker = page(wanted, lambda entity: f"{entity.kind}/{entity.name}", request.marker, request.max_items)
    return api.ListEntitiesForPolicyResponse(
        policy_groups=[api.PolicyGroup(group_name=e.name, group_id=e.id) for e in entities if isinstance(e, Group)],
        policy_users=[api.PolicyUser(user_name=e.name, user_id=e.id) for e in entities if isinstance(e, User)],
        policy_roles=[api.PolicyRole(role_name=e.name, role_id=e.id) for e in entities if isinstance(e, Role)],
        is_truncated=marker is not None,
        marker=marker,
    )


async def _holders(view: View, relation: str, arn: str, prefix: str) -> dict[str, Entity]:
    found: dict[str, Entity] = {}
    for id in await view.sources(relation, arn):
        for kind in (User, Group, Role):
            entity: Entity | None = await view.by_id(kind, id) if id.startswith(kind.prefix) else None
            if entity is not None and entity.path.startswith(prefix):
                found[id] = entity
    return found


async def attached(view: View, holder: WITH_INLINE, prefix: str | None = None) -> list[api.AttachedPolicy]:
    """The managed policies of an entity whose path starts with `prefix`."""
    return [
        api.AttachedPolicy(policy_name=arn.rpartition("/")[2], policy_arn=arn)
        for arn in await view.targets(ATTACHED, holder.id)
        if arn.split(":policy", 1)[1].startswith(prefix or "/")
    ]


def _arn(policy: api.AttachedPolicy) -> str:
    return policy.policy_arn or ""


async def _attach(iam: Iam, call: Call, kind: Holder, name: str, arn: str) -> None:
    policy_arn(arn)
    async with iam.change(call) as change:
        holder = await change.get(kind, name)
        if isinstance(holder, Role):
            check_ours(holder)
        try:
            await iam.policy(change, arn)
        except api.NoSuchEntityException:
            raise api.NoSuchEntityException(f"Policy {arn} does not exist or is not attachable.") from None
        there = await change.targets(ATTACHED, holder.id)
        if arn not in there and len(there) >= MAX_ATTACHED:
            raise over_quota(f"PoliciesPer{kind.label}", MAX_ATTACHED)
        await change.link(ATTACHED, holder.id, arn)


async def _detach(iam: Iam, call: Call, kind: Holder, name: str, arn: str) -> None:
    policy_arn(arn)
    async with iam.change(call) as change:
        holder = await change.get(kind, name)
        if isinstance(holder, Role):
            check_ours(holder)
        if not await change.unlink(ATTACHED, holder.id, arn):
            raise api.NoSuchEntityException(f"Policy {arn} was not found.")
