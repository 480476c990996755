"""Operations on buckets as such."""

from __future__ import annotations

import base64

import msgspec

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import token
from cumulet.services.s3 import acls
from cumulet.services.s3.errors import error, invalid_argument, invalid_request, malformed_xml
from cumulet.services.s3.facts import RESERVED_AT_CREATION, check_tags
from cumulet.services.s3.model import ENABLED, SUSPENDED, Bucket, is_bucket_name
from cumulet.services.s3.regions import REGIONS
from cumulet.services.s3.state import S3, access_denied
from cumulet.storage.database import Conflict

HOME = "us-east-1"
MOST_BUCKETS_LISTED = 10_000
_OWNERSHIPS = {"BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"}


async def create_bucket(s3: S3, call: Call, request: api.CreateBucketRequest) -> api.CreateBucketOutput:
    if not is_bucket_name(request.bucket):
        raise error(400, "InvalidBucketName", "The specified bucket is not valid.", BucketName=request.bucket)
    config = request.create_bucket_configuration
    region = _region(call, config)
    settings = _first_settings(call, request)
    now = s3.now()
    bucket = Bucket(
        int(token(6), 16), request.bucket, call.account, region, now,
        ENABLED if request.object_lock_enabled_for_bucket else "", {},
    )  # fmt: skip
    try:
        await s3.buckets.add(bucket, settings)
    except Conflict:
        await _refuse_existing(s3, call, request, region)
    s3.forget(bucket.name)
    if call.region == HOME:
        location = f"/{bucket.name}"
    else:
        scheme, _, host = call.endpoint.partition("://")
        location = f"{scheme}://{bucket.name}.{host}/"
    return api.CreateBucketOutput(location=location, bucket_arn=bucket.arn)


def _region(call: Call, config: api.CreateBucketConfiguration | None) -> str:
    """The region that the bucket is to be in; raises for constraints that the endpoint's region does not take."""
    constraint = config.location_constraint if config else None
    if call.region == HOME:
        if constraint is None:
            return HOME
        if constraint == HOME or (constraint not in REGIONS and constraint != "EU"):
            raise error(
                400,
                "InvalidLocationConstraint",
                "The specified location-constraint is not valid",
                LocationConstraint=constraint,
            )
        return constraint
    if constraint != call.region and not (constraint == "EU" and call.region == "eu-west-1"):
        raise error(
            400,
            "IllegalLocationConstraintException",
            f"The {constraint or 'unspecified'} location constraint is incompatible for the region specific endpoint "
            "this request was sent to.",
        )
    return constraint


def _first_settings(call: Call, request: api.CreateBucketRequest) -> list[tuple[str, bytes]]:
    """The configurations that a bucket has from the beginning."""
    ownership = request.object_ownership
    if ownership is not None and ownership not in _OWNERSHIPS:
        raise invalid_argument(f"Invalid x-amz-object-ownership header: {ownership}", "x-amz-object-ownership")
    if request.acl is None or request.acl == "private":
        grants = acls.requested(request, call.account, bucket=True)
    else:
        grants = acls.canned(request.acl, call.account, bucket=True)
    if grants is not None and request.acl != "private" and (ownership or acls.ENFORCED) == acls.ENFORCED:
        raise error(
            400,
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )
    block = api.PublicAccessBlockConfiguration(
        block_public_acls=True, ignore_public_acls=True, block_public_policy=True, restrict_public_buckets=True
    )
    settings: list[tuple[str, msgspec.Struct]] = [
        (
            "ownership",
            api.OwnershipControls(rules=[api.OwnershipControlsRule(object_ownership=ownership or acls.ENFORCED)]),
        ),
        ("public-access-block", block),
    ]
    if grants is not None:
        settings.append(("acl", api.AccessControlPolicy(owner=acls.owner(call.account), grants=grants)))
    if request.object_lock_enabled_for_bucket:
        settings.append(("object-lock", api.ObjectLockConfiguration(object_lock_enabled="Enabled")))
    config = request.create_bucket_configuration
    if config is not None and config.tags:
        pairs = [(tag.key, tag.value) for tag in config.tags]
        check_tags(pairs, 50, "Bucket tag count cannot be greater than 50", RESERVED_AT_CREATION)
        settings.append(("tagging", api.Tagging(tag_set=config.tags)))
    return [(kind, msgspec.json.encode(value)) for kind, value in settings]


