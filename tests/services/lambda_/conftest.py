"""Functions to test with: made from a few lines of Python."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

RUNTIME = "python3.11"
ECHO = "def handler(event, context):\n    return event\n"


def package(source: str, name: str = "index.py") -> bytes:
    """A deployment package with one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, source)
    return out.getvalue()


def payload(answer: Any) -> Any:
    """The document that a function returned."""
    return json.loads(answer["Payload"].read())


@pytest.fixture
def functions(client: Callable[..., Any]) -> Any:
    return client("lambda")


@pytest.fixture
def role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/functions"


@pytest.fixture
def make(functions: Any, role: str) -> Callable[..., Any]:
    """`make("name", source)` creates a function and gives CreateFunction's answer; further members go to the request."""

    def create(name: str, source: str = ECHO, **members: Any) -> Any:
        settings: dict[str, Any] = {"Runtime": RUNTIME, "Handler": "index.handler", "Role": role}
        settings["Code"] = {"ZipFile": package(source)}
        return functions.create_function(FunctionName=name, **(settings | members))

    return create
