"""Multi-region keys: the same key, with the same id and material, in several regions of this node.

https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html
"""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import kms as api
from cumulet.kernel.call import Call
from cumulet.services.kms import model, policies, store, tags
from cumulet.services.kms.model import PRIMARY, REPLICA, THEIRS, Key
from cumulet.services.kms.state import Kms
from cumulet.storage.database import Conflict


async def replicate_key(kms: Kms, call: Call, request: api.ReplicateKeyRequest) -> api.ReplicateKeyResponse:
    primary = await kms.usable(call, request.key_id)
    _check_primary(primary)
    region = request.replica_region
    policy = request.policy or policies.default(call.account)
    tagged = tags.read(request.tags)
    replica = replace(
        primary,
        region=region,
        created=kms.clock.now(),
        description=request.description or "",
        multi_region=REPLICA,
        rotation_days=0,
        next_rotation=None,
        tags=tagged,
    )
    policies.check(call, replica, policy, bypass=bool(request.bypass_policy_lockout_safety_check))
    materials = []
    if primary.origin == THEIRS:
        replica = replace(replica, state=model.PENDING_IMPORT, material="", public=b"", expiration="", valid_to=None)
    else:
        for material in await kms.keys.materials(primary):
            secret = kms.vault.secret(primary, material)
            materials.append(replace(material, sealed=kms.vault.close(replica, material.id, secret)))
    try:
        async with kms.keys.db.transaction() as tx:
            # A primary that is to be deleted meanwhile has no further replica.
            model.check_usable(await store.locked(tx, primary))
            await store.add(tx, replica, policy, materials)
    except Conflict:
        raise api.AlreadyExistsException(
            f"Unable to replicate key {primary.arn}: there is one of the same id in {region} already."
        ) from None
    # AWS answers before the replica is ready; it is at once here, which DescribeKey tells.
    shown = model.metadata(replica, await kms.keys.related(replica))
    shown.key_state, shown.enabled, shown.current_key_material_id = "Creating", False, None
    return api.ReplicateKeyResponse(
        replica_key_metadata=shown,
        replica_policy=policy,
        replica_tags=[api.Tag(tag_key=name, tag_value=value) for name, value in tagged.items()] or None,
    )


def _check_primary(key: Key) -> None:
    if key.multi_region != PRIMARY:
        raise api.UnsupportedOperationException(f"{key.arn} is not a multi-region primary key.")


async def update_primary_region(kms: Kms, call: Call, request: api.UpdatePrimaryRegionRequest) -> None:
    key = await kms.usable(call, request.key_id)
    _check_primary(key)
    related = await kms.keys.related(key)
    chosen = next((each for each in related if each.region == request.primary_region), None)
    if chosen is None:
        raise api.NotFoundException(
            f"Key 'arn:aws:kms:{request.primary_region}:{key.account}:key/{key.id}' does not exist"
        )
    if chosen.region == key.region:
        return
    model.check_usable(chosen)
    async with kms.keys.db.transaction() as tx:
        old, new = await store.locked(tx, key), await store.locked(tx, chosen)
        for each in (old, new):
            model.check_usable(each)
        await store.put(tx, replace(old, multi_region=REPLICA, rotation_days=0, next_rotation=None))
        await store.put(
            tx,
            replace(new, multi_region=PRIMARY, rotation_days=old.rotation_days, next_rotation=old.next_rotation),
        )
    kms.keeper.wake()