async def _refuse_existing(s3: S3, call: Call, request: api.CreateBucketRequest, region: str) -> None:
    """The name is taken: an error, unless the same account repeats itself in us-east-1."""
    existing = await s3.bucket(call, request.bucket)
    if existing.account != call.account:
        raise api.BucketAlreadyExists(
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again.",
            status=409,
            fields={"BucketName": request.bucket},
        )
    config = request.create_bucket_configuration
    tagged = bool(config and config.tags)
    if tagged or not (existing.region == HOME and call.region == HOME and region == HOME):
        raise api.BucketAlreadyOwnedByYou(
            "Your previous request to create the named bucket succeeded and you already own it.",
            status=409,
            fields={"BucketName": request.bucket},
        )


async def delete_bucket(s3: S3, call: Call, request: api.DeleteBucketRequest) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    left = await s3.buckets.remove(bucket)
    if left:
        message = "The bucket you tried to delete is not empty"
        if left == "versions":
            message += ". You must delete all versions in the bucket."
        raise error(409, "BucketNotEmpty", message, BucketName=bucket.name)
    s3.forget(bucket.name)


async def head_bucket(s3: S3, call: Call, request: api.HeadBucketRequest) -> api.HeadBucketOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    return api.HeadBucketOutput(bucket_arn=bucket.arn, bucket_region=_place(bucket), access_point_alias=False)


def _place(bucket: Bucket) -> str:
    return "eu-west-1" if bucket.region == "EU" else bucket.region


async def get_bucket_location(s3: S3, call: Call, request: api.GetBucketLocationRequest) -> api.GetBucketLocationOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    return api.GetBucketLocationOutput(location_constraint=None if bucket.region == HOME else bucket.region)


async def list_buckets(s3: S3, call: Call, request: api.ListBucketsRequest) -> api.ListBucketsOutput:
    if call.principal.kind == "anonymous":  # whatever permissions count for: a stranger is shown nobody's buckets
        raise access_denied()
    region = request.bucket_region or ""
    if region and region not in REGIONS:
        raise invalid_argument(f"Argument value {region} is not a valid AWS Region", "bucket-region")
    paged = request.max_buckets is not None or request.continuation_token
    limit = request.max_buckets if request.max_buckets is not None else MOST_BUCKETS_LISTED
    after = _after(request.continuation_token)
    rows = await s3.buckets.page(call.account, after, request.prefix or "", region, limit + 1)
    more = bool(paged) and len(rows) > limit
    shown = rows[:limit]
    with_region = paged or request.prefix is not None or region
    return api.ListBucketsOutput(
        buckets=[
            api.Bucket(
                name=name,
                creation_date=created,
                bucket_region=place if with_region else None,
                bucket_arn=f"arn:aws:s3:::{name}",
            )
            for name, created, place in shown
        ],
        owner=acls.owner(call.account),
        prefix=request.prefix,
        continuation_token=base64.urlsafe_b64encode(shown[-1][0].encode()).decode() if more and shown else None,
    )


def _after(continuation: str | None) -> str:
    if not continuation:
        return ""
    try:
        return base64.urlsafe_b64decode(continuation).decode()
    except ValueError:
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token") from None


async def get_bucket_versioning(
    s3: S3, call: Call, request: api.GetBucketVersioningRequest
) -> api.GetBucketVersioningOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    return api.GetBucketVersioningOutput(status=bucket.versioning or None)


async def put_bucket_versioning(s3: S3, call: Call, request: api.PutBucketVersioningRequest) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    config = request.versioning_configuration
    if config.mfa_delete == "Enabled":
        raise invalid_request("MFA Delete is not supported: it needs a device that the account's root owns.")
    if config.status is None:
        raise error(400, "IllegalVersioningConfigurationException", "The Versioning element must be specified")
    if config.status not in {ENABLED, SUSPENDED}:
        raise malformed_xml()
    if config.status == SUSPENDED and ("object-lock", "") in bucket.settings:
        raise error(
            409,
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
        )
    async with s3.db.transaction() as tx:
        await s3.buckets.set_versioning(tx, bucket, config.status)
        tx.after_commit(lambda: s3.forget(bucket.name))
