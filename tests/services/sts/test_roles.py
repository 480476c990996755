from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.services.iam.helpers import document, fails, trust
from tests.services.sts.helpers import signed

Client = Callable[..., Any]


@pytest.fixture
def role(client: Client, account: str) -> str:
    made = client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument=trust(AWS=account))
    return str(made["Role"]["Arn"])


def test_a_session_of_a_role(client: Client, role: str, account: str) -> None:
    answer = client("sts").assume_role(RoleArn=role, RoleSessionName="s1")
    arn = f"arn:aws:sts::{account}:assumed-role/worker/s1"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    role_id = client("iam").get_role(RoleName="worker")["Role"]["RoleId"]
    assert answer["AssumedRoleUser"]["AssumedRoleId"] == f"{role_id}:s1"
    credentials = answer["Credentials"]
    assert len(credentials["SecretAccessKey"]) == 40
    left = (credentials["Expiration"] - datetime.now(UTC)).total_seconds()
    assert 3_500 < left <= 3_600
    identity = signed(client, "sts", credentials).get_caller_identity()
    assert (identity["Arn"], identity["UserId"], identity["Account"]) == (arn, f"{role_id}:s1", account)


def test_a_session_needs_its_own_token_and_secret(client: Client, role: str) -> None:
    sts = client("sts")
    one, other = (sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"] for name in ("one", "other"))
    for known in (one, other):
        signed(client, "sts", known).get_caller_identity()
    swapped = signed(client, "sts", one | {"SessionToken": other["SessionToken"]})
    fails(swapped.get_caller_identity, "InvalidClientTokenId")
    forged = signed(client, "sts", one | {"SessionToken": "A" + one["SessionToken"][1:-8] + "AAAAAAA="})
    fails(forged.get_caller_identity, "InvalidClientTokenId")
    wrong = signed(client, "sts", one | {"SecretAccessKey": other["SecretAccessKey"]})
    fails(wrong.get_caller_identity, "SignatureDoesNotMatch")
    bare = signed(client, "sts", {name: one[name] for name in ("AccessKeyId", "SecretAccessKey")})
    fails(bare.get_caller_identity, "InvalidClientTokenId")


def test_durations(client: Client, role: str) -> None:
    sts = client("sts")
    fails(
        sts.assume_role,
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        RoleArn=role,
        RoleSessionName="s1",
        DurationSeconds=7200,
    )
    client("iam").update_role(RoleName="worker", MaxSessionDuration=7200)
    first = sts.assume_role(RoleArn=role, RoleSessionName="s1", DurationSeconds=7200)["Credentials"]
    chained = signed(client, "sts", first)
    fails(
        chained.assume_role,
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        RoleArn=role,
        RoleSessionName="s1",
        DurationSeconds=7200,
    )
    chained.assume_role(RoleArn=role, RoleSessionName="s1", DurationSeconds=3600)


def test_tags_are_handed_on_and_cannot_be_replaced(client: Client, role: str) -> None:
    tags = [{"Key": "team", "Value": "red"}, {"Key": "step", "Value": "1"}]
    first = client("sts").assume_role(RoleArn=role, RoleSessionName="s1", Tags=tags, TransitiveTagKeys=["team"])
    assert first["PackedPolicySize"] > 0
    chained = signed(client, "sts", first["Credentials"])
    fails(
        chained.assume_role,
        "InvalidParameterValue",
        RoleArn=role,
        RoleSessionName="s1",
        Tags=[{"Key": "TEAM", "Value": "blue"}],
    )
    chained.assume_role(RoleArn=role, RoleSessionName="s1", Tags=[{"Key": "step", "Value": "2"}])


def test_a_source_identity_stays(client: Client, role: str) -> None:
    first = client("sts").assume_role(RoleArn=role, RoleSessionName="s1", SourceIdentity="ann")
    assert first["SourceIdentity"] == "ann"
    chained = signed(client, "sts", first["Credentials"])
    assert chained.assume_role(RoleArn=role, RoleSessionName="s1")["SourceIdentity"] == "ann"
    fails(chained.assume_role, "AccessDenied", RoleArn=role, RoleSessionName="s1", SourceIdentity="bob")


def test_bad_session_policies(client: Client, role: str) -> None:
    sts = client("sts")
    fails(sts.assume_role, "MalformedPolicyDocument", RoleArn=role, RoleSessionName="s1", Policy="{")
    sts.assume_role(RoleArn=role, RoleSessionName="s1", Policy=document())


def test_an_mfa_code_is_never_right(client: Client, role: str) -> None:
    fails(
        client("sts").assume_role,
        "AccessDenied",
        RoleArn=role,
        RoleSessionName="s1",
        SerialNumber="GAHT12345678",
        TokenCode="123456",
    )


def test_a_role_that_is_not_there_is_assumed_while_permissions_are_only_audited(client: Client, account: str) -> None:
    gone = f"arn:aws:iam::{account}:role/gone"
    one, two = (client("sts").assume_role(RoleArn=gone, RoleSessionName="s1")["AssumedRoleUser"] for _ in "12")
    assert one == two
    assert one["AssumedRoleId"].startswith("AROA")


def test_tokens_of_users(client: Client, account: str) -> None:
    iam = client("iam")
    iam.create_user(UserName="ann")
    ann = signed(client, "sts", iam.create_access_key(UserName="ann")["AccessKey"])
    session = ann.get_session_token(DurationSeconds=900)["Credentials"]
    as_session = signed(client, "sts", session)
    assert as_session.get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:user/ann"
    fails(as_session.get_session_token, "AccessDenied", "Cannot call GetSessionToken with session credentials")
    federated = ann.get_federation_token(Name="bob", Policy=document())
    assert federated["FederatedUser"]["Arn"] == f"arn:aws:sts::{account}:federated-user/bob"
    bob = signed(client, "sts", federated["Credentials"])
    assert bob.get_caller_identity()["UserId"] == f"{account}:bob"
    fails(bob.get_federation_token, "AccessDenied", Name="carol")


def test_sessions_of_the_root_last_an_hour(client: Client) -> None:
    credentials = client("sts").get_session_token(DurationSeconds=43_200)["Credentials"]
    assert (credentials["Expiration"] - datetime.now(UTC)).total_seconds() <= 3_600
