"""Which keys a request to KMS needs which permissions on.

https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html
"""

from collections.abc import Iterator
from typing import Any

from cumulet.kernel.call import Call
from cumulet.policy import ciphertexts

ANYTHING = "*"


def key_arn(call: Call, key: str) -> str:
    """The ARN of what names a key: an id, an ARN, an alias or an alias's ARN; aliases are followed later."""
    if key.startswith("arn:"):
        return key
    resource = key if key.startswith("alias/") else f"key/{key}"
    return f"arn:aws:kms:{call.region}:{call.account}:{resource}"


def _of_ciphertext(call: Call, named: str | None, blob: bytes | None) -> str:
    """The key that is named, else the one that encrypted."""
    if named:
        return key_arn(call, named)
    header = ciphertexts.read(blob) if blob else None
    return f"arn:aws:kms:{call.region}:{header.account}:key/{header.key_id}" if header else ANYTHING


def wanted(call: Call, operation: str, request: Any) -> Iterator[tuple[str, str, bool]]:
    """Each permission: the action's name, the ARN of what it is on, and whether that is a key (not an alias as such)."""
    if operation == "Decrypt":
        resource = _of_ciphertext(call, request.key_id, request.ciphertext_blob)
        yield operation, resource, resource != ANYTHING
    elif operation == "ReEncrypt":
        source = _of_ciphertext(call, request.source_key_id, request.ciphertext_blob)
        yield "ReEncryptFrom", source, source != ANYTHING
        yield "ReEncryptTo", key_arn(call, request.destination_key_id), True
    elif operation == "RetireGrant":
        grant = ciphertexts.read_token(request.grant_token) if request.grant_token else None
        named: str = (grant.key_arn if grant else request.key_id) or ""
        yield operation, key_arn(call, named) if named else ANYTHING, bool(named)
    elif operation in ("CreateAlias", "UpdateAlias", "DeleteAlias"):
        alias = key_arn(call, request.alias_name)
        yield operation, alias, False
        if operation != "CreateAlias":
            yield operation, alias, True  # the key that it is for
        if operation != "DeleteAlias":
            yield operation, key_arn(call, request.target_key_id), True
    else:
        key: str = getattr(request, "key_id", None) or ""
        listing = not key or operation == "ListAliases"
        yield operation, ANYTHING if listing else key_arn(call, key), not listing
