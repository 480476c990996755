from collections.abc import Callable
from typing import Any

from tests.services.iam.helpers import document, fails


def test_a_user_from_creation_to_deletion(iam: Any, account: str) -> None:
    made = iam.create_user(UserName="ann", Path="/team/", Tags=[{"Key": "a", "Value": "b"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{account}:user/team/ann"
    assert made["UserId"].startswith("AIDA")
    assert len(made["UserId"]) == 21
    assert iam.get_user(UserName="ann")["User"] == made
    [listed] = iam.list_users(PathPrefix="/team/")["Users"]
    assert "Tags" not in listed
    assert iam.list_users(PathPrefix="/other/")["Users"] == []
    iam.delete_user(UserName="ann")
    fails(iam.get_user, "NoSuchEntity", "The user with name ann cannot be found.", UserName="ann")


def test_names_are_unique_whatever_their_case(iam: Any) -> None:
    iam.create_user(UserName="ann")
    fails(iam.create_user, "EntityAlreadyExists", "User with name ann already exists.", UserName="ann")
    fails(iam.create_user, "EntityAlreadyExists", "User with name Ann already exists.", UserName="Ann")


def test_a_renamed_user_keeps_what_belongs_to_it(iam: Any) -> None:
    iam.create_user(UserName="ann")
    iam.create_group(GroupName="devs")
    iam.add_user_to_group(UserName="ann", GroupName="devs")
    iam.attach_user_policy(UserName="ann", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    key = iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
    iam.update_user(UserName="ann", NewUserName="anna", NewPath="/x/")
    assert [user["UserName"] for user in iam.get_group(GroupName="devs")["Users"]] == ["anna"]
    [attached] = iam.list_attached_user_policies(UserName="anna")["AttachedPolicies"]
    assert attached["PolicyName"] == "AmazonS3ReadOnlyAccess"
    [kept] = iam.list_access_keys(UserName="anna")["AccessKeyMetadata"]
    assert kept["AccessKeyId"] == key


def test_a_user_in_use_is_not_deleted(iam: Any) -> None:
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document())
    fails(iam.delete_user, "DeleteConflict", "Cannot delete entity, must delete policies first.", UserName="ann")
    iam.delete_user_policy(UserName="ann", PolicyName="p")
    key = iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
    fails(iam.delete_user, "DeleteConflict", "Cannot delete entity, must delete access keys first.", UserName="ann")
    iam.delete_access_key(UserName="ann", AccessKeyId=key)
    iam.create_login_profile(UserName="ann", Password="correct horse 9")
    fails(iam.delete_user, "DeleteConflict", "Cannot delete entity, must delete login profile first.", UserName="ann")
    iam.delete_login_profile(UserName="ann")
    iam.delete_user(UserName="ann")


def test_pages(iam: Any) -> None:
    for number in range(5):
        iam.create_user(UserName=f"user-{number}")
    first = iam.list_users(MaxItems=2)
    assert first["IsTruncated"] is True
    names = [
        user["UserName"]
        for page in iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2})
        for user in page["Users"]
    ]
    assert names == [f"user-{number}" for number in range(5)]
    fails(iam.list_users, "ValidationError", Marker="not-a-marker")


def test_accounts_do_not_see_each_other(iam: Any, client: Callable[..., Any]) -> None:
    iam.create_user(UserName="ann")
    fails(client("iam", account="999988887777").get_user, "NoSuchEntity", UserName="ann")


def test_tags_change_by_key_whatever_its_case(iam: Any) -> None:
    iam.create_user(UserName="ann", Tags=[{"Key": "team", "Value": "red"}])
    iam.tag_user(UserName="ann", Tags=[{"Key": "Team", "Value": "blue"}, {"Key": "z", "Value": ""}])
    assert iam.list_user_tags(UserName="ann")["Tags"] == [{"Key": "Team", "Value": "blue"}, {"Key": "z", "Value": ""}]
    iam.untag_user(UserName="ann", TagKeys=["TEAM"])
    assert iam.list_user_tags(UserName="ann")["Tags"] == [{"Key": "z", "Value": ""}]
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    fails(iam.tag_user, "InvalidInput", UserName="ann", Tags=twice)
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    fails(iam.tag_user, "LimitExceeded", UserName="ann", Tags=many)


def test_boundaries(iam: Any, account: str) -> None:
    iam.create_user(UserName="ann")
    arn = iam.create_policy(PolicyName="limit", PolicyDocument=document())["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=arn)
    boundary = iam.get_user(UserName="ann")["User"]["PermissionsBoundary"]
    assert boundary == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    fails(iam.delete_policy, "DeleteConflict", PolicyArn=arn)
    iam.delete_user_permissions_boundary(UserName="ann")
    iam.delete_policy(PolicyArn=arn)
    gone = f"arn:aws:iam::{account}:policy/limit"
    fails(iam.put_user_permissions_boundary, "NoSuchEntity", UserName="ann", PermissionsBoundary=gone)


def test_login_profiles(iam: Any) -> None:
    iam.create_user(UserName="ann")
    fails(iam.get_login_profile, "NoSuchEntity", "Login Profile for User ann cannot be found.", UserName="ann")
    fails(iam.create_login_profile, "PasswordPolicyViolation", UserName="ann", Password="short")
    made = iam.create_login_profile(UserName="ann", Password="correct horse 9", PasswordResetRequired=True)
    assert made["LoginProfile"]["PasswordResetRequired"] is True
    fails(iam.create_login_profile, "EntityAlreadyExists", UserName="ann", Password="correct horse 9")
    iam.update_login_profile(UserName="ann", PasswordResetRequired=False)
    assert iam.get_login_profile(UserName="ann")["LoginProfile"]["PasswordResetRequired"] is False


def test_service_credentials(iam: Any, account: str) -> None:
    iam.create_user(UserName="ann")
    create = iam.create_service_specific_credential
    service = "codecommit.amazonaws.com"
    made = create(UserName="ann", ServiceName=service)["ServiceSpecificCredential"]
    assert made["ServiceUserName"] == f"ann-at-{account}"
    id = made["ServiceSpecificCredentialId"]
    reset = iam.reset_service_specific_credential(UserName="ann", ServiceSpecificCredentialId=id)
    assert reset["ServiceSpecificCredential"]["ServicePassword"] != made["ServicePassword"]
    iam.update_service_specific_credential(UserName="ann", ServiceSpecificCredentialId=id, Status="Inactive")
    [listed] = iam.list_service_specific_credentials(UserName="ann")["ServiceSpecificCredentials"]
    assert listed["Status"] == "Inactive"
    create(UserName="ann", ServiceName=service)
    fails(create, "LimitExceeded", UserName="ann", ServiceName=service)
    fails(create, "NoSuchEntity", UserName="ann", ServiceName="lambda.amazonaws.com")
