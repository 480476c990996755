"""Operations on users' SSH public keys."""

from __future__ import annotations

import base64
import binascii
import hashlib

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.kernel.ids import unique_id
from cumulet.services.iam.model import SshKey, User, over_quota, page
from cumulet.services.iam.state import Iam, caller_name

_MAX = 5
_KINDS = ("ssh-rsa",)


async def upload_ssh_public_key(
    iam: Iam, call: Call, request: api.UploadSSHPublicKeyRequest
) -> api.UploadSSHPublicKeyResponse:
    fingerprint = _fingerprint(request.ssh_public_key_body)
    async with iam.edit(call, User, request.user_name) as user:
        if any(key.fingerprint == fingerprint for key in user.ssh_keys):
            raise api.DuplicateSSHPublicKeyException("The SSH public key is already associated with this user.")
        if len(user.ssh_keys) >= _MAX:
            raise over_quota("SSHPublicKeysPerUser", _MAX)
        key = SshKey(unique_id("APKA"), request.ssh_public_key_body.strip(), fingerprint, iam.now())
        user.ssh_keys.append(key)
    return api.UploadSSHPublicKeyResponse(ssh_public_key=_shape(user, key))


def _fingerprint(body: str) -> str:
    """The MD5 of the key's bytes in pairs of digits; raises InvalidPublicKey, UnrecognizedPublicKeyEncoding."""
    parts = body.split()
    if len(parts) < 2 or parts[0] not in _KINDS:
        raise api.UnrecognizedPublicKeyEncodingException("The public key must be an RSA key encoded in ssh-rsa format.")
    try:
        raw = base64.b64decode(parts[1], validate=True)
    except binascii.Error:
        raise api.InvalidPublicKeyException("The public key is malformed or otherwise invalid.") from None
    digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, 32, 2))


async def get_ssh_public_key(iam: Iam, call: Call, request: api.GetSSHPublicKeyRequest) -> api.GetSSHPublicKeyResponse:
    if request.encoding == "PEM":
        raise NotImplementedHere(
            "PEM encoding of SSH public keys is not implemented in Cumulet's iam yet. Ask for SSH."
        )
    user = await iam.view(call).get(User, request.user_name)
    return api.GetSSHPublicKeyResponse(ssh_public_key=_shape(user, _find(user, request.ssh_public_key_id)))


async def list_ssh_public_keys(
    iam: Iam, call: Call, request: api.ListSSHPublicKeysRequest
) -> api.ListSSHPublicKeysResponse:
    user = await iam.view(call).get(User, request.user_name or caller_name(call))
    keys, marker = page(user.ssh_keys, lambda key: key.id, request.marker, request.max_items)
    return api.ListSSHPublicKeysResponse(
        ssh_public_keys=[
            api.SSHPublicKeyMetadata(
                user_name=user.name, ssh_public_key_id=key.id, status=key.status, upload_date=key.uploaded
            )
            for key in keys
        ],
        is_truncated=marker is not None,
        marker=marker,
    )


async def update_ssh_public_key(iam: Iam, call: Call, request: api.UpdateSSHPublicKeyRequest) -> None:
    async with iam.edit(call, User, request.user_name) as user:
        _find(user, request.ssh_public_key_id).status = request.status


async def delete_ssh_public_key(iam: Iam, call: Call, request: api.DeleteSSHPublicKeyRequest) -> None:
    async with iam.edit(call, User, request.user_name) as user:
        user.ssh_keys.remove(_find(user, request.ssh_public_key_id))


def _find(user: User, id: str) -> SshKey:
    for key in user.ssh_keys:
        if key.id == id:
            return key
    raise api.NoSuchEntityException(f"The Public Key with id {id} cannot be found.")


def _shape(user: User, key: SshKey) -> api.SSHPublicKey:
    return api.SSHPublicKey(
        user_name=user.name,
        ssh_public_key_id=key.id,
        fingerprint=key.fingerprint,
        ssh_public_key_body=key.body,
        status=key.status,
        upload_date=key.uploaded,
    )
