"""Operations on the versions of customer-managed runtimes: images that do not change."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cumulet.api import lambda_core as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.custom.model import CustomRuntime, RuntimeVersion, key_of
from cumulet.services.lambda_.custom.pages import page
from cumulet.services.lambda_.custom.runtimes import leaving
from cumulet.services.lambda_.custom.state import CustomRuntimes
from cumulet.services.lambda_.images.names import resolved


async def create_runtime_version(
    custom: CustomRuntimes, call: Call, request: api.CreateRuntimeVersionRequest
) -> api.CreateRuntimeVersionResponse:
    key = key_of(call, request.runtime_name)
    await custom.get(CustomRuntime, key)
    package, machine = await custom.images.look_up(call, request.image_uri)
    now = custom.clock.now()
    version = RuntimeVersion(
        created=now,
        modified=now,
        image=package.id,
        blob=package.blob,
        resolved=resolved(request.image_uri, package.id),
        machine=machine,
        notes=request.release_notes,
    )
    async with custom.db.transaction() as tx:
        runtime = await custom.get(CustomRuntime, key, "", tx)
        if runtime.due is not None:
            raise api.ResourceConflictException(f"The runtime {key.name} is to be deleted.")
        if await custom.store.get(RuntimeVersion, key, request.name, now, tx) is not None:
            raise api.ResourceConflictException(f"The runtime version {request.name} exists already.")
        if not request.dry_run:
            await custom.store.put(tx, key, request.name, version)
    if not request.dry_run:
        custom.settle(key, request.name)
    return api.CreateRuntimeVersionResponse(**_present(version.answer(key, request.name)))


async def get_runtime_version(
    custom: CustomRuntimes, call: Call, request: api.GetRuntimeVersionRequest
) -> api.GetRuntimeVersionResponse:
    key = key_of(call, request.runtime_name)
    return (await custom.get(RuntimeVersion, key, request.name)).answer(key, request.name)


async def list_runtime_versions(
    custom: CustomRuntimes, call: Call, request: api.ListRuntimeVersionsRequest
) -> api.ListRuntimeVersionsResponse:
    key = key_of(call, request.runtime_name)
    await custom.get(CustomRuntime, key)
    found = await custom.store.all_of(RuntimeVersion, key, custom.clock.now())
    infos = []
    for name, version in found:
        shown = version.answer(key, name)
        infos.append(
            api.RuntimeVersionInfo(
                **{member: getattr(shown, member) for member in shown.__struct_fields__ if member != "platforms"}
            )
        )
    items, token = page(infos, request.max_results, request.next_token, lambda one: one.name)
    return api.ListRuntimeVersionsResponse(items=items, next_token=token)


async def update_runtime_version(
    custom: CustomRuntimes, call: Call, request: api.UpdateRuntimeVersionRequest
) -> api.UpdateRuntimeVersionResponse:
    """Its release notes, which are all that can change."""
    key = key_of(call, request.runtime_name)
    async with custom.db.transaction() as tx:
        version = await custom.get(RuntimeVersion, key, request.name, tx)
        if version.state != "ACTIVE":
            raise api.ResourceConflictException(f"The runtime version {request.name} is {version.state}.")
        version = replace(version, notes=request.release_notes, modified=custom.clock.now())
        await custom.store.put(tx, key, request.name, version)
    return api.UpdateRuntimeVersionResponse(**_present(version.answer(key, request.name)))


async def delete_runtime_version(
    custom: CustomRuntimes, call: Call, request: api.DeleteRuntimeVersionRequest
) -> api.DeleteRuntimeVersionResponse:
    key = key_of(call, request.runtime_name)
    async with custom.db.transaction() as tx:
        version = await custom.get(RuntimeVersion, key, request.name, tx)
        await custom.store.put(tx, key, request.name, leaving(custom, version, request.recovery_window_in_days))
    custom.on_change()
    return api.DeleteRuntimeVersionResponse()


def _present(shown: api.GetRuntimeVersionResponse) -> dict[str, Any]:
    """Without what only those have that are to be deleted."""
    return {name: getattr(shown, name) for name in shown.__struct_fields__ if name != "pending_deletion_at"}
