"""Capacity providers and the functions that run by them: several invocations in one environment."""

import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import NodeProcess
from tests.services.lambda_.conftest import HOLD, Gate, package, payload

MEET = """
import logging, os, pathlib, time, uuid
ME, TMP = uuid.uuid4().hex, pathlib.Path("/tmp")
def handler(event, context):
    if event.get("meet"):
        folder = TMP / event["name"]
        folder.mkdir(exist_ok=True)
        (folder / context.aws_request_id).touch()
        while len(list(folder.iterdir())) < event["meet"]:
            time.sleep(0.01)
    logging.getLogger().warning("hello")
    (TMP / "environment").touch()
    return [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], os.environ["AWS_LAMBDA_MAX_CONCURRENCY"],
            context.log_stream_name, context.function_version, ME]
"""
VPC = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}


@pytest.fixture
def provide(functions: Any, account: str) -> Callable[..., Any]:
    def create(name: str = "p", **members: Any) -> Any:
        permissions = {"CapacityProviderOperatorRoleArn": f"arn:aws:iam::{account}:role/operator"}
        settings = {"VpcConfig": VPC, "PermissionsConfig": permissions, **members}
        return functions.create_capacity_provider(CapacityProviderName=name, **settings)["CapacityProvider"]

    return create


@pytest.fixture
def managed(functions: Any, make: Callable[..., Any], provide: Callable[..., Any]) -> Callable[..., Any]:
    """`managed("f", source, concurrency, **members)`: a function that is published and can be invoked."""

    def create(name: str = "f", source: str = MEET, concurrency: int | None = 4, **members: Any) -> Any:
        try:
            arn = functions.get_capacity_provider(CapacityProviderName="p")["CapacityProvider"]["CapacityProviderArn"]
        except ClientError:
            arn = provide()["CapacityProviderArn"]
        config: dict[str, Any] = {"CapacityProviderArn": arn}
        if concurrency is not None:
            config["PerExecutionEnvironmentMaxConcurrency"] = concurrency
        settings = {"PublishTo": "LATEST_PUBLISHED", **members}
        answer = make(
            name, source, CapacityProviderConfig={"LambdaManagedInstancesCapacityProviderConfig": config}, **settings
        )
        if settings["PublishTo"]:
            settled(functions, name, "$LATEST.PUBLISHED")
        return answer

    return create


def settled(functions: Any, name: str, qualifier: str) -> str:
    """The state of a version that is not pending any more."""
    for _ in range(1_500):
        state = functions.get_function_configuration(FunctionName=name, Qualifier=qualifier)["State"]
        if state != "Pending":
            return str(state)
        time.sleep(0.05)
    raise AssertionError("it stays pending")


def run(functions: Any, event: Any, **more: Any) -> Any:
    answer = functions.invoke(FunctionName="f", Payload=json.dumps(event), **more)
    document = payload(answer)
    assert "FunctionError" not in answer, document
    return document


def meet(functions: Any, count: int) -> list[Any]:
    event = {"meet": count, "name": uuid.uuid4().hex}
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: run(functions, event), range(count)))


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_provider_is_kept_as_it_was_asked_for(functions: Any, provide: Callable[..., Any], account: str) -> None:
    made = provide(InstanceRequirements={"AllowedInstanceTypes": ["m7g.*"]}, Tags={"a": "b"})
    arn = f"arn:aws:lambda:us-east-1:{account}:capacity-provider:p"
    assert (made["CapacityProviderArn"], made["State"]) == (arn, "Pending")
    found = functions.get_capacity_provider(CapacityProviderName=arn)["CapacityProvider"]
    assert found == {**made, "State": "Active"}
    assert found["VpcConfig"] == VPC
    assert found["InstanceRequirements"] == {"Architectures": ["x86_64"], "AllowedInstanceTypes": ["m7g.*"]}
    assert found["CapacityProviderScalingConfig"] == {"MaxVCpuCount": 400, "ScalingMode": "Auto"}
    assert functions.list_tags(Resource=arn)["Tags"] == {"a": "b"}
    functions.tag_resource(Resource=arn, Tags={"c": "d"})
    assert functions.list_tags(Resource=arn)["Tags"] == {"a": "b", "c": "d"}
    updated = functions.update_capacity_provider(
        CapacityProviderName="p", CapacityProviderScalingConfig={"MaxVCpuCount": 10}
    )["CapacityProvider"]
    assert updated["CapacityProviderScalingConfig"] == {"MaxVCpuCount": 10, "ScalingMode": "Auto"}
    deleted = functions.delete_capacity_provider(CapacityProviderName="p")["CapacityProvider"]
    assert deleted["State"] == "Deleting"
    with pytest.raises(ClientError) as error:
        functions.get_capacity_provider(CapacityProviderName="p")
    assert code(error) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as error:
        functions.delete_capacity_provider(CapacityProviderName="p")
    assert code(error) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as error:
        functions.list_tags(Resource=arn)
    assert code(error) == "ResourceNotFoundException"


