"""Changes of $LATEST."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import package, payload

ONE = "def handler(event, context):\n    return 1\n"
TWO = "def handler(event, context):\n    return 2\n"


def test_new_code_runs_at_the_next_invocation(make: Callable[..., Any], functions: Any) -> None:
    make("code", ONE)
    assert payload(functions.invoke(FunctionName="code")) == 1

    answer = functions.update_function_code(FunctionName="code", ZipFile=package(TWO))

    assert (answer["LastUpdateStatus"], answer["LastUpdateStatusReasonCode"]) == ("InProgress", "Creating")
    assert payload(functions.invoke(FunctionName="code")) == 2
    functions.get_waiter("function_updated_v2").wait(FunctionName="code", WaiterConfig={"Delay": 0.2})


def test_a_dry_run_changes_nothing(make: Callable[..., Any], functions: Any) -> None:
    before = make("dry", ONE)

    answer = functions.update_function_code(FunctionName="dry", ZipFile=package(TWO), DryRun=True)

    assert answer["CodeSha256"] != before["CodeSha256"]
    assert payload(functions.invoke(FunctionName="dry")) == 1


def test_an_old_revision_is_refused(make: Callable[..., Any], functions: Any) -> None:
    old = make("revised")["RevisionId"]
    functions.update_function_configuration(FunctionName="revised", Description="new")

    with pytest.raises(functions.exceptions.PreconditionFailedException, match="does not match the latest Revision Id"):
        functions.update_function_code(FunctionName="revised", ZipFile=package(TWO), RevisionId=old)


def test_a_changed_configuration_reaches_the_function(make: Callable[..., Any], functions: Any) -> None:
    source = """
import os

def handler(event, context):
    return [os.environ.get("COLOUR"), context.memory_limit_in_mb, os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]]
"""
    make("configured", source)
    assert payload(functions.invoke(FunctionName="configured")) == [None, "128", "128"]

    functions.update_function_configuration(
        FunctionName="configured", MemorySize=256, Environment={"Variables": {"COLOUR": "blue"}}
    )

    assert payload(functions.invoke(FunctionName="configured")) == ["blue", "256", "256"]


def test_the_old_code_is_removed_when_nothing_uses_it(make: Callable[..., Any], functions: Any) -> None:
    make("sized", ONE)
    make("other", ONE)
    before = functions.get_account_settings()["AccountUsage"]
    functions.delete_function(FunctionName="other")

    assert payload(functions.invoke(FunctionName="sized")) == 1
    after = functions.get_account_settings()["AccountUsage"]
    assert (before["FunctionCount"], after["FunctionCount"]) == (2, 1)
    assert after["TotalCodeSize"] < before["TotalCodeSize"]
