"""What differs from service to service on the wire: one table, for everything else is one code for all.

From AWS's own answers; a service that is not listed is as `Quirks` says.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

# Types that AWS's common framework answers with, rather than the service itself.
CORAL = {
    "ValidationException": "com.amazon.coral.validate#",
    "SerializationException": "com.amazon.coral.service#",
    "UnknownOperationException": "com.amazon.coral.service#",
    "InternalFailure": "com.amazon.coral.service#",
    "AccessDeniedException": "com.amazon.coral.service#",
    "UnrecognizedClientException": "com.amazon.coral.service#",
    "MissingAuthenticationTokenException": "com.amazon.coral.service#",
    "IncompleteSignatureException": "com.amazon.coral.service#",
    "InvalidSignatureException": "com.amazon.coral.service#",
    "ThrottlingException": "com.amazon.coral.availability#",
}

# Errors of that framework whose text DynamoDB spells with a capital; those of validation and of signatures are not among them.
CORAL_MESSAGES = {"SerializationException": "Message", "AccessDeniedException": "Message"}


class Quirks(Struct, frozen=True, kw_only=True):
    """How a service answers.

    `validation`: "model" checks every constraint of the model; "required" only that required members are there (the service
    checks the rest itself); "schema" is S3's: bodies must fit the schema, or are MalformedXML.
    `validation_code`: of a failed validation. `input_prefix`: paths in bodies begin with the input's name
    (`createRestApiInput.name`). `null_items`: lists of constraints on items end with "Member must not be null".
    `wrong_types`: how a value of the wrong type is told of: by its token of JSON, by its Java class, or DynamoDB's way, which
    names the collection wanted and takes texts for booleans.
    `type_prefix`: before `__type`; `types`: its full form for codes that do not follow that, by code.
    `query_codes`: the query protocol's code for errors that the model does not have, by JSON code.
    `message_key`: the member with the text of an error that the model does not have. `message_keys`: the member with the text by
    code, where it is spelled other than the model says; `detailed_keys`: where that is so only of errors with members besides.
    `empty_messages`: errors without text have the member for it all the same.
    `empty_bodies`: a request of no body at all is one of no members.
    `milliseconds`: ISO 8601 moments always have them. `error_detail`: query errors have an empty `Detail`.
    `crc32`: answers carry x-amz-crc32. `roots`: the root elements of rest-xml answers by operation.
    `statuses`: HTTP statuses that the model does not tell, by operation. `schema_codes`: what "schema" answers a body with that
    does not fit, where it is not MalformedXML, by operation.
    `own_enums`: enumerations that the service checks itself, its list being another than the model's.
    `own_shapes`: shapes whose values the service checks itself, in words of its own. `own_limits`: shapes whose length or value
    it does, but not what is in them.
    `absent`: what is answered, before anything else, when a member is missing (`CreateTableInput.TableName`).
    `enum_orders`: recorded orders for enumerations that do not follow the rule of `validate.enum_order`.
    `patterns`: how messages show a shape's pattern, where that is not the model's.
    """

    validation: Literal["model", "required", "schema"] = "model"
    validation_code: str = "ValidationException"
    input_prefix: bool = False
    null_items: bool = True
    null_maps: frozenset[str] = frozenset()
    wrong_types: Literal["tokens", "classes", "collections"] = "tokens"
    type_prefix: str = ""
    types: Mapping[str, str] = {}
    query_codes: Mapping[str, str] = {}
    message_key: str = "message"
    message_keys: Mapping[str, str] = {}
    detailed_keys: Mapping[str, str] = {}
    empty_messages: bool = True
    empty_bodies: bool = True
    milliseconds: bool = False
    error_detail: bool = False
    crc32: bool = False
    roots: Mapping[str, str] = {}
    statuses: Mapping[str, int] = {}
    schema_codes: Mapping[str, str] = {}
    own_enums: frozenset[str] = frozenset()
    own_shapes: frozenset[str] = frozenset()
    own_limits: frozenset[str] = frozenset()
    absent: Mapping[str, str] = {}
    enum_orders: Mapping[str, tuple[str, ...]] = {}
    patterns: Mapping[str, str] = {}


# S3's root elements; the model leaves out those of most outputs.
S3_ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CreateSession": "CreateSessionResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycle": "LifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLocation": "LocationConstraint",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotification": "NotificationConfiguration",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationResult",
    "ListBucketIntelligentTieringConfigurations": "ListBucketIntelligentTieringConfigurationsResult",
    "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListDirectoryBuckets": "ListAllMyDirectoryBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}

# S3's operations that answer without content although their models say nothing of it.
S3_NO_CONTENT = (
    "PutBucketPolicy", "PutBucketTagging", "PutBucketAnalyticsConfiguration", "PutBucketInventoryConfiguration",
    "PutBucketMetricsConfiguration", "PutBucketIntelligentTieringConfiguration",
)  # fmt: skip

_LAYER_VERSION = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)"
    r"|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)"
)
_TAGGABLE = (
    r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}"
    r"|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|capacity-provider:[a-zA-Z0-9-_]+)"
)

_PLAIN = Quirks()
_QUERY = Quirks(validation_code="ValidationError")

QUIRKS: Mapping[str, Quirks] = {
    "apigateway": Quirks(
        input_prefix=True,
        null_items=False,
        null_maps=frozenset({"requestTemplates", "responseTemplates"}),
        wrong_types="classes",
    ),
    "apigatewayv2": Quirks(validation="required", validation_code="BadRequestException"),
    "apigatewaymanagementapi": Quirks(validation="required", validation_code="BadRequestException"),
    "cloudformation": Quirks(validation_code="ValidationError", milliseconds=True),
    "cloudwatch": Quirks(
        type_prefix="com.amazonaws.cloudwatch.v2010_08_01#",
        types={"ValidationException": "com.amazon.coral.validate#ValidationException"},
        query_codes={"ValidationException": "ValidationError", "SerializationException": "MalformedInput"},
        validation_code="ValidationException",
    ),
    "cognito-idp": Quirks(validation_code="InvalidParameterException"),
    "dynamodb": Quirks(
        type_prefix="com.amazonaws.dynamodb.v20120810#",
        types={code: prefix + code for code, prefix in CORAL.items()},
        wrong_types="collections",
        empty_bodies=False,
        message_keys=CORAL_MESSAGES | {"TransactionCanceledException": "Message"},
        detailed_keys={"ConditionalCheckFailedException": "Message"},
        null_items=False,
        own_shapes=frozenset({"AttributeValue", "AttributeMap", "PutItemInputAttributeMap", "Key", "ExpressionAttributeValueMap"}),
        absent={"CreateTableInput.TableName": "The parameter 'TableName' is required but was not present in the request"},
        own_limits=frozenset({"BatchGetRequestMap", "BatchWriteItemRequestMap", "KeyList", "PositiveIntegerObject"}),
        crc32=True,
    ),
    "dynamodbstreams": Quirks(
        type_prefix="com.amazonaws.dynamodb.v20120810#",
        types={code: prefix + code for code, prefix in CORAL.items()},
        wrong_types="collections",
        empty_bodies=False,
        message_keys=CORAL_MESSAGES,
        crc32=True,
    ),
    "efs": Quirks(validation_code="BadRequest", message_key="Message"),
    "iam": _QUERY,
    "kms": Quirks(
        empty_messages=False,
        enum_orders={
            "KeySpec": (
                "RSA_2048", "ECC_NIST_P384", "ECC_NIST_P256", "ECC_NIST_P521", "HMAC_384", "RSA_3072", "ECC_SECG_P256K1",
                "RSA_4096", "SYMMETRIC_DEFAULT", "HMAC_256", "HMAC_224", "HMAC_512",
            ),
            "KeyUsageType": ("ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"),
        },
    ),
    "lambda": Quirks(
        own_enums=frozenset({"Runtime", "Architecture"}),
        message_key="message",
        patterns={"LayerVersionArn": _LAYER_VERSION, "TaggableResource": _TAGGABLE},
    ),
    "logs": Quirks(validation_code="InvalidParameterException"),
    "s3": Quirks(
        validation="schema",
        validation_code="MalformedXML",
        milliseconds=True,
        roots=S3_ROOTS,
        statuses={"RestoreObject": 202} | dict.fromkeys(S3_NO_CONTENT, 204),
        schema_codes={"PutBucketAcl": "MalformedACLError", "PutObjectAcl": "MalformedACLError"},
        own_enums=frozenset({"BucketLocationConstraint", "FilterRuleName"}),
    ),
    "secretsmanager": Quirks(message_key="Message"),
    "sns": Quirks(validation_code="ValidationError", milliseconds=True),
    "sqs": Quirks(
        validation="required",
        validation_code="MissingParameter",
        type_prefix="com.amazonaws.sqs#",
        types={
            **{code: prefix + code for code, prefix in CORAL.items() if code != "AccessDeniedException"},
            "MissingParameter": "com.amazon.coral.service#MissingRequiredParameterException",
            "InvalidParameterValue": "com.amazon.coral.service#InvalidParameterValueException",
        },
        query_codes={
            "InvalidParameterValueException": "InvalidParameterValue",
            "MissingRequiredParameterException": "MissingParameter",
            "ResourceNotFoundException": "ResourceNotFoundException",
        },
        error_detail=True,
    ),
    "sts": _QUERY,
    "xray": Quirks(validation_code="InvalidRequestException", message_key="Message"),
}  # fmt: skip


def of(service: str) -> Quirks:
    """The table's row for a service."""
    return QUIRKS.get(service, _PLAIN)
