"""Operations on the aliases of customer-managed runtimes, by which functions use them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cumulet.api import lambda_core as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.custom.model import (
    CustomRuntime,
    RuntimeAlias,
    RuntimeKey,
    RuntimeVersion,
    checked,
    key_of,
)
from cumulet.services.lambda_.custom.pages import page
from cumulet.services.lambda_.custom.runtimes import leaving
from cumulet.services.lambda_.custom.state import CustomRuntimes
from cumulet.storage.database import Transaction


async def create_runtime_alias(
    custom: CustomRuntimes, call: Call, request: api.CreateRuntimeAliasRequest
) -> api.CreateRuntimeAliasResponse:
    key = key_of(call, request.runtime_name)
    now = custom.clock.now()
    alias = RuntimeAlias(
        created=now,
        modified=now,
        version=request.runtime_version,
        description=request.description,
        lifecycle=checked(request.release_lifecycle, now),
    )
    async with custom.db.transaction() as tx:
        runtime = await custom.get(CustomRuntime, key, "", tx)
        await _check_version(custom, tx, key, alias.version)
        if await custom.store.get(RuntimeAlias, key, request.name, now, tx) is not None:
            raise api.ResourceConflictException(f"The runtime alias {request.name} exists already.")
        await custom.store.put(tx, key, request.name, alias)
    custom.on_change()
    shown = _present(alias.info(key, request.name, now, runtime.lifecycle))
    return api.CreateRuntimeAliasResponse(**shown)


async def get_runtime_alias(
    custom: CustomRuntimes, call: Call, request: api.GetRuntimeAliasRequest
) -> api.GetRuntimeAliasResponse:
    key = key_of(call, request.runtime_name)
    runtime = await custom.get(CustomRuntime, key)
    alias = await custom.get(RuntimeAlias, key, request.name)
    info = alias.info(key, request.name, custom.clock.now(), runtime.lifecycle)
    version = await custom.store.get(RuntimeVersion, key, alias.version, custom.clock.now())
    return api.GetRuntimeAliasResponse(
        compatibility=version.compatibility if version is not None else None,
        **{name: getattr(info, name) for name in info.__struct_fields__},
    )


async def list_runtime_aliases(
    custom: CustomRuntimes, call: Call, request: api.ListRuntimeAliasesRequest
) -> api.ListRuntimeAliasesResponse:
    key = key_of(call, request.runtime_name)
    runtime, now = await custom.get(CustomRuntime, key), custom.clock.now()
    found = await custom.store.all_of(RuntimeAlias, key, now)
    infos = [alias.info(key, name, now, runtime.lifecycle) for name, alias in found]
    items, token = page(infos, request.max_results, request.next_token, lambda one: one.name)
    return api.ListRuntimeAliasesResponse(items=items, next_token=token)


async def update_runtime_alias(
    custom: CustomRuntimes, call: Call, request: api.UpdateRuntimeAliasRequest
) -> api.UpdateRuntimeAliasResponse:
    """A lifecycle that is left out is the runtime's again. Functions run on the version from their next environment on."""
    key = key_of(call, request.runtime_name)
    now = custom.clock.now()
    async with custom.db.transaction() as tx:
        runtime = await custom.get(CustomRuntime, key, "", tx)
        alias = await custom.get(RuntimeAlias, key, request.name, tx)
        version = await _check_version(custom, tx, key, request.runtime_version)
        alias = replace(
            alias,
            version=request.runtime_version,
            description=alias.description if request.description is None else request.description,
            lifecycle=checked(request.release_lifecycle, now),
            modified=now,
        )
        await custom.store.put(tx, key, request.name, alias)
    custom.on_change()
    shown = _present(alias.info(key, request.name, now, runtime.lifecycle))
    return api.UpdateRuntimeAliasResponse(runtime_name=key.name, compatibility=version.compatibility, **shown)


async def delete_runtime_alias(
    custom: CustomRuntimes, call: Call, request: api.DeleteRuntimeAliasRequest
) -> api.DeleteRuntimeAliasResponse:
    key = key_of(call, request.runtime_name)
    async with custom.db.transaction() as tx:
        alias = await custom.get(RuntimeAlias, key, request.name, tx)
        await custom.store.put(tx, key, request.name, leaving(custom, alias, request.recovery_window_in_days))
    custom.on_change()
    return api.DeleteRuntimeAliasResponse()


async def _check_version(custom: CustomRuntimes, tx: Transaction, key: RuntimeKey, name: str) -> RuntimeVersion:
    """What an alias may lead to."""
    version = await custom.get(RuntimeVersion, key, name, tx)
    if version.state != "ACTIVE":
        raise api.ResourceConflictException(f"The runtime version {name} is {version.state}.")
    return version


def _present(info: api.RuntimeAliasInfo) -> dict[str, Any]:
    """Without what only those have that are to be deleted."""
    return {
        name: getattr(info, name)
        for name in info.__struct_fields__
        if name not in {"pending_deletion_at", "compatibility"}
    }
