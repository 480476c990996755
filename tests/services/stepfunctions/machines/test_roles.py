"""Roles of state machines, on a node that enforces permissions."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

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
