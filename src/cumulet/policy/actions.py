"""Which permissions an operation needs. Most operations need the permission of their own name; this lists the others.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from functools import lru_cache

from cumulet.policy import addresses

PREFIXES = {
    "lambda": "lambda",
    "lambda-core": "lambda",
    "lambda-microvms": "lambda",
    "lambda-web": "lambda",
    "cloudwatch": "cloudwatch",
    "stepfunctions": "states",
    "dynamodbstreams": "dynamodb",
    "efs": "elasticfilesystem",
    "apigatewayv2": "apigateway",
    "apigatewaymanagementapi": "execute-api",
    "cognito_idp": "cognito-idp",
    "cognito-idp": "cognito-idp",
}
"""A service's prefix in actions, where it is not the service's name."""

# What a statement needs depends on its first word; asking for all errs on the safe side.
_PARTIQL = ("PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete")

ACTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "s3": {
        "AbortMultipartUpload": ("AbortMultipartUpload",),
        "CompleteMultipartUpload": ("PutObject",),
        "CopyObject": ("PutObject",),
        "CreateMultipartUpload": ("PutObject",),
        "DeleteBucketAnalyticsConfiguration": ("PutAnalyticsConfiguration",),
        "DeleteBucketCors": ("PutBucketCORS",),
        "DeleteBucketEncryption": ("PutEncryptionConfiguration",),
        "DeleteBucketIntelligentTieringConfiguration": ("PutIntelligentTieringConfiguration",),
        "DeleteBucketInventoryConfiguration": ("PutInventoryConfiguration",),
        "DeleteBucketLifecycle": ("PutLifecycleConfiguration",),
        "DeleteBucketMetricsConfiguration": ("PutMetricsConfiguration",),
        "DeleteBucketOwnershipControls": ("PutBucketOwnershipControls",),
        "DeleteBucketReplication": ("PutReplicationConfiguration",),
        "DeleteBucketTagging": ("PutBucketTagging",),
        "DeleteObjects": ("DeleteObject",),
        "DeletePublicAccessBlock": ("PutBucketPublicAccessBlock",),
        "GetBucketAccelerateConfiguration": ("GetAccelerateConfiguration",),
        "GetBucketAnalyticsConfiguration": ("GetAnalyticsConfiguration",),
        "GetBucketCors": ("GetBucketCORS",),
        "GetBucketEncryption": ("GetEncryptionConfiguration",),
        "GetBucketIntelligentTieringConfiguration": ("GetIntelligentTieringConfiguration",),
        "GetBucketInventoryConfiguration": ("GetInventoryConfiguration",),
        "GetBucketLifecycle": ("GetLifecycleConfiguration",),
        "GetBucketLifecycleConfiguration": ("GetLifecycleConfiguration",),
        "GetBucketMetricsConfiguration": ("GetMetricsConfiguration",),
        "GetBucketNotificationConfiguration": ("GetBucketNotification",),
        "GetBucketReplication": ("GetReplicationConfiguration",),
        "GetObjectLockConfiguration": ("GetBucketObjectLockConfiguration",),
        "GetObjectTorrent": ("GetObjectTorrent",),
        "GetPublicAccessBlock": ("GetBucketPublicAccessBlock",),
        "HeadBucket": ("ListBucket",),
        "HeadObject": ("GetObject",),
        "ListBucketAnalyticsConfigurations": ("GetAnalyticsConfiguration",),
        "ListBucketIntelligentTieringConfigurations": ("GetIntelligentTieringConfiguration",),
        "ListBucketInventoryConfigurations": ("GetInventoryConfiguration",),
        "ListBucketMetricsConfigurations": ("GetMetricsConfiguration",),
        "ListBuckets": ("ListAllMyBuckets",),
        "ListDirectoryBuckets": ("ListAllMyDirectoryBuckets",),
        "ListMultipartUploads": ("ListBucketMultipartUploads",),
        "ListObjectVersions": ("ListBucketVersions",),
        "ListObjects": ("ListBucket",),
        "ListObjectsV2": ("ListBucket",),
        "ListParts": ("ListMultipartUploadParts",),
        "PutBucketAccelerateConfiguration": ("PutAccelerateConfiguration",),
        "PutBucketAnalyticsConfiguration": ("PutAnalyticsConfiguration",),
        "PutBucketCors": ("PutBucketCORS",),
        "PutBucketEncryption": ("PutEncryptionConfiguration",),
        "PutBucketIntelligentTieringConfiguration": ("PutIntelligentTieringConfiguration",),
        "PutBucketInventoryConfiguration": ("PutInventoryConfiguration",),
        "PutBucketLifecycle": ("PutLifecycleConfiguration",),
        "PutBucketLifecycleConfiguration": ("PutLifecycleConfiguration",),
        "PutBucketMetricsConfiguration": ("PutMetricsConfiguration",),
        "PutBucketNotificationConfiguration": ("PutBucketNotification",),
        "PutBucketReplication": ("PutReplicationConfiguration",),
        "PutObjectLockConfiguration": ("PutBucketObjectLockConfiguration",),
        "PutPublicAccessBlock": ("PutBucketPublicAccessBlock",),
        "SelectObjectContent": ("GetObject",),
        "UploadPart": ("PutObject",),
        "UploadPartCopy": ("PutObject",),
    },
    "lambda": {
        "Invoke": ("InvokeFunction",),
        "InvokeAsync": ("InvokeFunction",),
        "InvokeFunctionUrl": ("InvokeFunctionUrl", "InvokeFunction"),  # no operation, but asked for all the same
        "InvokeWithResponseStream": ("InvokeFunction",),
        "GetLayerVersionByArn": ("GetLayerVersion",),
    },
    "sqs": {
        "ChangeMessageVisibilityBatch": ("ChangeMessageVisibility",),
        "DeleteMessageBatch": ("DeleteMessage",),
        "ReturnMessages": ("ReceiveMessage",),  # no client's operation, but asked for all the same
        "SendMessageBatch": ("SendMessage",),
    },
    "sns": {"PublishBatch": ("Publish",)},
    "dynamodb": {
        "ExecuteStatement": _PARTIQL,
        "BatchExecuteStatement": _PARTIQL,
        "ExecuteTransaction": _PARTIQL,
        "TransactGetItems": ("GetItem",),
        "TransactWriteItems": ("PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"),
    },
    "sts": {"GetCallerIdentity": (), "GetSessionToken": (), "AssumeRoleWithWebIdentity": (), "AssumeRoleWithSAML": ()},
    "apigatewaymanagementapi": {
        "PostToConnection": ("ManageConnections",),
        "GetConnection": ("ManageConnections",),
        "DeleteConnection": ("ManageConnections",),
    },
}
"""By service and operation. An empty tuple: AWS asks for no permission."""


@lru_cache(4096)
def permissions(service: str, operation: str) -> tuple[str, ...]:
    """The permissions an operation needs, as `prefix:Action`."""
    prefix = PREFIXES.get(service, service)
    if service in addresses.SERVICES:
        return (f"{prefix}:{addresses.method(service, operation)}",)
    names = ACTIONS.get(service, {}).get(operation, (operation,))
    return tuple(f"{prefix}:{name}" for name in names)
