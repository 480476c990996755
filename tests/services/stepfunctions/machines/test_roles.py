"""Roles of state machines, on a node that enforces permissions."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.services.events.conftest import Elsewhere, elsewhere
from tests.services.stepfunctions.engine.conftest import Workflows

__all__ = ["elsewhere"]
DEFINITION = json.dumps({"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": True}}})


@pytest.fixture(scope="module")
def strict(start_node: Callable[..., Any]) -> Any:
    return start_node("--iam", "enforce")


def make_role(iam: Any, name: str, service: str, *actions: str) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if actions:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return str(role)


def test_a_role_must_be_one_that_step_functions_may_take_on(strict: Any, account: str) -> None:
    states, iam = strict.client("stepfunctions", account), strict.client("iam", account)
    words = "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume"
    for role in (f"arn:aws:iam::{account}:role/none", make_role(iam, "other", "lambda.amazonaws.com")):
        with pytest.raises(ClientError, match=words) as refused:
            states.create_state_machine(name="m", definition=DEFINITION, roleArn=role)
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    with pytest.raises(ClientError, match="AccessDenied"):
        states.create_state_machine(name="m", definition=DEFINITION, roleArn="arn:aws:iam::999999999997:role/theirs")
    good = make_role(iam, "good", "states.amazonaws.com")
    arn = states.create_state_machine(name="m", definition=DEFINITION, roleArn=good)["stateMachineArn"]
    with pytest.raises(ClientError, match=words):
        states.update_state_machine(stateMachineArn=arn, roleArn=f"arn:aws:iam::{account}:role/none")
    assert states.describe_state_machine(stateMachineArn=arn)["roleArn"] == good


def test_a_role_must_see_the_log_group(strict: Any, account: str) -> None:
    states, iam = strict.client("stepfunctions", account), strict.client("iam", account)
    strict.client("logs", account).create_log_group(logGroupName="/flows")
    group = {"logGroupArn": f"arn:aws:logs:us-east-1:{account}:log-group:/flows:*"}
    logging = {"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": group}]}
    blind = make_role(iam, "blind", "states.amazonaws.com")
    with pytest.raises(ClientError, match="is not authorized to access the Log Destination"):
        states.create_state_machine(name="m", definition=DEFINITION, roleArn=blind, loggingConfiguration=logging)
    seeing = make_role(iam, "seeing", "states.amazonaws.com", "logs:DescribeLogGroups")
    states.create_state_machine(name="m", definition=DEFINITION, roleArn=seeing, loggingConfiguration=logging)


def test_a_role_must_be_allowed_to_call_an_endpoint_and_to_use_its_connection(
    strict: Any, account: str, elsewhere: Elsewhere
) -> None:
    states, iam, events = (strict.client(service, account) for service in ("stepfunctions", "iam", "events"))
    elsewhere.answer("/yes", 200, {"fine": True})
    elsewhere.answer("/no", 200, {"fine": True})
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "k1"}}
    made = events.create_connection(Name="shop", AuthorizationType="API_KEY", AuthParameters=key)["ConnectionArn"]
    role = make_role(iam, "caller", "states.amazonaws.com")

    def ended(path: str, connection: str = made) -> dict[str, Any]:
        parameters = {
            "ApiEndpoint": f"{elsewhere.url}{path}",
            "Method": "GET",
            "Authentication": {"ConnectionArn": connection},
        }
        state = {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": parameters, "End": True}
        name = f"m{len(states.list_state_machines()['stateMachines'])}"
        definition = json.dumps({"StartAt": "Only", "States": {"Only": state}})
        machine = states.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
        return Workflows(states, lambda _: None).ended(states.start_execution(stateMachineArn=machine)["executionArn"])

    def allow(*statements: dict[str, Any]) -> None:
        given = [{"Effect": "Allow", **statement} for statement in statements]
        policy = json.dumps({"Version": "2012-10-17", "Statement": given})
        iam.put_role_policy(RoleName="caller", PolicyName="p", PolicyDocument=policy)

    refused = ended("/yes")
    assert refused["error"] == "States.Http.AccessDenied"
    assert "states:InvokeHTTPEndpoint" in refused["cause"]
    conditions = {
        "StringEquals": {"states:HTTPMethod": "GET"},
        "StringLike": {"states:HTTPEndpoint": f"{elsewhere.url}/yes*"},
    }
    call = {"Action": "states:InvokeHTTPEndpoint", "Resource": "*", "Condition": conditions}
    allow(call)
    refused = ended("/yes")
    assert refused["error"] == "Events.ConnectionResource.AccessDenied"
    assert f"events:RetrieveConnectionCredentials on resource: {made}" in refused["cause"]
    allow(call, {"Action": "events:RetrieveConnectionCredentials", "Resource": made})
    assert ended("/yes")["status"] == "SUCCEEDED"
    assert ended("/no")["error"] == "States.Http.AccessDenied"
    assert [asked[1] for asked in elsewhere.asked] == ["/yes"]


def test_secrets_are_revealed_to_who_may_see_them(strict: Any, account: str) -> None:
    iam = strict.client("iam", account)
    role = make_role(iam, "tester", "states.amazonaws.com")
    user = iam.create_user(UserName="ann")["User"]
    keys = iam.create_access_key(UserName="ann")["AccessKey"]
    config = Config(inject_host_prefix=False)
    ann = strict.client(
        "stepfunctions",
        account,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        config=config,
    )
    given = {"definition": '{"Type": "Pass", "End": true}', "roleArn": role}

    def allow(*actions: str) -> None:
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=policy)

    allow("states:TestState")
    with pytest.raises(ClientError, match="iam:PassRole"):
        ann.test_state(**given)
    allow("states:TestState", "iam:PassRole")
    assert ann.test_state(**given)["status"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="states:RevealSecrets") as refused:
        ann.test_state(**given, revealSecrets=True)
    assert user["Arn"] in str(refused.value)
    allow("states:TestState", "iam:PassRole", "states:RevealSecrets")
    assert ann.test_state(**given, revealSecrets=True)["status"] == "SUCCEEDED"


def test_a_role_must_be_allowed_to_use_the_machine_s_key(strict: Any, account: str) -> None:
    states, iam, kms = (strict.client(service, account) for service in ("stepfunctions", "iam", "kms"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    encryption = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": key}

    def machine(name: str, *actions: str) -> str:
        role = make_role(iam, name, "states.amazonaws.com", *actions)
        made = states.create_state_machine(
            name=name, definition=DEFINITION, roleArn=role, encryptionConfiguration=encryption
        )
        return str(made["stateMachineArn"])

    with pytest.raises(ClientError, match="kms:GenerateDataKey") as refused:
        states.start_execution(stateMachineArn=machine("keyless"))
    assert refused.value.response["Error"]["Code"] == "KmsAccessDeniedException"
    states.start_execution(stateMachineArn=machine("keyed", "kms:GenerateDataKey"))
