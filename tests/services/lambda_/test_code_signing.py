"""Code signing configurations: what Enforce refuses, and who has them."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import package

PROFILE = "arn:aws:signer:us-east-1:111122223333:/signing-profiles/test"


@pytest.fixture
def config(functions: Any) -> Callable[..., str]:
    """`config("Enforce")` makes a configuration and gives its ARN."""

    def make(policy: str, **members: Any) -> str:
        created = functions.create_code_signing_config(
            AllowedPublishers={"SigningProfileVersionArns": [PROFILE]},
            CodeSigningPolicies={"UntrustedArtifactOnDeployment": policy},
            **members,
        )
        return str(created["CodeSigningConfig"]["CodeSigningConfigArn"])

    return make


def test_a_configuration_can_be_changed_listed_and_deleted(config: Callable[..., str], functions: Any) -> None:
    arn = config("Enforce", Description="d")
    changed = functions.update_code_signing_config(
        CodeSigningConfigArn=arn, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Warn"}
    )["CodeSigningConfig"]

    assert changed["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    assert changed["AllowedPublishers"] == {"SigningProfileVersionArns": [PROFILE]}
    assert changed["Description"] == "d"
    assert functions.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"] == changed
    assert functions.list_code_signing_configs()["CodeSigningConfigs"] == [changed]
    functions.delete_code_signing_config(CodeSigningConfigArn=arn)
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match=f"{arn} can not be found"):
        functions.get_code_signing_config(CodeSigningConfigArn=arn)


def test_a_function_has_one_until_it_is_taken_away(
    config: Callable[..., str], make: Callable[..., Any], functions: Any
) -> None:
    arn = config("Warn")
    function = make("signed", CodeSigningConfigArn=arn)["FunctionArn"]

    assert functions.get_function_code_signing_config(FunctionName="signed")["CodeSigningConfigArn"] == arn
    assert functions.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"] == [function]
    with pytest.raises(functions.exceptions.ResourceConflictException, match="in use"):
        functions.delete_code_signing_config(CodeSigningConfigArn=arn)
    functions.delete_function_code_signing_config(FunctionName="signed")
    assert "CodeSigningConfigArn" not in functions.get_function_code_signing_config(FunctionName="signed")
    functions.put_function_code_signing_config(FunctionName="signed", CodeSigningConfigArn=arn)
    functions.delete_function(FunctionName="signed")
    functions.delete_code_signing_config(CodeSigningConfigArn=arn)


def test_enforce_lets_nothing_unsigned_in(config: Callable[..., str], make: Callable[..., Any], functions: Any) -> None:
    arn = config("Enforce")
    refused = functions.exceptions.CodeVerificationFailedException
    with pytest.raises(refused, match="Check the provided signature for strict"):
        make("strict", CodeSigningConfigArn=arn)
    make("strict")
    functions.put_function_code_signing_config(FunctionName="strict", CodeSigningConfigArn=arn)
    with pytest.raises(refused):
        functions.update_function_code(FunctionName="strict", ZipFile=package("x = 1"))
    functions.update_function_configuration(FunctionName="strict", Timeout=5)


def test_a_configuration_that_is_not_there(make: Callable[..., Any], functions: Any, account: str) -> None:
    arn = f"arn:aws:lambda:us-east-1:{account}:code-signing-config:csc-00000000000000000"
    with pytest.raises(functions.exceptions.CodeSigningConfigNotFoundException, match="is not deleted: arn"):
        make("none", CodeSigningConfigArn=arn)
    with pytest.raises(functions.exceptions.CodeSigningConfigNotFoundException):
        functions.put_function_code_signing_config(FunctionName="none", CodeSigningConfigArn=arn)


def test_configurations_have_tags(config: Callable[..., str], functions: Any) -> None:
    arn = config("Warn", Tags={"a": "1"})
    functions.tag_resource(Resource=arn, Tags={"b": "2"})
    functions.untag_resource(Resource=arn, TagKeys=["a"])

    assert functions.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    functions.delete_code_signing_config(CodeSigningConfigArn=arn)
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.list_tags(Resource=arn)
