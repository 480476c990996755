"""What tests of all parts of Step Functions use."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import RUNTIME, package
from tests.services.stepfunctions.engine.conftest import workflows

__all__ = ["function", "task", "workflows"]


@pytest.fixture
def function(client: Callable[..., Any], account: str) -> Callable[..., str]:
    """`function(name, source)` creates a Python function and gives its ARN."""
    functions = client("lambda")

    def create(name: str, source: str = "def handler(event, context):\n    return event\n") -> str:
        made = functions.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Handler="index.handler",
            Role=f"arn:aws:iam::{account}:role/functions",
            Code={"ZipFile": package(source)},
            Timeout=60,
        )
        return str(made["FunctionArn"])

    return create


@pytest.fixture
def task() -> Callable[..., dict[str, Any]]:
    """`task(resource, parameters)`: the states of a machine with one Task; a short name is an integration's."""

    def states(resource: str, parameters: Any = None, **fields: Any) -> dict[str, Any]:
        arn = resource if resource.startswith("arn:") else f"arn:aws:states:::{resource}"
        given = {} if parameters is None else {"Parameters": parameters}
        return {"Do": {"Type": "Task", "Resource": arn, "End": True, **given, **fields}}

    return states
