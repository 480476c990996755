"""Operations on configurations that a bucket has many of, by id: metrics, analytics, inventory, tiering.

They are kept and answered; nothing is measured or reported from them yet (docs/services/s3.md).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.services.s3.errors import error, malformed_xml
from cumulet.services.s3.model import Bucket
from cumulet.services.s3.state import S3

_BUCKET_ARN = re.compile(r"arn:aws[a-z-]*:s3:::[A-Za-z0-9.-]+")
_OPTIONAL_FIELDS = {
    "Size", "LastModifiedDate", "StorageClass", "ETag", "IsMultipartUploaded", "ReplicationStatus", "EncryptionStatus",
    "ObjectLockRetainUntilDate", "ObjectLockMode", "ObjectLockLegalHoldStatus", "IntelligentTieringAccessTier",
    "BucketKeyStatus", "ChecksumAlgorithm", "ObjectAccessControlList", "ObjectOwner", "LifecycleExpirationDate",
}  # fmt: skip


async def _get(s3: S3, call: Call, request: Any, kind: str, type_: type[Struct]) -> Any:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    found = bucket.setting(kind, type_, request.id)
    if found is None:
        raise _missing()
    return found


def _missing() -> Exception:
    return error(404, "NoSuchConfiguration", "The specified configuration does not exist.")


async def _put(s3: S3, call: Call, request: Any, kind: str, config: Any) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    if config.id != request.id:
        raise error(400, "IdMismatch", "Document ID does not match the specified configuration ID.")
    await s3.put_setting(bucket, kind, config, request.id)


async def _delete(s3: S3, call: Call, request: Any, kind: str) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    if (kind, request.id) not in bucket.settings:
        raise _missing()
    await s3.put_setting(bucket, kind, None, request.id)


def _all(bucket: Bucket, kind: str, type_: type[Struct]) -> list[Any]:
    found = sorted((id, raw) for (one, id), raw in bucket.settings.items() if one == kind)
    return [msgspec.json.decode(raw, type=type_) for _, raw in found]


async def get_bucket_metrics_configuration(
    s3: S3, call: Call, request: api.GetBucketMetricsConfigurationRequest
) -> api.GetBucketMetricsConfigurationOutput:
    found = await _get(s3, call, request, "metrics", api.MetricsConfiguration)
    return api.GetBucketMetricsConfigurationOutput(metrics_configuration=found)


async def put_bucket_metrics_configuration(
    s3: S3, call: Call, request: api.PutBucketMetricsConfigurationRequest
) -> None:
    await _put(s3, call, request, "metrics", request.metrics_configuration)


async def delete_bucket_metrics_configuration(
    s3: S3, call: Call, request: api.DeleteBucketMetricsConfigurationRequest
) -> None:
    await _delete(s3, call, request, "metrics")


async def list_bucket_metrics_configurations(
    s3: S3, call: Call, request: api.ListBucketMetricsConfigurationsRequest
) -> api.ListBucketMetricsConfigurationsOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    found = _all(bucket, "metrics", api.MetricsConfiguration)
    return api.ListBucketMetricsConfigurationsOutput(is_truncated=False, metrics_configuration_list=found or None)


async def get_bucket_analytics_configuration(
    s3: S3, call: Call, request: api.GetBucketAnalyticsConfigurationRequest
) -> api.GetBucketAnalyticsConfigurationOutput:
    found = await _get(s3, call, request, "analytics", api.AnalyticsConfiguration)
    return api.GetBucketAnalyticsConfigurationOutput(analytics_configuration=found)


async def put_bucket_analytics_configuration(
    s3: S3, call: Call, request: api.PutBucketAnalyticsConfigurationRequest
) -> None:
    check_analytics(request.analytics_configuration)
    if request.analytics_configuration.id != request.id:
        raise malformed_xml()
    await _put(s3, call, request, "analytics", request.analytics_configuration)


async def delete_bucket_analytics_configuration(
    s3: S3, call: Call, request: api.DeleteBucketAnalyticsConfigurationRequest
) -> None:
    await _delete(s3, call, request, "analytics")


async def list_bucket_analytics_configurations(
    s3: S3, call: Call, request: api.ListBucketAnalyticsConfigurationsRequest
) -> api.ListBucketAnalyticsConfigurationsOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    found = _all(bucket, "analytics", api.AnalyticsConfiguration)
    return api.ListBucketAnalyticsConfigurationsOutput(is_truncated=False, analytics_configuration_list=found or None)


async def get_bucket_inventory_configuration(
    s3: S3, call: Call, request: api.GetBucketInventoryConfigurationRequest
) -> api.GetBucketInventoryConfigurationOutput:
    found = await _get(s3, call, request, "inventory", api.InventoryConfiguration)
    return api.GetBucketInventoryConfigurationOutput(inventory_configuration=found)


async def put_bucket_inventory_configuration(
    s3: S3, call: Call, request: api.PutBucketInventoryConfigurationRequest
) -> None:
    check_inventory(request.inventory_configuration)
    await _put(s3, call, request, "inventory", request.inventory_configuration)


async def delete_bucket_inventory_configuration(
    s3: S3, call: Call, request: api.DeleteBucketInventoryConfigurationRequest
) -> None:
    await _delete(s3, call, request, "inventory")


async def list_bucket_inventory_configurations(
    s3: S3, call: Call, request: api.ListBucketInventoryConfigurationsRequest
) -> api.ListBucketInventoryConfigurationsOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    found = _all(bucket, "inventory", api.InventoryConfiguration)
    return api.ListBucketInventoryConfigurationsOutput(is_truncated=False, inventory_configuration_list=found or None)


async def get_bucket_intelligent_tiering_configuration(
    s3: S3, call: Call, request: api.GetBucketIntelligentTieringConfigurationRequest
) -> api.GetBucketIntelligentTieringConfigurationOutput:
    found = await _get(s3, call, request, "intelligent-tiering", api.IntelligentTieringConfiguration)
    return api.GetBucketIntelligentTieringConfigurationOutput(intelligent_tiering_configuration=found)


async def put_bucket_intelligent_tiering_configuration(
    s3: S3, call: Call, request: api.PutBucketIntelligentTieringConfigurationRequest
) -> None:
    await _put(s3, call, request, "intelligent-tiering", request.intelligent_tiering_configuration)


async def delete_bucket_intelligent_tiering_configuration(
    s3: S3, call: Call, request: api.DeleteBucketIntelligentTieringConfigurationRequest
) -> None:
    await _delete(s3, call, request, "intelligent-tiering")


async def list_bucket_intelligent_tiering_configurations(
    s3: S3, call: Call, request: api.ListBucketIntelligentTieringConfigurationsRequest
) -> api.ListBucketIntelligentTieringConfigurationsOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    found = _all(bucket, "intelligent-tiering", api.IntelligentTieringConfiguration)
    return api.ListBucketIntelligentTieringConfigurationsOutput(
        is_truncated=False, intelligent_tiering_configuration_list=found or None
    )


def check_analytics(config: api.AnalyticsConfiguration) -> None:
    """An export names a schema version and a bucket by its ARN."""
    export = config.storage_class_analysis.data_export
    if export is None:
        return
    target = export.destination.s3_bucket_destination
    if export.output_schema_version != "V_1" or target.format != "CSV" or not _BUCKET_ARN.fullmatch(target.bucket):
        raise malformed_xml()


def check_inventory(config: api.InventoryConfiguration) -> None:
    target = config.destination.s3_bucket_destination
    if not _BUCKET_ARN.fullmatch(target.bucket):
        raise error(400, "InvalidS3DestinationBucket", "Invalid bucket ARN.")
    if (
        target.format not in {"CSV", "ORC", "Parquet"}
        or config.schedule.frequency not in {"Daily", "Weekly"}
        or config.included_object_versions not in {"All", "Current"}
        or set(config.optional_fields or ()) - _OPTIONAL_FIELDS
    ):
        raise malformed_xml()