def test_providers_are_listed(functions: Any, provide: Callable[..., Any]) -> None:
    for name in ("c", "a", "b"):
        provide(name)
    first = functions.list_capacity_providers(MaxItems=2)
    assert [one["CapacityProviderArn"][-1] for one in first["CapacityProviders"]] == ["a", "b"]
    rest = functions.list_capacity_providers(MaxItems=2, Marker=first["NextMarker"])
    assert [one["CapacityProviderArn"][-1] for one in rest["CapacityProviders"]] == ["c"]
    assert "NextMarker" not in rest
    assert functions.list_capacity_providers(State="Failed")["CapacityProviders"] == []


@pytest.mark.parametrize(
    "members",
    [
        {"InstanceRequirements": {"AllowedInstanceTypes": ["a"], "ExcludedInstanceTypes": ["b"]}},
        {"CapacityProviderScalingConfig": {"ScalingMode": "Manual"}},
        {
            "CapacityProviderScalingConfig": {
                "ScalingMode": "Auto",
                "ScalingPolicies": [
                    {"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 50.0}
                ],
            }
        },
        {"Tags": {str(n): "x" for n in range(51)}},
    ],
)
def test_what_does_not_go_together_is_refused(
    functions: Any, provide: Callable[..., Any], members: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as error:
        provide(**members)
    assert code(error) == "InvalidParameterValueException"
    assert functions.list_capacity_providers()["CapacityProviders"] == []


def test_a_provider_is_made_once(provide: Callable[..., Any]) -> None:
    provide()
    with pytest.raises(ClientError) as error:
        provide()
    assert code(error) == "ResourceConflictException"


def test_invocations_meet_in_one_environment(functions: Any, managed: Callable[..., Any]) -> None:
    managed()
    answers = meet(functions, 4)
    assert {tuple(answer[:2]) for answer in answers} == {("lambda-managed-instances", "4")}
    assert len({answer[2] for answer in answers}) == 1  # one log stream
    assert {answer[3] for answer in answers} == {"$LATEST.PUBLISHED"}
    assert len({answer[4] for answer in answers}) == 4  # a process each
    assert len({answer[2] for answer in meet(functions, 4)} - {answers[0][2]}) == 0


def test_only_what_is_published_can_be_invoked(functions: Any, managed: Callable[..., Any]) -> None:
    managed(PublishTo="LATEST_PUBLISHED")
    configuration = functions.get_function_configuration(FunctionName="f")
    assert (configuration["Version"], configuration["State"]) == ("$LATEST", "ActiveNonInvocable")
    assert (configuration["MemorySize"], configuration["LoggingConfig"]["LogFormat"]) == (2048, "JSON")
    published = functions.get_function_configuration(FunctionName="f", Qualifier="$LATEST.PUBLISHED")
    assert (published["Version"], published["State"]) == ("$LATEST.PUBLISHED", "Active")
    assert published["FunctionArn"].endswith(":f:$LATEST.PUBLISHED")
    with pytest.raises(ClientError) as error:
        functions.invoke(FunctionName="f", Qualifier="$LATEST")
    assert code(error) == "ResourceConflictException"
    answer = functions.invoke(FunctionName="f", Payload=b"{}")
    assert answer["ExecutedVersion"] == "$LATEST.PUBLISHED"


def test_what_is_not_published_does_not_run(
    functions: Any, make: Callable[..., Any], provide: Callable[..., Any]
) -> None:
    arn = provide()["CapacityProviderArn"]
    config = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": arn}}
    make("f", MEET, CapacityProviderConfig=config)
    with pytest.raises(ClientError) as error:
        functions.invoke(FunctionName="f")
    assert code(error) == "ResourceNotFoundException"
    version = functions.publish_version(FunctionName="f")
    assert (version["Version"], version["State"]) == ("1", "Pending")
    assert settled(functions, "f", "1") == "Active"
    assert run(functions, {}, Qualifier="1")[1] == "16"  # AWS's default for Python, for one processor
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    assert run(functions, {}, Qualifier="live")[3] == "1"


def test_the_latest_published_version_is_replaced(functions: Any, managed: Callable[..., Any]) -> None:
    managed()
    before = run(functions, {})
    new = MEET.replace("logging.getLogger().warning", "event['new'] = ")
    new = new.replace("context.function_version", '"new"')
    answer = functions.update_function_code(FunctionName="f", ZipFile=package(new), PublishTo="LATEST_PUBLISHED")
    assert answer["Version"] == "$LATEST.PUBLISHED"
    assert settled(functions, "f", "$LATEST.PUBLISHED") == "Active"
    after = run(functions, {})
    assert (before[3], after[3]) == ("$LATEST.PUBLISHED", "new")
    functions.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
    assert settled(functions, "f", "$LATEST.PUBLISHED") == "Active"
    functions.delete_function(FunctionName="f", Qualifier="$LATEST.PUBLISHED")
    with pytest.raises(ClientError) as error:
        functions.invoke(FunctionName="f")
    assert code(error) == "ResourceNotFoundException"


def test_a_function_that_cannot_be_loaded_does_not_become_active(functions: Any, managed: Callable[..., Any]) -> None:
    managed(source="import nothing_like_this")
    published = functions.get_function_configuration(FunctionName="f", Qualifier="$LATEST.PUBLISHED")
    assert (published["State"], published["StateReasonCode"]) == ("Failed", "FunctionError.RuntimeInitError")


def test_a_provider_in_use_stays(functions: Any, managed: Callable[..., Any]) -> None:
    managed()
    functions.publish_version(FunctionName="f")
    assert settled(functions, "f", "1") == "Active"
    found = functions.list_function_versions_by_capacity_provider(CapacityProviderName="p")
    shown = [(one["FunctionArn"].partition(":f:")[2], one["State"]) for one in found["FunctionVersions"]]
    assert shown == [("$LATEST", "ActiveNonInvocable"), ("$LATEST.PUBLISHED", "Active"), ("1", "Active")]
    with pytest.raises(ClientError) as error:
        functions.delete_capacity_provider(CapacityProviderName="p")
    assert code(error) == "ResourceConflictException"
    functions.delete_function(FunctionName="f")
    assert not functions.list_function_versions_by_capacity_provider(CapacityProviderName="p")["FunctionVersions"]
    functions.delete_capacity_provider(CapacityProviderName="p")


@pytest.mark.parametrize(
    "members",
    [
        {"MemorySize": 512},
        {"VpcConfig": VPC},
        {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}},
        {"SnapStart": {"ApplyOn": "PublishedVersions"}, "Runtime": "python3.12"},
    ],
)
def test_what_instances_are_not_for_is_refused(managed: Callable[..., Any], members: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as error:
        managed(**members)
    assert code(error) == "InvalidParameterValueException"


def test_concurrency_is_not_reserved_or_provisioned(functions: Any, managed: Callable[..., Any]) -> None:
    managed()
    with pytest.raises(ClientError) as error:
        functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    assert code(error) == "InvalidParameterValueException"
    with pytest.raises(ClientError) as error:
        functions.put_provisioned_concurrency_config(
            FunctionName="f", Qualifier="$LATEST.PUBLISHED", ProvisionedConcurrentExecutions=1
        )
    assert code(error) in {"InvalidParameterValueException", "ValidationException"}


def test_a_provider_must_exist_and_stays_the_functions(functions: Any, make: Callable[..., Any], account: str) -> None:
    arn = f"arn:aws:lambda:us-east-1:{account}:capacity-provider:none"
    config = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": arn}}
    with pytest.raises(ClientError) as error:
        make("f", MEET, CapacityProviderConfig=config)
    assert code(error) == "ResourceNotFoundException"
    make("f")
    with pytest.raises(ClientError) as error:
        functions.update_function_configuration(FunctionName="f", CapacityProviderConfig=config)
    assert code(error) == "InvalidParameterValueException"
    with pytest.raises(ClientError) as error:
        functions.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
    assert code(error) == "InvalidParameterValueException"


def scale(functions: Any, **config: int) -> str:
    return str(
        functions.put_function_scaling_config(
            FunctionName="f", Qualifier="$LATEST.PUBLISHED", FunctionScalingConfig=config
        )["FunctionState"]
    )


def test_the_number_of_environments_has_a_bound(
    functions: Any, managed: Callable[..., Any], gate: Callable[[str], Gate]
) -> None:
    door = gate("f")
    waits = "    if event.get('hold'): hold()\n    logging"
    managed(source=HOLD + MEET.replace("    logging", waits, 1), concurrency=2, Timeout=100)
    scale(functions, MinExecutionEnvironments=1, MaxExecutionEnvironments=1)
    found = functions.get_function_scaling_config(FunctionName="f", Qualifier="$LATEST.PUBLISHED")
    assert found["AppliedFunctionScalingConfig"] == found["RequestedFunctionScalingConfig"]
    assert found["AppliedFunctionScalingConfig"] == {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 1}
    assert len({answer[2] for answer in meet(functions, 2)}) == 1
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(run, functions, {"hold": True}) for _ in range(2)]
        try:
            door.begun(2)
            for _ in range(3):
                with pytest.raises(ClientError) as error:
                    run(functions, {})
                assert error.value.response["Reason"] == "ConcurrentInvocationLimitExceeded"
        finally:
            door.go(2)
        for each in running:
            each.result()
    run(functions, {})


def test_a_version_may_be_switched_off_and_on(functions: Any, managed: Callable[..., Any]) -> None:
    managed()
    assert scale(functions, MinExecutionEnvironments=0, MaxExecutionEnvironments=0) == "Deactivated"
    with pytest.raises(ClientError) as error:
        functions.invoke(FunctionName="f")
    assert code(error) == "ResourceConflictException"
    assert scale(functions, MinExecutionEnvironments=1) == "Pending"
    assert settled(functions, "f", "$LATEST.PUBLISHED") == "Active"
    run(functions, {})
    with pytest.raises(ClientError) as error:
        scale(functions, MinExecutionEnvironments=2, MaxExecutionEnvironments=1)
    assert code(error) == "InvalidParameterValueException"


def test_scaling_is_for_functions_with_a_provider(functions: Any, make: Callable[..., Any]) -> None:
    make("f")
    functions.publish_version(FunctionName="f")
    with pytest.raises(ClientError) as error:
        functions.put_function_scaling_config(FunctionName="f", Qualifier="1", FunctionScalingConfig={})
    assert code(error) == "InvalidParameterValueException"
    with pytest.raises(ClientError) as error:
        functions.get_function_scaling_config(FunctionName="f", Qualifier="$LATEST.PUBLISHED")
    assert code(error) == "ResourceNotFoundException"


STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  for (let n = 0; n < 3; n += 1) {
    stream.write(`${event.name}${n} `);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (event.fails) throw new TypeError('midway');
  stream.end();
});
"""


def streamed(functions: Any, event: Any) -> tuple[str, Any]:
    answer = functions.invoke_with_response_stream(FunctionName="f", Payload=json.dumps(event))
    text, end = "", None
    for part in answer["EventStream"]:
        text += part.get("PayloadChunk", {}).get("Payload", b"").decode()
        end = part.get("InvokeComplete", end)
    return text, end


def test_responses_are_streamed_side_by_side(functions: Any, managed: Callable[..., Any]) -> None:
    if not shutil.which("node", path="/usr/local/bin:/usr/bin:/bin"):
        pytest.skip("no Node.js on this machine")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout[1:].split(".")[0]
    managed(source=STREAM, Runtime=f"nodejs{version}.x", Code={"ZipFile": package(STREAM, "index.js")}, Timeout=60)
    with ThreadPoolExecutor(4) as pool:
        events = [{"name": name, "fails": name == "c"} for name in "abcd"]
        answers = list(pool.map(partial(streamed, functions), events))
    assert [text for text, _ in answers] == [f"{name}0 {name}1 {name}2 " for name in "abcd"]
    assert [end.get("ErrorCode", "") for _, end in answers] == ["", "", "TypeError", ""]


def test_a_node_that_comes_back_has_its_environments(tmp_path: Path, account: str) -> None:
    data = tmp_path / "node"
    node = NodeProcess(data)
    try:
        functions = node.client("lambda", account)
        role = f"arn:aws:iam::{account}:role/r"
        provider = functions.create_capacity_provider(
            CapacityProviderName="p", VpcConfig=VPC, PermissionsConfig={"CapacityProviderOperatorRoleArn": role}
        )["CapacityProvider"]
        config = {"CapacityProviderArn": provider["CapacityProviderArn"], "PerExecutionEnvironmentMaxConcurrency": 2}
        functions.create_function(
            FunctionName="f",
            Runtime="python3.11",
            Handler="index.handler",
            Role=role,
            Code={"ZipFile": package(MEET)},
            CapacityProviderConfig={"LambdaManagedInstancesCapacityProviderConfig": config},
            PublishTo="LATEST_PUBLISHED",
        )
        node.kill()
        node.restart()
        functions = node.client("lambda", account)
        assert settled(functions, "f", "$LATEST.PUBLISHED") == "Active"
        assert len({answer[2] for answer in meet(functions, 2)}) == 1
        found = functions.list_function_versions_by_capacity_provider(CapacityProviderName="p")
        assert len(found["FunctionVersions"]) == 2
    finally:
        node.stop()
