"""Which operation a request means."""

import msgspec
import pytest
from tests.wire.requests import form, json, request

from cumulet.wire import route
from cumulet.wire.http import HttpRequest

PRESIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0"
TAGS = "/2017-03-31/tags/arn:aws:lambda:us-east-1:123456789012:"


@pytest.mark.parametrize(
    ("sent", "service", "operation"),
    [
        (json("AmazonSQS.SendMessage", b"{}"), "sqs", "SendMessage"),
        (json("DynamoDBStreams_20120810.ListStreams", b"{}", scope="dynamodb"), "dynamodbstreams", "ListStreams"),
        (json("DynamoDB_20120810.ListTables", b"{}", scope="dynamodb"), "dynamodb", "ListTables"),
        (form("Action=GetCallerIdentity&Version=2011-06-15", scope="sts"), "sts", "GetCallerIdentity"),
        (form("Action=AssumeRoleWithWebIdentity&Version=2011-06-15"), "sts", "AssumeRoleWithWebIdentity"),
        (form("Action=ListQueues"), "sqs", "ListQueues"),
        (request("GET", "/?Action=ListUsers&Version=2010-05-08"), "iam", "ListUsers"),
        (request("GET", "/000000000000/q?Action=ReceiveMessage", scope="sqs"), "sqs", "ReceiveMessage"),
        (request("POST", "/2015-03-31/functions/f/invocations"), "lambda", "Invoke"),
        (request("GET", "/2015-03-31/functions/", scope="lambda"), "lambda", "ListFunctions"),
        (request("PUT", "/2025-03-07/web-functions", scope="lambda"), "lambda-web", "CreateWebFunction"),
        (request("POST", "/2025-03-07/web-functions"), "lambda-web", "ListWebFunctions"),
        (request("GET", "/2026-10-01/runtimes", scope="lambda"), "lambda-core", "ListRuntimes"),
        (request("GET", "/2026-04-04/network-connectors", scope="lambda"), "lambda-core", "ListNetworkConnectors"),
        (request("GET", TAGS + "microvm-image%3Aone", scope="lambda"), "lambda-microvms", "ListTags"),
        (request("GET", TAGS + "microvm-image:one", scope="lambda"), "lambda-microvms", "ListTags"),
        (request("GET", TAGS + "function%3Amicrovm-image%3A1", scope="lambda"), "lambda", "ListTags"),
        (request("GET", "/2017-03-31/tags/microvm-image", scope="lambda"), "lambda", "ListTags"),
        (request("GET", "/restapis/a/resources", scope="apigateway"), "apigateway", "GetResources"),
        (request("POST", "/restapis?mode=import", scope="apigateway"), "apigateway", "ImportRestApi"),
        (request("POST", "/restapis", scope="apigateway"), "apigateway", "CreateRestApi"),
        (request("GET", "/v2/apis", scope="apigateway"), "apigatewayv2", "GetApis"),
        (request("POST", "/@connections/abc%3D", scope="execute-api"), "apigatewaymanagementapi", "PostToConnection"),
        (request("GET", "/", scope="s3"), "s3", "ListBuckets"),
        (request("GET", "/", headers={"host": "s3.localhost:4566"}), "s3", "ListBuckets"),
        (request("GET", "/", headers={"host": "sqs.eu-west-1.amazonaws.com"}, scope="s3"), "s3", "ListBuckets"),
        (request("GET", "/b?list-type=2&prefix=a", scope="s3"), "s3", "ListObjectsV2"),
        (request("GET", "/b?prefix=a", scope="s3"), "s3", "ListObjects"),
        (request("GET", "/b/", scope="s3"), "s3", "ListObjects"),
        (request("GET", "/b?uploads", scope="s3"), "s3", "ListMultipartUploads"),
        (request("GET", "/b?notification", scope="s3"), "s3", "GetBucketNotificationConfiguration"),
        (request("GET", "/b?analytics", scope="s3"), "s3", "ListBucketAnalyticsConfigurations"),
        (request("GET", "/b?analytics&id=1", scope="s3"), "s3", "GetBucketAnalyticsConfiguration"),
        (request("GET", f"/b/k?{PRESIGNED}"), "s3", "GetObject"),
        (request("GET", "/b/k?AWSAccessKeyId=a&Signature=b&Expires=1"), "s3", "GetObject"),
        (request("GET", "/b/k?uploadId=1", scope="s3"), "s3", "ListParts"),
        (request("PUT", "/b/k?partNumber=1&uploadId=1", scope="s3"), "s3", "UploadPart"),
        (
            request("PUT", "/b/k?partNumber=1&uploadId=1", headers={"x-amz-copy-source": "a/b"}, scope="s3"),
            "s3",
            "UploadPartCopy",
        ),
        (request("PUT", "/b/k?x-id=PutObject", scope="s3"), "s3", "PutObject"),
        (request("PUT", "/b/k", headers={"x-amz-copy-source": "a/b"}, scope="s3"), "s3", "CopyObject"),
        (request("PUT", "/b/k?acl", scope="s3"), "s3", "PutObjectAcl"),
        (request("PUT", "/b?acl", scope="s3"), "s3", "PutBucketAcl"),
        (request("HEAD", "/b", scope="s3"), "s3", "HeadBucket"),
        (request("POST", "/b?delete", scope="s3"), "s3", "DeleteObjects"),
        (request("GET", "/anything"), "s3", "ListObjects"),
    ],
)
def test_operations(sent: HttpRequest, service: str, operation: str) -> None:
    found = route.resolve(sent)
    assert (found.service, found.operation) == (service, operation)


