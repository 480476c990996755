from collections.abc import Callable
from typing import Any

import pytest

Refuse = Callable[..., tuple[str, str]]


def add(gateway: Any, rest_api: Any, part: str, parent: str = "") -> Any:
    parent = parent or rest_api["rootResourceId"]
    return gateway.create_resource(restApiId=rest_api["id"], parentId=parent, pathPart=part)


def test_moving_a_resource_moves_what_is_below(gateway: Any, rest_api: Any) -> None:
    pets = add(gateway, rest_api, "pets")
    pet = add(gateway, rest_api, "{id}", pets["id"])
    name = add(gateway, rest_api, "name", pet["id"])
    gateway.update_resource(
        restApiId=rest_api["id"],
        resourceId=pets["id"],
        patchOperations=[{"op": "replace", "path": "/pathPart", "value": "dogs"}],
    )
    assert gateway.get_resource(restApiId=rest_api["id"], resourceId=name["id"])["path"] == "/dogs/{id}/name"
    gateway.update_resource(
        restApiId=rest_api["id"],
        resourceId=pet["id"],
        patchOperations=[{"op": "replace", "path": "/parentId", "value": rest_api["rootResourceId"]}],
    )
    assert gateway.get_resource(restApiId=rest_api["id"], resourceId=name["id"])["path"] == "/{id}/name"


def test_a_resource_cannot_be_below_itself(gateway: Any, rest_api: Any, refused: Refuse) -> None:
    upper = add(gateway, rest_api, "upper")
    lower = add(gateway, rest_api, "lower", upper["id"])
    operation = {"op": "replace", "path": "/parentId", "value": lower["id"]}
    assert refused(
        gateway.update_resource, restApiId=rest_api["id"], resourceId=upper["id"], patchOperations=[operation]
    ) == ("BadRequestException", "Resources cannot be cyclical.")


def test_one_variable_among_siblings(gateway: Any, rest_api: Any, refused: Refuse) -> None:
    add(gateway, rest_api, "{id}")
    add(gateway, rest_api, "fixed")
    assert refused(add, gateway=gateway, rest_api=rest_api, part="{other}") == (
        "BadRequestException",
        "A sibling ({id}) of this resource already has a variable path part -- only one is allowed",
    )
    assert refused(add, gateway=gateway, rest_api=rest_api, part="fixed") == (
        "ConflictException",
        "Another resource with the same parent already has this name: fixed",
    )


@pytest.mark.parametrize(
    "part", ["a/b", "a b", "{a", "a}", "{a+", "{+}", "..\u2026", "a\u0000", "", "{a b}", "{a}{b}", "%2e"]
)
def test_odd_parts_are_refused(gateway: Any, rest_api: Any, refused: Refuse, part: str) -> None:
    assert refused(add, gateway=gateway, rest_api=rest_api, part=part)[0] == "BadRequestException"
    assert len(gateway.get_resources(restApiId=rest_api["id"])["items"]) == 1


@pytest.mark.parametrize("part", ["a.b_c-d", "v1:sync", "{proxy+}", "{pet.id}", "$metadata"])
def test_parts_that_aws_takes(gateway: Any, rest_api: Any, part: str) -> None:
    assert add(gateway, rest_api, part)["path"] == f"/{part}"


def test_the_root_stays(gateway: Any, rest_api: Any, refused: Refuse) -> None:
    at = {"restApiId": rest_api["id"], "resourceId": rest_api["rootResourceId"]}
    assert refused(gateway.delete_resource, **at)[0] == "BadRequestException"
    operation = {"op": "replace", "path": "/pathPart", "value": "x"}
    assert (
        refused(gateway.update_resource, **at, patchOperations=[operation])[1]
        == "Root resource cannot update its pathPart."
    )


def test_deleting_takes_what_is_below(gateway: Any, rest_api: Any) -> None:
    first = add(gateway, rest_api, "a")
    second = add(gateway, rest_api, "b", first["id"])
    add(gateway, rest_api, "c", second["id"])
    kept = add(gateway, rest_api, "d")
    gateway.delete_resource(restApiId=rest_api["id"], resourceId=first["id"])
    left = {each["id"] for each in gateway.get_resources(restApiId=rest_api["id"])["items"]}
    assert left == {rest_api["rootResourceId"], kept["id"]}


def test_methods_are_named_or_embedded(gateway: Any, mocked: Any) -> None:
    at = {"restApiId": mocked["id"], "resourceId": mocked["rootResourceId"]}
    assert gateway.get_resource(**at)["resourceMethods"] == {"GET": {}}
    method = gateway.get_resource(**at, embed=["methods"])["resourceMethods"]["GET"]
    assert method["methodIntegration"]["type"] == "MOCK"


def test_no_more_than_the_quota(start_node: Any, account: str, refused: Refuse) -> None:
    node = start_node("--limit", "apigateway.resources=2")
    gateway = node.client("apigateway", account)
    rest_api = gateway.create_rest_api(name="small")
    add(gateway, rest_api, "a")
    add(gateway, rest_api, "b")
    assert refused(add, gateway=gateway, rest_api=rest_api, part="c")[0] == "LimitExceededException"
    node.stop()


def test_lists_are_in_the_order_of_paths(gateway: Any, rest_api: Any) -> None:
    for part in ("b", "a", "c"):
        add(gateway, rest_api, part)
    first = gateway.get_resources(restApiId=rest_api["id"], limit=2)
    rest = gateway.get_resources(restApiId=rest_api["id"], limit=2, position=first["position"])
    assert [each["path"] for each in first["items"] + rest["items"]] == ["/", "/a", "/b", "/c"]
    assert "position" not in rest
