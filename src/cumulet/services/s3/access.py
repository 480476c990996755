"""Operations on who may do what: ACLs and bucket policies. The dispatcher enforces policies; ACLs are kept."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.services.s3 import acls, events
from cumulet.services.s3.errors import error
from cumulet.services.s3.model import Bucket, Facts, Stored
from cumulet.services.s3.settings import keep, missing, setting
from cumulet.services.s3.state import S3, access_denied
from cumulet.services.s3.versions import change_facts, find
from cumulet.storage.database import Transaction


class Policy(msgspec.Struct):
    """A bucket policy as it was sent."""

    text: str


async def get_bucket_acl(s3: S3, call: Call, request: api.GetBucketAclRequest) -> api.GetBucketAclOutput:
    bucket, config = await setting(s3, call, request, "acl", api.AccessControlPolicy)
    grants = config.grants if config else acls.private(bucket.account)
    return api.GetBucketAclOutput(owner=acls.owner(bucket.account), grants=grants)


async def put_bucket_acl(s3: S3, call: Call, request: api.PutBucketAclRequest) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    grants = _wanted(bucket, request, bucket_acl=True)
    await s3.put_setting(bucket, "acl", api.AccessControlPolicy(owner=acls.owner(bucket.account), grants=grants))


def _wanted(bucket: Bucket, request: Any, *, bucket_acl: bool) -> list[api.Grant]:
    """The grants that a PutBucketAcl or PutObjectAcl asks for, by header or document."""
    grants = acls.requested(request, bucket.account, bucket=bucket_acl)
    policy = request.access_control_policy
    if grants is not None and policy is not None:
        raise error(400, "UnexpectedContent", "This request does not support content")
    if grants is None:
        if policy is None:
            raise error(
                400,
                "MissingSecurityHeader",
                "Your request was missing a required header",
                MissingHeaderName="x-amz-acl",
            )
        grants = acls.checked_policy(policy)
    if acls.ownership(bucket) == acls.ENFORCED and not _owner_only(bucket, grants):
        raise acls.not_supported()
    acls.check_public(bucket, grants)
    return grants


def _owner_only(bucket: Bucket, grants: list[api.Grant]) -> bool:
    return bool(msgspec.to_builtins(grants) == msgspec.to_builtins(acls.private(bucket.account)))


async def get_object_acl(s3: S3, call: Call, request: api.GetObjectAclRequest) -> api.GetObjectAclOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    row, _ = await find(s3, bucket, request.key, request.version_id)
    kept = row.details().grants
    grants = acls.private(bucket.account) if kept is None else msgspec.convert(kept, list[api.Grant])
    return api.GetObjectAclOutput(owner=acls.owner(bucket.account), grants=grants)


async def put_object_acl(s3: S3, call: Call, request: api.PutObjectAclRequest) -> api.PutObjectAclOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    row, _ = await find(s3, bucket, request.key, request.version_id, "PUT", marker_is_error=True)
    grants = list(msgspec.to_builtins(_wanted(bucket, request, bucket_acl=False)))

    def change(facts: Facts) -> None:
        facts.grants = grants

    async def tell(tx: Transaction, now: Stored) -> None:
        await events.add(s3, tx, call, bucket, events.ACL, now, events.notices(bucket, events.ACL, now.key))

    await change_facts(s3, row, change, tell)
    return api.PutObjectAclOutput()


async def get_bucket_policy(s3: S3, call: Call, request: api.GetBucketPolicyRequest) -> api.GetBucketPolicyOutput:
    bucket, policy = await setting(s3, call, request, "policy", Policy)
    if policy is None:
        raise missing(bucket, "NoSuchBucketPolicy", "The bucket policy does not exist")
    return api.GetBucketPolicyOutput(policy=policy.text)


async def put_bucket_policy(s3: S3, call: Call, request: api.PutBucketPolicyRequest) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    document = _checked(request.policy)
    block = bucket.setting("public-access-block", api.PublicAccessBlockConfiguration)
    if block is not None and block.block_public_policy and is_public(document):
        raise access_denied(
            "User is not authorized to perform: s3:PutBucketPolicy on resource: "
            f'"{bucket.arn}" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public '
            "Access."
        )
    await s3.put_setting(bucket, "policy", Policy(request.policy))


def _checked(text: str) -> dict[str, Any]:
    if not text.startswith("{"):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    try:
        document = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError):
        raise _malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict) or "Statement" not in document:
        raise _malformed("Missing required field Statement")
    for statement in _statements(document):
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise _malformed("Missing required field Effect")
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise _malformed("Missing required field Principal")
        if "Action" not in statement and "NotAction" not in statement:
            raise _malformed("Missing required field Action")
        if "Resource" not in statement and "NotResource" not in statement:
            raise _malformed("Missing required field Resource")
    return document


def _malformed(message: str) -> Exception:
    return error(400, "MalformedPolicy", message)


def _statements(document: dict[str, Any]) -> list[Any]:
    found = document.get("Statement")
    return found if isinstance(found, list) else [found]


def is_public(document: dict[str, Any]) -> bool:
    """Whether a policy allows everybody something without a condition (AWS knows more conditions that narrow it)."""
    for statement in _statements(document):
        principal = statement.get("Principal")
        everybody = principal == "*" or (isinstance(principal, dict) and "*" in _list(principal.get("AWS")))
        if statement.get("Effect") == "Allow" and everybody and not statement.get("Condition"):
            return True
    return False


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


async def delete_bucket_policy(s3: S3, call: Call, request: api.DeleteBucketPolicyRequest) -> None:
    await keep(s3, call, request, "policy", None)


async def get_bucket_policy_status(
    s3: S3, call: Call, request: api.GetBucketPolicyStatusRequest
) -> api.GetBucketPolicyStatusOutput:
    bucket, policy = await setting(s3, call, request, "policy", Policy)
    if policy is None:
        raise missing(bucket, "NoSuchBucketPolicy", "The bucket policy does not exist")
    public = is_public(msgspec.json.decode(policy.text.encode()))
    return api.GetBucketPolicyStatusOutput(policy_status=api.PolicyStatus(is_public=public))


async def _bucket_of(s3: S3, arn: str) -> Bucket | None:
    """The bucket that an ARN (of it, or of an object in it) names."""
    name = arn.rpartition(":::")[2].partition("/")[0]
    return s3.cache.get(name) or await s3.buckets.find(name)


async def resource_owner(s3: S3, arn: str) -> str | None:
    """The account whose bucket an ARN names, which S3's ARNs do not tell; for authorization."""
    bucket = await _bucket_of(s3, arn)
    return bucket.account if bucket else None


async def resource_policy(s3: S3, arn: str) -> str | None:
    """The policy of the bucket that an ARN names, for authorization."""
    bucket = await _bucket_of(s3, arn)
    policy = bucket.setting("policy", Policy) if bucket else None
    return policy.text if policy else None
