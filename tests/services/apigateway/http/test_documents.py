"""OpenAPI 3 documents: APIs made of them, made anew, and written as them."""

import json
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError
from tests.services.apigateway.http.conftest import Api, Backend


def _document(url: str) -> dict[str, Any]:
    proxy = {"type": "http_proxy", "httpMethod": "ANY", "uri": f"{url}/pets/{{id}}", "payloadFormatVersion": "1.0"}
    shared = {"$ref": "#/components/x-amazon-apigateway-integrations/root"}
    return {
        "openapi": "3.0.1",
        "info": {"title": "pets", "version": "2", "description": "all of them"},
        "servers": [{"url": "https://example.com/base/v1"}],
        "tags": [{"name": "team", "x-amazon-apigateway-tag-value": "a"}],
        "paths": {
            "/pets/{id}": {
                "get": {"operationId": "getPet", "x-amazon-apigateway-integration": proxy},
                "x-amazon-apigateway-any-method": {"x-amazon-apigateway-integration": shared},
            },
            "/secret": {
                "post": {"security": [{"jwt": ["read"]}], "x-amazon-apigateway-integration": shared},
                "get": {"x-amazon-apigateway-auth": {"type": "AWS_IAM"}, "x-amazon-apigateway-integration": shared},
            },
            "/$default": {
                "x-amazon-apigateway-any-method": {"isDefaultRoute": True, "x-amazon-apigateway-integration": shared}
            },
        },
        "components": {
            "x-amazon-apigateway-integrations": {"root": proxy | {"uri": f"{url}/root"}},
            "securitySchemes": {
                "jwt": {
                    "type": "oauth2",
                    "x-amazon-apigateway-authorizer": {
                        "type": "jwt",
                        "identitySource": "$request.header.Authorization",
                        "jwtConfiguration": {"issuer": "https://issuer.example.com", "audience": ["me"]},
                    },
                }
            },
        },
        "x-amazon-apigateway-cors": {"allowOrigins": ["https://a.example"], "allowMethods": ["GET"]},
    }


def _routes(shop: Api, id: str) -> dict[str, Any]:
    return {route["RouteKey"]: route for route in shop.v2.get_routes(ApiId=id)["Items"]}


def test_an_api_is_made_of_a_document_and_answers(shop: Api, backend: Backend) -> None:
    made = shop.v2.import_api(Body=json.dumps(_document(backend.url)))
    assert (made["Name"], made["Version"], made["Description"]) == ("pets", "2", "all of them")
    assert made["CorsConfiguration"]["AllowOrigins"] == ["https://a.example"]
    assert made["Tags"] == {"team": "a"}
    routes = _routes(shop, made["ApiId"])
    assert set(routes) == {"GET /pets/{id}", "ANY /pets/{id}", "POST /secret", "GET /secret", "$default"}
    assert routes["GET /pets/{id}"]["OperationName"] == "getPet"
    assert routes["POST /secret"]["AuthorizationType"] == "JWT"
    assert routes["POST /secret"]["AuthorizationScopes"] == ["read"]
    assert routes["GET /secret"]["AuthorizationType"] == "AWS_IAM"
    assert len(shop.v2.get_integrations(ApiId=made["ApiId"])["Items"]) == 2
    shop.id, shop.host = made["ApiId"], shop.host.replace(shop.id, made["ApiId"])
    shop.stage()
    assert shop.call("GET", "/pets/7").json["path"] == "/pets/7"
    assert shop.call("POST", "/pets/7").json["path"] == "/root"
    assert shop.call("POST", "/secret").status == 401


@pytest.mark.parametrize("kind", ["JSON", "YAML"])
def test_what_is_exported_can_be_imported(shop: Api, backend: Backend, kind: str) -> None:
    first = shop.v2.import_api(Body=json.dumps(_document(backend.url)))["ApiId"]
    text = shop.v2.export_api(ApiId=first, Specification="OAS30", OutputType=kind)["body"].read().decode()
    document = yaml.safe_load(text)
    assert document["openapi"] == "3.0.1"
    assert document["x-amazon-apigateway-importexport-version"] == "1.0"
    second = shop.v2.import_api(Body=text)["ApiId"]
    again = shop.v2.export_api(ApiId=second, Specification="OAS30", OutputType=kind)["body"].read().decode()
    assert again.replace(second, first) == text
    plain = shop.v2.export_api(ApiId=first, Specification="OAS30", OutputType="JSON", IncludeExtensions=False)
    assert "integration" not in plain["body"].read().decode()


def test_an_api_is_made_anew(shop: Api, backend: Backend) -> None:
    id = shop.v2.import_api(Body=json.dumps(_document(backend.url)))["ApiId"]
    small = {"openapi": "3.0.1", "info": {"title": "less", "version": "3"}, "paths": {"/a": {"get": {}}}}
    again = shop.v2.reimport_api(ApiId=id, Body=yaml.safe_dump(small))
    assert again["Name"] == "less"
    assert again["ImportInfo"] == ["The route GET /a has no integration."]
    assert set(_routes(shop, id)) == {"GET /a"}
    assert shop.v2.get_integrations(ApiId=id)["Items"] == []
    with pytest.raises(ClientError, match="Warnings found during import"):
        shop.v2.reimport_api(ApiId=id, Body=json.dumps(small), FailOnWarnings=True)


def test_base_paths(shop: Api, backend: Backend) -> None:
    body = json.dumps(_document(backend.url))
    for basepath, path in (("ignore", "/secret"), ("prepend", "/base/v1/secret"), ("split", "/v1/secret")):
        id = shop.v2.import_api(Body=body, Basepath=basepath)["ApiId"]
        assert f"POST {path}" in _routes(shop, id)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{",
        '{"swagger": "2.0", "info": {"title": "x"}, "paths": {}}',
        '{"openapi": "3.0.1", "paths": {}}',
        '{"openapi": "3.0.1", "info": {"title": "x"}, "paths": {"/{a": {"get": {}}}}',
        '{"openapi": "3.0.1", "info": {"title": "x"}, "paths": {"/a": {"get": {"x-amazon-apigateway-integration": {"type": "mock"}}}}}',
        '{"openapi": "3.0.1", "info": {"title": "x"}, "paths": {"/a": {"$ref": "#/nowhere"}}}',
        "a: &a [*a]",
    ],
)
def test_documents_that_are_none(shop: Api, body: str) -> None:
    before = len(shop.v2.get_apis()["Items"])
    with pytest.raises(ClientError) as caught:
        shop.v2.import_api(Body=body)
    assert caught.value.response["Error"]["Code"] == "BadRequestException"
    assert len(shop.v2.get_apis()["Items"]) == before
