"""Operations on instance profiles."""

from __future__ import annotations

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.services.iam.model import InstanceProfile, Role, merged_tags, over_quota, page
from cumulet.services.iam.shapes import profile_shape
from cumulet.services.iam.state import Iam, new_unique_id
from cumulet.services.iam.store import View


async def create_instance_profile(
    iam: Iam, call: Call, request: api.CreateInstanceProfileRequest
) -> api.CreateInstanceProfileResponse:
    profile = InstanceProfile(
        name=request.instance_profile_name,
        id=new_unique_id(InstanceProfile),
        path=request.path or "/",
        created=iam.now(),
        tags=merged_tags({}, request.tags),
    )
    async with iam.change(call) as change:
        await change.add(profile)
    return api.CreateInstanceProfileResponse(instance_profile=profile_shape(profile, None, call.account))


async def get_instance_profile(
    iam: Iam, call: Call, request: api.GetInstanceProfileRequest
) -> api.GetInstanceProfileResponse:
    view = iam.view(call)
    profile = await view.get(InstanceProfile, request.instance_profile_name)
    return api.GetInstanceProfileResponse(instance_profile=await with_role(view, profile))


async def with_role(view: View, profile: InstanceProfile) -> api.InstanceProfile:
    role = await view.find(Role, profile.role) if profile.role else None
    return profile_shape(profile, role, view.account)


async def list_instance_profiles(
    iam: Iam, call: Call, request: api.ListInstanceProfilesRequest
) -> api.ListInstanceProfilesResponse:
    view = iam.view(call)
    found = await iam.page(view, InstanceProfile, request.path_prefix, request.marker, request.max_items)
    return api.ListInstanceProfilesResponse(
        instance_profiles=[await with_role(view, profile) for profile in found.items],
        is_truncated=found.truncated,
        marker=found.marker,
    )


async def list_instance_profiles_for_role(
    iam: Iam, call: Call, request: api.ListInstanceProfilesForRoleRequest
) -> api.ListInstanceProfilesForRoleResponse:
    view = iam.view(call)
    role = await view.get(Role, request.role_name)
    profiles = [profile for profile in await view.entities(InstanceProfile) if profile.role == role.name]
    chosen, marker = page(profiles, lambda profile: profile.name, request.marker, request.max_items)
    return api.ListInstanceProfilesForRoleResponse(
        instance_profiles=[await with_role(view, profile) for profile in chosen],
        is_truncated=marker is not None,
        marker=marker,
    )


async def delete_instance_profile(iam: Iam, call: Call, request: api.DeleteInstanceProfileRequest) -> None:
    async with iam.change(call) as change:
        profile = await change.get(InstanceProfile, request.instance_profile_name)
        if profile.role:
            raise api.DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
        await change.remove(profile)


async def add_role_to_instance_profile(iam: Iam, call: Call, request: api.AddRoleToInstanceProfileRequest) -> None:
    async with iam.change(call) as change:
        profile = await change.get(InstanceProfile, request.instance_profile_name)
        role = await change.get(Role, request.role_name)
        if profile.role:
            raise over_quota("InstanceSessionsPerInstanceProfile", 1)
        profile.role = role.name
        await change.put(profile)


async def remove_role_from_instance_profile(
    iam: Iam, call: Call, request: api.RemoveRoleFromInstanceProfileRequest
) -> None:
    async with iam.change(call) as change:
        profile = await change.get(InstanceProfile, request.instance_profile_name)
        if profile.role != request.role_name:
            raise api.NoSuchEntityException(
                f"The role with name {request.role_name} is not associated with the specified instance profile."
            )
        profile.role = ""
        await change.put(profile)
