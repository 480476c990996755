from collections.abc import Callable
from typing import Any

import pytest

Refuse = Callable[..., tuple[str, str]]


def test_what_is_deployed_does_not_change(gateway: Any, deployed: Any, refused: Refuse) -> None:
    id = deployed["id"]
    stage = gateway.get_stage(restApiId=id, stageName="dev")
    gateway.create_resource(restApiId=id, parentId=deployed["rootResourceId"], pathPart="later")
    summary = gateway.get_deployment(restApiId=id, deploymentId=stage["deploymentId"], embed=["apisummary"])[
        "apiSummary"
    ]
    assert summary == {"/": {"GET": {"authorizationType": "NONE", "apiKeyRequired": False}}}
    assert refused(gateway.delete_deployment, restApiId=id, deploymentId=stage["deploymentId"])[1] == (
        "Active stages pointing to this deployment must be moved or deleted"
    )
    gateway.delete_stage(restApiId=id, stageName="dev")
    gateway.delete_deployment(restApiId=id, deploymentId=stage["deploymentId"])


def test_an_api_that_cannot_answer_is_not_deployed(gateway: Any, rest_api: Any, refused: Refuse) -> None:
    assert refused(gateway.create_deployment, restApiId=rest_api["id"])[1] == "The REST API doesn't contain any methods"
    at = {"restApiId": rest_api["id"], "resourceId": rest_api["rootResourceId"], "httpMethod": "GET"}
    gateway.put_method(**at, authorizationType="NONE")
    assert refused(gateway.create_deployment, restApiId=rest_api["id"])[1] == "No integration defined for method"
    assert gateway.get_deployments(restApiId=rest_api["id"])["items"] == []


def patch(gateway: Any, rest_api: Any, *operations: dict[str, str]) -> Any:
    return gateway.update_stage(restApiId=rest_api["id"], stageName="dev", patchOperations=list(operations))


def test_execution_logs_need_the_role_of_the_account(
    gateway: Any, deployed: Any, account: str, refused: Refuse
) -> None:
    level = {"op": "replace", "path": "/*/*/logging/loglevel", "value": "ERROR"}
    at = {"restApiId": deployed["id"], "stageName": "dev"}
    assert refused(gateway.update_stage, **at, patchOperations=[level]) == (
        "BadRequestException",
        "CloudWatch Logs role ARN must be set in account settings to enable logging",
    )
    assert gateway.get_stage(**at)["methodSettings"] == {}
    patch(gateway, deployed, {**level, "value": "OFF"})
    allow_logs(gateway, account)
    assert patch(gateway, deployed, level)["methodSettings"]["*/*"]["loggingLevel"] == "ERROR"


def allow_logs(gateway: Any, account: str) -> None:
    role = {"op": "replace", "path": "/cloudwatchRoleArn", "value": f"arn:aws:iam::{account}:role/logs"}
    gateway.update_account(patchOperations=[role])


