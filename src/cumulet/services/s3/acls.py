"""Access control lists: canned ones, grants in headers, and grants in XML.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from cumulet.api import s3 as api
from cumulet.services.s3.errors import error, invalid_argument, invalid_request
from cumulet.services.s3.model import Bucket, canonical_id

_ALL = "http://acs.amazonaws.com/groups/global/AllUsers"
_AUTHENTICATED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
_LOGS = "http://acs.amazonaws.com/groups/s3/LogDelivery"
_GROUPS = {_ALL, _AUTHENTICATED, _LOGS}
_CANNED: dict[str, tuple[tuple[str, str], ...]] = {
    "private": (),
    "public-read": ((_ALL, "READ"),),
    "public-read-write": ((_ALL, "READ"), (_ALL, "WRITE")),
    "authenticated-read": ((_AUTHENTICATED, "READ"),),
    "aws-exec-read": (),
    "bucket-owner-read": (),
    "bucket-owner-full-control": (),
    "log-delivery-write": ((_LOGS, "WRITE"), (_LOGS, "READ_ACP")),
}
_BUCKET_CANNED = {
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "log-delivery-write",
    "aws-exec-read",
}
_PERMISSIONS = {
    "grant_full_control": ("x-amz-grant-full-control", "FULL_CONTROL"),
    "grant_read": ("x-amz-grant-read", "READ"),
    "grant_write": ("x-amz-grant-write", "WRITE"),
    "grant_read_acp": ("x-amz-grant-read-acp", "READ_ACP"),
    "grant_write_acp": ("x-amz-grant-write-acp", "WRITE_ACP"),
}
_ID = re.compile(r"[0-9a-f]{64}")
_GRANTEE = re.compile(r'\s*([A-Za-z]+)\s*=\s*"?([^",]*)"?\s*')
ENFORCED = "BucketOwnerEnforced"


def owner(account: str) -> api.Owner:
    return api.Owner(id=canonical_id(account))


def private(account: str) -> list[api.Grant]:
    """What an object or bucket has when nothing was asked for: its owner may do everything."""
    grantee = api.Grantee(id=canonical_id(account), type="CanonicalUser")
    return [api.Grant(grantee=grantee, permission="FULL_CONTROL")]


def ownership(bucket: Bucket) -> str:
    """The bucket's object ownership; without a configuration (it was deleted) the writer owns what it writes."""
    if ("ownership", "") not in bucket.settings:
        return "ObjectWriter"
    return str(bucket.setting("ownership", api.OwnershipControls).rules[0].object_ownership)


def grants_of_write(bucket: Bucket, request: Any) -> list[Any] | None:
    """The grants that a write request asks for, as plain data for the facts; None when it asks for none."""
    headers = request.grant_full_control or request.grant_read or request.grant_read_acp or request.grant_write_acp
    if request.acl is None and not headers:
        return None
    grants = requested(request, bucket.account, bucket=False)
    if grants is None:
        return None
    if ownership(bucket) == ENFORCED and request.acl != "bucket-owner-full-control":
        raise not_supported()
    check_public(bucket, grants)
    return list(msgspec.to_builtins(grants))


def not_supported() -> Exception:
    return error(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")


def check_public(bucket: Bucket, grants: list[api.Grant]) -> None:
    """BlockPublicAcls refuses grants to everybody."""
    block = bucket.setting("public-access-block", api.PublicAccessBlockConfiguration)
    if block is not None and block.block_public_acls and is_public(grants):
        raise error(
            403,
            "AccessDenied",
            "User is not authorized because public access is prevented by the BlockPublicAcls setting of the bucket's "
            "S3 Block Public Access configuration",
        )


def is_public(grants: Iterable[api.Grant]) -> bool:
    return any(grant.grantee is not None and grant.grantee.uri in {_ALL, _AUTHENTICATED} for grant in grants)


def requested(request: Any, account: str, *, bucket: bool) -> list[api.Grant] | None:
    """The grants of the x-amz-acl and x-amz-grant-* headers; None when there are none of them."""
    named = {name: getattr(request, name) for name in _PERMISSIONS if getattr(request, name, None) is not None}
    if request.acl is not None:
        if named:
            raise invalid_request("Specifying both Canned ACLs and Header Grants is not allowed")
        return canned(request.acl, account, bucket=bucket)
    if not named:
        return None
    return [
        api.Grant(grantee=_grantee(*_PERMISSIONS[name], part), permission=_PERMISSIONS[name][1])
        for name, header in named.items()
        for part in header.split(",")
    ]


def canned(name: str, account: str, *, bucket: bool) -> list[api.Grant]:
    """The grants behind a canned ACL's name."""
    if name not in _CANNED or (bucket and name not in _BUCKET_CANNED):
        raise invalid_argument("", "x-amz-acl", name)
    return private(account) + [
        api.Grant(grantee=api.Grantee(type="Group", uri=uri), permission=permission)
        for uri, permission in _CANNED[name]
    ]


def _grantee(header: str, permission: str, text: str) -> api.Grantee:
    found = _GRANTEE.fullmatch(text)
    kind = found.group(1) if found else ""
    value = found.group(2) if found else ""
    if kind == "uri":
        if value not in _GROUPS:
            raise invalid_argument("Invalid group uri", "uri", value)
        return api.Grantee(type="Group", uri=value)
    if kind == "id":
        if not _ID.fullmatch(value):
            raise invalid_argument("Invalid id", "id", value)
        return api.Grantee(type="CanonicalUser", id=value)
    if kind == "emailAddress":
        raise error(
            400,
            "UnresolvableGrantByEmailAddress",
            "The e-mail address you provided does not match any account on record.",
        )
    raise invalid_argument("Argument format not recognized", header, text)


def checked_policy(policy: api.AccessControlPolicy) -> list[api.Grant]:
    """The grants of an AccessControlPolicy document; raises MalformedACLError and InvalidArgument."""
    if policy.owner is None or not policy.owner.id or policy.grants is None:
        raise _malformed()
    if not _ID.fullmatch(policy.owner.id):
        raise invalid_argument("Invalid id", "CanonicalUser/ID", policy.owner.id)
    for grant in policy.grants:
        _check_grant(grant)
    return policy.grants


def _check_grant(grant: api.Grant) -> None:
    grantee = grant.grantee
    if grantee is None or grant.permission not in {one for _, one in _PERMISSIONS.values()}:
        raise _malformed()
    if grantee.type == "Group":
        if grantee.uri not in _GROUPS:
            raise invalid_argument("Invalid group uri", "Group/URI", grantee.uri)
    elif grantee.type == "CanonicalUser":
        if not grantee.id or not _ID.fullmatch(grantee.id):
            raise invalid_argument("Invalid id", "CanonicalUser/ID", grantee.id)
    elif grantee.type != "AmazonCustomerByEmail":
        raise _malformed()


def _malformed() -> Exception:
    return error(
        400,
        "MalformedACLError",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
