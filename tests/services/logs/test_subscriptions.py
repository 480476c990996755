"""Subscription filters that deliver to a function, and resource policies, through boto3."""

import base64
import gzip
import io
import json
import sys
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

Client = Callable[..., Any]
CODE = "import json\ndef handler(event, context):\n    print('GOT ' + event['awslogs']['data'])\n"


@pytest.fixture
def logs(client: Client) -> Any:
    made = client("logs")
    made.create_log_group(logGroupName="app")
    made.create_log_stream(logGroupName="app", logStreamName="s")
    return made


@pytest.fixture
def function(client: Client, account: str) -> str:
    """A function that logs what it gets, and lets CloudWatch Logs invoke it; its ARN."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", CODE)
    functions = client("lambda")
    arn = functions.create_function(
        FunctionName="f",
        Runtime=f"python3.{sys.version_info.minor}",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
        Timeout=60,
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    functions.add_permission(
        FunctionName="f",
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.us-east-1.amazonaws.com",
        SourceArn=f"arn:aws:logs:us-east-1:{account}:log-group:app:*",
    )
    return str(arn)


def _delivered(logs: Any, count: int) -> list[dict[str, Any]]:
    """What the function was invoked with, once it was `count` times."""
    found: list[dict[str, Any]] = []
    end = time.monotonic() + 200
    while time.monotonic() < end:
        try:
            found = logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern="GOT")["events"]
        except logs.exceptions.ResourceNotFoundException:
            found = []
        if len(found) >= count:
            return [json.loads(gzip.decompress(base64.b64decode(one["message"].split()[1]))) for one in found]
        time.sleep(0.05)
    raise AssertionError(f"{count} deliveries expected, found {len(found)}")


def test_matching_events_reach_the_function_in_awss_form(logs: Any, function: str, account: str) -> None:
    logs.put_subscription_filter(
        logGroupName="app", filterName="errors", filterPattern="ERROR", destinationArn=function
    )
    now = logs.describe_log_groups(logGroupNamePrefix="app")["logGroups"][0]["creationTime"]
    messages = ["ERROR one", "fine", "ERROR two"]
    events = [{"timestamp": now + number, "message": message} for number, message in enumerate(messages)]
    logs.put_log_events(logGroupName="app", logStreamName="s", logEvents=events)

    [document] = _delivered(logs, 1)

    stored = logs.filter_log_events(logGroupName="app", filterPattern="ERROR")["events"]
    assert document == {
        "messageType": "DATA_MESSAGE",
        "owner": account,
        "logGroup": "app",
        "logStream": "s",
        "subscriptionFilters": ["errors"],
        "logEvents": [
            {"id": event["eventId"], "timestamp": event["timestamp"], "message": event["message"]} for event in stored
        ],
    }


def test_a_large_batch_is_delivered_in_parts(logs: Any, function: str) -> None:
    logs.put_subscription_filter(logGroupName="app", filterName="all", filterPattern="", destinationArn=function)
    now = logs.describe_log_groups(logGroupNamePrefix="app")["logGroups"][0]["creationTime"]
    events = [{"timestamp": now, "message": f"{number}" + "x" * 60_000} for number in range(6)]
    logs.put_log_events(logGroupName="app", logStreamName="s", logEvents=events)

    documents = _delivered(logs, 3)

    assert sorted(event["message"][0] for one in documents for event in one["logEvents"]) == list("012345")


def test_filters_are_described_replaced_and_deleted(logs: Any, function: str) -> None:
    def put(name: str, pattern: str) -> None:
        logs.put_subscription_filter(
            logGroupName="app", filterName=name, filterPattern=pattern, destinationArn=function
        )

    assert logs.describe_subscription_filters(logGroupName="app")["subscriptionFilters"] == []
    put("a", "x")
    put("a", "[]")
    put("b", "")
    found = logs.describe_subscription_filters(logGroupName="app")["subscriptionFilters"]
    assert [(one["filterName"], one["filterPattern"], one["distribution"]) for one in found] == [
        ("a", "[]", "ByLogStream"),
        ("b", "", "ByLogStream"),
    ]
    with pytest.raises(logs.exceptions.LimitExceededException, match="Resource limit exceeded"):
        put("c", "")
    logs.delete_subscription_filter(logGroupName="app", filterName="a")
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match="subscription filter does not exist"):
        logs.delete_subscription_filter(logGroupName="app", filterName="a")


def test_bad_destinations_are_refused(logs: Any, account: str) -> None:
    def put(destination: str) -> None:
        logs.put_subscription_filter(logGroupName="app", filterName="n", filterPattern="", destinationArn=destination)

    with pytest.raises(logs.exceptions.InvalidParameterException, match="Could not execute the lambda function"):
        put(f"arn:aws:lambda:us-east-1:{account}:function:none")
    with pytest.raises(logs.exceptions.ClientError, match="Cross-account"):
        put("arn:aws:lambda:us-east-1:999999999999:function:f")
    with pytest.raises(logs.exceptions.InvalidParameterException, match="kinesis cannot be used without roleArn"):
        put(f"arn:aws:kinesis:us-east-1:{account}:stream/s")
    assert logs.describe_subscription_filters(logGroupName="app")["subscriptionFilters"] == []


def _policy(principal: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "logs:DescribeLogStreams",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_resource_policies_are_kept_up_to_ten(logs: Any, account: str) -> None:
    document = _policy(account)
    answer = logs.put_resource_policy(policyName="p0", policyDocument=document)["resourcePolicy"]
    assert (answer["policyName"], answer["policyDocument"], answer["policyScope"]) == ("p0", document, "ACCOUNT")
    for number in range(1, 10):
        logs.put_resource_policy(policyName=f"p{number}", policyDocument=document)
    with pytest.raises(logs.exceptions.LimitExceededException, match="Resource limit exceeded"):
        logs.put_resource_policy(policyName="p10", policyDocument=document)
    logs.put_resource_policy(policyName="p0", policyDocument=document)
    assert len(logs.describe_resource_policies()["resourcePolicies"]) == 10
    logs.delete_resource_policy(policyName="p0")
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match=r"Policy with name \[p0\] does not exist"):
        logs.delete_resource_policy(policyName="p0")
    for bad in ("nope", "{}", '{"Statement": [{"Effect": "Maybe"}]}'):
        with pytest.raises(logs.exceptions.InvalidParameterException):
            logs.put_resource_policy(policyName="bad", policyDocument=bad)


def test_a_resource_policy_lets_somebody_in(start_node: Callable[..., Any], account: str) -> None:
    node = start_node("--iam", "enforce")
    iam, logs = node.client("iam", account), node.client("logs", account)
    user = iam.create_user(UserName="ann")["User"]["Arn"]
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    logs.create_log_group(logGroupName="app")
    ann = node.client(
        "logs", account, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    with pytest.raises(ann.exceptions.ClientError, match="AccessDenied"):
        ann.describe_log_streams(logGroupName="app")
    logs.put_resource_policy(policyName="p", policyDocument=_policy(user))
    assert ann.describe_log_streams(logGroupName="app")["logStreams"] == []
    node.stop()
