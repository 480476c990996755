import json
from typing import Any

from tests.services.iam.helpers import document, fails, trust


def test_a_role_from_creation_to_deletion(iam: Any, account: str) -> None:
    made = iam.create_role(RoleName="worker", Path="/x/", AssumeRolePolicyDocument=trust(), Description="d")["Role"]
    assert made["Arn"] == f"arn:aws:iam::{account}:role/x/worker"
    assert made["RoleId"].startswith("AROA")
    assert made["AssumeRolePolicyDocument"] == json.loads(trust())
    assert "MaxSessionDuration" not in made
    role = iam.get_role(RoleName="worker")["Role"]
    assert (role["MaxSessionDuration"], role["RoleLastUsed"], role["Description"]) == (3600, {}, "d")
    iam.update_role(RoleName="worker", MaxSessionDuration=7200, Description="e")
    assert iam.get_role(RoleName="worker")["Role"]["MaxSessionDuration"] == 7200
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=trust(Service="events.amazonaws.com"))
    [listed] = iam.list_roles(PathPrefix="/x/")["Roles"]
    assert listed["AssumeRolePolicyDocument"] == json.loads(trust(Service="events.amazonaws.com"))
    iam.delete_role(RoleName="worker")
    fails(iam.get_role, "NoSuchEntity", "The role with name worker cannot be found.", RoleName="worker")


def test_bad_trust_policies_change_nothing(iam: Any) -> None:
    bad = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Principal": "*"}})
    fails(
        iam.create_role,
        "MalformedPolicyDocument",
        "AssumeRole policy may only specify STS AssumeRole actions.",
        RoleName="r",
        AssumeRolePolicyDocument=bad,
    )
    fails(
        iam.create_role,
        "MalformedPolicyDocument",
        "This policy contains invalid Json",
        RoleName="r",
        AssumeRolePolicyDocument="{,}",
    )
    fails(iam.get_role, "NoSuchEntity", RoleName="r")
    long = json.loads(trust())
    long["Statement"][0]["Condition"] = {"StringEquals": {"aws:SourceAccount": ["1" * 12] * 200}}
    fails(
        iam.create_role,
        "LimitExceeded",
        "Cannot exceed quota for ACLSizePerRole: 2048",
        RoleName="r",
        AssumeRolePolicyDocument=json.dumps(long),
    )


def test_inline_policies(iam: Any) -> None:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust())
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document("s3:Get*"))
    assert iam.get_role_policy(RoleName="r", PolicyName="p")["PolicyDocument"] == json.loads(document("s3:Get*"))
    fails(
        iam.get_role_policy,
        "NoSuchEntity",
        "The role policy with name q cannot be found.",
        RoleName="r",
        PolicyName="q",
    )
    fails(iam.put_role_policy, "MalformedPolicyDocument", RoleName="r", PolicyName="q", PolicyDocument=document("Get*"))
    big = document([f"s3:Get{number:06d}" for number in range(700)])
    fails(
        iam.put_role_policy,
        "LimitExceeded",
        "Maximum policy size of 10240 bytes exceeded for role r",
        RoleName="r",
        PolicyName="q",
        PolicyDocument=big,
    )
    assert iam.list_role_policies(RoleName="r")["PolicyNames"] == ["p"]
    fails(iam.delete_role, "DeleteConflict", "Cannot delete entity, must delete policies first.", RoleName="r")


def test_instance_profiles(iam: Any) -> None:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust(Service="ec2.amazonaws.com"))
    made = iam.create_instance_profile(InstanceProfileName="p")["InstanceProfile"]
    assert made["InstanceProfileId"].startswith("AIPA")
    assert made["Roles"] == []
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    [role] = iam.get_instance_profile(InstanceProfileName="p")["InstanceProfile"]["Roles"]
    assert role["RoleName"] == "r"
    fails(iam.add_role_to_instance_profile, "LimitExceeded", InstanceProfileName="p", RoleName="r")
    fails(iam.delete_role, "DeleteConflict", RoleName="r")
    fails(iam.delete_instance_profile, "DeleteConflict", InstanceProfileName="p")
    assert len(iam.list_instance_profiles_for_role(RoleName="r")["InstanceProfiles"]) == 1
    iam.remove_role_from_instance_profile(InstanceProfileName="p", RoleName="r")
    iam.delete_instance_profile(InstanceProfileName="p")
    iam.delete_role(RoleName="r")


def test_service_linked_roles(iam: Any, account: str) -> None:
    service = "dynamodb.application-autoscaling.amazonaws.com"
    name = "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
    made = iam.create_service_linked_role(AWSServiceName=service)["Role"]
    assert made["Arn"] == f"arn:aws:iam::{account}:role/aws-service-role/{service}/{name}"
    [attached] = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["AttachmentCount"] == 1
    fails(iam.create_service_linked_role, "InvalidInput", AWSServiceName=service)
    fails(iam.create_service_linked_role, "InvalidInput", AWSServiceName=service, CustomSuffix="x")
    fails(iam.delete_role, "UnmodifiableEntity", RoleName=name)
    task = iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    fails(iam.get_role, "NoSuchEntity", RoleName=name)
