import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cumulet.services.apigateway.ids import TAGS

Refuse = Callable[..., tuple[str, str]]


def test_an_api_has_awss_defaults(gateway: Any) -> None:
    made = gateway.create_rest_api(name="pets")
    assert made["apiKeySource"] == "HEADER"
    assert made["endpointConfiguration"] == {"types": ["EDGE"], "ipAddressType": "ipv4"}
    assert made["disableExecuteApiEndpoint"] is False
    assert len(made["id"]) == len(made["rootResourceId"]) == 10
    assert [model["name"] for model in gateway.get_models(restApiId=made["id"])["items"]] == ["Empty", "Error"]
    assert "tags" not in made
    assert gateway.get_rest_api(restApiId=made["id"])["tags"] == {}


def test_another_accounts_api_is_not_there(gateway: Any, client: Any, refused: Refuse) -> None:
    made = gateway.create_rest_api(name="pets")
    stranger = client("apigateway", account="000000000042")
    code, message = refused(stranger.get_rest_api, restApiId=made["id"])
    assert (code, message) == ("NotFoundException", f"Invalid API identifier specified 000000000042:{made['id']}")
    assert refused(client("apigateway", "eu-west-1").get_rest_api, restApiId=made["id"])[0] == "NotFoundException"
    refused(stranger.create_resource, restApiId=made["id"], parentId=made["rootResourceId"], pathPart="x")
    refused(stranger.delete_rest_api, restApiId=made["id"])
    assert gateway.get_rest_api(restApiId=made["id"])["name"] == "pets"


def test_pages(gateway: Any) -> None:
    ids = sorted(gateway.create_rest_api(name=f"api{number}")["id"] for number in range(3))
    first = gateway.get_rest_apis(limit=2)
    assert [each["id"] for each in first["items"]] == ids[:2]
    rest = gateway.get_rest_apis(limit=2, position=first["position"])
    assert [each["id"] for each in rest["items"]] == ids[2:]
    assert "position" not in rest


def test_a_wrong_position_is_refused(gateway: Any, refused: Refuse) -> None:
    assert refused(gateway.get_rest_apis, position="*") == ("BadRequestException", "Invalid position specified")


@pytest.mark.parametrize("tag", TAGS)
def test_an_id_of_ones_own(gateway: Any, refused: Refuse, account: str, tag: str) -> None:
    id = f"shop{account[-6:]}{TAGS.index(tag)}"
    made = gateway.create_rest_api(name="shop", tags={tag: id})
    assert made["id"] == id
    assert refused(gateway.create_rest_api, name="shop", tags={tag: id})[0] == "ConflictException"
    assert refused(gateway.create_rest_api, name="shop", tags={tag: "Not.One"})[0] == "BadRequestException"


def test_binary_media_types_are_patched_like_a_map(gateway: Any, rest_api: Any) -> None:
    def patch(*operations: dict[str, str]) -> Any:
        return gateway.update_rest_api(restApiId=rest_api["id"], patchOperations=list(operations))

    patch({"op": "add", "path": "/binaryMediaTypes/image~1png"}, {"op": "add", "path": "/binaryMediaTypes/image~1gif"})
    changed = patch({"op": "replace", "path": "/binaryMediaTypes/image~1png", "value": "image/webp"})
    assert changed["binaryMediaTypes"] == ["image/gif", "image/webp"]
    left = patch(
        {"op": "remove", "path": "/binaryMediaTypes/image~1gif"},
        {"op": "remove", "path": "/binaryMediaTypes/image~1webp"},
    )
    assert "binaryMediaTypes" not in left


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"op": "add", "path": "/name", "value": "x"}, "Invalid patch operation specified. Must be one of: [replace]"),
        ({"op": "replace", "path": "/id", "value": "x"}, "Invalid patch path /id"),
        ({"op": "replace", "path": "name", "value": "x"}, "Invalid patch path name"),
        ({"op": "replace", "path": "/name", "value": ""}, "API name must be non-empty"),
        (
            {"op": "replace", "path": "/minimumCompressionSize", "value": "10485761"},
            "Invalid minimum compression size, must be between 0 and 10485760",
        ),
    ],
)
def test_a_refused_patch_changes_nothing(
    gateway: Any, rest_api: Any, refused: Refuse, operation: dict[str, str], message: str
) -> None:
    before = gateway.get_rest_api(restApiId=rest_api["id"])
    first = {"op": "replace", "path": "/description", "value": "changed"}
    assert refused(gateway.update_rest_api, restApiId=rest_api["id"], patchOperations=[first, operation]) == (
        "BadRequestException",
        message,
    )
    after = gateway.get_rest_api(restApiId=rest_api["id"])
    assert before["description"] == after["description"] == "all of them"


