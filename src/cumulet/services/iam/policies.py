"""Operations on managed policies and their versions."""

from __future__ import annotations

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.iam.model import (
    Policy,
    Version,
    account_in,
    checked_policy,
    merged_tags,
    over_quota,
    page,
    policy_arn,
    policy_size,
    wire_tags,
)
from cumulet.services.iam.shapes import listed_policy_shape, new_policy_shape, version_shape
from cumulet.services.iam.state import Iam, new_unique_id
from cumulet.services.iam.store import ATTACHED, BOUNDARY, Change

MAX_SIZE = 6144
MAX_VERSIONS = 5


async def create_policy(iam: Iam, call: Call, request: api.CreatePolicyRequest) -> api.CreatePolicyResponse:
    now = iam.now()
    policy = Policy(
        name=request.policy_name,
        id=new_unique_id(Policy),
        path=request.path or "/",
        created=now,
        updated=now,
        description=request.description or "",
        versions=[Version("v1", _checked(request.policy_document), now)],
        tags=merged_tags({}, request.tags),
    )
    async with iam.change(call) as change:
        await change.add(policy)
    return api.CreatePolicyResponse(policy=new_policy_shape(policy, call.account))


def _checked(document: str) -> str:
    checked_policy(document)
    if policy_size(document) > MAX_SIZE:
        raise over_quota("PolicySize", MAX_SIZE)
    return document


async def get_policy(iam: Iam, call: Call, request: api.GetPolicyRequest) -> api.GetPolicyResponse:
    view = iam.view(call)
    policy = await iam.policy(view, request.policy_arn)
    arn = request.policy_arn
    shape = new_policy_shape(policy, account_in(arn))
    shape.attachment_count = len(await view.sources(ATTACHED, arn))
    shape.permissions_boundary_usage_count = len(await view.sources(BOUNDARY, arn))
    shape.description = policy.description or None
    shape.tags = wire_tags(policy.tags)
    return api.GetPolicyResponse(policy=shape)


async def list_policies(iam: Iam, call: Call, request: api.ListPoliciesRequest) -> api.ListPoliciesResponse:
    view = iam.view(call)
    attached, boundaries = await view.link_counts(ATTACHED), await view.link_counts(BOUNDARY)
    used = boundaries if request.policy_usage_filter == "PermissionsBoundary" else attached
    found: list[tuple[str, Policy]] = []
    if request.scope != "AWS":
        found += [(call.account, policy) for policy in await view.entities(Policy)]
    if request.scope != "Local":
        found += [("aws", policy) for policy in iam.catalogue.policies.values()]
    chosen = [
        (owner, policy)
        for owner, policy in found
        if policy.path.startswith(request.path_prefix or "/")
        and not (request.only_attached and not used.get(policy.arn(owner)))
    ]
    policies, marker = page(chosen, lambda item: f"{item[0] == 'aws'}{item[1].name}", request.marker, request.max_items)
    return api.ListPoliciesResponse(
        policies=[listed_policy_shape(policy, owner, attached, boundaries) for owner, policy in policies],
        is_truncated=marker is not None,
        marker=marker,
    )


async def delete_policy(iam: Iam, call: Call, request: api.DeletePolicyRequest) -> None:
    async with iam.change(call) as change:
        policy = await _own(iam, change, request.policy_arn)
        arn = request.policy_arn
        if await change.sources(ATTACHED, arn) or await change.sources(BOUNDARY, arn):
            raise api.DeleteConflictException("Cannot delete a policy attached to entities.")
        if len(policy.versions) > 1:
            raise api.DeleteConflictException(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                "versions. The default version is deleted with the policy."
            )
        await change.remove(policy)


async def _own(iam: Iam, change: Change, arn: str) -> Policy:
    """A policy that the account may change. Raises AccessDenied for AWS's own."""
    policy_arn(arn)
    if account_in(arn) == "aws":
        raise AwsError("Policy is outside your own account.", code="AccessDenied", status=403)
    return await iam.policy(change, arn)


async def create_policy_version(
    iam: Iam, call: Call, request: api.CreatePolicyVersionRequest
) -> api.CreatePolicyVersionResponse:
    document = _checked(request.policy_document)
    async with iam.change(call) as change:
        policy = await _own(iam, change, request.policy_arn)
        if len(policy.versions) >= MAX_VERSIONS:
            raise api.LimitExceededException(
                "A managed policy can have up to 5 versions. Before you create a new version, you must delete an "
                "existing version."
            )
        policy.latest += 1
        version = Version(f"v{policy.latest}", document, iam.now())
        policy.versions.insert(0, version)
        policy.updated = version.created
        if request.set_as_default:
            policy.default = version.id
        await change.put(policy)
    return api.CreatePolicyVersionResponse(policy_version=version_shape(policy, version, document=False))


async def get_policy_version(
    iam: Iam, call: Call, request: api.GetPolicyVersionRequest
) -> api.GetPolicyVersionResponse:
    policy = await iam.policy(iam.view(call), request.policy_arn)
    version = policy.version(request.version_id)
    if version is None:
        raise _no_version(request.policy_arn, request.version_id)
    return api.GetPolicyVersionResponse(policy_version=version_shape(policy, version, document=True))


def _no_version(arn: str, version: str) -> api.NoSuchEntityException:
    return api.NoSuchEntityException(f"Policy {arn} version {version} does not exist or is not attachable.")


async def list_policy_versions(
    iam: Iam, call: Call, request: api.ListPolicyVersionsRequest
) -> api.ListPolicyVersionsResponse:
    policy = await iam.policy(iam.view(call), request.policy_arn)
    versions, marker = page(
        policy.versions, lambda version: f"{10**9 - int(version.id[1:])}", request.marker, request.max_items
    )
    return api.ListPolicyVersionsResponse(
        versions=[version_shape(policy, version, document=False) for version in versions],
        is_truncated=marker is not None,
        marker=marker,
    )


async def set_default_policy_version(iam: Iam, call: Call, request: api.SetDefaultPolicyVersionRequest) -> None:
    async with iam.change(call) as change:
        policy = await _own(iam, change, request.policy_arn)
        if policy.version(request.version_id) is None:
            raise _no_version(request.policy_arn, request.version_id)
        policy.default = request.version_id
        policy.updated = iam.now()
        await change.put(policy)


async def delete_policy_version(iam: Iam, call: Call, request: api.DeletePolicyVersionRequest) -> None:
    async with iam.change(call) as change:
        policy = await _own(iam, change, request.policy_arn)
        version = policy.version(request.version_id)
        if version is None:
            raise _no_version(request.policy_arn, request.version_id)
        if version.id == policy.default:
            raise api.DeleteConflictException("Cannot delete the default version of a policy.")
        policy.versions.remove(version)
        await change.put(policy)
