import pytest

from cumulet.services.stepfunctions.tasks.resources import parse
from cumulet.services.stepfunctions.tasks.vocabulary import exception_name, java_name, operation_name

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:pay:live"
ACTIVITY = "arn:aws:states:eu-west-1:111122223333:activity:pack"


@pytest.mark.parametrize(
    ("arn", "family", "pattern", "type", "shown"),
    [
        (FUNCTION, "lambda", "request", "lambda", FUNCTION),
        (ACTIVITY, "activity", "request", "activity", ACTIVITY),
        ("arn:aws:states:::sqs:sendMessage", "service", "request", "sqs", "sendMessage"),
        (
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "service",
            "token",
            "sqs",
            "sendMessage.waitForTaskToken",
        ),
        ("arn:aws:states:::states:startExecution.sync:2", "service", "sync", "states", "startExecution.sync:2"),
        ("arn:aws:states:::aws-sdk:dynamodb:putItem", "sdk", "request", "aws-sdk:dynamodb", "putItem"),
        ("arn:aws-cn:states:::aws-sdk:s3:listObjectsV2", "sdk", "request", "aws-sdk:s3", "listObjectsV2"),
        (
            "arn:aws:states:::aws-sdk:sfn:sendTaskSuccess.waitForTaskToken",
            "sdk",
            "token",
            "aws-sdk:sfn",
            "sendTaskSuccess.waitForTaskToken",
        ),
        ("arn:aws:states:::aws-sdk:ec2:describeRegions", "sdk", "request", "aws-sdk:ec2", "describeRegions"),
        ("arn:aws:states:::ecs:runTask.sync", "service", "sync", "ecs", "runTask.sync"),
    ],
)
def test_what_a_resource_names(arn: str, family: str, pattern: str, type: str, shown: str) -> None:
    resource = parse(arn)
    assert resource is not None
    assert (resource.family, resource.pattern, resource.type, resource.shown) == (family, pattern, type, shown)


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "sqs:sendMessage",
        "arn:aws:states:::glue:startJobRun.sync:2",
        "arn:aws:states:::sqs:SendMessage",
        "arn:aws:states:::sqs:sendMessage.",
        "arn:aws:states:::aws-sdk:dynamodb:putItem.sync",
        "arn:aws:states:::aws-sdk:dynamodb:putItems",
        "arn:aws:states:::aws-sdk:dynamo-db:putItem",
        "arn:aws:states:eu-west-1:111122223333:stateMachine:other",
        "arn:aws:lambda:eu-west-1:111122223333:layer:x",
        "arn:aws:s3:::bucket",
    ],
)
def test_what_is_no_resource(arn: str) -> None:
    assert parse(arn) is None


@pytest.mark.parametrize(
    ("member", "shown"),
    [
        ("tableName", "TableName"),
        ("DBInstanceIdentifier", "DbInstanceIdentifier"),
        ("MD5OfMessageBody", "Md5OfMessageBody"),
        ("ETag", "ETag"),
        ("ARN", "Arn"),
        ("SSEKMSKeyId", "SsekmsKeyId"),
        ("ChecksumCRC32", "ChecksumCRC32"),
        ("BOOL", "Bool"),
        ("NULL", "Nul"),
        ("S", "S"),
        ("ACL", "Acl"),
    ],
)
def test_members_are_spelled_as_the_java_sdk_does(member: str, shown: str) -> None:
    assert java_name(member) == shown


def test_errors_and_operations_are_named_as_in_java() -> None:
    assert exception_name("NoSuchKey") == "NoSuchKeyException"
    assert exception_name("InvalidRequestException") == "InvalidRequestException"
    assert exception_name("SourceDBFault") == "SourceDBException"
    assert operation_name("listObjectsV2") == "ListObjectsV2"
