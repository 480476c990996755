"""Smaller settings of functions: loops, runtime versions, policies as documents."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_loops_are_ended_unless_allowed(make: Callable[..., Any], functions: Any) -> None:
    make("looping")
    assert functions.get_function_recursion_config(FunctionName="looping")["RecursiveLoop"] == "Terminate"
    functions.put_function_recursion_config(FunctionName="looping", RecursiveLoop="Allow")
    assert functions.get_function_recursion_config(FunctionName="looping")["RecursiveLoop"] == "Allow"
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match="Function not found"):
        functions.get_function_recursion_config(FunctionName="nobody")


def test_runtime_versions_are_managed_by_version(make: Callable[..., Any], functions: Any) -> None:
    created = make("managed", Publish=True)
    runtime = created["RuntimeVersionConfig"]["RuntimeVersionArn"]
    default = functions.get_runtime_management_config(FunctionName="managed")
    assert (default["UpdateRuntimeOn"], default.get("RuntimeVersionArn")) == ("Auto", None)
    assert default["FunctionArn"].endswith(":managed:$LATEST")

    functions.put_runtime_management_config(
        FunctionName="managed", Qualifier="1", UpdateRuntimeOn="Manual", RuntimeVersionArn=runtime
    )
    found = functions.get_runtime_management_config(FunctionName="managed", Qualifier="1")
    assert (found["UpdateRuntimeOn"], found["RuntimeVersionArn"]) == ("Manual", runtime)
    assert functions.get_runtime_management_config(FunctionName="managed")["UpdateRuntimeOn"] == "Auto"
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="must specify a runtime version"):
        functions.put_runtime_management_config(FunctionName="managed", UpdateRuntimeOn="Manual")
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="does not exist"):
        functions.put_runtime_management_config(
            FunctionName="managed", UpdateRuntimeOn="Manual", RuntimeVersionArn=runtime[:-1] + "x"
        )


def statement(arn: str, principal: Any, **members: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction", "Resource": arn, **members}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_a_policy_can_be_put_as_a_whole(make: Callable[..., Any], functions: Any) -> None:
    arn = make("policed")["FunctionArn"]
    functions.add_permission(
        FunctionName="policed", StatementId="old", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    put = functions.put_resource_policy(
        ResourceArn=arn, Policy=document(statement(arn, {"AWS": "arn:aws:iam::111122223333:root"}))
    )

    found = functions.get_resource_policy(ResourceArn=arn)
    assert (found["Policy"], found["RevisionId"]) == (put["Policy"], put["RevisionId"])
    assert len(json.loads(found["Policy"])["Statement"]) == 1
    functions.add_permission(
        FunctionName="policed", StatementId="new", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    assert len(json.loads(functions.get_policy(FunctionName="policed")["Policy"])["Statement"]) == 2
    with pytest.raises(functions.exceptions.PreconditionFailedException, match="Call the GetResourcePolicy API"):
        functions.delete_resource_policy(ResourceArn=arn, RevisionId=put["RevisionId"])
    functions.delete_resource_policy(ResourceArn=arn)
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_resource_policy(ResourceArn=arn)
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_policy(FunctionName="policed")


def test_public_policies_are_refused(make: Callable[..., Any], functions: Any) -> None:
    arn = make("public")["FunctionArn"]
    narrow = {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    for principal in ("*", {"AWS": "*"}):
        with pytest.raises(functions.exceptions.PublicPolicyException, match="public access"):
            functions.put_resource_policy(ResourceArn=arn, Policy=document(statement(arn, principal)))
        functions.put_resource_policy(ResourceArn=arn, Policy=document(statement(arn, principal, Condition=narrow)))


@pytest.mark.parametrize(
    "policy", ["no json", "{}", document({"Effect": "Allow"}), document(statement("arn:aws:s3:::b", "111122223333"))]
)
def test_what_is_no_policy_of_the_function_is_refused(policy: str, make: Callable[..., Any], functions: Any) -> None:
    arn = make("strange")["FunctionArn"]
    with pytest.raises(ClientError) as caught:
        functions.put_resource_policy(ResourceArn=arn, Policy=policy)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_tags_of_what_is_not_there(functions: Any, account: str) -> None:
    for kind, name, message in [
        ("capacity-provider", "x", "Capacity provider not found: arn:"),
        ("event-source-mapping", "11111111-2222-4333-8444-555555555555", "Event source mapping not found: arn:"),
        ("function", "x", "Function not found: arn:"),
    ]:
        arn = f"arn:aws:lambda:us-east-1:{account}:{kind}:{name}"
        with pytest.raises(functions.exceptions.ResourceNotFoundException, match=message):
            functions.list_tags(Resource=arn)
        with pytest.raises(functions.exceptions.ResourceNotFoundException, match=message):
            functions.tag_resource(Resource=arn, Tags={"a": "b"})
        with pytest.raises(functions.exceptions.ResourceNotFoundException, match=message):
            functions.untag_resource(Resource=arn, TagKeys=["a"])


def test_event_invoke_configs_of_what_is_not_there(make: Callable[..., Any], functions: Any) -> None:
    make("there")
    missing = functions.exceptions.ResourceNotFoundException
    for change in (functions.put_function_event_invoke_config, functions.update_function_event_invoke_config):
        with pytest.raises(missing, match="The function doesn't exist"):
            change(FunctionName="nobody", MaximumRetryAttempts=1)
    with pytest.raises(missing, match="The function doesn't exist"):
        functions.put_function_event_invoke_config(FunctionName="there", Qualifier="nothing", MaximumRetryAttempts=1)
    with pytest.raises(missing, match=r"The function .*:there:\$LATEST doesn't have an EventInvokeConfig"):
        functions.update_function_event_invoke_config(FunctionName="there", MaximumRetryAttempts=1)
