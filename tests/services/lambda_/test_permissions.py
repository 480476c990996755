"""Resource policies and tags."""

import json
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def allow(functions: Any, make: Callable[..., Any]) -> Callable[..., Any]:
    """Adds a statement to the policy of the function `shared`."""
    make("shared", Publish=True)

    def add(sid: str, principal: str = "s3.amazonaws.com", **members: Any) -> Any:
        answer = functions.add_permission(
            FunctionName="shared", StatementId=sid, Action="lambda:InvokeFunction", Principal=principal, **members
        )
        return json.loads(answer["Statement"])

    return add


def test_a_statement_is_written_as_aws_writes_it(allow: Callable[..., Any], functions: Any, account: str) -> None:
    arn = f"arn:aws:lambda:us-east-1:{account}:function:shared"
    statement = allow("s3", SourceArn="arn:aws:s3:::bucket", SourceAccount=account)

    assert statement == {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": account},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
        },
    }
    policy = functions.get_policy(FunctionName="shared")
    assert json.loads(policy["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert policy["RevisionId"] == functions.get_function_configuration(FunctionName="shared")["RevisionId"]


@pytest.mark.parametrize(
    ("principal", "written"),
    [
        ("*", "*"),
        ("111122223333", {"AWS": "arn:aws:iam::111122223333:root"}),
        ("arn:aws:iam::111122223333:user/ann", {"AWS": "arn:aws:iam::111122223333:user/ann"}),
        ("apigateway.amazonaws.com", {"Service": "apigateway.amazonaws.com"}),
    ],
)
def test_principals(principal: str, written: Any, allow: Callable[..., Any]) -> None:
    assert allow("x", principal)["Principal"] == written


def test_a_version_has_its_own_policy(allow: Callable[..., Any], functions: Any, account: str) -> None:
    statement = allow("v", Qualifier="1")

    assert statement["Resource"] == f"arn:aws:lambda:us-east-1:{account}:function:shared:1"
    assert functions.get_policy(FunctionName="shared", Qualifier="1")["Policy"]
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match="resource you requested does not exist"):
        functions.get_policy(FunctionName="shared")


def test_a_statement_is_removed_by_its_id(allow: Callable[..., Any], functions: Any) -> None:
    allow("one")
    allow("two")

    functions.remove_permission(FunctionName="shared", StatementId="one")

    [left] = json.loads(functions.get_policy(FunctionName="shared")["Policy"])["Statement"]
    assert left["Sid"] == "two"
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match="Statement one is not found"):
        functions.remove_permission(FunctionName="shared", StatementId="one")


def test_what_is_wrong_is_refused(allow: Callable[..., Any], functions: Any) -> None:
    allow("taken")

    with pytest.raises(functions.exceptions.ResourceConflictException, match=r"\(taken\) provided already exists"):
        allow("taken")
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="principal was invalid"):
        allow("bad", "nobody")
    with pytest.raises(functions.exceptions.PreconditionFailedException, match="Call the GetPolicy API"):
        allow("late", RevisionId="x")
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match="Cannot find alias arn"):
        allow("alias", Qualifier="none")


def test_tags(make: Callable[..., Any], functions: Any) -> None:
    arn = make("tagged", Tags={"a": "1"})["FunctionArn"]

    functions.tag_resource(Resource=arn, Tags={"b": "2", "c": "3"})
    functions.untag_resource(Resource=arn, TagKeys=["b"])

    assert functions.list_tags(Resource=arn)["Tags"] == {"a": "1", "c": "3"}
    assert functions.get_function(FunctionName="tagged")["Tags"] == {"a": "1", "c": "3"}
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="aliases and versions are not"):
        functions.tag_resource(Resource=arn + ":1", Tags={"a": "1"})
