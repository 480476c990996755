"""Permissions as they are enforced, through a node of its own."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.iam.helpers import document, fails, trust

Client = Callable[..., Any]


@pytest.fixture(scope="module")
def strict(start_node: Callable[..., Any]) -> Any:
    return start_node("--iam", "enforce")


@pytest.fixture
def root(strict: Any, account: str) -> Client:
    return lambda service: strict.client(service, account)


@pytest.fixture
def ann(root: Client) -> dict[str, Any]:
    iam = root("iam")
    iam.create_user(UserName="ann")
    return dict(iam.create_access_key(UserName="ann")["AccessKey"])


@pytest.fixture
def signed(strict: Any, account: str) -> Client:
    def make(service: str, key: dict[str, Any]) -> Any:
        return strict.client(
            service,
            account,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken"),
        )

    return make


def test_a_user_may_do_what_policies_allow_and_no_more(
    root: Client, ann: dict[str, Any], signed: Client, account: str
) -> None:
    iam, mine = root("iam"), signed("iam", ann)
    arn = f"arn:aws:iam::{account}:user/ann"
    fails(
        mine.list_users,
        "AccessDenied",
        f"User: {arn} is not authorized to perform: iam:ListUsers on resource: * because no identity-based policy "
        "allows the iam:ListUsers action",
    )
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document("iam:List*"))
    assert [user["UserName"] for user in mine.list_users()["Users"]] == ["ann"]
    iam.delete_user_policy(UserName="ann", PolicyName="p")
    fails(mine.list_users, "AccessDenied")
    assert signed("sts", ann).get_caller_identity()["Arn"] == arn  # nobody needs leave for that


def test_paths_are_part_of_what_is_asked_for(root: Client, ann: dict[str, Any], signed: Client) -> None:
    iam, mine = root("iam"), signed("iam", ann)
    for name, path in (("reader", "/app/"), ("boss", "/admin/")):
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=trust())
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document("iam:GetRole"))
    no_admins = document("iam:*", "arn:aws:iam::*:role/admin/*", "Deny")
    iam.put_user_policy(UserName="ann", PolicyName="q", PolicyDocument=no_admins)
    mine.get_role(RoleName="reader")
    fails(mine.get_role, "AccessDenied", RoleName="boss")


def test_groups_managed_policies_and_boundaries(root: Client, ann: dict[str, Any], signed: Client) -> None:
    iam, mine = root("iam"), signed("iam", ann)
    iam.create_group(GroupName="devs")
    iam.attach_group_policy(GroupName="devs", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    iam.add_user_to_group(GroupName="devs", UserName="ann")
    mine.list_users()
    fails(mine.create_user, "AccessDenied", UserName="bob")
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=document("s3:*"))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=limit)
    fails(mine.list_users, "AccessDenied")
    iam.create_policy_version(PolicyArn=limit, PolicyDocument=document("iam:*"), SetAsDefault=True)
    mine.list_users()


def test_a_role_is_assumed_by_whom_it_trusts(root: Client, ann: dict[str, Any], signed: Client, account: str) -> None:
    iam, sts = root("iam"), signed("sts", ann)
    me = f"arn:aws:iam::{account}:user/ann"
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(AWS=account))["Role"]["Arn"]
    refusal = f"User: {me} is not authorized to perform: sts:AssumeRole on resource: {role}"
    fails(
        sts.assume_role,
        "AccessDenied",
        f"{refusal} because no identity-based policy allows the sts:AssumeRole action",
        RoleArn=role,
        RoleSessionName="s1",
    )
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=trust(Service="lambda.amazonaws.com"))
    fails(sts.assume_role, "AccessDenied", refusal, RoleArn=role, RoleSessionName="s1")
    fails(sts.assume_role, "AccessDenied", RoleArn=f"{role}-gone", RoleSessionName="s1")
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=trust(AWS=me))
    session = sts.assume_role(RoleArn=role, RoleSessionName="s1", Policy=document("iam:ListRoles"))["Credentials"]
    worker = signed("iam", session)
    fails(worker.list_roles, "AccessDenied")
    iam.attach_role_policy(RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    worker.list_roles()
    fails(worker.list_users, "AccessDenied")  # the session's own policy


def test_external_ids(root: Client, ann: dict[str, Any], signed: Client, account: str) -> None:
    document_ = json.loads(trust(AWS=f"arn:aws:iam::{account}:user/ann"))
    document_["Statement"][0]["Condition"] = {"StringEquals": {"sts:ExternalId": "42"}}
    role = root("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(document_))["Role"]["Arn"]
    sts = signed("sts", ann)
    fails(sts.assume_role, "AccessDenied", RoleArn=role, RoleSessionName="s1", ExternalId="43")
    sts.assume_role(RoleArn=role, RoleSessionName="s1", ExternalId="42")


def test_another_account_needs_leave_of_both(strict: Any, root: Client, ann: dict[str, Any], signed: Client) -> None:
    ours = root("sts").get_caller_identity()["Account"]
    other = strict.client("iam", "999988887775")
    role = other.create_role(RoleName=f"r{ours}", AssumeRolePolicyDocument=trust(AWS=ours))["Role"]["Arn"]
    sts = signed("sts", ann)
    fails(sts.assume_role, "AccessDenied", RoleArn=role, RoleSessionName="s1")
    root("iam").put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document("sts:AssumeRole", role))
    there = signed("sts", sts.assume_role(RoleArn=role, RoleSessionName="s1")["Credentials"])
    assert there.get_caller_identity()["Account"] == "999988887775"


def test_a_federated_user_has_what_its_maker_and_its_policy_both_allow(
    root: Client, ann: dict[str, Any], signed: Client
) -> None:
    iam = root("iam")
    everything = document(["iam:ListUsers", "iam:ListRoles", "sts:GetFederationToken"])
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=everything)
    token = signed("sts", ann).get_federation_token(Name="bob", Policy=document(["iam:ListUsers", "iam:ListGroups"]))
    bob = signed("iam", token["Credentials"])
    bob.list_users()
    fails(bob.list_roles, "AccessDenied")
    fails(bob.list_groups, "AccessDenied")


def test_state_survives_the_end_of_the_node(start_node: Callable[..., Any], account: str) -> None:
    node = start_node()
    iam = node.client("iam", account)
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust(AWS=account))["Role"]["Arn"]
    session = node.client("sts", account).assume_role(RoleArn=role, RoleSessionName="s1")["Credentials"]
    node.kill()
    node.start()
    as_ann = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    assert node.client("sts", account, **as_ann).get_caller_identity()["Arn"].endswith(":user/ann")
    as_role = {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    assert node.client("sts", account, **as_role).get_caller_identity()["Arn"].endswith(":assumed-role/r/s1")
    node.stop()


def test_a_bucket_belongs_to_its_account(strict: Any, root: Client, account: str) -> None:
    bucket = f"photos-{account}"
    s3, stranger = root("s3"), strict.client("s3", "999988887774")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="cat.jpg", Body=b"cat")
    fails(stranger.get_object, "AccessDenied", Bucket=bucket, Key="cat.jpg")
    fails(stranger.create_bucket, "BucketAlreadyExists", Bucket=bucket)
    policy = {"Effect": "Allow", "Principal": {"AWS": "999988887774"}, "Action": "s3:GetObject"}
    statement = policy | {"Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert stranger.get_object(Bucket=bucket, Key="cat.jpg")["Body"].read() == b"cat"
    fails(stranger.put_object, "AccessDenied", Bucket=bucket, Key="cat.jpg", Body=b"dog")


def test_keys_and_roles_tell_when_they_were_used(
    strict: Any, root: Client, ann: dict[str, Any], signed: Client, account: str
) -> None:
    iam = root("iam")
    unused = iam.get_access_key_last_used(AccessKeyId=ann["AccessKeyId"])["AccessKeyLastUsed"]
    assert (unused["ServiceName"], "LastUsedDate" in unused) == ("N/A", False)
    signed("sts", ann).get_caller_identity()
    used = iam.get_access_key_last_used(AccessKeyId=ann["AccessKeyId"])
    assert (used["UserName"], used["AccessKeyLastUsed"]["ServiceName"]) == ("ann", "sts")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust(AWS=f"arn:aws:iam::{account}:user/ann"))
    session = signed("sts", ann).assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="s1")["Credentials"]
    signed("sts", session).get_caller_identity()
    strict.post("/_cumulet/clock", {"advance": 61})
    deadline = time.monotonic() + 200
    while not iam.get_role(RoleName="r")["Role"]["RoleLastUsed"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert iam.get_role(RoleName="r")["Role"]["RoleLastUsed"]["Region"] == "us-east-1"
    kept = iam.get_access_key_last_used(AccessKeyId=ann["AccessKeyId"])["AccessKeyLastUsed"]
    assert kept["LastUsedDate"] >= used["AccessKeyLastUsed"]["LastUsedDate"]
