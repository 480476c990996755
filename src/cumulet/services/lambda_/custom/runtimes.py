"""Operations on runtimes as a whole, and the restoring of what is to be deleted."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cumulet.api import lambda_core as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.custom.model import (
    ACTIVE,
    CustomRuntime,
    Item,
    RuntimeAlias,
    RuntimeKey,
    RuntimeVersion,
    checked,
    key_of,
)
from cumulet.services.lambda_.custom.pages import page
from cumulet.services.lambda_.custom.state import CustomRuntimes
from cumulet.services.lambda_.model import iso

_DAY = 86_400.0
_WINDOW = 30


async def create_runtime(
    custom: CustomRuntimes, call: Call, request: api.CreateRuntimeRequest
) -> api.CreateRuntimeResponse:
    key = RuntimeKey(call.account, call.region, request.name)
    now = custom.clock.now()
    runtime = CustomRuntime(
        id=new_id(),
        created=now,
        modified=now,
        description=request.description,
        license_info=request.license_info,
        lifecycle=checked(request.release_lifecycle, now),
        tags=request.tags or {},
    )
    async with custom.db.transaction() as tx:
        if await custom.store.get(CustomRuntime, key, "", now, tx) is not None:
            raise api.ResourceConflictException(f"The runtime {key.name} exists already.")
        await custom.store.put(tx, key, "", runtime)
    return api.CreateRuntimeResponse(**_own(runtime.info(key, now)))


async def get_runtime(custom: CustomRuntimes, call: Call, request: api.GetRuntimeRequest) -> api.GetRuntimeResponse:
    key = key_of(call, request.runtime_name)
    runtime = await custom.get(CustomRuntime, key)
    info = runtime.info(key, custom.clock.now())
    return api.GetRuntimeResponse(id=runtime.id, **{name: getattr(info, name) for name in info.__struct_fields__})


async def list_runtimes(
    custom: CustomRuntimes, call: Call, request: api.ListRuntimesRequest
) -> api.ListRuntimesResponse:
    now = custom.clock.now()
    found = [runtime.info(key, now) for key, runtime in await custom.store.runtimes(call.account, call.region, now)]
    shown, token = page(found, request.max_results, request.next_token, lambda one: one.name)
    return api.ListRuntimesResponse(items=shown, next_token=token)


async def update_runtime(
    custom: CustomRuntimes, call: Call, request: api.UpdateRuntimeRequest
) -> api.UpdateRuntimeResponse:
    """A lifecycle that is left out is removed."""
    key = key_of(call, request.runtime_name)
    now = custom.clock.now()
    async with custom.db.transaction() as tx:
        runtime = await custom.get(CustomRuntime, key, "", tx)
        changed = replace(
            runtime,
            description=runtime.description if request.description is None else request.description,
            license_info=runtime.license_info if request.license_info is None else request.license_info,
            lifecycle=checked(request.release_lifecycle, now),
            modified=now,
        )
        await custom.store.put(tx, key, "", changed)
    return api.UpdateRuntimeResponse(**_own(changed.info(key, now)))


async def delete_runtime(
    custom: CustomRuntimes, call: Call, request: api.DeleteRuntimeRequest
) -> api.DeleteRuntimeResponse:
    key = key_of(call, request.runtime_name)
    async with custom.db.transaction() as tx:
        runtime = await custom.get(CustomRuntime, key, "", tx)
        kinds: tuple[type[Item], ...] = (RuntimeVersion, RuntimeAlias)
        for kind in kinds:
            if any(item.due is None for _, item in await custom.store.all_of(kind, key, custom.clock.now(), tx)):
                raise api.ResourceConflictException("Delete the runtime's versions and aliases before the runtime.")
        await custom.store.put(tx, key, "", leaving(custom, runtime, request.recovery_window_in_days))
    custom.on_change()
    return api.DeleteRuntimeResponse()


async def restore_runtime(
    custom: CustomRuntimes, call: Call, request: api.RestoreRuntimeRequest
) -> api.RestoreRuntimeResponse:
    """A runtime, or a version or alias of it, that is to be deleted is not."""
    key = key_of(call, request.runtime_name)
    version, alias = request.runtime_version, request.runtime_alias
    if version and alias:
        raise api.InvalidParameterValueException("RuntimeVersion and RuntimeAlias can't be given together.")
    kind: type[Item] = RuntimeVersion if version else RuntimeAlias if alias else CustomRuntime
    name = version or alias or ""
    async with custom.db.transaction() as tx:
        item = await custom.get(kind, key, name, tx)
        if item.due is not None:
            item = replace(item, due=None, modified=custom.clock.now())
            await custom.store.put(tx, key, name, item)
    custom.on_change()
    return api.RestoreRuntimeResponse(
        runtime_name=key.name,
        runtime_version=version,
        runtime_alias=alias,
        arn=key.version(version) if version else key.alias(alias) if alias else key.arn,
        state=ACTIVE,
        last_modified=iso(item.modified),
    )


def leaving(custom: CustomRuntimes, item: Item, days: int | None) -> Item:
    """The item, to be deleted in so many days; one that is so already stays as it is."""
    if item.due is not None:
        return item
    now = custom.clock.now()
    return replace(item, due=now + (days or _WINDOW) * _DAY, modified=now)


def _own(info: api.RuntimeInfo) -> dict[str, Any]:
    """Without the state, which these answers do not have."""
    return {
        name: getattr(info, name) for name in info.__struct_fields__ if name not in {"state", "pending_deletion_at"}
    }
