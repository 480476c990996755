"""Clients that do not ask for JSON have HAL documents, in which they find their way by links."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

EXPLAINED = "http://docs.aws.amazon.com/apigateway/latest/developerguide/"
Ask = Callable[..., tuple[int, Message, bytes]]
Hal = Callable[..., Any]


@pytest.fixture
def ask(endpoint: str, account: str) -> Ask:
    """`ask("GET", "/restapis")`: status, headers and body of a signed request without an Accept header, unless one is given."""

    def send(method: str, path: str, body: Any = None, accept: str | None = None) -> tuple[int, Message, bytes]:
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"Accept": accept} if accept else {})
        request = AWSRequest(method, endpoint + path, headers, content)
        SigV4Auth(Credentials(account, "test"), "apigateway", "us-east-1").add_auth(request)
        sent = urllib.request.Request(request.url, content, dict(request.headers), method=method)
        try:
            with urllib.request.urlopen(sent, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    return send


@pytest.fixture
def hal(ask: Ask) -> Hal:
    """The HAL document that a request is answered with."""

    def read(method: str, path: str, body: Any = None) -> Any:
        status, headers, content = ask(method, path, body)
        assert status < 300, content
        assert headers["Content-Type"] == "application/hal+json"
        return json.loads(content)

    return read


def explained(*names: str) -> Any:
    curies = [{"href": f"{EXPLAINED}{name}-{{rel}}.html", "name": _curie(name), "templated": True} for name in names]
    return curies if len(curies) > 1 else curies[0]


def _curie(page: str) -> str:
    return page.removeprefix("restapi-").replace("-", "") if page.startswith("restapi-") else page.partition("-")[0]


def test_who_does_not_ask_for_json_has_hal(ask: Ask) -> None:
    answers = [ask("GET", "/account", accept=accept) for accept in (None, "*/*", "application/hal+json", "text/html")]
    assert {headers["Content-Type"] for _, headers, _ in answers} == {"application/hal+json"}
    contents = {content for _, _, content in answers}
    assert len(contents) == 1
    found = json.loads(contents.pop())
    assert found.pop("_links") == {
        "curies": explained("account-apigateway"),
        "self": {"href": "/account"},
        "account:update": {"href": "/account"},
    }
    assert list(found) == sorted(found)
    assert found["throttleSettings"] == {"burstLimit": 5000, "rateLimit": 10000.0}


def test_the_entry_leads_everywhere(ask: Ask, hal: Hal, rest_api: Any) -> None:
    found = hal("GET", "/")
    links = found.pop("_links")
    assert found == {}
    assert links.pop("curies") == explained(
        "account-apigateway",
        *(f"restapi-{name}" for name in ("apigateway", "apikey", "domainname", "restapi", "usageplan")),
    )
    # As recorded from AWS.
    assert {relation: link for relation, link in links.items() if "plan" not in relation and "vpc" not in relation} == {
        "self": {"href": "/"},
        "account:update": {"href": "/account"},
        "apigateway:api-keys": {"href": "/apikeys"},
        "apigateway:client-certificates": {"href": "/clientcertificates"},
        "apigateway:domain-names": {"href": "/domainnames"},
        "apigateway:rest-apis": {"href": "/restapis"},
        "apikey:by-key": {"href": "/apikeys/{api_Key}", "templated": True},
        "apikey:create": {"href": "/apikeys"},
        "domainname:by-name": {"href": "/domainnames/{domain_name}", "templated": True},
        "domainname:create": {"href": "/domainnames"},
        "restapi:by-id": {"href": "/restapis/{restapi_id}", "templated": True},
        "restapi:create": {"href": "/restapis"},
    }
    for relation, link in links.items():
        if "templated" not in link:
            assert "_links" in hal("GET", link["href"]), relation
    one = links["restapi:by-id"]["href"].replace("{restapi_id}", rest_api["id"])
    assert hal("GET", one)["id"] == rest_api["id"]
    assert ask("GET", "/", accept="application/json")[::2] == (200, b"")
    assert ask("POST", "/")[0] == 404


def test_who_asks_for_json_has_json(ask: Ask, gateway: Any, rest_api: Any) -> None:
    for accept in ("application/json", "Application/JSON, text/plain, */*"):
        _, headers, content = ask("GET", "/restapis", accept=accept)
        assert headers["Content-Type"] == "application/json"
        found = json.loads(content)
        assert found.keys() == {"item"}
        assert found["item"][0]["endpointConfiguration"]["types"] == ["EDGE"]
        assert isinstance(found["item"][0]["createdDate"], float)
    assert [api["id"] for api in gateway.get_rest_apis()["items"]] == [rest_api["id"]]


def test_errors_and_documents_of_other_types_stay_what_they_are(ask: Ask, deployed: Any, account: str) -> None:
    status, headers, content = ask("GET", "/restapis/nothere")
    assert (status, headers["Content-Type"], headers["x-amzn-ErrorType"]) == (
        404,
        "application/json",
        "NotFoundException",
    )
    assert json.loads(content) == {"message": f"Invalid API identifier specified {account}:nothere"}
    status, _, content = ask("GET", f"/restapis/{deployed['id']}/stages/dev/exports/swagger")
    assert (status, json.loads(content)["swagger"]) == (200, "2.0")
    assert ask("DELETE", f"/restapis/{deployed['id']}/stages/dev")[::2] == (202, b"")


def test_an_api_as_aws_shows_one(hal: Hal) -> None:
    made = hal("POST", "/restapis", {"name": "pets", "binaryMediaTypes": ["image/png"], "tags": {"of": "us"}})
    at = f"/restapis/{made['id']}"
    links = made.pop("_links")
    assert list(links)[:2] == ["curies", "self"]
    assert list(links)[2:] == sorted(links.keys() - {"curies", "self"})
    assert [curie["name"] for curie in links["curies"]] == sorted(
        {relation.partition(":")[0] for relation in links if ":" in relation}
    )
    assert links["self"] == links["restapi:update"] == links["restapi:delete"] == {"href": at}
    assert links["resource:create"] == {"href": f"{at}/resources/{made['rootResourceId']}"}
    assert links["model:by-name"] == {"href": f"{at}/models/{{model_name}}?flatten=false", "templated": True}
    assert links["restapi:resources"] == {"href": f"{at}/resources{{?limit,embed}}", "templated": True}
    assert links["restapi:models"] == {"href": f"{at}/models"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["createdDate"])
    assert made["binaryMediaTypes"] == "image/png"
    assert made["endpointConfiguration"] == {"types": "EDGE", "ipAddressType": "ipv4", "vpcEndpointIds": None}
    assert made["tags"] == {"of": "us"}
    assert hal("GET", at) == {"_links": links} | made


def test_a_method_with_all_that_is_in_it(hal: Hal, gateway: Any, mocked: Any) -> None:
    place = {"restApiId": mocked["id"], "resourceId": mocked["rootResourceId"], "httpMethod": "GET"}
    for status in ("200", "404"):
        gateway.put_method_response(**place, statusCode=status)
    gateway.put_integration_response(**place, statusCode="200", selectionPattern="")
    at = f"/restapis/{mocked['id']}/resources/{mocked['rootResourceId']}/methods/GET"
    found = hal("GET", at)
    inner = found.pop("_embedded")
    own = {"href": at, "name": "GET", "title": "GET"}
    responses = [{"href": f"{at}/responses/{code}", "name": code, "title": code} for code in ("200", "404")]
    assert found == {
        "_links": {
            "curies": explained(
                "restapi-integration", "restapi-integration-response", "restapi-method", "restapi-method-response"
            ),
            "self": own,
            "integration:put": {"href": f"{at}/integration"},
            "method:delete": {"href": at},
            "method:integration": {"href": f"{at}/integration"},
            "method:responses": responses,
            "method:update": {"href": at},
            "methodresponse:put": {"href": f"{at}/responses/{{status_code}}", "templated": True},
        },
        "apiKeyRequired": False,
        "authorizationType": "NONE",
        "httpMethod": "GET",
    }
    assert [response["_links"]["self"] for response in inner["method:responses"]] == responses
    answer = f"{at}/integration/responses/200"
    integration = hal("GET", f"{at}/integration")
    assert integration["_links"].pop("curies") == explained("restapi-integration", "restapi-integration-response")
    assert inner["method:integration"] == integration
    assert integration["_embedded"] == {
        "integration:responses": {
            "_links": {
                "self": {"href": answer, "name": "200", "title": "200"},
                "integrationresponse:delete": {"href": answer},
                "integrationresponse:update": {"href": answer},
            },
            "selectionPattern": "",
            "statusCode": "200",
        }
    }
    assert hal("GET", answer)["_links"]["self"] == {"href": answer, "title": "200"}


def test_methods_are_linked_to_and_embedded_when_asked_for(hal: Hal, mocked: Any) -> None:
    at = f"/restapis/{mocked['id']}/resources"
    root = f"{at}/{mocked['rootResourceId']}"
    named = {"href": f"{root}/methods/GET", "name": "GET", "title": "GET"}
    below = hal("POST", root, {"pathPart": "pets"})
    assert "resource:delete" in below["_links"]
    found = hal("GET", root)
    assert found["_links"]["resource:methods"] == named
    assert "_embedded" not in found
    assert "resource:delete" not in found["_links"]
    found = hal("GET", f"{at}?embed=methods")
    first, second = found["_embedded"]["item"]
    assert first["_embedded"]["resource:methods"]["_links"]["self"] == named
    assert first["_embedded"]["resource:methods"]["_embedded"]["method:integration"]["type"] == "MOCK"
    assert second["id"] == below["id"]
    assert "_embedded" not in second
    assert found["_links"]["item"] == [{"href": root}, {"href": f"{at}/{below['id']}"}]
    assert found["_links"]["self"] == {"href": f"{at}?embed=methods"}


def test_pages_lead_to_the_next_and_back_to_the_first(hal: Hal, gateway: Any) -> None:
    made = [gateway.create_rest_api(name=name)["id"] for name in "abc"]
    seen, page = [], hal("GET", "/restapis?limit=1")
    while True:
        seen.append(page["_embedded"]["item"]["id"])
        assert page["_links"]["item"] == {"href": f"/restapis/{seen[-1]}"}
        assert ("first" in page["_links"]) == (len(seen) > 1)
        if "next" not in page["_links"]:
            break
        assert re.fullmatch(r"/restapis\?position=[^&]+&limit=1", page["_links"]["next"]["href"])
        page = hal("GET", page["_links"]["next"]["href"])
    assert sorted(seen) == sorted(made)
    assert page["_links"]["first"] == {"href": "/restapis?limit=1"}
    assert "position" not in page
    whole = hal("GET", "/restapis")
    assert [api["id"] for api in whole["_embedded"]["item"]] == seen
    assert whole["_links"]["restapi:by-id"] == {"href": "/restapis/{restapi_id}", "templated": True}


def test_an_empty_list_has_no_items(hal: Hal) -> None:
    assert hal("GET", "/vpclinks") == {
        "_links": {
            "curies": explained("restapi-vpclink"),
            "self": {"href": "/vpclinks"},
            "vpclink:by-id": {"href": "/vpclinks/{vpclink_id}", "templated": True},
            "vpclink:create": {"href": "/vpclinks"},
        }
    }


def test_links_of_some_things_depend_on_them(hal: Hal, gateway: Any, deployed: Any) -> None:
    at = f"/restapis/{deployed['id']}"
    assert "gatewayresponse:delete" not in hal("GET", f"{at}/gatewayresponses/THROTTLED")["_links"]
    made = hal("PUT", f"{at}/gatewayresponses/THROTTLED", {"statusCode": "429"})
    assert made["_links"]["gatewayresponse:delete"] == {"href": f"{at}/gatewayresponses/THROTTLED"}
    assert hal("GET", f"{at}/gatewayresponses")["_links"]["first"] == {"href": f"{at}/gatewayresponses"}
    assert "stage:flush-cache" not in hal("GET", f"{at}/stages/dev")["_links"]
    cached = [{"op": "replace", "path": "/cacheClusterEnabled", "value": "true"}]
    found = hal("PATCH", f"{at}/stages/dev", {"patchOperations": cached})
    assert found["_links"]["stage:flush-cache"] == {"href": f"{at}/stages/dev/cache/data"}
    validator = hal("POST", f"{at}/requestvalidators", {"name": "all", "validateRequestBody": True})
    assert validator["_links"].keys() == {"self", "request-validator-delete", "request-validator-update"}
    part = hal("POST", f"{at}/documentation/parts", {"location": {"type": "API"}, "properties": "{}"})
    assert part["location"] == {"type": "API", "path": None, "method": None, "statusCode": None, "name": None}


def test_private_domain_names_are_told_apart_in_every_address(hal: Hal, account: str) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
    made = hal(
        "POST",
        "/domainnames",
        {
            "domainName": f"hal{account}.example.com",
            "certificateArn": f"arn:aws:acm:us-east-1:{account}:certificate/1",
            "endpointConfiguration": {"types": ["PRIVATE"]},
            "policy": json.dumps(policy),
        },
    )
    at, tail = f"/domainnames/hal{account}.example.com", f"domainNameId={made['domainNameId']}"
    assert made["_links"]["self"] == {"href": f"{at}?{tail}"}
    assert made["_links"]["domainname:basepathmappings"] == {
        "href": f"{at}/basepathmappings?{tail}{{&limit}}",
        "templated": True,
    }
    found = hal("GET", f"{at}/basepathmappings?{tail}")["_links"]
    assert found["basepathmapping:create"] == {"href": f"{at}/basepathmappings?{tail}"}


def test_a_client_finds_everything_from_the_lists(
    hal: Hal, gateway: Any, deployed: Any, domain: str, account: str
) -> None:
    api = deployed["id"]
    function = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:{account}:function:f/invocations"
    gateway.create_authorizer(
        restApiId=api, name="a", type="TOKEN", authorizerUri=function, identitySource="method.request.header.A"
    )
    gateway.create_request_validator(restApiId=api, name="all")
    gateway.create_documentation_part(restApiId=api, location={"type": "API"}, properties="{}")
    gateway.create_documentation_version(restApiId=api, documentationVersion="v 1/2")
    gateway.create_base_path_mapping(domainName=domain, restApiId=api, stage="dev")
    key = gateway.create_api_key(name="k")["id"]
    plan = gateway.create_usage_plan(name="p")["id"]
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    gateway.create_vpc_link(name="v", targetArns=["arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/n/1"])
    certificate = gateway.generate_client_certificate()["clientCertificateId"]
    waiting = ["/restapis", "/apikeys", "/usageplans", "/domainnames", "/vpclinks", "/clientcertificates", "/sdktypes"]
    seen: set[str] = set()
    while waiting:
        address = waiting.pop()
        if address not in seen:
            seen.add(address)
            waiting += _onward(hal("GET", address)["_links"])
    at = f"/restapis/{api}"
    assert seen >= {
        at,
        f"{at}/models/Error?flatten=false",
        f"{at}/models/Error/default_template",
        f"{at}/resources/{deployed['rootResourceId']}/methods/GET/integration",
        f"{at}/stages/dev",
        f"{at}/gatewayresponses/WAF_FILTERED",
        f"{at}/documentation/versions/v%201%2F2",
        f"/usageplans/{plan}/keys/{key}",
        f"/usageplans?keyId={key}",
        f"/domainnames/{domain}/basepathmappings/(none)",
        f"/clientcertificates/{certificate}",
        "/sdktypes/android",
    }


def _onward(links: dict[str, Any]) -> list[str]:
    """Where a client can go on reading."""
    found = []
    for relation, link in links.items():
        action = relation.rpartition(":")[2]
        leads_on = relation in ("self", "item", "next", "first") or action in (
            *("authorizers", "deployments", "documentation-parts", "documentation-versions", "gateway-responses"),
            *("models", "request-validators", "resources", "stages", "methods", "integration", "responses"),
            *("generate-template", "usageplans", "usageplankeys", "basepathmappings"),
        )
        if leads_on:
            found += [re.sub(r"\{\?.*\}", "", each["href"]) for each in (link if isinstance(link, list) else [link])]
    return found
