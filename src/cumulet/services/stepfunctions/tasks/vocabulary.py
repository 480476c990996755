"""Names that AWS's SDK for Java gives things, as Step Functions shows them: its tasks are calls of that SDK."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from cumulet.api.model import load


class SdkService(Struct, frozen=True):
    """A service as `aws-sdk:` resources name it.

    `module` is that of `cumulet.api`, empty where there is no model of it here; `service` is botocore's name; `title` is what
    errors are told by (`DynamoDb.ResourceNotFoundException`).
    """

    module: str
    service: str
    title: str


def _service(module: str, title: str, service: str = "") -> SdkService:
    return SdkService(module, service or module, title)


# By the name of the SDK's package: https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
SERVICES = {
    "apigateway": _service("apigateway", "ApiGateway"),
    "apigatewaymanagementapi": _service("apigatewaymanagementapi", "ApiGatewayManagementApi"),
    "apigatewayv2": _service("apigatewayv2", "ApiGatewayV2"),
    "cloudformation": _service("cloudformation", "CloudFormation"),
    "cloudwatch": _service("cloudwatch", "CloudWatch"),
    "cloudwatchlogs": _service("logs", "CloudWatchLogs"),
    "cognitoidentityprovider": _service("cognito_idp", "CognitoIdentityProvider", "cognito-idp"),
    "dynamodb": _service("dynamodb", "DynamoDb"),
    "dynamodbstreams": _service("dynamodbstreams", "DynamoDbStreams"),
    "eventbridge": _service("events", "EventBridge"),
    "firehose": _service("firehose", "Firehose"),
    "iam": _service("iam", "Iam"),
    "kinesis": _service("kinesis", "Kinesis"),
    "kms": _service("kms", "Kms"),
    "lambda": _service("lambda_", "Lambda", "lambda"),
    "pipes": _service("pipes", "Pipes"),
    "s3": _service("s3", "S3"),
    "scheduler": _service("scheduler", "Scheduler"),
    "secretsmanager": _service("secretsmanager", "SecretsManager"),
    "sfn": _service("stepfunctions", "Sfn"),
    "sns": _service("sns", "Sns"),
    "sqs": _service("sqs", "Sqs"),
    "ssm": _service("ssm", "Ssm"),
    "sts": _service("sts", "Sts"),
    "xray": _service("xray", "XRay"),
}

# Members that the SDK calls otherwise, because Java has another meaning for the name.
_RENAMED = {"NULL": "Nul", "Null": "Nul", "Class": "ClassValue", "Return": "ReturnValue", "Default": "DefaultValue"}


@lru_cache(8192)
def java_name(member: str) -> str:
    """A member of a model as tasks of `aws-sdk:` have it: `DBInstanceArn` is `DbInstanceArn`, `tableName` is `TableName`.

    The SDK makes leading capitals of a name lower (up to the one that begins the next word) and Step Functions makes the first
    of them a capital again.
    """
    if member in _RENAMED:
        return _RENAMED[member]
    end = 1
    while end < len(member) and member[end].isupper() and not member[end + 1 : end + 2].islower():
        end += 1
    lowered = member[:end].lower() + member[end:]
    return lowered[:1].upper() + lowered[1:]


@lru_cache(4096)
def pascal_name(member: str) -> str:
    """A member as tasks of optimised integrations have it: the model's name with a capital."""
    return member[:1].upper() + member[1:]


@lru_cache(1024)
def exception_name(shape: str) -> str:
    """An error of a model as the SDK's exception class: `NoSuchKey` is `NoSuchKeyException`."""
    if shape.endswith("Exception"):
        name = shape
    elif shape.endswith("Fault"):
        name = shape.removesuffix("Fault") + "Exception"
    else:
        name = f"{shape}Exception"
    return name[:1].upper() + name[1:]


@lru_cache(4096)
def operation_name(action: str) -> str:
    """The operation behind an action: `listObjectsV2` is `ListObjectsV2`."""
    return action[:1].upper() + action[1:]


def offered(service: str, action: str) -> bool:
    """Whether `aws-sdk:SERVICE:ACTION` may be there: of services without a model here there is no telling."""
    known = SERVICES.get(service)
    return known is None or operation_name(action) in load(known.module).operations
