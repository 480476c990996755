"""Durable functions to test with: AWS's own SDK in the package, and a few lines of Python."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_durable_execution_sdk_python
import pytest

_SDK = Path(aws_durable_execution_sdk_python.__file__).parent
_HEAD = """
import os
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig
"""


def package(source: str, *, sdk: bool = True) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("index.py", _HEAD + source if sdk else source)
        for path in _SDK.rglob("*.py") if sdk else ():
            archive.write(path, f"{_SDK.name}/{path.relative_to(_SDK)}")
    return out.getvalue()


class Workflows:
    """Makes durable functions, starts them and looks at how they go."""

    def __init__(self, functions: Any, account: str) -> None:
        self.functions = functions
        self._role = f"arn:aws:iam::{account}:role/functions"

    def make(self, name: str, source: str, *, sdk: bool = True, **config: Any) -> None:
        self.functions.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler="index.handler",
            Role=self._role,
            Timeout=60,
            MemorySize=256,
            DurableConfig={"ExecutionTimeout": 600, **config},
            Code={"ZipFile": package(source, sdk=sdk)},
        )

    def start(self, name: str, event: object = None, **members: Any) -> str:
        """The ARN of the execution."""
        answer = self.functions.invoke(
            FunctionName=f"{name}:$LATEST", InvocationType="Event", Payload=json.dumps(event), **members
        )
        assert answer["StatusCode"] == 202
        return str(answer["DurableExecutionArn"])

    def get(self, arn: str) -> Any:
        return self.functions.get_durable_execution(DurableExecutionArn=arn)

    def history(self, arn: str, **members: Any) -> list[Any]:
        pages = self.functions.get_paginator("get_durable_execution_history")
        return list(pages.paginate(DurableExecutionArn=arn, **members).build_full_result()["Events"])

    def kinds(self, arn: str) -> list[str]:
        """What happened, but for invocations."""
        return [event["EventType"] for event in self.history(arn) if event["EventType"] != "InvocationCompleted"]

    def until(self, arn: str, *kinds: str, times: int = 1) -> list[Any]:
        """Its history, once it has that many events of such a kind and no invocation under way."""
        deadline = time.monotonic() + 60
        while True:
            events = self.history(arn, IncludeExecutionData=True)
            if sum(event["EventType"] in kinds for event in events) >= times:
                return events
            assert time.monotonic() < deadline, f"{kinds} did not happen: {[event['EventType'] for event in events]}"
            time.sleep(0.02)

    def suspended(self, arn: str, times: int = 1) -> list[Any]:
        """Its history, once so many invocations have ended."""
        return self.until(arn, "InvocationCompleted", times=times)

    def result(self, arn: str) -> Any:
        """What it gave back, once it has ended."""
        self.until(arn, "ExecutionSucceeded")
        return json.loads(self.get(arn)["Result"])


@pytest.fixture
def workflows(client: Callable[..., Any], account: str) -> Workflows:
    return Workflows(client("lambda"), account)
