"""Portals, products and their pages by their operations."""

import http.client
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

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
    assert page["DisplayContent"]["Endpoint"].endswith("/s/")
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


def test_portals_live(v2: Any) -> None:
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
    v2.delete_portal(PortalId=id)
    assert _code(v2.get_portal, PortalId=id) == "NotFoundException"


def visit(endpoint: str, path: str, host: str = "", **headers: str) -> tuple[int, str, Any]:
    """A page: its status, text and headers."""
    there = urlsplit(endpoint)
    connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
    connection.request("GET", path, headers=headers | ({"Host": host} if host else {}))
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), answer.headers
    connection.close()
    return found


@pytest.fixture
def portal(v2: Any, client: Callable[..., Any], account: str) -> dict[str, str]:
    """A portal with a product of one page and one method; gives their ids, and the method's address."""
    rest = client("apigateway")
    api = rest.create_rest_api(name="a")
    at = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    rest.put_method(**at, authorizationType="NONE")
    rest.put_integration(**at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    rest.create_documentation_part(
        restApiId=api["id"],
        location={"type": "METHOD", "path": "/", "method": "GET"},
        properties='{"description": "tells all & <b>more</b>"}',
    )
    rest.create_deployment(restApiId=api["id"], stageName="s")
    product = v2.create_portal_product(DisplayName="pets <script>", Description="all of them")
    id = product["PortalProductId"]
    text = v2.create_product_page(PortalProductId=id, DisplayContent={"Title": "hello", "Body": "# <i>x</i>"})
    parts = {"RestApiId": api["id"], "Stage": "s", "Method": "GET", "Path": "/"}
    page = v2.create_product_rest_endpoint_page(PortalProductId=id, RestEndpointIdentifier={"IdentifierParts": parts})
    managed = {"CertificateArn": "arn:aws:acm:us-east-1:1:certificate/a", "DomainName": f"docs{account}.example.com"}
    made = v2.create_portal(
        Authorization={"None": {}},
        EndpointConfiguration={"AcmManaged": managed},
        PortalContent={"DisplayName": "mine", "Theme": {"CustomColors": COLORS | {"TextColor": "red;} *{x:y"}}},
        IncludedPortalProductArns=[product["PortalProductArn"]],
    )
    return {
        "id": made["PortalId"],
        "product": id,
        "text": text["ProductPageId"],
        "page": page["ProductRestEndpointPageId"],
        "url": page["DisplayContent"]["Endpoint"],
        "domain": managed["DomainName"],
    }


def test_a_portal_is_published_as_it_is(v2: Any, portal: dict[str, str], endpoint: str) -> None:
    id, home = portal["id"], f"/_aws/portals/{portal['id']}/"
    assert visit(endpoint, home)[0] == 404
    v2.publish_portal(PortalId=id, Description="first")
    held = v2.get_portal(PortalId=id)
    assert (held["PublishStatus"], held["LastPublishedDescription"]) == ("PUBLISHED", "first")
    default = held["EndpointConfiguration"]["PortalDefaultDomainName"]
    for path, host in ((home, ""), ("/", default), ("/", portal["domain"]), ("/", f"p-{id}.apigw-portal.localhost")):
        status, text, headers = visit(endpoint, path, host)
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "pets &lt;script&gt;" in text
        assert "<title>mine</title>" in text
        assert "red;" not in text
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    product = f"{home}products/{portal['product']}"
    assert f"pages/{portal['text']}" in visit(endpoint, product)[1]
    assert "# &lt;i&gt;x" in visit(endpoint, f"{product}/pages/{portal['text']}")[1]
    tried = visit(endpoint, f"{product}/endpoints/{portal['page']}")[1]
    assert "tells all &amp; &lt;b&gt;" in tried
    assert f'name="url" value="{portal["url"]}"' in tried
    for wrong in ("x", "products/x", f"products/{portal['product']}/x", f"products/{portal['product']}/pages/x"):
        assert visit(endpoint, home + wrong)[0] == 404
    v2.update_portal_product(PortalProductId=portal["product"], DisplayName="cats")
    assert "cats" not in visit(endpoint, home)[1]
    v2.publish_portal(PortalId=id)
    assert "cats" in visit(endpoint, home)[1]
    assert _code(v2.delete_portal, PortalId=id) == "ConflictException"
    v2.disable_portal(PortalId=id)
    assert visit(endpoint, home)[0] == 404
    assert "docs" not in visit(endpoint, "/", portal["domain"])[1]
    v2.delete_portal(PortalId=id)


def test_a_logo_is_shown_as_it_was_uploaded(
    v2: Any, portal: dict[str, str], endpoint: str, client: Callable[..., Any], account: str
) -> None:
    id, home = portal["id"], f"/_aws/portals/{portal['id']}/"
    s3, bucket = client("s3"), f"logos-{account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="of/us.svg", Body=b"<svg>1</svg>")
    for wrong in ("https://example.com/a.png", f"s3://{bucket}/of/us.html", f"s3://{bucket}/none.png"):
        assert _code(v2.update_portal, PortalId=id, LogoUri=wrong) == "BadRequestException"
    v2.publish_portal(PortalId=id)
    assert "<img" not in visit(endpoint, home)[1]
    assert visit(endpoint, f"{home}logo")[0] == 404
    theme = v2.update_portal(PortalId=id, LogoUri=f"s3://{bucket}/of/us.svg")["PortalContent"]["Theme"]
    s3.put_object(Bucket=bucket, Key="of/us.svg", Body=b"<svg>2</svg>")
    assert "<img" not in visit(endpoint, home)[1]
    v2.publish_portal(PortalId=id)
    status, text, headers = visit(endpoint, f"{home}logo")
    assert (status, text, headers["Content-Type"]) == (200, "<svg>1</svg>", "image/svg+xml")
    assert "sandbox" in headers["Content-Security-Policy"]
    assert '<img src="logo"' in visit(endpoint, home)[1]
    assert v2.update_portal(PortalId=id, IncludedPortalProductArns=[])["PortalContent"]["Theme"] == theme
    assert "LogoLastUploaded" in theme
    assert "LogoLastUploaded" not in v2.update_portal(PortalId=id, LogoUri="")["PortalContent"]["Theme"]
    v2.publish_portal(PortalId=id)
    assert "<img" not in visit(endpoint, home)[1]


def test_a_preview_lasts_an_hour(
    v2: Any, portal: dict[str, str], endpoint: str, advance: Callable[[float], None]
) -> None:
    v2.preview_portal(PortalId=portal["id"])
    preview = v2.get_portal(PortalId=portal["id"])["Preview"]
    assert preview["PreviewStatus"] == "PREVIEW_READY"
    path = urlsplit(preview["PreviewUrl"]).path
    assert re.fullmatch(rf"/_aws/portals/{portal['id']}-[0-9a-f]{{32}}/", path)
    status, text, _ = visit(endpoint, f"{path}products/{portal['product']}/endpoints/{portal['page']}")
    assert status == 200
    assert "<form" not in text
    assert visit(endpoint, f"/_aws/portals/{portal['id']}/")[0] == 404
    advance(3_601)
    assert visit(endpoint, path)[0] == 404


def test_a_portal_with_cognito_is_not_published(v2: Any) -> None:
    pool = "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_a"
    config = {"AppClientId": "a", "UserPoolArn": pool, "UserPoolDomain": "https://a.example.com"}
    made = v2.create_portal(
        Authorization={"CognitoConfig": config},
        EndpointConfiguration={"None": {}},
        PortalContent={"DisplayName": "mine", "Theme": {"CustomColors": COLORS}},
    )
    assert _code(v2.publish_portal, PortalId=made["PortalId"]) == "NotImplemented"
    assert v2.get_portal(PortalId=made["PortalId"])["PublishStatus"] == "DISABLED"


def test_a_domain_name_is_one_portals(
    v2: Any, portal: dict[str, str], client: Callable[..., Any], endpoint: str
) -> None:
    """Nobody takes another's visitors, nor the calls of clients who know the node itself by that name."""
    v2.publish_portal(PortalId=portal["id"])
    content = {"DisplayName": "theirs", "Theme": {"CustomColors": COLORS}}
    managed = {"CertificateArn": "arn:aws:acm:us-east-1:2:certificate/a", "DomainName": portal["domain"].upper()}
    other = client("apigatewayv2", account="000000000047")
    made = other.create_portal(
        Authorization={"None": {}}, EndpointConfiguration={"AcmManaged": managed}, PortalContent=content
    )
    assert _code(other.publish_portal, PortalId=made["PortalId"]) == "ConflictException"
    assert other.get_portal(PortalId=made["PortalId"])["PublishStatus"] == "DISABLED"
    assert "<title>mine</title>" in visit(endpoint, "/", portal["domain"])[1]
    v2.publish_portal(PortalId=portal["id"])
    assert "<title>" not in visit(endpoint, "/", portal["domain"], Authorization="AWS4-HMAC-SHA256 Credential=a/b/c")[1]
    v2.disable_portal(PortalId=portal["id"])
    other.publish_portal(PortalId=made["PortalId"])
    assert "<title>theirs</title>" in visit(endpoint, "/", portal["domain"])[1]
