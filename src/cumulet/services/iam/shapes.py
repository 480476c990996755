"""From what IAM keeps to what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from cumulet.api import iam as api
from cumulet.services.iam.model import (
    Group,
    InstanceProfile,
    Policy,
    Role,
    User,
    Version,
    wire_tags,
)


def encoded(document: str) -> str:
    """Policy documents are answered percent-encoded, as RFC 3986 says."""
    return quote(document, safe="-_.~")


def boundary_of(arn: str) -> api.AttachedPermissionsBoundary | None:
    if not arn:
        return None
    return api.AttachedPermissionsBoundary(permissions_boundary_type="Policy", permissions_boundary_arn=arn)


def user_shape(user: User, account: str, *, full: bool = True) -> api.User:
    """`full` adds what lists leave out: tags and boundary."""
    return api.User(
        path=user.path,
        user_name=user.name,
        user_id=user.id,
        arn=user.arn(account),
        create_date=user.created,
        permissions_boundary=boundary_of(user.boundary) if full else None,
        tags=(wire_tags(user.tags) or None) if full else None,
    )


def group_shape(group: Group, account: str) -> api.Group:
    return api.Group(
        path=group.path,
        group_name=group.name,
        group_id=group.id,
        arn=group.arn(account),
        create_date=group.created,
    )


def new_role_shape(role: Role, account: str) -> api.Role:
    """What CreateRole answers: without the session's length and last use."""
    return api.Role(
        path=role.path,
        role_name=role.name,
        role_id=role.id,
        arn=role.arn(account),
        create_date=role.created,
        assume_role_policy_document=encoded(role.trust),
        description=role.description,
        permissions_boundary=boundary_of(role.boundary),
        tags=wire_tags(role.tags) or None,
    )


def listed_role_shape(role: Role, account: str) -> api.Role:
    """A role in a list: without tags, boundary and last use."""
    return api.Role(
        path=role.path,
        role_name=role.name,
        role_id=role.id,
        arn=role.arn(account),
        create_date=role.created,
        assume_role_policy_document=encoded(role.trust),
        description=role.description,
        max_session_duration=role.max_session,
    )


def role_shape(role: Role, account: str) -> api.Role:
    shape = new_role_shape(role, account)
    shape.max_session_duration = role.max_session
    shape.role_last_used = last_used(role)
    return shape


def last_used(role: Role) -> api.RoleLastUsed:
    if not role.used:
        return api.RoleLastUsed()
    return api.RoleLastUsed(last_used_date=role.used, region=role.used_region)


def new_policy_shape(policy: Policy, account: str) -> api.Policy:
    return api.Policy(
        policy_name=policy.name,
        policy_id=policy.id,
        arn=policy.arn(account),
        path=policy.path,
        default_version_id=policy.default,
        attachment_count=0,
        permissions_boundary_usage_count=0,
        is_attachable=True,
        create_date=policy.created,
        update_date=policy.updated,
        tags=wire_tags(policy.tags) or None,
    )


def listed_policy_shape(
    policy: Policy, account: str, attached: Mapping[str, int], boundaries: Mapping[str, int]
) -> api.Policy:
    """A policy in a list, with how many entities use it."""
    shape = new_policy_shape(policy, account)
    arn = policy.arn(account)
    shape.attachment_count = attached.get(arn, 0)
    shape.permissions_boundary_usage_count = boundaries.get(arn, 0)
    shape.tags = None
    return shape


def version_shape(policy: Policy, version: Version, *, document: bool) -> api.PolicyVersion:
    return api.PolicyVersion(
        document=encoded(version.document) if document else None,
        version_id=version.id,
        is_default_version=version.id == policy.default,
        create_date=version.created,
    )


def profile_shape(profile: InstanceProfile, role: Role | None, account: str) -> api.InstanceProfile:
    return api.InstanceProfile(
        path=profile.path,
        instance_profile_name=profile.name,
        instance_profile_id=profile.id,
        arn=profile.arn(account),
        create_date=profile.created,
        roles=[new_role_shape(role, account)] if role is not None else [],
        tags=wire_tags(profile.tags) or None,
    )
