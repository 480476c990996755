"""Operations on bucket configurations that are kept and answered as they are.

Which of them have an effect here, and which are only kept, is told in docs/services/s3.md.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.services.s3.errors import error, invalid_argument, invalid_request, malformed_xml
from cumulet.services.s3.model import Bucket
from cumulet.services.s3.state import S3

_METHODS = {"GET", "PUT", "POST", "DELETE", "HEAD"}
_MOST_RULES = 100


async def setting(s3: S3, call: Call, request: Any, kind: str, type_: type[Struct]) -> tuple[Bucket, Any]:
    """The bucket of a request and its configuration of that kind, None when it has none."""
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    return bucket, bucket.setting(kind, type_)


async def keep(s3: S3, call: Call, request: Any, kind: str, value: Struct | None) -> None:
    """Put a configuration in place, or remove it."""
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    await s3.put_setting(bucket, kind, value)


def missing(bucket: Bucket, code: str, message: str) -> Exception:
    return error(404, code, message, BucketName=bucket.name)


# Cross-origin resource sharing


async def get_bucket_cors(s3: S3, call: Call, request: api.GetBucketCorsRequest) -> api.GetBucketCorsOutput:
    bucket, config = await setting(s3, call, request, "cors", api.CORSConfiguration)
    if config is None:
        raise missing(bucket, "NoSuchCORSConfiguration", "The CORS configuration does not exist")
    return api.GetBucketCorsOutput(cors_rules=config.cors_rules)


async def put_bucket_cors(s3: S3, call: Call, request: api.PutBucketCorsRequest) -> None:
    rules = request.cors_configuration.cors_rules
    if not rules or len(rules) > _MOST_RULES:
        raise malformed_xml()
    for rule in rules:
        if not rule.allowed_methods or not rule.allowed_origins:
            raise malformed_xml()
        for method in rule.allowed_methods:
            if method not in _METHODS:
                raise invalid_request(f"Found unsupported HTTP method in CORS config. Unsupported method is {method}")
    await keep(s3, call, request, "cors", request.cors_configuration)


async def delete_bucket_cors(s3: S3, call: Call, request: api.DeleteBucketCorsRequest) -> None:
    await keep(s3, call, request, "cors", None)


# Public access block and ownership


async def get_public_access_block(
    s3: S3, call: Call, request: api.GetPublicAccessBlockRequest
) -> api.GetPublicAccessBlockOutput:
    bucket, config = await setting(s3, call, request, "public-access-block", api.PublicAccessBlockConfiguration)
    if config is None:
        raise missing(
            bucket, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"
        )
    return api.GetPublicAccessBlockOutput(public_access_block_configuration=config)


async def put_public_access_block(s3: S3, call: Call, request: api.PutPublicAccessBlockRequest) -> None:
    sent = request.public_access_block_configuration
    config = api.PublicAccessBlockConfiguration(
        block_public_acls=bool(sent.block_public_acls),
        ignore_public_acls=bool(sent.ignore_public_acls),
        block_public_policy=bool(sent.block_public_policy),
        restrict_public_buckets=bool(sent.restrict_public_buckets),
    )
    await keep(s3, call, request, "public-access-block", config)


async def delete_public_access_block(s3: S3, call: Call, request: api.DeletePublicAccessBlockRequest) -> None:
    await keep(s3, call, request, "public-access-block", None)


async def get_bucket_ownership_controls(
    s3: S3, call: Call, request: api.GetBucketOwnershipControlsRequest
) -> api.GetBucketOwnershipControlsOutput:
    bucket, config = await setting(s3, call, request, "ownership", api.OwnershipControls)
    if config is None:
        raise missing(bucket, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found")
    return api.GetBucketOwnershipControlsOutput(ownership_controls=config)


async def put_bucket_ownership_controls(s3: S3, call: Call, request: api.PutBucketOwnershipControlsRequest) -> None:
    rules = request.ownership_controls.rules
    if len(rules) != 1 or rules[0].object_ownership not in {
        "BucketOwnerPreferred",
        "ObjectWriter",
        "BucketOwnerEnforced",
    }:
        raise malformed_xml()
    await keep(s3, call, request, "ownership", request.ownership_controls)


async def delete_bucket_ownership_controls(
    s3: S3, call: Call, request: api.DeleteBucketOwnershipControlsRequest
) -> None:
    await keep(s3, call, request, "ownership", None)


# Default encryption


async def get_bucket_encryption(
    s3: S3, call: Call, request: api.GetBucketEncryptionRequest
) -> api.GetBucketEncryptionOutput:
    _, config = await setting(s3, call, request, "encryption", api.ServerSideEncryptionConfiguration)
    if config is None:
        default = api.ServerSideEncryptionByDefault(sse_algorithm="AES256")
        rule = api.ServerSideEncryptionRule(apply_server_side_encryption_by_default=default, bucket_key_enabled=False)
        config = api.ServerSideEncryptionConfiguration(rules=[rule])
    return api.GetBucketEncryptionOutput(server_side_encryption_configuration=config)


async def put_bucket_encryption(s3: S3, call: Call, request: api.PutBucketEncryptionRequest) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    config = request.server_side_encryption_configuration
    if len(config.rules) != 1:
        raise malformed_xml()
    rule = config.rules[0]
    default = rule.apply_server_side_encryption_by_default
    if default is None or default.sse_algorithm not in {"AES256", "aws:kms", "aws:kms:dsse"}:
        raise malformed_xml()
    if default.sse_algorithm == "AES256" and default.kms_master_key_id is not None:
        raise invalid_argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            "ApplyServerSideEncryptionByDefault",
        )
    if rule.bucket_key_enabled is None:
        rule.bucket_key_enabled = False
    await s3.put_setting(bucket, "encryption", config)


async def delete_bucket_encryption(s3: S3, call: Call, request: api.DeleteBucketEncryptionRequest) -> None:
    await keep(s3, call, request, "encryption", None)


# Requester pays, transfer acceleration


async def get_bucket_request_payment(
    s3: S3, call: Call, request: api.GetBucketRequestPaymentRequest
) -> api.GetBucketRequestPaymentOutput:
    _, config = await setting(s3, call, request, "request-payment", api.RequestPaymentConfiguration)
    return api.GetBucketRequestPaymentOutput(payer=config.payer if config else "BucketOwner")


async def put_bucket_request_payment(s3: S3, call: Call, request: api.PutBucketRequestPaymentRequest) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    if request.request_payment_configuration.payer not in {"BucketOwner", "Requester"}:
        raise malformed_xml()
    await s3.put_setting(bucket, "request-payment", request.request_payment_configuration)


async def get_bucket_accelerate_configuration(
    s3: S3, call: Call, request: api.GetBucketAccelerateConfigurationRequest
) -> api.GetBucketAccelerateConfigurationOutput:
    _, config = await setting(s3, call, request, "accelerate", api.AccelerateConfiguration)
    return api.GetBucketAccelerateConfigurationOutput(status=config.status if config else None)


async def put_bucket_accelerate_configuration(
    s3: S3, call: Call, request: api.PutBucketAccelerateConfigurationRequest
) -> None:
    if "." in request.bucket:
        raise invalid_request("S3 Transfer Acceleration is not supported for buckets with periods (.) in their names")
    if request.accelerate_configuration.status not in {"Enabled", "Suspended"}:
        raise malformed_xml()
    await keep(s3, call, request, "accelerate", request.accelerate_configuration)


# Server access logging


async def get_bucket_logging(s3: S3, call: Call, request: api.GetBucketLoggingRequest) -> api.GetBucketLoggingOutput:
    _, config = await setting(s3, call, request, "logging", api.BucketLoggingStatus)
    return api.GetBucketLoggingOutput(logging_enabled=config.logging_enabled if config else None)


async def put_bucket_logging(s3: S3, call: Call, request: api.PutBucketLoggingRequest) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    wanted = request.bucket_logging_status.logging_enabled
    if wanted is None:
        await s3.put_setting(bucket, "logging", None)
        return
    target = s3.cache.get(wanted.target_bucket) or await s3.buckets.find(wanted.target_bucket)
    if target is None:
        raise error(
            400,
            "InvalidTargetBucketForLogging",
            "The target bucket for logging does not exist",
            TargetBucket=wanted.target_bucket,
        )
    if target.region != bucket.region:
        places = {"TargetBucketLocation": target.region}
        if bucket.region != "us-east-1":
            places["SourceBucketLocation"] = bucket.region
        raise error(403, "CrossLocationLoggingProhibitted", "Cross S3 location logging not allowed. ", **places)
    await s3.put_setting(bucket, "logging", request.bucket_logging_status)


# Replication


async def get_bucket_replication(
    s3: S3, call: Call, request: api.GetBucketReplicationRequest
) -> api.GetBucketReplicationOutput:
    bucket, config = await setting(s3, call, request, "replication", api.ReplicationConfiguration)
    if config is None:
        raise missing(bucket, "ReplicationConfigurationNotFoundError", "The replication configuration was not found")
    return api.GetBucketReplicationOutput(replication_configuration=config)


async def put_bucket_replication(s3: S3, call: Call, request: api.PutBucketReplicationRequest) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    if bucket.versioning != "Enabled":
        raise invalid_request("Versioning must be 'Enabled' on the bucket to apply a replication configuration")
    config = request.replication_configuration
    if not config.rules:
        raise malformed_xml()
    for rule in config.rules:
        name = rule.destination.bucket.rpartition(":")[2]
        target = s3.cache.get(name) or await s3.buckets.find(name)
        if target is None or target.versioning != "Enabled":
            raise invalid_request("Destination bucket must have versioning enabled.")
        if rule.status == "Enabled":
            raise error(
                501, "NotImplemented", "Objects are not replicated in Cumulet yet: only Disabled rules are kept."
            )
    await s3.put_setting(bucket, "replication", config)


async def delete_bucket_replication(s3: S3, call: Call, request: api.DeleteBucketReplicationRequest) -> None:
    await keep(s3, call, request, "replication", None)
