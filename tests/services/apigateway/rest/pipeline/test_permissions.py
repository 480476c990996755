"""Where permissions are enforced: functions that let an API in or not, callers and the API's own policy."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.apigateway.rest.pipeline.conftest import Api
from tests.services.apigateway.rest.pipeline.test_access import policy, signed


@pytest.fixture(scope="module")
def strict(start_node: Callable[..., Any]) -> Any:
    return start_node("--iam", "enforce")


@pytest.fixture
def make(strict: Any, account: str) -> Callable[..., Api]:
    """Makes an API on a node that enforces permissions."""

    def client(service: str, region: str = "us-east-1") -> Any:
        return strict.client(service, account, region)

    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument=document)
    return lambda **settings: Api(client, strict.endpoint, account, **settings)


def test_a_function_lets_its_api_in(make: Callable[..., Api]) -> None:
    api = make()
    api.proxy("GET", "/", api.function("says", "def handler(event, context):\n    return {'body': 'hi'}\n"))
    api.deploy()
    assert api.call("GET", "").body == b"hi"
    api.lambda_.remove_permission(FunctionName="says", StatementId="api")
    answer = api.call("GET", "")
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})
    tried = api.rest.test_invoke_method(**api.at("GET", "/"))
    assert "Execution failed due to configuration error: Invalid permissions on Lambda function" in tried["log"]


@pytest.mark.parametrize(
    ("mine", "theirs", "status"),
    [
        (None, None, 403),
        ("Allow", None, 200),
        (None, "Allow", 200),
        ("Allow", "Deny", 403),
        ("Deny", "Allow", 403),
    ],
)
def test_a_caller_and_the_policy(
    make: Callable[..., Api], strict: Any, account: str, mine: str | None, theirs: str | None, status: int
) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy(theirs)]}) if theirs is not None else None
    api = make(**({"policy": document} if document is not None else {}))
    api.mock("GET", "/", "hello", authorizationType="AWS_IAM")
    api.deploy()
    iam = strict.client("iam", account, "us-east-1")
    iam.create_user(UserName="ann")
    if mine is not None:
        statement = {
            "Effect": mine,
            "Action": "execute-api:Invoke",
            "Resource": f"arn:aws:execute-api:*:*:{api.id}/dev/GET/*",
        }
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=text)
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    answer = api.call("GET", "/", headers=signed(api, key["AccessKeyId"], key["SecretAccessKey"]))
    assert answer.status == status, answer.body
    if status == 403:
        assert "user/ann is not authorized to perform: execute-api:Invoke" in answer.json["Message"]


EVERY_USER = "arn:aws:iam::*:user/*"


def test_functions_are_called_by_the_client_where_that_is_wanted(
    make: Callable[..., Api], strict: Any, account: str
) -> None:
    """The function's policy lets the API in, which counts for nothing then."""
    api = make()
    arn = api.function("says", "def handler(event, context):\n    return {'body': 'hi'}\n")
    for path, kind in (("/signed", "AWS_IAM"), ("/open", "NONE")):
        api.proxy("GET", path, arn, authorizationType=kind)
        at = api.at("GET", path)
        api.rest.put_integration(
            **at, type="AWS_PROXY", integrationHttpMethod="POST", uri=api.uri(arn), credentials=EVERY_USER
        )
    api.deploy()
    assert api.call("GET", "/open").status == 500
    iam = strict.client("iam", account, "us-east-1")
    for name, allowed, status in (("ann", [arn], 200), ("bob", [], 500)):
        iam.create_user(UserName=name)
        statement = {
            "Effect": "Allow",
            "Action": ["execute-api:Invoke", "lambda:InvokeFunction"],
            "Resource": [f"arn:aws:execute-api:*:*:{api.id}/*", *allowed],
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        headers = signed(api, key["AccessKeyId"], key["SecretAccessKey"], path="/dev/signed")
        answer = api.call("GET", "/signed", headers=headers)
        assert answer.status == status, (name, answer.body)