def test_a_policys_short_resources_become_arns(gateway: Any, account: str, refused: Refuse) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/dev/*"}
    made = gateway.create_rest_api(name="x", policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    # Escaped once more, as AWS's tools expect.
    stored = json.loads(json.loads(f'"{made["policy"]}"'))["Statement"][0]["Resource"]
    assert stored == f"arn:aws:execute-api:us-east-1:{account}:{made['id']}/dev/*"
    for wrong in ("{", '{"Statement": [{"Effect": "Maybe"}]}', "[]"):
        assert refused(gateway.create_rest_api, name="x", policy=wrong)[0] == "BadRequestException"


def test_a_clone_has_the_same_tree_under_other_ids(gateway: Any, mocked: Any) -> None:
    child = gateway.create_resource(restApiId=mocked["id"], parentId=mocked["rootResourceId"], pathPart="a")
    gateway.create_resource(restApiId=mocked["id"], parentId=child["id"], pathPart="b")
    clone = gateway.create_rest_api(name="clone", cloneFrom=mocked["id"])
    there = {each["path"]: each for each in gateway.get_resources(restApiId=clone["id"])["items"]}
    assert sorted(there) == ["/", "/a", "/a/b"]
    assert there["/"]["id"] == clone["rootResourceId"] != mocked["rootResourceId"]
    assert there["/a"]["id"] != child["id"]
    assert there["/"]["resourceMethods"] == {"GET": {}}
    assert there["/a/b"]["parentId"] == there["/a"]["id"]


def test_deleting_an_api_removes_all_of_it(gateway: Any, deployed: Any, account: str, refused: Refuse) -> None:
    id, domain = deployed["id"], f"gone{account}.example.com"
    plan = gateway.create_usage_plan(name="p", apiStages=[{"apiId": id, "stage": "dev"}])
    gateway.create_domain_name(domainName=domain, endpointConfiguration={"types": ["REGIONAL"]})
    gateway.create_base_path_mapping(domainName=domain, restApiId=id, stage="dev")
    gateway.delete_rest_api(restApiId=id)
    for call, more in (
        (gateway.get_rest_api, {}),
        (gateway.get_resources, {}),
        (gateway.get_stages, {}),
        (gateway.get_deployments, {}),
        (gateway.get_models, {}),
        (gateway.get_resource, {"resourceId": deployed["rootResourceId"]}),
    ):
        assert refused(call, restApiId=id, **more)[0] == "NotFoundException"
    assert gateway.get_usage_plan(usagePlanId=plan["id"])["apiStages"] == []
    assert gateway.get_base_path_mappings(domainName=domain)["items"] == []


def test_an_id_of_ones_own_is_not_that_of_another_kind_of_api(client: Callable[..., Any], account: str) -> None:
    """Else one account could take the other's requests."""
    tags = {"cumulet:custom-id": f"mine{account[-6:]}"}
    client("apigatewayv2").create_api(Name="theirs", ProtocolType="HTTP", Tags=tags)
    with pytest.raises(ClientError, match="Another API has the id"):
        client("apigateway").create_rest_api(name="mine", tags=tags)