def test_settings_of_nested_methods_have_one_key(gateway: Any, deployed: Any, account: str) -> None:
    allow_logs(gateway, account)
    changed = patch(
        gateway,
        deployed,
        {"op": "replace", "path": "/~1pets~1{id}/GET/throttling/rateLimit", "value": "5.5"},
        {"op": "replace", "path": "/pets/{id}/GET/logging/loglevel", "value": "INFO"},
        {"op": "replace", "path": "/~1/GET/caching/ttlInSeconds", "value": "60"},
    )
    assert set(changed["methodSettings"]) == {"pets/{id}/GET", "/GET"}
    both = changed["methodSettings"]["pets/{id}/GET"]
    assert (both["throttlingRateLimit"], both["loggingLevel"]) == (5.5, "INFO")
    left = patch(gateway, deployed, {"op": "remove", "path": "/~1pets~1{id}/GET"})
    assert set(left["methodSettings"]) == {"/GET"}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/nothing", "value": "x"},
        {"op": "replace", "path": "/*/*/caching/ttlInSeconds", "value": "3601"},
        {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "many"},
        {"op": "replace", "path": "/*/*/logging/loglevel", "value": "LOUD"},
        {"op": "replace", "path": "/variables/a-b", "value": "x"},
        {"op": "replace", "path": "/variables/a", "value": "two\nlines"},
        {"op": "replace", "path": "/canarySettings/percentTraffic", "value": "101"},
        {"op": "replace", "path": "/deploymentId", "value": "nowhere"},
        {"op": "replace", "path": "/clientCertificateId", "value": "nowhere"},
        {"op": "replace", "path": "/cacheClusterSize", "value": "7"},
        {"op": "move", "path": "/description", "from": "/variables/a"},
        {"op": "remove", "path": "/variables/none"},
    ],
)
def test_wrong_patches_change_nothing(gateway: Any, deployed: Any, refused: Refuse, operation: dict[str, str]) -> None:
    before = gateway.get_stage(restApiId=deployed["id"], stageName="dev")
    first = {"op": "replace", "path": "/description", "value": "changed"}
    code, _ = refused(
        gateway.update_stage, restApiId=deployed["id"], stageName="dev", patchOperations=[first, operation]
    )
    assert code == "BadRequestException"
    after = gateway.get_stage(restApiId=deployed["id"], stageName="dev")
    assert before.get("description") == after.get("description") is None


def test_a_canary_is_promoted_by_copies(gateway: Any, deployed: Any) -> None:
    id = deployed["id"]
    first = gateway.get_stage(restApiId=id, stageName="dev")["deploymentId"]
    patch(gateway, deployed, {"op": "replace", "path": "/variables/a", "value": "old"})
    second = gateway.create_deployment(
        restApiId=id, stageName="dev", canarySettings={"percentTraffic": 10, "stageVariableOverrides": {"a": "new"}}
    )["id"]
    during = gateway.get_stage(restApiId=id, stageName="dev")
    assert (during["deploymentId"], during["canarySettings"]["deploymentId"]) == (first, second)
    after = patch(
        gateway,
        deployed,
        {"op": "copy", "path": "/deploymentId", "from": "/canarySettings/deploymentId"},
        {"op": "copy", "path": "/variables", "from": "/canarySettings/stageVariableOverrides"},
        {"op": "remove", "path": "/canarySettings"},
    )
    assert (after["deploymentId"], after["variables"]) == (second, {"a": "new"})
    assert "canarySettings" not in after


def test_a_cache_cluster(gateway: Any, deployed: Any) -> None:
    on = patch(gateway, deployed, {"op": "replace", "path": "/cacheClusterEnabled", "value": "true"})
    assert (on["cacheClusterStatus"], on["cacheClusterSize"]) == ("AVAILABLE", "0.5")
    gateway.flush_stage_cache(restApiId=deployed["id"], stageName="dev")
    gateway.flush_stage_authorizers_cache(restApiId=deployed["id"], stageName="dev")
    off = patch(gateway, deployed, {"op": "replace", "path": "/cacheClusterEnabled", "value": "false"})
    assert off["cacheClusterStatus"] == "NOT_AVAILABLE"


def test_ten_stages(gateway: Any, deployed: Any, refused: Refuse) -> None:
    deployment = gateway.get_stage(restApiId=deployed["id"], stageName="dev")["deploymentId"]
    for number in range(9):
        gateway.create_stage(restApiId=deployed["id"], stageName=f"s{number}", deploymentId=deployment)
    at = {"restApiId": deployed["id"], "deploymentId": deployment}
    assert refused(gateway.create_stage, **at, stageName="s10")[0] == "LimitExceededException"
    assert refused(gateway.create_stage, **at, stageName="s1")[0] == "ConflictException"
    assert refused(gateway.create_stage, **at, stageName="a b")[0] == "BadRequestException"