@pytest.mark.parametrize(
    ("host", "path", "bucket", "key"),
    [
        ("localhost:4566", "/b/a/k%20%2B+%2F", "b", "a/k ++/"),
        ("localhost:4566", "/b//k/", "b", "/k/"),
        ("b.s3.localhost.localstack.cloud:4566", "/k", "b", "k"),
        ("b.s3.us-east-1.amazonaws.com", "/b/k", "b", "b/k"),
        ("my.dotted.bucket.s3.amazonaws.com", "/k", "my.dotted.bucket", "k"),
        ("b.localhost:4566", "/k", "b", "k"),
        ("b.s3.localhost", "/k", "b", "k"),
        ("s3.us-east-1.localhost.localstack.cloud:4566", "/b/k", "b", "k"),
        ("127.0.0.1:4566", "/b/k", "b", "k"),
    ],
)
def test_buckets_and_keys(host: str, path: str, bucket: str, key: str) -> None:
    sent = request("GET", path, headers={"host": host}, scope="s3")
    got = route.resolve(sent).decode(sent)
    assert (got.bucket, got.key) == (bucket, key)


def test_the_queue_of_an_address() -> None:
    sent = form("Action=ReceiveMessage", "/000000000000/q", scope="sqs")
    assert route.resolve(sent).decode(sent).queue_url == "http://localhost:4566/000000000000/q"


def test_what_needs_its_body_to_be_routed() -> None:
    assert route.needs_content(form("Action=ListQueues"))
    assert route.needs_content(request("POST", "/", scope="sts"))
    assert not route.needs_content(json("AmazonSQS.SendMessage", b"{}", scope="sqs"))
    assert not route.needs_content(
        request("PUT", "/b/k", headers={"content-type": "application/x-www-form-urlencoded"})
    )
    assert not route.needs_content(
        request("POST", "/b/k?uploadId=1", headers={"content-type": "application/x-www-form-urlencoded"}, scope="s3")
    )


@pytest.mark.parametrize(
    ("sent", "status", "code", "text"),
    [
        (json("AmazonSQS.Nothing", b"{}"), 400, "UnknownOperationException", b'"__type"'),
        (json("Nobody.Nothing", b"{}"), 400, "UnknownOperationException", b'"__type"'),
        (
            form("Action=Nothing", scope="sqs"),
            400,
            "InvalidAction",
            b"The action Nothing is not valid for this endpoint.",
        ),
        (
            form("Action=Nothing", scope="iam"),
            400,
            "InvalidAction",
            b"Could not find operation Nothing for version 2010-05-08",
        ),
        (form("A=b", scope="sqs"), 400, "MissingAction", b"<ErrorResponse"),
        (request("GET", "/nothing", scope="lambda"), 404, "UnknownOperationException", b'"message"'),
        (request("PATCH", "/b/k", scope="s3"), 405, "MethodNotAllowed", b"<Error><Code>MethodNotAllowed</Code>"),
        (request("GET", "/", scope="quantum"), 501, "NotImplemented", b"quantum"),
        (form("Action=RunInstances", scope="ec2"), 501, "NotImplemented", b"<Code>NotImplemented</Code>"),
        (json("Ecs.RunTask", b"{}", scope="ecs"), 501, "NotImplemented", b'"__type"'),
        (
            request("POST", "/service/GraniteServiceVersion20100801/operation/No"),
            404,
            "UnknownOperationException",
            b"__type",
        ),
    ],
)
def test_unknown_operations(sent: HttpRequest, status: int, code: str, text: bytes) -> None:
    with pytest.raises(route.RouteError) as raised:
        route.resolve(sent)
    answer = raised.value.answer("request-1")
    assert answer.status == status
    assert raised.value.error.code == code
    assert isinstance(answer.body, bytes)
    assert text in answer.body
    assert code.encode() in answer.body or answer.headers["x-amzn-ErrorType"] == code


