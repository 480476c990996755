"""Grants: permissions on one key for one principal, which can be taken back one by one.

https://docs.aws.amazon.com/kms/latest/developerguide/grants.html
"""

from __future__ import annotations

from cumulet.api import kms as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.ids import token
from cumulet.policy import ciphertexts
from cumulet.services.kms import encrypting, model, paging
from cumulet.services.kms.grants_store import Grant
from cumulet.services.kms.model import Key
from cumulet.services.kms.specs import AGREE, ENCAPSULATE, ENCRYPT, MAC, SIGN
from cumulet.services.kms.state import Kms
from cumulet.services.kms.tags import Invalid

_PAGE = 50
_ALWAYS = {"CreateGrant", "RetireGrant", "DescribeKey"}
_PUBLIC = {"GetPublicKey"}
_OF_SYMMETRIC = {
    "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
}  # fmt: skip
_OF_USAGE = {
    ENCRYPT: {"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"},
    SIGN: {"Sign", "Verify"} | _PUBLIC,
    MAC: {"GenerateMac", "VerifyMac"},
    AGREE: {"DeriveSharedSecret"} | _PUBLIC,
    ENCAPSULATE: {"Encapsulate", "Decapsulate"} | _PUBLIC,
}


def _possible(key: Key) -> set[str]:
    """The operations that a grant on this key can be for."""
    more = _OF_SYMMETRIC if key.symmetric else _PUBLIC if key.public else set()
    return _ALWAYS | _OF_USAGE[key.usage] | more


def _principal(arn: str | None, service: str | None) -> str:
    """An ARN, or the name of a service; raises InvalidArnException."""
    if service:
        return service
    if arn is None:
        return ""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        raise api.InvalidArnException("ARN does not refer to a valid principal") from None
    if parsed.service not in ("iam", "sts"):
        raise api.InvalidArnException("ARN does not refer to a valid principal")
    return arn


async def create_grant(kms: Kms, call: Call, request: api.CreateGrantRequest) -> api.CreateGrantResponse:
    key = await kms.usable(call, request.key_id)
    grantee = _principal(request.grantee_principal, request.grantee_service_principal)
    if not grantee:
        raise Invalid("GranteePrincipal is required.")
    constraints = request.constraints
    grant = Grant(
        id=token(32),
        key_id=key.id,
        grantee=grantee,
        operations=tuple(dict.fromkeys(request.operations)),
        created=kms.clock.now(),
        issuer=f"arn:aws:iam::{call.principal.account or call.account}:root",
        name=request.name or "",
        retiring=_principal(request.retiring_principal, request.retiring_service_principal),
        subset=constraints.encryption_context_subset if constraints else None,
        equals=constraints.encryption_context_equals if constraints else None,
        source_arn=(constraints.source_arn if constraints else None) or "",
    )
    if not set(grant.operations) <= _possible(key):
        raise Invalid(
            f"Operations {', '.join(sorted(set(grant.operations) - _possible(key)))} are not valid for a grant on a key of "
            f"spec {key.spec} and usage {key.usage}."
        )
    if grant.subset is not None and grant.equals is not None:
        raise Invalid("Only one of EncryptionContextSubset and EncryptionContextEquals may be specified.")
    encrypting.stop_if_dry(request.dry_run)
    if grant.name:
        for other in await kms.grants.of_key(key.account, key.region, key.id):
            if other.same == grant.same:
                return _answer(key, other)
    await kms.grants.add(key, grant)
    return _answer(key, grant)


def _answer(key: Key, grant: Grant) -> api.CreateGrantResponse:
    return api.CreateGrantResponse(grant_token=ciphertexts.Grant(key.arn, grant.id).token(), grant_id=grant.id)


async def list_grants(kms: Kms, call: Call, request: api.ListGrantsRequest) -> api.ListGrantsResponse:
    key = await kms.key(call, request.key_id)
    grantee = request.grantee_principal or request.grantee_service_principal
    found = [
        grant
        for grant in await kms.grants.of_key(key.account, key.region, key.id)
        if (request.grant_id or grant.id) == grant.id and (grantee or grant.grantee) == grant.grantee
    ]
    if request.grant_id and not found:
        raise api.InvalidGrantIdException(f"Grant ID {request.grant_id} not found")
    return _page(call, found, request.marker, request.limit)


async def list_retirable_grants(
    kms: Kms, call: Call, request: api.ListRetirableGrantsRequest
) -> api.ListGrantsResponse:
    principal = _principal(request.retiring_principal, request.retiring_service_principal)
    found = await kms.grants.retirable(call.account, call.region, principal)
    return _page(call, found, request.marker, request.limit)


def _page(call: Call, found: list[Grant], marker: str | None, limit: int | None) -> api.ListGrantsResponse:
    shown, following = paging.cut(found, marker, limit or _PAGE, lambda grant: grant.id)
    return api.ListGrantsResponse(
        grants=[_entry(call, grant) for grant in shown], truncated=following is not None, next_marker=following
    )


def _entry(call: Call, grant: Grant) -> api.GrantListEntry:
    constrained = grant.subset is not None or grant.equals is not None or grant.source_arn
    constraints = api.GrantConstraints(
        encryption_context_subset=grant.subset,
        encryption_context_equals=grant.equals,
        source_arn=grant.source_arn or None,
    )
    grantee, retiring = _by_kind(grant.grantee), _by_kind(grant.retiring)
    return api.GrantListEntry(
        key_id=f"arn:aws:kms:{call.region}:{call.account}:key/{grant.key_id}",
        grant_id=grant.id,
        name=grant.name,
        creation_date=grant.created,
        grantee_principal=grantee[0],
        grantee_service_principal=grantee[1],
        retiring_principal=retiring[0],
        retiring_service_principal=retiring[1],
        issuing_account=grant.issuer,
        operations=list(grant.operations),
        constraints=constraints if constrained else None,
    )


def _by_kind(principal: str) -> tuple[str | None, str | None]:
    """A principal as an ARN, or as a service."""
    if not principal:
        return None, None
    return (principal, None) if principal.startswith("arn:") else (None, principal)


async def retire_grant(kms: Kms, call: Call, request: api.RetireGrantRequest) -> None:
    if request.grant_token is not None:
        meant = ciphertexts.read_token(request.grant_token)
        if meant is None:
            raise api.InvalidGrantTokenException("Invalid grant token")
        key_id, grant_id = meant
    elif request.key_id and request.grant_id:
        key_id, grant_id = request.key_id, request.grant_id
    else:
        raise Invalid("Either GrantToken, or KeyId and GrantId, must be specified.")
    await _remove(kms, call, key_id, grant_id, dry_run=request.dry_run)


async def revoke_grant(kms: Kms, call: Call, request: api.RevokeGrantRequest) -> None:
    await _remove(kms, call, request.key_id, request.grant_id, dry_run=request.dry_run)


async def _remove(kms: Kms, call: Call, key_id: str, grant_id: str, *, dry_run: bool | None) -> None:
    key = await kms.key(call, key_id)
    model.check_present(key)
    if await kms.grants.find(key, grant_id) is None:
        raise api.NotFoundException(f"Grant ID {grant_id} not found")
    encrypting.stop_if_dry(dry_run)
    await kms.grants.remove(key, grant_id)
