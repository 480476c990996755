from collections.abc import Callable
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError


def test_the_root_of_an_account(client: Callable[..., Any], account: str) -> None:
    answer = client("sts").get_caller_identity()
    assert (answer["Account"], answer["UserId"]) == (account, account)
    assert answer["Arn"] == f"arn:aws:iam::{account}:root"


def test_a_key_tells_its_account(client: Callable[..., Any], account: str) -> None:
    iam, sts = client("iam"), client("sts")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
    assert sts.get_access_key_info(AccessKeyId=key)["Account"] == account
    session = sts.get_session_token()["Credentials"]["AccessKeyId"]
    assert session.startswith("ASIA")
    assert sts.get_access_key_info(AccessKeyId=session)["Account"] == account
    with pytest.raises(ClientError, match="is not a valid access key id"):
        sts.get_access_key_info(AccessKeyId="nokeybutlongenough")


def test_what_is_missing_says_so(client: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match="NotImplemented"):
        client("sts").decode_authorization_message(EncodedMessage="x")


def test_nobody_gets_no_session(client: Callable[..., Any]) -> None:
    anonymous = client("sts", config=Config(signature_version=UNSIGNED))
    for ask in (anonymous.get_session_token, lambda: anonymous.get_federation_token(Name="bob")):
        with pytest.raises(ClientError) as caught:
            ask()
        assert caught.value.response["Error"]["Code"] == "MissingAuthenticationToken"
