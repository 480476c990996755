"""The tables that turn an operation into permissions and resources."""

import pytest
from msgspec import Struct

from cumulet.api import apigateway, apigatewayv2, iam, lambda_, logs, s3, sqs, sts
from cumulet.kernel.call import Call, Principal
from cumulet.policy.actions import ACTIONS, permissions
from cumulet.policy.document import Grammar, parse
from cumulet.policy.keys import context_keys
from cumulet.policy.resources import RULES, resources
from cumulet.policy.spans import statement_spans

CALL = Call("111122223333", "eu-west-1", Principal.root("111122223333"), "request-1")


@pytest.mark.parametrize(
    ("service", "operation", "wanted"),
    [
        ("s3", "PutObject", ("s3:PutObject",)),
        ("s3", "ListObjectsV2", ("s3:ListBucket",)),
        ("s3", "HeadObject", ("s3:GetObject",)),
        ("s3", "ListBuckets", ("s3:ListAllMyBuckets",)),
        ("lambda", "Invoke", ("lambda:InvokeFunction",)),
        ("sqs", "SendMessageBatch", ("sqs:SendMessage",)),
        ("logs", "PutLogEvents", ("logs:PutLogEvents",)),
        ("stepfunctions", "StartExecution", ("states:StartExecution",)),
        ("sts", "GetCallerIdentity", ()),
        ("apigateway", "GetRestApis", ("apigateway:GET",)),
        ("apigateway", "TagResource", ("apigateway:PUT",)),
        ("apigateway", "TestInvokeMethod", ("apigateway:POST",)),
        ("apigatewayv2", "UpdateApi", ("apigateway:PATCH",)),
    ],
)
def test_permissions(service: str, operation: str, wanted: tuple[str, ...]) -> None:
    assert permissions(service, operation) == wanted


def test_the_tables_name_operations_and_members_that_exist() -> None:
    apis = {"s3": s3, "lambda": lambda_, "sqs": sqs, "sts": sts, "iam": iam, "logs": logs}
    for name, module in apis.items():
        operations = set(module.OPERATIONS.values())
        gone = set(ACTIONS.get(name, ())) - operations
        own = {"InvokeFunctionUrl", "ReturnMessages"}  # asked for within the platform
        assert not gone - {"GetBucketLifecycle", "PutBucketLifecycle", "InvokeAsync"} - own, name
        members = {
            member
            for operation in operations
            for member in getattr(getattr(module, f"{operation}Request", None), "__struct_fields__", ())
        }
        for rule in RULES[name]:
            assert rule.member in members, (name, rule.member)


@pytest.mark.parametrize(
    ("service", "asked", "wanted"),
    [
        ("s3", s3.GetObjectRequest(bucket="photos", key="a/b"), ["arn:aws:s3:::photos/a/b"]),
        ("s3", s3.ListObjectsV2Request(bucket="photos"), ["arn:aws:s3:::photos"]),
        (
            "s3",
            s3.DeleteObjectsRequest(
                bucket="photos", delete=s3.Delete(objects=[s3.ObjectIdentifier(key="a"), s3.ObjectIdentifier(key="b")])
            ),
            ["arn:aws:s3:::photos/a", "arn:aws:s3:::photos/b"],
        ),
        ("s3", s3.ListBucketsRequest(), ["*"]),
        (
            "sqs",
            sqs.SendMessageRequest(queue_url="http://localhost:4566/444455556666/jobs", message_body="x"),
            ["arn:aws:sqs:eu-west-1:444455556666:jobs"],
        ),
        (
            "lambda",
            lambda_.InvocationRequest(function_name="resize", qualifier="live"),
            ["arn:aws:lambda:eu-west-1:111122223333:function:resize:live"],
        ),
        (
            "lambda",
            lambda_.InvocationRequest(function_name="444455556666:function:resize"),
            ["arn:aws:lambda:eu-west-1:444455556666:function:resize"],
        ),
        (
            "logs",
            logs.CreateLogStreamRequest(log_group_name="/aws/lambda/f", log_stream_name="s"),
            ["arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/f:log-stream:s"],
        ),
        ("iam", iam.GetUserRequest(user_name="ann"), ["arn:aws:iam::111122223333:user/ann"]),
        ("iam", iam.ListUsersRequest(), ["*"]),
    ],
)
def test_resources(service: str, asked: Struct, wanted: list[str]) -> None:
    assert list(resources(CALL, service, asked)) == wanted


def test_the_keys_of_a_policy() -> None:
    text = """{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*",
        "Resource": "arn:aws:s3:::${aws:username}/${aws:PrincipalTag/team, 'x'}/${*}",
        "Condition": {"StringLike": {"s3:prefix": "${aws:Username}/*"}}}}"""
    assert context_keys(parse(text, Grammar.IDENTITY)) == ["aws:username", "aws:PrincipalTag/team", "s3:prefix"]


def test_where_statements_stand() -> None:
    text = '{"Version": "2012-10-17",\n "Statement": [{"Effect": "Allow", "Sid": "a{b"},\n  {"Effect": "Deny"}]}'
    spans = statement_spans(text)
    assert [(span.start, span.end) for span in spans] == [((2, 17), (2, 49)), ((3, 4), (3, 21))]


def test_resources_of_api_gateway_are_paths() -> None:
    at = "arn:aws:apigateway:eu-west-1::"
    method = apigateway.DeleteMethodRequest(rest_api_id="a", resource_id="b", http_method="GET")
    assert resources(CALL, "apigateway", method) == (f"{at}/restapis/a/resources/b/methods/GET",)
    assert resources(CALL, "apigateway", apigateway.CreateRestApiRequest(name="x")) == (f"{at}/restapis",)
    hostile = apigateway.GetRestApiRequest(rest_api_id="a/stages/b")
    assert resources(CALL, "apigateway", hostile) == (f"{at}/restapis/a%2Fstages%2Fb",)
    stage = apigatewayv2.GetStageRequest(api_id="a", stage_name="$default")
    assert resources(CALL, "apigatewayv2", stage) == (f"{at}/apis/a/stages/$default",)
