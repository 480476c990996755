from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.iam.helpers import fails


@pytest.fixture
def key(iam: Any) -> dict[str, Any]:
    iam.create_user(UserName="ann")
    return dict(iam.create_access_key(UserName="ann")["AccessKey"])


def signed(client: Callable[..., Any], service: str, key: dict[str, Any]) -> Any:
    """A client that signs with a key."""
    return client(service, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])


def test_a_key_signs_as_its_user(client: Callable[..., Any], key: dict[str, Any], account: str) -> None:
    assert len(key["AccessKeyId"]) == 20
    assert key["AccessKeyId"].startswith("AKIA")
    assert len(key["SecretAccessKey"]) == 40
    identity = signed(client, "sts", key).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{account}:user/ann"
    assert identity["UserId"].startswith("AIDA")
    assert signed(client, "iam", key).get_user()["User"]["UserName"] == "ann"


def test_a_wrong_secret_is_refused(client: Callable[..., Any], key: dict[str, Any]) -> None:
    wrong = signed(client, "sts", key | {"SecretAccessKey": "x" * 40})
    fails(wrong.get_caller_identity, "SignatureDoesNotMatch")
    signed(client, "sts", key).get_caller_identity()
    fails(wrong.get_caller_identity, "SignatureDoesNotMatch")  # of a key that is remembered now, too


def test_an_inactive_or_deleted_key_stops_working_at_once(
    iam: Any, client: Callable[..., Any], key: dict[str, Any]
) -> None:
    sts = signed(client, "sts", key)
    id = key["AccessKeyId"]
    sts.get_caller_identity()
    iam.update_access_key(UserName="ann", AccessKeyId=id, Status="Inactive")
    fails(sts.get_caller_identity, "InvalidClientTokenId")
    iam.update_access_key(UserName="ann", AccessKeyId=id, Status="Active")
    sts.get_caller_identity()
    iam.delete_access_key(UserName="ann", AccessKeyId=id)
    fails(sts.get_caller_identity, "InvalidClientTokenId")


def test_two_keys_at_most(iam: Any, key: dict[str, Any]) -> None:
    iam.create_access_key(UserName="ann")
    fails(iam.create_access_key, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", UserName="ann")
    assert len(iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]) == 2


def test_keys_that_are_not_there(iam: Any, key: dict[str, Any]) -> None:
    message = "The Access Key with id AKIA0000000000000000 cannot be found."
    for operation in (iam.delete_access_key, iam.get_access_key_last_used):
        more = {"UserName": "ann"} if operation == iam.delete_access_key else {}
        with pytest.raises(ClientError) as caught:
            operation(AccessKeyId="AKIA0000000000000000", **more)
        assert caught.value.response["Error"]["Message"] == message


def test_the_root_has_keys_too(iam: Any, client: Callable[..., Any], account: str) -> None:
    made = iam.create_access_key()["AccessKey"]
    assert signed(client, "sts", made).get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"
    iam.delete_access_key(AccessKeyId=made["AccessKeyId"])
