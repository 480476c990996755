import json
from typing import Any

import pytest
from tests.services.iam.helpers import document, fails


@pytest.fixture
def arn(iam: Any) -> str:
    made = iam.create_user(UserName="ann")["User"]["Arn"]
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::home/${aws:username}/*"},
                {
                    "Effect": "Deny",
                    "Action": "s3:DeleteObject",
                    "Resource": "*",
                    "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}},
                },
            ],
        }
    )
    iam.put_user_policy(UserName="ann", PolicyName="home", PolicyDocument=policy)
    return str(made)


def simulate(iam: Any, arn: str, action: str, resource: str, **context: str) -> dict[str, Any]:
    entries = [
        {"ContextKeyName": name.replace("__", ":"), "ContextKeyValues": [value], "ContextKeyType": "string"}
        for name, value in context.items()
    ]
    [result] = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
    )["EvaluationResults"]
    return dict(result)


def test_the_simulator_decides_as_the_evaluator_does(iam: Any, arn: str) -> None:
    mine, other = "arn:aws:s3:::home/ann/a", "arn:aws:s3:::home/bob/a"
    assert simulate(iam, arn, "s3:GetObject", mine)["EvalDecision"] == "allowed"
    assert simulate(iam, arn, "s3:GetObject", other)["EvalDecision"] == "implicitDeny"
    deny = simulate(iam, arn, "s3:DeleteObject", mine, aws__MultiFactorAuthPresent="false")
    assert deny["EvalDecision"] == "explicitDeny"
    assert [s["SourcePolicyId"] for s in deny["MatchedStatements"]] == ["user_ann_home"]
    without = simulate(iam, arn, "s3:DeleteObject", mine)
    assert without["MissingContextValues"] == ["aws:MultiFactorAuthPresent"]


def test_several_actions_and_resources(iam: Any) -> None:
    results = iam.simulate_custom_policy(
        PolicyInputList=[document("s3:Get*", "arn:aws:s3:::a/*")],
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::a/1", "arn:aws:s3:::b/1"],
    )["EvaluationResults"]
    assert [(r["EvalActionName"], r["EvalResourceName"], r["EvalDecision"]) for r in results] == [
        ("s3:GetObject", "arn:aws:s3:::a/1", "allowed"),
        ("s3:GetObject", "arn:aws:s3:::b/1", "implicitDeny"),
        ("s3:PutObject", "arn:aws:s3:::a/1", "implicitDeny"),
        ("s3:PutObject", "arn:aws:s3:::b/1", "implicitDeny"),
    ]
    limited = iam.simulate_custom_policy(
        PolicyInputList=[document("s3:*")],
        PermissionsBoundaryPolicyInputList=[document("sqs:*")],
        ActionNames=["s3:GetObject"],
    )["EvaluationResults"][0]
    assert limited["EvalDecision"] == "implicitDeny"
    assert limited["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_context_keys(iam: Any, arn: str) -> None:
    wanted = ["aws:username", "aws:MultiFactorAuthPresent"]
    assert iam.get_context_keys_for_principal_policy(PolicySourceArn=arn)["ContextKeyNames"] == wanted
    assert iam.get_context_keys_for_custom_policy(PolicyInputList=[document()])["ContextKeyNames"] == []


def test_bad_input(iam: Any) -> None:
    fails(iam.simulate_custom_policy, "InvalidInput", PolicyInputList=["{"], ActionNames=["s3:GetObject"])
    fails(
        iam.simulate_principal_policy,
        "NoSuchEntity",
        PolicySourceArn="arn:aws:iam::111122223333:user/nobody",
        ActionNames=["s3:GetObject"],
    )
