"""Operations on tags, the same for everything that has them."""

from __future__ import annotations

from collections.abc import Sequence

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.services.iam.model import (
    Entity,
    InstanceProfile,
    OidcProvider,
    Policy,
    Role,
    SamlProvider,
    User,
    merged_tags,
    page,
    policy_arn,
    without_tags,
)
from cumulet.services.iam.providers import provider_name
from cumulet.services.iam.state import Iam


async def tag_user(iam: Iam, call: Call, request: api.TagUserRequest) -> None:
    await _tag(iam, call, User, request.user_name, request.tags)


async def untag_user(iam: Iam, call: Call, request: api.UntagUserRequest) -> None:
    await _untag(iam, call, User, request.user_name, request.tag_keys)


async def list_user_tags(iam: Iam, call: Call, request: api.ListUserTagsRequest) -> api.ListUserTagsResponse:
    tags, marker = await _list(iam, call, User, request.user_name, request.marker, request.max_items)
    return api.ListUserTagsResponse(tags=tags, is_truncated=marker is not None, marker=marker)


async def tag_role(iam: Iam, call: Call, request: api.TagRoleRequest) -> None:
    await _tag(iam, call, Role, request.role_name, request.tags)


async def untag_role(iam: Iam, call: Call, request: api.UntagRoleRequest) -> None:
    await _untag(iam, call, Role, request.role_name, request.tag_keys)


async def list_role_tags(iam: Iam, call: Call, request: api.ListRoleTagsRequest) -> api.ListRoleTagsResponse:
    tags, marker = await _list(iam, call, Role, request.role_name, request.marker, request.max_items)
    return api.ListRoleTagsResponse(tags=tags, is_truncated=marker is not None, marker=marker)


async def tag_policy(iam: Iam, call: Call, request: api.TagPolicyRequest) -> None:
    await _tag(iam, call, Policy, policy_arn(request.policy_arn), request.tags)


async def untag_policy(iam: Iam, call: Call, request: api.UntagPolicyRequest) -> None:
    await _untag(iam, call, Policy, policy_arn(request.policy_arn), request.tag_keys)


async def list_policy_tags(iam: Iam, call: Call, request: api.ListPolicyTagsRequest) -> api.ListPolicyTagsResponse:
    policy = await iam.policy(iam.view(call), request.policy_arn)
    tags, marker = _page(policy, request.marker, request.max_items)
    return api.ListPolicyTagsResponse(tags=tags, is_truncated=marker is not None, marker=marker)


async def tag_instance_profile(iam: Iam, call: Call, request: api.TagInstanceProfileRequest) -> None:
    await _tag(iam, call, InstanceProfile, request.instance_profile_name, request.tags)


async def untag_instance_profile(iam: Iam, call: Call, request: api.UntagInstanceProfileRequest) -> None:
    await _untag(iam, call, InstanceProfile, request.instance_profile_name, request.tag_keys)


async def list_instance_profile_tags(
    iam: Iam, call: Call, request: api.ListInstanceProfileTagsRequest
) -> api.ListInstanceProfileTagsResponse:
    tags, marker = await _list(
        iam, call, InstanceProfile, request.instance_profile_name, request.marker, request.max_items
    )
    return api.ListInstanceProfileTagsResponse(tags=tags, is_truncated=marker is not None, marker=marker)


async def tag_open_id_connect_provider(iam: Iam, call: Call, request: api.TagOpenIDConnectProviderRequest) -> None:
    await _tag(iam, call, OidcProvider, provider_name(request.open_id_connect_provider_arn), request.tags)


async def untag_open_id_connect_provider(iam: Iam, call: Call, request: api.UntagOpenIDConnectProviderRequest) -> None:
    await _untag(iam, call, OidcProvider, provider_name(request.open_id_connect_provider_arn), request.tag_keys)


async def list_open_id_connect_provider_tags(
    iam: Iam, call: Call, request: api.ListOpenIDConnectProviderTagsRequest
) -> api.ListOpenIDConnectProviderTagsResponse:
    name = provider_name(request.open_id_connect_provider_arn)
    tags, marker = await _list(iam, call, OidcProvider, name, request.marker, request.max_items)
    return api.ListOpenIDConnectProviderTagsResponse(tags=tags, is_truncated=marker is not None, marker=marker)


async def tag_saml_provider(iam: Iam, call: Call, request: api.TagSAMLProviderRequest) -> None:
    await _tag(iam, call, SamlProvider, provider_name(request.saml_provider_arn), request.tags)


async def untag_saml_provider(iam: Iam, call: Call, request: api.UntagSAMLProviderRequest) -> None:
    await _untag(iam, call, SamlProvider, provider_name(request.saml_provider_arn), request.tag_keys)


async def list_saml_provider_tags(
    iam: Iam, call: Call, request: api.ListSAMLProviderTagsRequest
) -> api.ListSAMLProviderTagsResponse:
    name = provider_name(request.saml_provider_arn)
    tags, marker = await _list(iam, call, SamlProvider, name, request.marker, request.max_items)
    return api.ListSAMLProviderTagsResponse(tags=tags, is_truncated=marker is not None, marker=marker)


async def _tag(iam: Iam, call: Call, kind: type[Entity], name: str, tags: Sequence[api.Tag]) -> None:
    async with iam.edit(call, kind, name) as entity:
        entity.tags = merged_tags(entity.tags, tags)


async def _untag(iam: Iam, call: Call, kind: type[Entity], name: str, keys: Sequence[str]) -> None:
    async with iam.edit(call, kind, name) as entity:
        entity.tags = without_tags(entity.tags, keys)


async def _list(
    iam: Iam, call: Call, kind: type[Entity], name: str, marker: str | None, limit: int | None
) -> tuple[list[api.Tag], str | None]:
    return _page(await iam.view(call).get(kind, name), marker, limit)


def _page(entity: Entity, marker: str | None, limit: int | None) -> tuple[list[api.Tag], str | None]:
    pairs, following = page(list(entity.tags.items()), lambda pair: pair[0], marker, limit)
    return [api.Tag(key=key, value=value) for key, value in pairs], following
