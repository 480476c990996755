"""GetAccountAuthorizationDetails: everything of an account in one listing."""

from __future__ import annotations

from collections.abc import Sequence

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.services.iam.attachments import attached
from cumulet.services.iam.instance_profiles import with_role
from cumulet.services.iam.model import WITH_INLINE, Entity, Group, InstanceProfile, Policy, Role, User, page, wire_tags
from cumulet.services.iam.shapes import boundary_of, encoded, last_used, version_shape
from cumulet.services.iam.state import Iam
from cumulet.services.iam.store import ATTACHED, BOUNDARY, MEMBER, View


async def get_account_authorization_details(
    iam: Iam, call: Call, request: api.GetAccountAuthorizationDetailsRequest
) -> api.GetAccountAuthorizationDetailsResponse:
    view = iam.view(call)
    entries = await _entries(iam, view, request.filter)
    chosen, marker = page(
        entries, lambda entry: f"{entry[1].kind}/{entry[0]}/{entry[1].name}", request.marker, request.max_items
    )
    counts = await view.link_counts(ATTACHED), await view.link_counts(BOUNDARY)
    profiles = await view.entities(InstanceProfile)
    return api.GetAccountAuthorizationDetailsResponse(
        user_detail_list=[await _user(view, entity) for _, entity in chosen if isinstance(entity, User)],
        group_detail_list=[await _group(view, entity) for _, entity in chosen if isinstance(entity, Group)],
        role_detail_list=[await _role(view, entity, profiles) for _, entity in chosen if isinstance(entity, Role)],
        policies=[_policy(owner, entity, counts) for owner, entity in chosen if isinstance(entity, Policy)],
        is_truncated=marker is not None,
        marker=marker,
    )


async def _entries(iam: Iam, view: View, filter: Sequence[str] | None) -> list[tuple[str, Entity]]:
    """What the filter lets through, each with the account it belongs to; AWS's own policies only where they are used."""
    kinds: dict[str, type[Entity]] = {"User": User, "Group": Group, "Role": Role, "LocalManagedPolicy": Policy}
    wanted = set(filter or (*kinds, "AWSManagedPolicy"))
    found: list[tuple[str, Entity]] = []
    for name, kind in kinds.items():
        if name in wanted:
            found += [(view.account, entity) for entity in await view.entities(kind)]
    if "AWSManagedPolicy" in wanted:
        for arn in await view.link_counts(ATTACHED):
            policy = iam.catalogue.get(arn)
            if policy is not None:
                found.append(("aws", policy))
    return found


def _inline(entity: WITH_INLINE) -> list[api.PolicyDetail]:
    return [api.PolicyDetail(policy_name=name, policy_document=encoded(text)) for name, text in entity.inline.items()]


async def _user(view: View, user: User) -> api.UserDetail:
    groups = [await view.by_id(Group, id) for id in await view.targets(MEMBER, user.id)]
    return api.UserDetail(
        path=user.path,
        user_name=user.name,
        user_id=user.id,
        arn=user.arn(view.account),
        create_date=user.created,
        user_policy_list=_inline(user) or None,
        group_list=[group.name for group in groups if group is not None],
        attached_managed_policies=await attached(view, user),
        permissions_boundary=boundary_of(user.boundary),
        tags=wire_tags(user.tags),
    )


async def _group(view: View, group: Group) -> api.GroupDetail:
    return api.GroupDetail(
        path=group.path,
        group_name=group.name,
        group_id=group.id,
        arn=group.arn(view.account),
        create_date=group.created,
        group_policy_list=_inline(group),
        attached_managed_policies=await attached(view, group),
    )


async def _role(view: View, role: Role, profiles: Sequence[InstanceProfile]) -> api.RoleDetail:
    return api.RoleDetail(
        path=role.path,
        role_name=role.name,
        role_id=role.id,
        arn=role.arn(view.account),
        create_date=role.created,
        assume_role_policy_document=encoded(role.trust),
        instance_profile_list=[await with_role(view, profile) for profile in profiles if profile.role == role.name],
        role_policy_list=_inline(role),
        attached_managed_policies=await attached(view, role),
        permissions_boundary=boundary_of(role.boundary),
        tags=wire_tags(role.tags),
        role_last_used=last_used(role),
    )


def _policy(owner: str, policy: Policy, counts: tuple[dict[str, int], dict[str, int]]) -> api.ManagedPolicyDetail:
    arn = policy.arn(owner)
    return api.ManagedPolicyDetail(
        policy_name=policy.name,
        policy_id=policy.id,
        arn=arn,
        path=policy.path,
        default_version_id=policy.default,
        attachment_count=counts[0].get(arn, 0),
        permissions_boundary_usage_count=counts[1].get(arn, 0),
        is_attachable=True,
        description=policy.description or None,
        create_date=policy.created,
        update_date=policy.updated,
        policy_version_list=[version_shape(policy, version, document=True) for version in policy.versions],
    )
