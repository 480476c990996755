import base64
import csv
import io
from collections.abc import Callable
from typing import Any

from tests.services.iam.helpers import document, fails, trust

METADATA = '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.com"/>'.ljust(
    1_100
)


def test_an_alias_belongs_to_one_account(iam: Any, client: Callable[..., Any], account: str) -> None:
    iam.create_account_alias(AccountAlias=f"team-{account}")
    assert iam.list_account_aliases()["AccountAliases"] == [f"team-{account}"]
    other = client("iam", account="999988887776")
    fails(other.create_account_alias, "EntityAlreadyExists", AccountAlias=f"team-{account}")
    iam.create_account_alias(AccountAlias=f"crew-{account}")
    assert iam.list_account_aliases()["AccountAliases"] == [f"crew-{account}"]
    iam.delete_account_alias(AccountAlias=f"crew-{account}")
    assert iam.list_account_aliases()["AccountAliases"] == []
    fails(iam.create_account_alias, "ValidationError", AccountAlias="No Spaces")


def test_the_password_policy(iam: Any) -> None:
    fails(iam.get_account_password_policy, "NoSuchEntity")
    iam.update_account_password_policy(MinimumPasswordLength=12, RequireSymbols=True)
    rules = iam.get_account_password_policy()["PasswordPolicy"]
    assert (rules["MinimumPasswordLength"], rules["RequireSymbols"], rules["ExpirePasswords"]) == (12, True, False)
    iam.create_user(UserName="ann")
    fails(
        iam.create_login_profile,
        "PasswordPolicyViolation",
        "Password should have at least one symbol",
        UserName="ann",
        Password="abcdefghijkl9",
    )
    iam.delete_account_password_policy()
    fails(iam.get_account_password_policy, "NoSuchEntity")


def test_the_summary_counts(iam: Any) -> None:
    iam.create_user(UserName="ann")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust())
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["Users"], summary["Roles"], summary["Groups"], summary["UsersQuota"]) == (1, 1, 0, 5000)


def test_everything_in_one_listing(iam: Any) -> None:
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="inline", PolicyDocument=document())
    iam.create_group(GroupName="devs")
    iam.add_user_to_group(GroupName="devs", UserName="ann")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust())
    iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AmazonSQSFullAccess")
    iam.create_policy(PolicyName="p", PolicyDocument=document())
    details = iam.get_account_authorization_details()
    [user] = details["UserDetailList"]
    assert user["GroupList"] == ["devs"]
    assert user["UserPolicyList"][0]["PolicyDocument"]["Statement"][0]["Action"] == "s3:GetObject"
    [role] = details["RoleDetailList"]
    assert role["AttachedManagedPolicies"][0]["PolicyName"] == "AmazonSQSFullAccess"
    assert sorted(policy["PolicyName"] for policy in details["Policies"]) == ["AmazonSQSFullAccess", "p"]
    only = iam.get_account_authorization_details(Filter=["Group"])
    assert (only["UserDetailList"], len(only["GroupDetailList"])) == ([], 1)
    pages = iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2})
    assert sum(len(page["Policies"]) + len(page["UserDetailList"]) for page in pages) == 3


def test_oidc_providers(iam: Any, account: str) -> None:
    made = iam.create_open_id_connect_provider(
        Url="https://token.actions.example.com/x", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["a" * 40]
    )
    arn = made["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{account}:oidc-provider/token.actions.example.com/x"
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="other")
    provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert provider["ClientIDList"] == ["sts.amazonaws.com", "other"]
    assert provider["Url"] == "token.actions.example.com/x"
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    fails(iam.get_open_id_connect_provider, "NoSuchEntity", OpenIDConnectProviderArn=arn)


def test_saml_providers(iam: Any, account: str) -> None:
    arn = iam.create_saml_provider(Name="idp", SAMLMetadataDocument=METADATA)["SAMLProviderArn"]
    assert arn == f"arn:aws:iam::{account}:saml-provider/idp"
    assert iam.get_saml_provider(SAMLProviderArn=arn)["SAMLMetadataDocument"] == METADATA
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><EntityDescriptor>&a;</EntityDescriptor>'.ljust(1_100)
    fails(iam.create_saml_provider, "InvalidInput", Name="bomb", SAMLMetadataDocument=bomb)
    iam.delete_saml_provider(SAMLProviderArn=arn)
    assert iam.list_saml_providers()["SAMLProviderList"] == []


def test_what_is_missing_says_so(iam: Any) -> None:
    fails(iam.create_virtual_mfa_device, "NotImplemented", VirtualMFADeviceName="phone")
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []


def test_the_credential_report(iam: Any, account: str) -> None:
    fails(iam.get_credential_report, "ReportNotPresent")
    iam.create_user(UserName="ann")
    iam.create_access_key(UserName="ann")
    assert iam.generate_credential_report()["State"] == "STARTED"
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    report = iam.get_credential_report()
    rows = list(csv.DictReader(io.StringIO(report["Content"].decode())))
    assert [row["user"] for row in rows] == ["<root_account>", "ann"]
    assert rows[1]["arn"] == f"arn:aws:iam::{account}:user/ann"
    assert (rows[1]["access_key_1_active"], rows[1]["access_key_2_active"]) == ("true", "false")


def test_ssh_public_keys(iam: Any) -> None:
    iam.create_user(UserName="ann")
    body = "ssh-rsa " + base64.b64encode(b"\x00\x00\x00\x07ssh-rsa" + b"k" * 200).decode() + " ann@example.com"
    made = iam.upload_ssh_public_key(UserName="ann", SSHPublicKeyBody=body)["SSHPublicKey"]
    assert made["SSHPublicKeyId"].startswith("APKA")
    assert len(made["Fingerprint"]) == 47
    fails(iam.upload_ssh_public_key, "DuplicateSSHPublicKey", UserName="ann", SSHPublicKeyBody=body)
    fails(iam.upload_ssh_public_key, "UnrecognizedPublicKeyEncoding", UserName="ann", SSHPublicKeyBody="dss x")
    id = made["SSHPublicKeyId"]
    iam.update_ssh_public_key(UserName="ann", SSHPublicKeyId=id, Status="Inactive")
    assert iam.list_ssh_public_keys(UserName="ann")["SSHPublicKeys"][0]["Status"] == "Inactive"
    fails(iam.delete_user, "DeleteConflict", UserName="ann")
    iam.delete_ssh_public_key(UserName="ann", SSHPublicKeyId=id)
    fails(iam.get_ssh_public_key, "NoSuchEntity", UserName="ann", SSHPublicKeyId=id, Encoding="SSH")
