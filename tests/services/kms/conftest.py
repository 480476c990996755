from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def kms(client: Callable[..., Any]) -> Any:
    return client("kms")


@pytest.fixture
def key(kms: Any) -> str:
    """A symmetric key's id."""
    return str(kms.create_key()["KeyMetadata"]["KeyId"])
