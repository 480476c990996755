from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

Refuse = Callable[..., tuple[str, str]]


@pytest.fixture
def plan(gateway: Any, deployed: Any) -> Any:
    return gateway.create_usage_plan(
        name="gold", apiStages=[{"apiId": deployed["id"], "stage": "dev"}], quota={"limit": 10, "period": "MONTH"}
    )


def patch(gateway: Any, plan: Any, *operations: dict[str, str]) -> Any:
    return gateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=list(operations))


def test_a_plan_with_stages_stays(gateway: Any, plan: Any, deployed: Any, refused: Refuse) -> None:
    stage = f"{deployed['id']}:dev"
    assert refused(gateway.delete_usage_plan, usagePlanId=plan["id"]) == (
        "BadRequestException",
        f"Cannot delete Usage Plan {plan['id']} because there are API Stages associated with it, including {stage}",
    )
    patch(gateway, plan, {"op": "remove", "path": "/apiStages", "value": stage})
    gateway.delete_usage_plan(usagePlanId=plan["id"])
    assert refused(gateway.get_usage_plan, usagePlanId=plan["id"])[1] == "Invalid Usage Plan ID specified"


def test_throttles(gateway: Any, plan: Any, deployed: Any) -> None:
    at = f"/apiStages/{deployed['id']}:dev/throttle/~1pets~1{{id}}/GET"
    changed = patch(
        gateway,
        plan,
        {"op": "replace", "path": "/throttle/rateLimit", "value": "2.5"},
        {"op": "replace", "path": "/throttle/burstLimit", "value": "5"},
        {"op": "replace", "path": f"{at}/rateLimit", "value": "1"},
        {"op": "replace", "path": f"{at}/burstLimit", "value": "2"},
        {"op": "remove", "path": "/quota"},
    )
    assert changed["throttle"] == {"rateLimit": 2.5, "burstLimit": 5}
    assert changed["apiStages"][0]["throttle"] == {"/pets/{id}/GET": {"rateLimit": 1.0, "burstLimit": 2}}
    assert "quota" not in changed
    left = patch(gateway, plan, {"op": "remove", "path": "/throttle"}, {"op": "remove", "path": at})
    assert "throttle" not in left
    assert "throttle" not in left["apiStages"][0]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("~1pets/GET", "/pets/GET"),
        ("/pets/GET", "/pets/GET"),
        ("~1pets~1GET", "/pets/GET"),
        ("pets/{id}/GET", "/pets/{id}/GET"),
        ("~1/GET", "//GET"),
    ],
)
def test_paths_of_methods_as_tools_write_them(gateway: Any, plan: Any, deployed: Any, path: str, key: str) -> None:
    at = f"/apiStages/{deployed['id']}:dev/throttle/{path}/rateLimit"
    changed = patch(gateway, plan, {"op": "replace", "path": at, "value": "1"})
    assert list(changed["apiStages"][0]["throttle"]) == [key]


@pytest.mark.parametrize(
    "wrong",
    [
        {"quota": {"limit": 1}},
        {"quota": {"limit": 1, "period": "WEEK", "offset": 7}},
        {"throttle": {"rateLimit": -1.0}},
        {"apiStages": [{"stage": "dev"}]},
    ],
)
def test_wrong_plans_are_refused(gateway: Any, refused: Refuse, wrong: dict[str, Any]) -> None:
    assert refused(gateway.create_usage_plan, name="p", **wrong)[0] == "BadRequestException"
    assert gateway.get_usage_plans()["items"] == []


def test_a_key_has_a_stage_by_one_plan(gateway: Any, plan: Any, deployed: Any, refused: Refuse) -> None:
    key = gateway.create_api_key(name="k", enabled=True)
    other = gateway.create_usage_plan(name="silver", apiStages=[{"apiId": deployed["id"], "stage": "dev"}])
    gateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    for id in (plan["id"], other["id"]):
        code, _ = refused(gateway.create_usage_plan_key, usagePlanId=id, keyId=key["id"], keyType="API_KEY")
        assert code == "ConflictException"
    assert [each["id"] for each in gateway.get_usage_plans(keyId=key["id"])["items"]] == [plan["id"]]
    gateway.delete_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"])
    assert refused(gateway.get_usage_plan_key, usagePlanId=plan["id"], keyId=key["id"])[0] == "NotFoundException"


def test_more_of_a_quota(gateway: Any, plan: Any, refused: Refuse, node: Any) -> None:
    key = gateway.create_api_key(name="k", enabled=True)["id"]
    at = {"usagePlanId": plan["id"], "keyId": key}
    operations = [{"op": "replace", "path": "/remaining", "value": "25"}]
    assert refused(gateway.update_usage, **at, patchOperations=operations)[0] == "NotFoundException"
    gateway.create_usage_plan_key(**at, keyType="API_KEY")
    assert gateway.update_usage(**at, patchOperations=operations)["items"] == {key: [[0, 25]]}
    now = node.get(f"{node.endpoint}/_cumulet/clock")["now"]  # which other tests have moved
    today = datetime.fromtimestamp(now, UTC).date().isoformat()
    found = gateway.get_usage(usagePlanId=plan["id"], startDate=today, endDate=today)
    assert found["items"] == {key: [[0, 25]]}
    for start, end in (("yesterday", today), (today, "2020-01-01"), ("2020-01-01", today)):
        code, _ = refused(gateway.get_usage, usagePlanId=plan["id"], startDate=start, endDate=end)
        assert code == "BadRequestException"


def test_a_stage_that_is_deleted_leaves_its_plans(gateway: Any, plan: Any, deployed: Any) -> None:
    gateway.delete_stage(restApiId=deployed["id"], stageName="dev")
    assert gateway.get_usage_plan(usagePlanId=plan["id"])["apiStages"] == []
    gateway.delete_usage_plan(usagePlanId=plan["id"])
