"""Rotation: new material by the clock or on demand, while all that was encrypted before still opens.

https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html
"""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import kms as api
from cumulet.kernel.call import Call
from cumulet.services.kms import model, paging, rotating
from cumulet.services.kms.model import DAY, PENDING_ROTATION, THEIRS, Key, Material
from cumulet.services.kms.state import Kms

_PERIOD = 365
_MOST_ON_DEMAND = 10
_PAGE = 100


def _check_automatic(key: Key) -> None:
    """Raises UnsupportedOperationException for keys that never rotate by themselves."""
    model.check_customers(key)
    if not key.symmetric or key.multi_region == model.REPLICA:
        raise api.UnsupportedOperationException
    if key.origin == THEIRS:
        raise api.UnsupportedOperationException(
            f"{key.arn} origin is {key.origin} which is not valid for this operation."
        )


async def enable_key_rotation(kms: Kms, call: Call, request: api.EnableKeyRotationRequest) -> None:
    key = await kms.key(call, request.key_id)
    days = request.rotation_period_in_days or _PERIOD
    following = kms.clock.now() + days * DAY

    def change(found: Key) -> Key:
        _check_automatic(found)
        model.check_usable(found)
        same = found.rotation_days == days
        return replace(found, rotation_days=days, next_rotation=found.next_rotation if same else following)

    await kms.keys.edit(key, change)
    kms.keeper.wake()


async def disable_key_rotation(kms: Kms, call: Call, request: api.DisableKeyRotationRequest) -> None:
    key = await kms.key(call, request.key_id)

    def change(found: Key) -> Key:
        _check_automatic(found)
        model.check_usable(found)
        return replace(found, rotation_days=0, next_rotation=None)

    await kms.keys.edit(key, change)
    kms.keeper.wake()


async def get_key_rotation_status(
    kms: Kms, call: Call, request: api.GetKeyRotationStatusRequest
) -> api.GetKeyRotationStatusResponse:
    key = await kms.key(call, request.key_id)
    if not key.symmetric:
        raise api.UnsupportedOperationException
    shown = next((each for each in await kms.keys.related(key) if each.multi_region != model.REPLICA), key)
    on = bool(shown.rotation_days)
    return api.GetKeyRotationStatusResponse(
        key_rotation_enabled=on,
        key_id=key.arn,
        rotation_period_in_days=shown.rotation_days if on else None,
        next_rotation_date=shown.next_rotation if on else None,
    )


async def rotate_key_on_demand(
    kms: Kms, call: Call, request: api.RotateKeyOnDemandRequest
) -> api.RotateKeyOnDemandResponse:
    key = await kms.usable(call, request.key_id)
    model.check_customers(key)
    if not key.symmetric or key.multi_region == model.REPLICA:
        raise api.UnsupportedOperationException
    materials = await kms.keys.materials(key)
    if key.origin == THEIRS and not any(material.state == PENDING_ROTATION for material in materials):
        raise api.KMSInvalidStateException(f"No available key material pending rotation for the key: {key.arn}.")
    if sum(material.rotation == rotating.ON_DEMAND for material in materials) >= _MOST_ON_DEMAND:
        raise api.LimitExceededException(
            "The on-demand rotations limit has been reached for the given keyId. "
            f"No more on-demand rotations can be performed for this key: {key.arn}"
        )
    await rotating.rotate(kms.keys, kms.vault, key, kms.clock.now(), rotating.ON_DEMAND, key.next_rotation)
    return api.RotateKeyOnDemandResponse(key_id=key.arn)


async def list_key_rotations(
    kms: Kms, call: Call, request: api.ListKeyRotationsRequest
) -> api.ListKeyRotationsResponse:
    key = await kms.key(call, request.key_id)
    if not key.symmetric:
        raise api.UnsupportedOperationException
    everything = request.include_key_material == "ALL_KEY_MATERIAL"
    found = [material for material in await kms.keys.materials(key) if everything or material.rotated is not None]
    shown, marker = paging.cut(found, request.marker, request.limit or _PAGE, lambda material: f"{material.number:09}")
    return api.ListKeyRotationsResponse(
        rotations=[_entry(key, material, everything=everything) for material in shown],
        truncated=marker is not None,
        next_marker=marker,
    )


def _entry(key: Key, material: Material, *, everything: bool) -> api.RotationsListEntry:
    imported = key.origin == THEIRS
    return api.RotationsListEntry(
        key_id=key.arn,
        key_material_id=material.id,
        key_material_description=material.description or None,
        import_state=("IMPORTED" if material.sealed else "PENDING_IMPORT") if imported else None,
        key_material_state=material.state if everything else None,
        expiration_model=material.expiration or None,
        valid_to=material.valid_to,
        rotation_date=material.rotated,
        rotation_type=material.rotation or None,
    )
