"""Execution roles where permissions are enforced."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import RUNTIME, package, payload

ACCOUNT = "555566667777"
PUT = """
import boto3

def handler(event, context):
    try:
        boto3.client("s3").put_object(Bucket=event, Key="k", Body=b"x")
    except Exception as error:
        return type(error).__name__ + ": " + str(error)
    return "done"
"""


@pytest.fixture(scope="module")
def strict(start_node: Callable[..., Any]) -> Any:
    """A node that enforces permissions."""
    return start_node("--iam", "enforce")


def trusting(service: str) -> str:
    principal = {"Service": service}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def create(node: Any, name: str, role: str) -> Any:
    functions = node.client("lambda", ACCOUNT)
    functions.create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Handler="index.handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/{role}",
        Timeout=60,
        Code={"ZipFile": package(PUT)},
    )
    return functions


def test_a_role_must_be_there_and_trust_lambda(strict: Any) -> None:
    strict.client("iam", ACCOUNT).create_role(RoleName="other", AssumeRolePolicyDocument=trusting("ec2.amazonaws.com"))

    for role in ("missing", "other"):
        functions = strict.client("lambda", ACCOUNT)
        with pytest.raises(
            functions.exceptions.InvalidParameterValueException,
            match="The role defined for the function cannot be assumed by Lambda",
        ):
            create(strict, "refused", role)


def test_a_function_may_do_what_its_role_may(strict: Any) -> None:
    iam, s3 = strict.client("iam", ACCOUNT), strict.client("s3", ACCOUNT)
    s3.create_bucket(Bucket="open-5555")
    s3.create_bucket(Bucket="closed-5555")
    iam.create_role(RoleName="writer", AssumeRolePolicyDocument=trusting("lambda.amazonaws.com"))
    allow = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::open-5555/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="writer", PolicyName="write", PolicyDocument=document)
    functions = create(strict, "writes", "writer")

    assert payload(functions.invoke(FunctionName="writes", Payload='"open-5555"')) == "done"
    assert "AccessDenied" in payload(functions.invoke(FunctionName="writes", Payload='"closed-5555"'))


def test_another_account_needs_permission_to_invoke(strict: Any) -> None:
    iam = strict.client("iam", ACCOUNT)
    iam.create_role(RoleName="plain", AssumeRolePolicyDocument=trusting("lambda.amazonaws.com"))
    functions = create(strict, "asked", "plain")
    other = strict.client("lambda", "999988887777")
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:asked"

    with pytest.raises(other.exceptions.ClientError, match="AccessDenied"):
        other.invoke(FunctionName=arn, InvocationType="DryRun")
    functions.add_permission(
        FunctionName="asked", StatementId="other", Action="lambda:InvokeFunction", Principal="999988887777"
    )

    assert other.invoke(FunctionName=arn, InvocationType="DryRun")["StatusCode"] == 204


def test_a_destination_takes_records_from_roles_that_may_send(strict: Any) -> None:
    iam, sqs = strict.client("iam", ACCOUNT), strict.client("sqs", ACCOUNT)
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:told"
    iam.create_role(RoleName="teller", AssumeRolePolicyDocument=trusting("lambda.amazonaws.com"))
    allow = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="teller", PolicyName="send", PolicyDocument=document)
    functions = create(strict, "tells", "teller")
    functions.put_function_event_invoke_config(
        FunctionName="tells", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )

    functions.invoke(FunctionName="tells", InvocationType="Event", Payload='"no-such-bucket-5555"')

    found: list[Any] = []
    deadline = time.monotonic() + 60
    while not found:
        assert time.monotonic() < deadline
        found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages", [])
    assert json.loads(found[0]["Body"])["requestContext"]["condition"] == "Success"


def test_a_role_that_may_not_write_logs_has_none(strict: Any) -> None:
    iam, logs = strict.client("iam", ACCOUNT), strict.client("logs", ACCOUNT)
    for name in ("silent", "loud"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting("lambda.amazonaws.com"))
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName="loud", PolicyArn=basic)
    for name in ("silent", "loud"):
        functions = create(strict, name, name)
        functions.invoke(FunctionName=name, Payload=b'"nowhere"')
    groups: list[str] = []
    for _ in range(1_000):
        groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
        if "/aws/lambda/loud" in groups:
            break
        time.sleep(0.05)
    assert "/aws/lambda/loud" in groups
    assert "/aws/lambda/silent" not in groups
    assert "writes no logs" in strict.log()
