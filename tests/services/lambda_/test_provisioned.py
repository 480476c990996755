"""Provisioned concurrency: environments that are there before they are called."""

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import NodeProcess
from tests.services.lambda_.conftest import HOLD, Gate, package, payload

KIND = """
import os, uuid
ME = uuid.uuid4().hex
def handler(event, context):
    if event == "crash":
        os._exit(1)
    if event == "hold":
        hold()
    return [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], ME]
"""


def ready(functions: Any, name: str, qualifier: str) -> Any:
    """The configuration once it is not under way any more."""
    for _ in range(1_500):
        config = functions.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
        if config["Status"] != "IN_PROGRESS":
            return config
        time.sleep(0.05)
    raise AssertionError("it stays under way")


def run(functions: Any, name: str, qualifier: str, event: Any = None) -> Any:
    return payload(functions.invoke(FunctionName=name, Qualifier=qualifier, Payload=json.dumps(event)))


@pytest.fixture
def version(functions: Any, make: Callable[..., Any]) -> str:
    """Of the function "f"."""
    make("f", KIND)
    return str(functions.publish_version(FunctionName="f")["Version"])


def provision(functions: Any, qualifier: str, count: int) -> Any:
    answer = functions.put_provisioned_concurrency_config(
        FunctionName="f", Qualifier=qualifier, ProvisionedConcurrentExecutions=count
    )
    answer.pop("ResponseMetadata")
    return answer


def test_environments_are_there_before_the_first_call(functions: Any, version: str) -> None:
    answer = provision(functions, version, 2)
    assert answer["Status"] == "IN_PROGRESS"
    assert answer["AllocatedProvisionedConcurrentExecutions"] == 0
    config = ready(functions, "f", version)
    assert config["Status"] == "READY"
    assert config["RequestedProvisionedConcurrentExecutions"] == 2
    assert config["AllocatedProvisionedConcurrentExecutions"] == 2
    assert config["AvailableProvisionedConcurrentExecutions"] == 2
    answer = functions.invoke(FunctionName="f", Qualifier=version, LogType="Tail", Payload=b"null")
    assert payload(answer)[0] == "provisioned-concurrency"
    assert b"Init Duration" not in base64.b64decode(answer["LogResult"])


def test_what_is_over_runs_on_demand(functions: Any, make: Callable[..., Any], gate: Callable[[str], Gate]) -> None:
    door = gate("f")
    make("f", HOLD + KIND, Timeout=100)
    version = str(functions.publish_version(FunctionName="f")["Version"])
    provision(functions, version, 1)
    ready(functions, "f", version)
    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(run, functions, "f", version, "hold") for _ in range(2)]
        try:
            door.begun(2)
        finally:
            door.go(2)
        kinds = [each.result()[0] for each in running]
    assert sorted(kinds) == ["on-demand", "provisioned-concurrency"]


def test_an_environment_that_died_is_replaced(functions: Any, version: str) -> None:
    provision(functions, version, 1)
    ready(functions, "f", version)
    first = run(functions, "f", version)
    assert run(functions, "f", version, "crash")["errorType"] == "Runtime.ExitError"
    assert ready(functions, "f", version)["AllocatedProvisionedConcurrentExecutions"] == 1
    second = run(functions, "f", version)
    assert second[0] == "provisioned-concurrency"
    assert second[1] != first[1]


def test_fewer_and_none(functions: Any, version: str) -> None:
    provision(functions, version, 3)
    ready(functions, "f", version)
    provision(functions, version, 1)
    assert ready(functions, "f", version)["AllocatedProvisionedConcurrentExecutions"] == 1
    functions.delete_provisioned_concurrency_config(FunctionName="f", Qualifier=version)
    with pytest.raises(ClientError, match="No Provisioned Concurrency Config found for this function"):
        functions.get_provisioned_concurrency_config(FunctionName="f", Qualifier=version)
    assert run(functions, "f", version)[0] == "on-demand"
    assert functions.list_provisioned_concurrency_configs(FunctionName="f")["ProvisionedConcurrencyConfigs"] == []


