"""A portal in a real browser: its form calls the API that it tells of, and what its makers wrote does not run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.journeys.browser import page
from tests.services.apigateway.http.test_portals import COLORS
from tests.services.apigateway.rest.pipeline.conftest import Api

ORIGIN = "method.response.header.Access-Control-Allow-Origin"
EVIL = "<script>document.title = 'evil'</script><img src=x onerror=\"document.title = 'evil'\">"


def _method(api: Api) -> None:
    at = api.at("GET", "/pets")
    api.rest.put_method(**at, authorizationType="NONE")
    api.rest.put_method_response(**at, statusCode="200", responseParameters={ORIGIN: False})
    api.rest.put_integration(**at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    api.rest.put_integration_response(
        **at, statusCode="200", responseParameters={ORIGIN: "'*'"}, responseTemplates={"application/json": '"meow"'}
    )
    api.deploy()


def test_trying_a_method(client: Callable[..., Any], endpoint: str, account: str, tmp_path: Path) -> None:
    api, v2 = Api(client, endpoint, account), client("apigatewayv2")
    _method(api)
    product = v2.create_portal_product(DisplayName=EVIL, Description=EVIL)
    id = product["PortalProductId"]
    parts = {"RestApiId": api.id, "Stage": "dev", "Method": "GET", "Path": "/pets"}
    overrides = {"Body": EVIL, "OperationName": EVIL}
    made = v2.create_product_rest_endpoint_page(
        PortalProductId=id,
        RestEndpointIdentifier={"IdentifierParts": parts},
        DisplayContent={"Overrides": overrides},
    )
    portal = v2.create_portal(
        Authorization={"None": {}},
        EndpointConfiguration={"None": {}},
        PortalContent={"DisplayName": "my pets", "Theme": {"CustomColors": COLORS | {"TextColor": "#010203"}}},
        IncludedPortalProductArns=[product["PortalProductArn"]],
    )["PortalId"]
    v2.publish_portal(PortalId=portal)
    with page(tmp_path) as shown:
        shown.visit(f"{endpoint}/_aws/portals/{portal}/products/{id}/endpoints/{made['ProductRestEndpointPageId']}")
        assert shown.wait_for("document.querySelector('form') && document.title") == "my pets"
        assert shown.evaluate("getComputedStyle(document.body).color") == "rgb(1, 2, 3)"
        shown.evaluate("document.querySelector('button').click()")
        assert shown.wait_for("document.querySelector('output').textContent").startswith('200\n\n"meow"')
        assert shown.evaluate("document.title") == "my pets"
        assert shown.evaluate("document.querySelectorAll('img').length") == 0
