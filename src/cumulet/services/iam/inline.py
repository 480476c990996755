"""Operations on inline policies: those that live inside one user, group or role."""

from __future__ import annotations

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.services.iam.model import WITH_INLINE, Group, Role, User, checked_policy, page, policy_size
from cumulet.services.iam.roles import check_ours
from cumulet.services.iam.shapes import encoded
from cumulet.services.iam.state import Iam

Holder = type[User] | type[Group] | type[Role]

_LIMITS = {"user": 2048, "group": 5120, "role": 10240}


async def put_user_policy(iam: Iam, call: Call, request: api.PutUserPolicyRequest) -> None:
    await _put(iam, call, User, request.user_name, request.policy_name, request.policy_document)


async def put_group_policy(iam: Iam, call: Call, request: api.PutGroupPolicyRequest) -> None:
    await _put(iam, call, Group, request.group_name, request.policy_name, request.policy_document)


async def put_role_policy(iam: Iam, call: Call, request: api.PutRolePolicyRequest) -> None:
    await _put(iam, call, Role, request.role_name, request.policy_name, request.policy_document)


async def get_user_policy(iam: Iam, call: Call, request: api.GetUserPolicyRequest) -> api.GetUserPolicyResponse:
    document = await _get(iam, call, User, request.user_name, request.policy_name)
    return api.GetUserPolicyResponse(
        user_name=request.user_name, policy_name=request.policy_name, policy_document=document
    )


async def get_group_policy(iam: Iam, call: Call, request: api.GetGroupPolicyRequest) -> api.GetGroupPolicyResponse:
    document = await _get(iam, call, Group, request.group_name, request.policy_name)
    return api.GetGroupPolicyResponse(
        group_name=request.group_name, policy_name=request.policy_name, policy_document=document
    )


async def get_role_policy(iam: Iam, call: Call, request: api.GetRolePolicyRequest) -> api.GetRolePolicyResponse:
    document = await _get(iam, call, Role, request.role_name, request.policy_name)
    return api.GetRolePolicyResponse(
        role_name=request.role_name, policy_name=request.policy_name, policy_document=document
    )


async def delete_user_policy(iam: Iam, call: Call, request: api.DeleteUserPolicyRequest) -> None:
    await _delete(iam, call, User, request.user_name, request.policy_name)


async def delete_group_policy(iam: Iam, call: Call, request: api.DeleteGroupPolicyRequest) -> None:
    await _delete(iam, call, Group, request.group_name, request.policy_name)


async def delete_role_policy(iam: Iam, call: Call, request: api.DeleteRolePolicyRequest) -> None:
    await _delete(iam, call, Role, request.role_name, request.policy_name)


async def list_user_policies(
    iam: Iam, call: Call, request: api.ListUserPoliciesRequest
) -> api.ListUserPoliciesResponse:
    user = await iam.view(call).get(User, request.user_name)
    names, marker = _names(user, request.marker, request.max_items)
    return api.ListUserPoliciesResponse(policy_names=names, is_truncated=marker is not None, marker=marker)


async def list_group_policies(
    iam: Iam, call: Call, request: api.ListGroupPoliciesRequest
) -> api.ListGroupPoliciesResponse:
    group = await iam.view(call).get(Group, request.group_name)
    names, marker = _names(group, request.marker, request.max_items)
    return api.ListGroupPoliciesResponse(policy_names=names, is_truncated=marker is not None, marker=marker)


async def list_role_policies(
    iam: Iam, call: Call, request: api.ListRolePoliciesRequest
) -> api.ListRolePoliciesResponse:
    role = await iam.view(call).get(Role, request.role_name)
    names, marker = _names(role, request.marker, request.max_items)
    return api.ListRolePoliciesResponse(policy_names=names, is_truncated=marker is not None, marker=marker)


def _names(holder: WITH_INLINE, marker: str | None, limit: int | None) -> tuple[list[str], str | None]:
    return page(list(holder.inline), str, marker, limit)


async def _put(iam: Iam, call: Call, kind: Holder, name: str, policy: str, document: str) -> None:
    async with iam.edit(call, kind, name) as holder:
        if isinstance(holder, Role):
            check_ours(holder)
        holder.inline[policy] = checked_policy(document)
        limit = _LIMITS[kind.kind]
        if sum(policy_size(text) for text in holder.inline.values()) > limit:
            raise api.LimitExceededException(f"Maximum policy size of {limit} bytes exceeded for {kind.kind} {name}")


async def _get(iam: Iam, call: Call, kind: Holder, name: str, policy: str) -> str:
    holder = await iam.view(call).get(kind, name)
    if policy not in holder.inline:
        raise _missing(kind, policy)
    return encoded(holder.inline[policy])


async def _delete(iam: Iam, call: Call, kind: Holder, name: str, policy: str) -> None:
    async with iam.edit(call, kind, name) as holder:
        if holder.inline.pop(policy, None) is None:
            raise _missing(kind, policy)


def _missing(kind: Holder, policy: str) -> api.NoSuchEntityException:
    return api.NoSuchEntityException(f"The {kind.kind} policy with name {policy} cannot be found.")
