"""State machines: created, changed, deleted, listed."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Clients = Callable[..., Any]
DEFINITION = json.dumps({"StartAt": "Only", "States": {"Only": {"Type": "Pass", "Result": 1, "End": True}}})
OTHER = json.dumps({"StartAt": "Only", "States": {"Only": {"Type": "Pass", "Result": 2, "End": True}}})


@pytest.fixture
def role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/machine"


@pytest.fixture
def machine(client: Clients, role: str) -> str:
    made = client("stepfunctions").create_state_machine(name="m", definition=DEFINITION, roleArn=role)
    return str(made["stateMachineArn"])


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=re.escape(code))


def test_a_machine_is_described_as_it_was_made(client: Clients, account: str, role: str) -> None:
    states = client("stepfunctions")
    arn = states.create_state_machine(name="m", definition=DEFINITION, roleArn=role)["stateMachineArn"]
    assert arn == f"arn:aws:states:us-east-1:{account}:stateMachine:m"
    found = states.describe_state_machine(stateMachineArn=arn)
    del found["ResponseMetadata"], found["creationDate"]
    assert found == {
        "stateMachineArn": arn,
        "name": "m",
        "status": "ACTIVE",
        "definition": DEFINITION,
        "roleArn": role,
        "type": "STANDARD",
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
        "tracingConfiguration": {"enabled": False},
    }
    assert states.describe_state_machine(stateMachineArn=arn, includedData="METADATA_ONLY")["definition"] == "{}"


def test_creating_again_is_fine_unless_something_differs(client: Clients, role: str, machine: str) -> None:
    states = client("stepfunctions")
    again = states.create_state_machine(
        name="m", definition=DEFINITION, roleArn=role + "2", tags=[{"key": "a", "value": "b"}]
    )
    assert again["stateMachineArn"] == machine
    assert states.describe_state_machine(stateMachineArn=machine)["roleArn"] == role
    assert states.list_tags_for_resource(resourceArn=machine)["tags"] == []
    different: list[dict[str, Any]] = [
        {"definition": OTHER},
        {"type": "EXPRESS"},
        {"publish": True},
        {"tracingConfiguration": {"enabled": True}},
        {"encryptionConfiguration": {"type": "AWS_OWNED_KEY"}},
    ]
    for change in different:
        with refused(f"State Machine Already Exists: '{machine}'"):
            states.create_state_machine(**{"name": "m", "definition": DEFINITION, "roleArn": role} | change)


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a<",
        "a>",
        "{a}",
        "[a]",
        "a?",
        "a*",
        'a"',
        "a#",
        "a%",
        "a\\",
        "a^",
        "a|",
        "a~",
        "a`",
        "a$",
        "a&",
        "a,",
        "a;",
        "a:",
        "a/",
        "a\n",
    ],
)
def test_names_that_cannot_be(client: Clients, role: str, name: str) -> None:
    with refused("InvalidName"):
        client("stepfunctions").create_state_machine(name=name, definition=DEFINITION, roleArn=role)


@pytest.mark.parametrize("name", ["a", "größe", "a.b-c_d", "x" * 80, "a+b=c@d!()'"])
def test_names_that_can_be(client: Clients, role: str, name: str) -> None:
    states = client("stepfunctions")
    arn = states.create_state_machine(name=name, definition=DEFINITION, roleArn=role)["stateMachineArn"]
    assert states.describe_state_machine(stateMachineArn=arn)["name"] == name


def test_bad_definitions_and_roles_are_refused(client: Clients, role: str) -> None:
    states = client("stepfunctions")
    broken = json.dumps({"StartAt": "Gone", "States": {"Only": {"Type": "Pass", "End": True}}})
    with refused("InvalidDefinition"):
        states.create_state_machine(name="m", definition=broken, roleArn=role)
    with refused("Invalid Arn: 'Invalid ARN prefix: nobody'"):
        states.create_state_machine(name="m", definition=DEFINITION, roleArn="nobody")
    with refused("InvalidArn"):
        states.create_state_machine(name="m", definition=DEFINITION, roleArn="arn:aws:s3:::bucket")
    with refused("Version description can only be set when publish is true"):
        states.create_state_machine(name="m", definition=DEFINITION, roleArn=role, versionDescription="first")
    assert states.list_state_machines()["stateMachines"] == []


def test_arns_that_name_no_machine(client: Clients, account: str, machine: str) -> None:
    states = client("stepfunctions")
    with refused("Invalid Arn: 'Invalid ARN prefix: m'"):
        states.describe_state_machine(stateMachineArn="m")
    with refused("Resource type not valid in this context: execution"):
        states.describe_state_machine(stateMachineArn=f"arn:aws:states:us-east-1:{account}:execution:m:x")
    for arn in (machine + "x", machine + ":1", machine + ":live", machine.replace("us-east-1", "eu-west-1")):
        with refused(f"State Machine Does Not Exist: '{arn}'"):
            states.describe_state_machine(stateMachineArn=arn)


def test_a_machine_is_its_accounts_alone(client: Clients, machine: str) -> None:
    stranger = client("stepfunctions", account="999999999998")
    with refused("StateMachineDoesNotExist"):
        stranger.describe_state_machine(stateMachineArn=machine)
    stranger.delete_state_machine(stateMachineArn=machine)
    assert client("stepfunctions").describe_state_machine(stateMachineArn=machine)["status"] == "ACTIVE"


def test_each_change_is_a_revision_and_no_change_is_none(client: Clients, role: str, machine: str) -> None:
    states = client("stepfunctions")
    same = states.update_state_machine(stateMachineArn=machine, definition=DEFINITION)
    assert "revisionId" not in same
    first = states.update_state_machine(stateMachineArn=machine, definition=OTHER)["revisionId"]
    assert states.update_state_machine(stateMachineArn=machine, roleArn=role)["revisionId"] == first
    second = states.update_state_machine(stateMachineArn=machine, tracingConfiguration={"enabled": True})["revisionId"]
    assert second != first
    found = states.describe_state_machine(stateMachineArn=machine)
    assert (found["revisionId"], found["definition"]) == (second, OTHER)
    assert found["tracingConfiguration"] == {"enabled": True}


def test_an_update_needs_something_and_may_not_break_the_definition(client: Clients, machine: str) -> None:
    states = client("stepfunctions")
    with refused("MissingRequiredParameter"):
        states.update_state_machine(stateMachineArn=machine)
    with refused("InvalidDefinition"):
        states.update_state_machine(stateMachineArn=machine, definition="{}")
    with refused("StateMachineDoesNotExist"):
        states.update_state_machine(stateMachineArn=machine + "x", definition=DEFINITION)
    assert states.describe_state_machine(stateMachineArn=machine)["definition"] == DEFINITION


def test_deleting_is_done_once_and_may_be_asked_again(client: Clients, role: str, machine: str) -> None:
    states = client("stepfunctions")
    states.tag_resource(resourceArn=machine, tags=[{"key": "a", "value": "b"}])
    states.delete_state_machine(stateMachineArn=machine)
    states.delete_state_machine(stateMachineArn=machine)
    with refused("StateMachineDoesNotExist"):
        states.describe_state_machine(stateMachineArn=machine)
    assert states.list_state_machines()["stateMachines"] == []
    states.create_state_machine(name="m", definition=OTHER, roleArn=role)
    assert states.describe_state_machine(stateMachineArn=machine)["definition"] == OTHER
    assert states.list_tags_for_resource(resourceArn=machine)["tags"] == []


def test_a_machine_whose_execution_runs_is_deleting(client: Clients, role: str) -> None:
    states = client("stepfunctions")
    waiting = json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 9_000, "End": True}}})
    machine = states.create_state_machine(name="slow", definition=waiting, roleArn=role)["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    states.delete_state_machine(stateMachineArn=machine)
    assert states.describe_state_machine(stateMachineArn=machine)["status"] == "DELETING"
    words = f"State Machine is being deleted: '{machine}'"
    with refused(words):
        states.create_state_machine(name="slow", definition=waiting, roleArn=role)
    with refused(words):
        states.start_execution(stateMachineArn=machine)
    with refused(words):
        states.update_state_machine(stateMachineArn=machine, definition=DEFINITION)
    states.stop_execution(executionArn=execution)
    while states.list_state_machines()["stateMachines"]:
        pass
    with refused("StateMachineDoesNotExist"):
        states.describe_state_machine(stateMachineArn=machine)


def test_machines_are_listed_by_name_in_pages(client: Clients, role: str) -> None:
    states = client("stepfunctions")
    for name in ("c", "a", "b"):
        states.create_state_machine(name=name, definition=DEFINITION, roleArn=role)
    first = states.list_state_machines(maxResults=2)
    assert [item["name"] for item in first["stateMachines"]] == ["a", "b"]
    second = states.list_state_machines(maxResults=2, nextToken=first["nextToken"])
    assert [item["name"] for item in second["stateMachines"]] == ["c"]
    assert "nextToken" not in second
    with refused("Invalid Token: 'Invalid token'"):
        states.list_state_machines(nextToken="no token of ours")


def test_tags(client: Clients, account: str, role: str) -> None:
    states = client("stepfunctions")
    tags = [{"key": "a", "value": "1"}, {"key": "b", "value": ""}]
    arn = states.create_state_machine(name="m", definition=DEFINITION, roleArn=role, tags=tags)["stateMachineArn"]
    states.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "2"}, {"key": "c", "value": "3"}])
    states.untag_resource(resourceArn=arn, tagKeys=["b", "not there"])
    found = states.list_tags_for_resource(resourceArn=arn)["tags"]
    assert found == [{"key": "a", "value": "2"}, {"key": "c", "value": "3"}]
    many = [{"key": f"k{number}", "value": ""} for number in range(49)]
    with refused("TooManyTags"):
        states.tag_resource(resourceArn=arn, tags=many)
    assert states.list_tags_for_resource(resourceArn=arn)["tags"] == found
    with refused(f"Resource not found: '{arn}x'"):
        states.tag_resource(resourceArn=arn + "x", tags=[])
    with refused("InvalidArn"):
        states.list_tags_for_resource(resourceArn="m")


def test_encryption_is_kept_and_checked(client: Clients, role: str, machine: str) -> None:
    states = client("stepfunctions")
    kms = client("kms")
    kms.create_alias(AliasName="alias/mine", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    wanted = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/mine", "kmsDataKeyReusePeriodSeconds": 900}
    states.update_state_machine(stateMachineArn=machine, encryptionConfiguration=wanted)
    assert states.describe_state_machine(stateMachineArn=machine)["encryptionConfiguration"] == wanted
    wrong: list[dict[str, Any]] = [
        {"type": "CUSTOMER_MANAGED_KMS_KEY"},
        {"type": "AWS_OWNED_KEY", "kmsKeyId": "alias/mine"},
    ]
    for configuration in wrong:
        with refused("InvalidEncryptionConfiguration"):
            states.update_state_machine(stateMachineArn=machine, encryptionConfiguration=configuration)


def test_the_map_of_a_label_is_described(client: Clients, role: str) -> None:
    states = client("stepfunctions")
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Each",
        "States": {"Each": {"Type": "Pass", "End": True}},
    }
    every = {"Type": "Map", "Label": "Every", "ItemProcessor": processor, "End": True}
    definition = json.dumps({"StartAt": "All", "States": {"All": every}})
    arn = states.create_state_machine(name="m", definition=definition, roleArn=role)["stateMachineArn"]
    found = states.describe_state_machine(stateMachineArn=f"{arn}/Every")
    assert found["label"] == "Every"
    assert json.loads(found["definition"]) == processor
    with refused("StateMachineDoesNotExist"):
        states.describe_state_machine(stateMachineArn=f"{arn}/Other")


def test_a_customer_s_key_must_be_one_that_can_be_used(client: Clients, role: str) -> None:
    states, kms = client("stepfunctions"), client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]

    def encryption(key: str) -> dict[str, Any]:
        return {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": key, "kmsDataKeyReusePeriodSeconds": 900}

    made = {"definition": DEFINITION, "roleArn": role}
    with pytest.raises(ClientError, match="does not exist") as wrong:
        missing = key[:-1] + ("0" if key[-1] != "0" else "1")
        states.create_state_machine(name="m", **made, encryptionConfiguration=encryption(missing))
    assert wrong.value.response["Error"]["Code"] == "InvalidEncryptionConfiguration"
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    with pytest.raises(ClientError, match="no symmetric encryption key"):
        states.create_activity(name="a", encryptionConfiguration=encryption(signing))
    machine = states.create_state_machine(name="m", **made, encryptionConfiguration=encryption(key))["stateMachineArn"]
    found = states.describe_state_machine(stateMachineArn=machine)
    assert found["encryptionConfiguration"] == encryption(key)
    states.start_execution(stateMachineArn=machine)
    kms.disable_key(KeyId=key)
    states.start_execution(stateMachineArn=machine)  # the data key is still good
    other = kms.create_key()["KeyMetadata"]["Arn"]
    states.update_state_machine(stateMachineArn=machine, encryptionConfiguration=encryption(other))
    kms.disable_key(KeyId=other)
    with pytest.raises(ClientError) as wrong:
        states.start_execution(stateMachineArn=machine)
    assert wrong.value.response["Error"]["Code"] == "KmsInvalidStateException"
    assert wrong.value.response["kmsKeyState"] == "DISABLED"
    with pytest.raises(ClientError, match="Disabled"):
        states.update_state_machine(stateMachineArn=machine, encryptionConfiguration=encryption(key))
