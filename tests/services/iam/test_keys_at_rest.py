"""Secrets of access keys are not readable in the database, and move nowhere."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import NodeProcess

from cumulet.storage.seal import Seal, SealBroken


def test_the_database_does_not_hold_a_secret(start_node: Callable[..., NodeProcess], account: str) -> None:
    node = start_node()
    iam = node.client("iam", account)
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    stored = b"".join(path.read_bytes() for path in (node.data / "records").glob("iam*"))
    assert key["AccessKeyId"].encode() in stored
    assert key["SecretAccessKey"].encode() not in stored
    node.kill()
    node.start()
    signed = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    assert node.client("sts", account, **signed).get_caller_identity()["Arn"].endswith(":user/ann")
    node.stop()


@given(text=st.text(max_size=50), name=st.text(max_size=20), other=st.text(max_size=20))
def test_what_is_sealed_opens_under_its_name_alone(text: str, name: str, other: str) -> None:
    seal = Seal(b"k" * 32, "test")
    sealed = seal.close(text, name)
    assert seal.open(sealed, name) == text
    if other != name:
        with pytest.raises(SealBroken):
            seal.open(sealed, other)
    for stranger in (Seal(b"x" * 32, "test"), Seal(b"k" * 32, "else")):
        with pytest.raises(SealBroken, match="key"):
            stranger.open(sealed, name)
