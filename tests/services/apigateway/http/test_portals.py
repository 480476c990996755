"""Portals, products and their pages by their operations."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

COLORS = dict.fromkeys(
    ["AccentColor", "BackgroundColor", "ErrorValidationColor", "HeaderColor", "NavigationColor", "TextColor"], "#fff"
)


@pytest.fixture
def v2(client: Callable[..., Any]) -> Any:
    return client("apigatewayv2")


def _code(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def test_products_and_pages_live(v2: Any) -> None:
    product = v2.create_portal_product(DisplayName="pets", Tags={"a": "1"})
    id = product["PortalProductId"]
    assert v2.update_portal_product(PortalProductId=id, Description="all")["Description"] == "all"
    v2.tag_resource(ResourceArn=product["PortalProductArn"], Tags={"b": "2"})
    assert v2.get_portal_product(PortalProductId=id)["Tags"] == {"a": "1", "b": "2"}
    page = v2.create_product_page(PortalProductId=id, DisplayContent={"Title": "hello", "Body": "x"})
    changed = {"Title": "bye", "Body": "y"}
    v2.update_product_page(PortalProductId=id, ProductPageId=page["ProductPageId"], DisplayContent=changed)
    assert v2.list_product_pages(PortalProductId=id)["Items"][0]["PageTitle"] == "bye"
    policy = '{"Version":"2012-10-17","Statement":[]}'
    v2.put_portal_product_sharing_policy(PortalProductId=id, PolicyDocument=policy)
    assert v2.get_portal_product_sharing_policy(PortalProductId=id)["PolicyDocument"] == policy
    assert _code(v2.put_portal_product_sharing_policy, PortalProductId=id, PolicyDocument="x") == "BadRequestException"
    v2.delete_portal_product_sharing_policy(PortalProductId=id)
    assert _code(v2.get_portal_product_sharing_policy, PortalProductId=id) == "NotFoundException"
    v2.delete_portal_product(PortalProductId=id)
    assert v2.list_portal_products()["Items"] == []
    assert _code(v2.get_product_page, PortalProductId=id, ProductPageId=page["ProductPageId"]) == "NotFoundException"


def test_pages_of_methods(v2: Any, client: Callable[..., Any]) -> None:
    rest = client("apigateway")
    api = rest.create_rest_api(name="a")
    rest.put_method(restApiId=api["id"], resourceId=api["rootResourceId"], httpMethod="GET", authorizationType="NONE")
    rest.put_integration(restApiId=api["id"], resourceId=api["rootResourceId"], httpMethod="GET", type="MOCK")
    rest.create_deployment(restApiId=api["id"], stageName="s")
    id = v2.create_portal_product(DisplayName="p")["PortalProductId"]
    parts = {"RestApiId": api["id"], "Stage": "s", "Method": "GET", "Path": "/"}
    page = v2.create_product_rest_endpoint_page(
        PortalProductId=id, RestEndpointIdentifier={"IdentifierParts": parts}, TryItState="DISABLED"
    )
    assert page["DisplayContent"]["Endpoint"] == "GET /"
    named = {"PortalProductId": id, "ProductRestEndpointPageId": page["ProductRestEndpointPageId"]}
    v2.update_product_rest_endpoint_page(**named, DisplayContent={"Overrides": {"Endpoint": "read it"}})
    assert v2.list_product_rest_endpoint_pages(PortalProductId=id)["Items"][0]["Endpoint"] == "read it"
    assert v2.get_product_rest_endpoint_page(**named)["TryItState"] == "DISABLED"
    wrong = {"IdentifierParts": parts | {"Stage": "none"}}
    assert _code(v2.create_product_rest_endpoint_page, PortalProductId=id, RestEndpointIdentifier=wrong) == (
        "BadRequestException"
    )
    v2.delete_product_rest_endpoint_page(**named)
    assert v2.list_product_rest_endpoint_pages(PortalProductId=id)["Items"] == []


def test_portals_live_but_are_not_published(v2: Any) -> None:
    product = v2.create_portal_product(DisplayName="p")["PortalProductArn"]
    asked = {
        "Authorization": {"None": {}},
        "EndpointConfiguration": {"None": {}},
        "PortalContent": {"DisplayName": "mine", "Theme": {"CustomColors": COLORS}},
    }
    portal = v2.create_portal(**asked, IncludedPortalProductArns=[product])
    id = portal["PortalId"]
    assert portal["PublishStatus"] == "DISABLED"
    assert _code(v2.update_portal, PortalId=id, IncludedPortalProductArns=[product + "x"]) == "BadRequestException"
    v2.update_portal(PortalId=id, IncludedPortalProductArns=[])
    assert v2.get_portal(PortalId=id)["IncludedPortalProductArns"] == []
    assert [one["PortalId"] for one in v2.list_portals()["Items"]] == [id]
    assert _code(v2.publish_portal, PortalId=id) == "NotImplemented"
    v2.delete_portal(PortalId=id)
    assert _code(v2.get_portal, PortalId=id) == "NotFoundException"
