from collections.abc import Callable
from typing import Any

import pytest

SETTLED = 3.0
"""Seconds of the node's clock after which what was created is available, and what was deleted is gone."""


@pytest.fixture
def efs(client: Callable[..., Any]) -> Any:
    return client("efs")


@pytest.fixture
def file_system(efs: Any, advance: Callable[[float], None]) -> str:
    """The id of one that is available."""
    made = efs.create_file_system(CreationToken="mine", Tags=[{"Key": "Name", "Value": "first"}])
    advance(SETTLED)
    return str(made["FileSystemId"])
