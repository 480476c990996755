import json
from typing import Any

import pytest
from tests.services.iam.helpers import document, fails, trust

from cumulet.policy.check import check_identity_policy
from cumulet.services.iam.catalogue import Catalogue


@pytest.fixture
def arn(iam: Any) -> str:
    return str(iam.create_policy(PolicyName="p", PolicyDocument=document(), Description="d")["Policy"]["Arn"])


def test_a_policy_from_creation_to_deletion(iam: Any, arn: str, account: str) -> None:
    assert arn == f"arn:aws:iam::{account}:policy/p"
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (policy["DefaultVersionId"], policy["AttachmentCount"], policy["Description"]) == ("v1", 0, "d")
    assert policy["PolicyId"].startswith("ANPA")
    fails(
        iam.create_policy,
        "EntityAlreadyExists",
        "A policy called p already exists. Duplicate names are not allowed.",
        PolicyName="p",
        PolicyDocument=document(),
    )
    iam.delete_policy(PolicyArn=arn)
    fails(iam.get_policy, "NoSuchEntity", f"Policy {arn} was not found.", PolicyArn=arn)


def test_versions(iam: Any, arn: str) -> None:
    for number in range(2, 6):
        made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(f"s3:Get{number}"))
        assert made["PolicyVersion"]["VersionId"] == f"v{number}"
    fails(iam.create_policy_version, "LimitExceeded", PolicyArn=arn, PolicyDocument=document())
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v3")
    fails(
        iam.delete_policy_version,
        "DeleteConflict",
        "Cannot delete the default version of a policy.",
        PolicyArn=arn,
        VersionId="v3",
    )
    iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("s3:Get6"), SetAsDefault=True)
    assert made["PolicyVersion"]["VersionId"] == "v6"
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(v["VersionId"], v["IsDefaultVersion"]) for v in versions] == [
        ("v6", True),
        ("v4", False),
        ("v3", False),
        ("v2", False),
        ("v1", False),
    ]
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v6")["PolicyVersion"]
    assert version["Document"] == json.loads(document("s3:Get6"))
    fails(iam.delete_policy, "DeleteConflict", PolicyArn=arn)


def test_attaching(iam: Any, arn: str) -> None:
    iam.create_user(UserName="ann")
    iam.create_group(GroupName="devs")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust())
    iam.attach_user_policy(UserName="ann", PolicyArn=arn)
    iam.attach_group_policy(GroupName="devs", PolicyArn=arn)
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert [u["UserName"] for u in entities["PolicyUsers"]] == ["ann"]
    assert [g["GroupName"] for g in entities["PolicyGroups"]] == ["devs"]
    assert [r["RoleName"] for r in entities["PolicyRoles"]] == ["r"]
    assert iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="Role")["PolicyUsers"] == []
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 3
    assert [p["PolicyName"] for p in iam.list_policies(Scope="Local", OnlyAttached=True)["Policies"]] == ["p"]
    fails(iam.delete_policy, "DeleteConflict", "Cannot delete a policy attached to entities.", PolicyArn=arn)
    iam.detach_user_policy(UserName="ann", PolicyArn=arn)
    fails(iam.detach_user_policy, "NoSuchEntity", f"Policy {arn} was not found.", UserName="ann", PolicyArn=arn)


def test_ten_attached_policies_at_most(iam: Any) -> None:
    iam.create_user(UserName="ann")
    for number in range(11):
        made = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=document())["Policy"]["Arn"]
        if number < 10:
            iam.attach_user_policy(UserName="ann", PolicyArn=made)
        else:
            fails(
                iam.attach_user_policy,
                "LimitExceeded",
                "Cannot exceed quota for PoliciesPerUser: 10",
                UserName="ann",
                PolicyArn=made,
            )


def test_bad_arns_and_documents(iam: Any, account: str) -> None:
    iam.create_user(UserName="ann")
    attach = iam.attach_user_policy
    gone = f"arn:aws:iam::{account}:policy/gone"
    fails(attach, "ValidationError", UserName="ann", PolicyArn="no-arn-but-long-enough")
    fails(attach, "NoSuchEntity", f"Policy {gone} does not exist or is not attachable.", UserName="ann", PolicyArn=gone)
    fails(iam.create_policy, "MalformedPolicyDocument", PolicyName="p", PolicyDocument="{}")
    big = document([f"s3:Get{number:06d}" for number in range(500)])
    fails(
        iam.create_policy,
        "LimitExceeded",
        "Cannot exceed quota for PolicySize: 6144",
        PolicyName="p",
        PolicyDocument=big,
    )
    assert iam.list_policies(Scope="Local")["Policies"] == []


def test_aws_own_policies(iam: Any) -> None:
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"]["Statement"][0]["Action"] == [
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ]
    fails(iam.delete_policy, "AccessDenied", PolicyArn=arn)
    pages = iam.get_paginator("list_policies").paginate(Scope="AWS")
    names = [policy["PolicyName"] for page in pages for policy in page["Policies"]]
    assert "AdministratorAccess" in names
    assert len(names) == len(set(names))


def test_every_policy_of_the_catalogue_is_one_iam_would_take() -> None:
    for policy in Catalogue().policies.values():
        check_identity_policy(policy.document)
