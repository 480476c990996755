"""What journeys share."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def strict(start_node: Callable[..., Any]) -> Any:
    """A node of the test's own that enforces permissions."""
    return start_node("--iam", "enforce")
