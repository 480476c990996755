"""Operations on keys as such."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import kms as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.kms import model, names, paging, policies, store, tags, vault
from cumulet.services.kms.model import DAY, Key
from cumulet.services.kms.specs import ENCRYPT, SPECS, SYMMETRIC
from cumulet.services.kms.state import Kms

_WINDOW = 30
_PAGE = 100


async def create_key(kms: Kms, call: Call, request: api.CreateKeyRequest) -> api.CreateKeyResponse:
    spec, usage = _wanted(request)
    origin = request.origin or model.OURS
    if request.custom_key_store_id or request.xks_key_id or origin not in (model.OURS, model.THEIRS):
        raise NotImplementedHere("Custom key stores are not there in Cumulet. See docs/services/kms.md.")
    tagged = tags.read(request.tags)
    multi_region = bool(request.multi_region)
    key = Key(
        account=call.account,
        region=call.region,
        id=names.new_key_id(multi_region=multi_region),
        created=kms.clock.now(),
        spec=spec,
        usage=usage,
        origin=origin,
        description=request.description or "",
        multi_region=model.PRIMARY if multi_region else "",
        tags=tagged,
    )
    policy = request.policy or policies.default(call.account)
    policies.check(call, key, policy, bypass=bool(request.bypass_policy_lockout_safety_check))
    if origin == model.THEIRS:
        key = replace(key, state=model.PENDING_IMPORT)
        await kms.keys.add(key, policy, [])
    else:
        secret, public = await vault.generate(spec)
        material = kms.vault.material(key, secret, 0)
        key = replace(key, material=material.id, public=public)
        await kms.keys.add(key, policy, [material])
    return api.CreateKeyResponse(key_metadata=model.metadata(key))


def _wanted(request: api.CreateKeyRequest) -> tuple[str, str]:
    """The spec and the usage; raises ValidationException for what does not go together."""
    if request.key_spec and request.customer_master_key_spec:
        raise _invalid(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated."
        )
    spec = request.key_spec or request.customer_master_key_spec or SYMMETRIC
    usage = request.key_usage or (ENCRYPT if spec == SYMMETRIC else "")
    if not usage:
        raise _invalid("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
    if spec not in SPECS:
        raise NotImplementedHere(f"Keys of spec {spec} are not there in Cumulet. See docs/services/kms.md.")
    if usage not in SPECS[spec]:
        raise _invalid(f"KeyUsage {usage} is not compatible with KeySpec {spec}")
    return spec, usage


def _invalid(message: str) -> tags.Invalid:
    return tags.Invalid(message)


async def describe_key(kms: Kms, call: Call, request: api.DescribeKeyRequest) -> api.DescribeKeyResponse:
    key = await kms.key(call, request.key_id)
    return api.DescribeKeyResponse(key_metadata=model.metadata(key, await kms.keys.related(key)))


async def list_keys(kms: Kms, call: Call, request: api.ListKeysRequest) -> api.ListKeysResponse:
    limit = request.limit or _PAGE
    found = await kms.keys.listed(call.account, call.region, paging.after(request.marker), limit + 1)
    ids, marker = paging.page(found, limit, str)
    arn = f"arn:aws:kms:{call.region}:{call.account}:key/"
    return api.ListKeysResponse(
        keys=[api.KeyListEntry(key_id=id, key_arn=arn + id) for id in ids],
        truncated=marker is not None,
        next_marker=marker,
    )


async def update_key_description(kms: Kms, call: Call, request: api.UpdateKeyDescriptionRequest) -> None:
    key = await kms.key(call, request.key_id)

    def change(found: Key) -> Key:
        model.check_customers(found)
        model.check_present(found)
        return replace(found, description=request.description)

    await kms.keys.edit(key, change)


async def enable_key(kms: Kms, call: Call, request: api.EnableKeyRequest) -> None:
    await _switch(kms, call, request.key_id, model.ENABLED)


async def disable_key(kms: Kms, call: Call, request: api.DisableKeyRequest) -> None:
    await _switch(kms, call, request.key_id, model.DISABLED)


async def _switch(kms: Kms, call: Call, key_id: str, state: str) -> None:
    key = await kms.key(call, key_id)

    def change(found: Key) -> Key:
        model.check_customers(found)
        model.check_present(found)
        if found.state == model.PENDING_IMPORT:
            raise api.KMSInvalidStateException(f"{found.arn} is pending import.")
        return replace(found, state=state)

    await kms.keys.edit(key, change)
    kms.keeper.wake()


async def schedule_key_deletion(
    kms: Kms, call: Call, request: api.ScheduleKeyDeletionRequest
) -> api.ScheduleKeyDeletionResponse:
    window = request.pending_window_in_days or _WINDOW
    if not 7 <= window <= _WINDOW:
        raise _invalid(f"PendingWindowInDays must be between 7 and {_WINDOW} inclusive.")
    key = await kms.key(call, request.key_id)
    # In one step with looking for replicas: the last of them may be deleted at this moment.
    async with kms.keys.db.transaction() as tx:
        found = await store.locked(tx, key)
        model.check_customers(found)
        model.check_present(found)
        if found.multi_region == model.PRIMARY and any(
            each.multi_region == model.REPLICA for each in await store.related(tx, found)
        ):
            changed = replace(found, state=model.PENDING_REPLICAS, window=window)
        else:
            deletion = kms.clock.now() + window * DAY
            changed = replace(found, state=model.PENDING_DELETION, window=window, deletion=deletion)
        await store.put(tx, changed)
    kms.keeper.wake()
    return api.ScheduleKeyDeletionResponse(
        key_id=changed.arn,
        deletion_date=changed.deletion,
        key_state=changed.state,
        pending_window_in_days=window,
    )


async def cancel_key_deletion(
    kms: Kms, call: Call, request: api.CancelKeyDeletionRequest
) -> api.CancelKeyDeletionResponse:
    key = await kms.key(call, request.key_id)
    missing = key.origin == model.THEIRS and not all(material.sealed for material in await kms.keys.materials(key))

    def change(found: Key) -> Key:
        if found.state not in (model.PENDING_DELETION, model.PENDING_REPLICAS):
            raise api.KMSInvalidStateException(f"{found.arn} is not pending deletion.")
        state = model.PENDING_IMPORT if missing or not found.material else model.DISABLED
        return replace(found, state=state, deletion=None, window=0)

    await kms.keys.edit(key, change)
    kms.keeper.wake()
    return api.CancelKeyDeletionResponse(key_id=key.arn)