def test_a_function_that_cannot_be_loaded_fails(functions: Any, make: Callable[..., Any]) -> None:
    make("f", "raise ValueError('no')")
    version = functions.publish_version(FunctionName="f")["Version"]
    provision(functions, version, 1)
    config = ready(functions, "f", version)
    assert (config["Status"], config["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")
    assert config["AllocatedProvisionedConcurrentExecutions"] == 0


def test_environments_move_with_their_alias(
    functions: Any, version: str, account: str, gate: Callable[[str], Gate]
) -> None:
    door = gate("f")
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion=version)
    provision(functions, "live", 1)
    ready(functions, "f", "live")
    assert run(functions, "f", "live")[0] == "provisioned-concurrency"
    assert run(functions, "f", version)[0] == "provisioned-concurrency"
    functions.update_function_code(FunctionName="f", ZipFile=package(HOLD + KIND + "\nhold()\n"))
    functions.get_waiter("function_updated").wait(FunctionName="f", WaiterConfig={"Delay": 0.2, "MaxAttempts": 300})
    second = functions.publish_version(FunctionName="f")["Version"]
    functions.update_alias(FunctionName="f", Name="live", FunctionVersion=second)
    config = functions.get_provisioned_concurrency_config(FunctionName="f", Qualifier="live")
    assert (config["Status"], config["AllocatedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 1)
    door.go()
    assert ready(functions, "f", "live")["Status"] == "READY"
    assert run(functions, "f", second)[0] == "provisioned-concurrency"
    assert run(functions, "f", version)[0] == "on-demand"
    [item] = functions.list_provisioned_concurrency_configs(FunctionName="f")["ProvisionedConcurrencyConfigs"]
    assert item["FunctionArn"] == f"arn:aws:lambda:us-east-1:{account}:function:f:live"
    functions.delete_alias(FunctionName="f", Name="live")
    with pytest.raises(ClientError, match="Cannot find alias arn"):
        functions.get_provisioned_concurrency_config(FunctionName="f", Qualifier="live")


def test_a_version_is_provisioned_once(functions: Any, version: str) -> None:
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion=version)
    provision(functions, version, 1)
    with pytest.raises(ClientError, match="on an already Provisioned version"):
        provision(functions, "live", 1)
    functions.delete_provisioned_concurrency_config(FunctionName="f", Qualifier=version)
    provision(functions, "live", 1)
    with pytest.raises(ClientError, match="Version is pointed by a Provisioned Concurrency alias"):
        provision(functions, version, 1)


def test_it_counts_into_the_concurrency(functions: Any, version: str) -> None:
    left = functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    with pytest.raises(ClientError, match=rf"greater than account's unreserved concurrency \[{left}\]"):
        provision(functions, version, left + 1)
    with pytest.raises(ClientError, match=r"below its minimum value of \[100\]"):
        provision(functions, version, left - 50)
    provision(functions, version, 2)
    assert functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == left - 2
    ready(functions, "f", version)
    with pytest.raises(
        ClientError, match=r" ReservedConcurrentExecutions  1 should not be lower than function's total"
    ):
        functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)
    with pytest.raises(ClientError) as caught:
        functions.invoke(FunctionName="f")
    assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert run(functions, "f", version)[0] == "provisioned-concurrency"
    with pytest.raises(ClientError, match="should not be greater than the reservedConcurrentExecution"):
        provision(functions, version, 3)


@pytest.mark.parametrize(
    ("qualifier", "message"),
    [
        ("$LATEST", "Provisioned Concurrency Configs cannot be applied to unpublished function versions."),
        ("10", "Function not found: "),
        ("none", "Cannot find alias arn: "),
    ],
)
def test_only_versions_and_aliases_that_exist(functions: Any, version: str, qualifier: str, message: str) -> None:
    with pytest.raises(ClientError, match=message.replace(".", r"\.")):
        provision(functions, qualifier, 1)


def test_it_comes_back_with_the_node(start_node: Callable[..., NodeProcess], account: str) -> None:
    node = start_node()
    functions = node.client("lambda", account)
    functions.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Handler="index.handler",
        Role=f"arn:aws:iam::{account}:role/functions",
        Code={"ZipFile": package(KIND)},
        Publish=True,
    )
    provision(functions, "1", 2)
    ready(functions, "f", "1")
    node.kill()
    node.start()
    functions = node.client("lambda", account)
    assert ready(functions, "f", "1")["AllocatedProvisionedConcurrentExecutions"] == 2
    assert run(functions, "f", "1")[0] == "provisioned-concurrency"