def test_signing_names() -> None:
    assert route.resolve(json("AWSStepFunctions.ListStateMachines", b"{}")).signing_name == "states"
    assert route.resolve(request("GET", "/b/k")).signing_name == "s3"
    assert route.resolve(request("POST", "/2025-03-07/web-functions")).signing_name == "lambda"


def test_json_in_either_version() -> None:
    sent = json("AmazonSQS.ListQueues", b"{}")
    sent.headers["content-type"] = "application/x-amz-json-1.1"
    codec = route.resolve(sent).codec
    assert codec.encode(None, "r").headers["Content-Type"] == "application/x-amz-json-1.1"
    assert msgspec.json.decode(codec.encode(None, "r").body or b"{}") == {}  # type: ignore[arg-type]  # JSON's are bytes


def test_the_older_cbor_is_of_kinesis_alone() -> None:
    for target, written in (("Kinesis_20131202.ListStreams", "cbor-1.1"), ("DynamoDB_20120810.ListTables", "json-1.0")):
        sent = json(target, b"{}")
        sent.headers["content-type"] = "application/x-amz-cbor-1.1"
        answer = route.resolve(sent).codec.encode(None, "r")
        assert answer.headers["Content-Type"] == f"application/x-amz-{written}"


def test_what_is_remembered_of_a_request_decides_nothing_else() -> None:
    for _ in range(2):  # the second time from memory
        assert route.resolve(json("AmazonSQS.ListQueues", b"{}")).operation == "ListQueues"
        assert route.resolve(json("com.amazonaws.AmazonSQS.ListQueues", b"{}")).service == "sqs"
        get = route.resolve(request("GET", "/2015-03-31/functions/f", scope="lambda"))
        assert (get.operation, get.match.labels, get.match.params) == ("GetFunction", {"FunctionName": "f"}, {})
        qualified = route.resolve(request("GET", "/2015-03-31/functions/f?Qualifier=1", scope="lambda"))
        assert (qualified.operation, qualified.match.params) == ("GetFunction", {"Qualifier": ["1"]})
        assert route.resolve(request("DELETE", "/2015-03-31/functions/f", scope="lambda")).operation == "DeleteFunction"
        long = route.resolve(request("GET", f"/2015-03-31/functions/{'f' * 600}", scope="lambda"))
        assert long.match.labels == {"FunctionName": "f" * 600}
        links = request("GET", "/restapis/a", scope="apigateway", headers={"accept": "application/hal+json"})
        assert route.resolve(links).hal
        assert not route.resolve(
            request("GET", "/restapis/a", scope="apigateway", headers={"accept": "application/json"})
        ).hal
        bare = "Action=GetCallerIdentity&Version=2011-06-15"
        assert route.resolve(form(bare, scope="sts")).service == "sts"
        for sent in (form(bare, scope="iam"), form(bare, "/?Action=ListUsers", scope="sts")):
            with pytest.raises(route.RouteError):
                route.resolve(sent)
        with pytest.raises(route.RouteError):
            route.resolve(json("AmazonSQS.ListTables", b"{}"))


def test_secrets_in_forms_are_not_remembered() -> None:
    held = route._bare.cache_info().currsize
    for fields in ("Action=ChangePassword&NewPassword=secret", "NewPassword=secret&Action=ChangePassword"):
        sent = route.resolve(form(fields, scope="iam"))
        assert (sent.service, sent.operation) == ("iam", "ChangePassword")
    assert route._bare.cache_info().currsize == held
