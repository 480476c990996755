"""Keys whose material was made elsewhere, and is brought here wrapped.

https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys.html
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from cumulet.api import kms as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.kms import model, store, vault
from cumulet.services.kms.model import CURRENT, DAY, PENDING_ROTATION, THEIRS, Key, Material
from cumulet.services.kms.specs import SECRET_BYTES
from cumulet.services.kms.state import Kms
from cumulet.services.kms.tags import Invalid
from cumulet.services.kms.vault import material_id
from cumulet.storage.seal import SealBroken

_EXPIRES = "KEY_MATERIAL_EXPIRES"
_NEW = "NEW_KEY_MATERIAL"


class _Token(msgspec.Struct, array_like=True):
    """What an import token holds, sealed: the private half of the wrapping key is nowhere else."""

    algorithm: str
    until: float
    private: str


async def _external(kms: Kms, call: Call, key_id: str) -> Key:
    key = await kms.key(call, key_id)
    if key.origin != THEIRS:
        raise api.UnsupportedOperationException(
            f"{key.arn} origin is {key.origin} which is not valid for this operation."
        )
    model.check_present(key)
    return key


async def get_parameters_for_import(
    kms: Kms, call: Call, request: api.GetParametersForImportRequest
) -> api.GetParametersForImportResponse:
    key = await _external(kms, call, request.key_id)
    algorithm = request.wrapping_algorithm
    if algorithm == "RSAES_PKCS1_V1_5":
        raise api.UnsupportedOperationException(f"{algorithm} is not supported any more.")
    if algorithm == "SM2PKE" or request.wrapping_key_spec == "SM2":
        raise NotImplementedHere("SM2 is not there in Cumulet. See docs/services/kms.md.")
    private, public = await vault.generate(request.wrapping_key_spec)
    until = kms.clock.now() + DAY
    token = _Token(algorithm, until, base64.b64encode(private).decode())
    sealed = kms.tokens.close(msgspec.json.encode(token).decode(), key.arn)
    return api.GetParametersForImportResponse(
        key_id=key.arn, import_token=base64.b64decode(sealed), public_key=public, parameters_valid_to=until
    )


def _unwrap(kms: Kms, key: Key, import_token: bytes, wrapped: bytes) -> bytes:
    from cumulet.services.kms.crypto import wrapping  # noqa: PLC0415  cryptography is loaded when a key is used

    try:
        token = msgspec.json.decode(kms.tokens.open(base64.b64encode(import_token).decode(), key.arn), type=_Token)
    except (SealBroken, ValueError):
        raise api.InvalidImportTokenException from None
    if token.until < kms.clock.now():
        raise api.ExpiredImportTokenException
    try:
        return wrapping.unwrap(base64.b64decode(token.private), token.algorithm, wrapped)
    except wrapping.Unwrapped:
        raise api.InvalidCiphertextException from None


def _checked(key: Key, secret: bytes) -> bytes:
    """The public half of what came, empty where there is none; raises IncorrectKeyMaterialException."""
    size = SECRET_BYTES.get(key.spec)
    if size is not None:
        if len(secret) != size:
            raise api.IncorrectKeyMaterialException
        return b""
    from cumulet.services.kms.crypto import asymmetric  # noqa: PLC0415  cryptography is loaded when a key is used

    try:
        return asymmetric.check_imported(key.spec, secret)
    except asymmetric.WrongKey:
        raise api.IncorrectKeyMaterialException from None


def _expiry(kms: Kms, request: api.ImportKeyMaterialRequest) -> tuple[str, float | None]:
    expiration = request.expiration_model or _EXPIRES
    if expiration != _EXPIRES:
        if request.valid_to is not None:
            raise Invalid("A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE")
        return expiration, None
    if request.valid_to is None:
        raise Invalid("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
    if not kms.clock.now() < request.valid_to <= kms.clock.now() + 365 * DAY:
        raise Invalid("The validTo date must be in the future, and within 365 days.")
    return expiration, request.valid_to


class _Place(NamedTuple):
    """Where material goes: its number among the key's, and the state that it has then."""

    number: int
    state: str
    was: Material | None


def _place(key: Key, materials: Sequence[Material], id: str, *, new: bool) -> _Place:
    """Raises what AWS says of material that may not come now."""
    known = next((material for material in materials if material.id == id), None)
    if known is not None:
        return _Place(known.number, known.state, known)
    if not materials:
        return _Place(0, CURRENT, None)
    if not new or not key.symmetric:
        raise api.IncorrectKeyMaterialException
    waiting = next((material for material in materials if material.state == PENDING_ROTATION), None)
    if waiting is not None:
        raise api.KMSInvalidStateException(
            f"New key material (id: {id}) cannot be imported into KMS key {key.arn}, "
            f"because another key material (id: {waiting.id}) is pending rotation."
        )
    return _Place(len(materials), PENDING_ROTATION, None)


async def import_key_material(
    kms: Kms, call: Call, request: api.ImportKeyMaterialRequest
) -> api.ImportKeyMaterialResponse:
    key = await _external(kms, call, request.key_id)
    expiration, valid_to = _expiry(kms, request)
    secret = _unwrap(kms, key, request.import_token, request.encrypted_key_material)
    public = _checked(key, secret)
    id = material_id(key.id, secret)
    if request.key_material_id not in (None, id):
        raise api.IncorrectKeyMaterialException
    async with kms.keys.db.transaction() as tx:
        found = await store.locked(tx, key)
        materials = await store.materials_of(tx, found)
        place = _place(found, materials, id, new=request.import_type == _NEW)
        arrived = Material(
            id=id,
            number=place.number,
            state=place.state,
            sealed=kms.vault.close(key, id, secret),
            rotated=place.was.rotated if place.was else None,
            rotation=place.was.rotation if place.was else "",
            description=request.key_material_description or (place.was.description if place.was else ""),
            expiration=expiration,
            valid_to=valid_to,
        )
        await store.put_material(tx, found, arrived)
        missing = any(not material.sealed and material.id != id for material in materials)
        if found.state == model.PENDING_IMPORT and not missing:
            found = replace(found, state=model.ENABLED)
        if place.state == CURRENT:
            found = replace(found, material=id, public=public, expiration=expiration, valid_to=valid_to)
        await store.put(tx, found)
        tx.after_commit(lambda: kms.material_changed(key))
    return api.ImportKeyMaterialResponse(key_id=key.arn, key_material_id=id if key.symmetric else None)


async def delete_imported_key_material(
    kms: Kms, call: Call, request: api.DeleteImportedKeyMaterialRequest
) -> api.DeleteImportedKeyMaterialResponse:
    key = await _external(kms, call, request.key_id)
    gone = request.key_material_id or key.material
    async with kms.keys.db.transaction() as tx:
        found = await store.locked(tx, key)
        material = next((each for each in await store.materials_of(tx, found) if each.id == gone), None)
        if material is None and request.key_material_id is not None:
            raise api.NotFoundException(f"Key material {gone} does not exist in {key.arn}.")
        if material is not None:
            await store.put_material(tx, found, replace(material, sealed="", expiration="", valid_to=None))
            if gone == found.material:
                found = replace(found, expiration="", valid_to=None)
            if material.state != PENDING_ROTATION:
                found = replace(found, state=model.PENDING_IMPORT)
            await store.put(tx, found)
        tx.after_commit(lambda: kms.material_changed(key))
    return api.DeleteImportedKeyMaterialResponse(
        key_id=key.arn, key_material_id=gone if key.symmetric and gone else None
    )
