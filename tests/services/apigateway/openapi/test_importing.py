"""APIs from documents, through boto3."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

AUTHORIZER = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations"
MOCK = {
    "type": "mock",
    "requestTemplates": {"application/json": '{"statusCode": 200}'},
    "responses": {"default": {"statusCode": 200, "responseTemplates": {"application/json": {"hello": "world"}}}},
}
SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "pets", "version": 1.5, "description": "Pets for sale"},
    "basePath": "/v1/shop",
    "consumes": ["application/json"],
    "securityDefinitions": {
        "key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
        "signed": {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "x-amazon-apigateway-authtype": "awsSigv4",
        },
        "token": {
            "type": "apiKey",
            "name": "X-Token",
            "in": "header",
            "x-amazon-apigateway-authtype": "custom",
            "x-amazon-apigateway-authorizer": {
                "type": "token",
                "authorizerUri": AUTHORIZER,
                "authorizerResultTtlInSeconds": 60,
            },
        },
    },
    "paths": {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "type": "string"}],
            "get": {
                "operationId": "getPet",
                "security": [{"token": []}, {"key": []}],
                "parameters": [{"name": "full", "in": "query", "type": "string"}, {"$ref": "#/parameters/Trace"}],
                "responses": {
                    "200": {
                        "description": "ok",
                        "schema": {"$ref": "#/definitions/Pet"},
                        "headers": {"X-A": {"type": "string"}},
                    }
                },
                "x-amazon-apigateway-integration": MOCK,
            },
            "x-amazon-apigateway-any-method": {
                "security": [{"signed": []}],
                "responses": {},
                "x-amazon-apigateway-integration": MOCK,
            },
        },
        "/pets": {
            "post": {
                "parameters": [{"in": "body", "name": "pet", "schema": {"$ref": "#/definitions/Pet"}}],
                "responses": {
                    "200": {"description": "ok", "schema": {"type": "array", "items": {"$ref": "#/definitions/Pet"}}}
                },
                "x-amazon-apigateway-request-validator": "all",
                "x-amazon-apigateway-integration": MOCK,
            }
        },
    },
    "parameters": {"Trace": {"name": "X-Trace", "in": "header", "required": True, "type": "string"}},
    "definitions": {
        "Pet": {"type": "object", "description": "A pet", "properties": {"friend": {"$ref": "#/definitions/Pet"}}}
    },
    "x-amazon-apigateway-request-validators": {
        "all": {"validateRequestBody": True, "validateRequestParameters": False}
    },
    "x-amazon-apigateway-gateway-responses": {
        "DEFAULT_4XX": {"responseParameters": {"gatewayresponse.header.X": "'y'"}}
    },
    "x-amazon-apigateway-binary-media-types": ["image/png"],
    "x-amazon-apigateway-minimum-compression-size": 1000,
    "x-amazon-apigateway-api-key-source": "HEADER",
    "x-amazon-apigateway-policy": {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
        ],
    },
    "x-amazon-apigateway-documentation": {
        "version": "7",
        "documentationParts": [
            {"location": {"type": "API"}, "properties": {"info": {"description": "all"}}},
            {"location": {"type": "METHOD", "path": "/pets", "method": "POST"}, "properties": {"summary": "new"}},
        ],
    },
}


def imported(gateway: Any, document: Any, **options: Any) -> Any:
    return gateway.import_rest_api(body=json.dumps(document).encode(), **options)


def resources(gateway: Any, api_id: str) -> dict[str, Any]:
    return {each["path"]: each for each in gateway.get_resources(restApiId=api_id, embed=["methods"])["items"]}


def test_everything_of_a_swagger_document(client: Callable[..., Any]) -> None:
    gateway = client("apigateway")
    api = imported(gateway, SWAGGER, parameters={"endpointConfigurationTypes": "REGIONAL"})
    assert (api["name"], api["version"], api["description"]) == ("pets", "1.5", "Pets for sale")
    assert api["endpointConfiguration"]["types"] == ["REGIONAL"]
    assert (api["binaryMediaTypes"], api["minimumCompressionSize"], api["apiKeySource"]) == (
        ["image/png"],
        1000,
        "HEADER",
    )
    assert f":{api['id']}\\/*" in api["policy"]  # escaped once more, as AWS does
    found = resources(gateway, api["id"])
    assert found.keys() == {"/", "/pets", "/pets/{id}"}
    method = found["/pets/{id}"]["resourceMethods"]["GET"]
    authorizer = gateway.get_authorizers(restApiId=api["id"])["items"][0]
    assert (authorizer["name"], authorizer["type"], authorizer["identitySource"]) == (
        "token",
        "TOKEN",
        "method.request.header.X-Token",
    )
    assert (method["authorizationType"], method["authorizerId"], method["apiKeyRequired"]) == (
        "CUSTOM",
        authorizer["id"],
        True,
    )
    assert method["operationName"] == "getPet"
    assert method["requestParameters"] == {
        "method.request.path.id": True,
        "method.request.querystring.full": False,
        "method.request.header.X-Trace": True,
    }
    assert method["methodResponses"]["200"] == {
        "statusCode": "200",
        "responseModels": {"application/json": "Pet"},
        "responseParameters": {"method.response.header.X-A": False},
    }
    integration = method["methodIntegration"]
    assert (integration["type"], integration["passthroughBehavior"], integration["timeoutInMillis"]) == (
        "MOCK",
        "WHEN_NO_MATCH",
        29000,
    )
    assert integration["integrationResponses"]["200"]["responseTemplates"] == {"application/json": '{"hello":"world"}'}
    assert found["/pets/{id}"]["resourceMethods"]["ANY"]["authorizationType"] == "AWS_IAM"
    post = found["/pets"]["resourceMethods"]["POST"]
    assert post["requestModels"] == {"application/json": "Pet"}
    assert post["methodResponses"]["200"]["responseModels"] == {"application/json": "ArrayOfPet"}
    validator = gateway.get_request_validators(restApiId=api["id"])["items"][0]
    assert (post["requestValidatorId"], validator["validateRequestBody"]) == (validator["id"], True)
    models = {each["name"]: each for each in gateway.get_models(restApiId=api["id"])["items"]}
    assert models.keys() == {"Pet", "ArrayOfPet"}
    assert models["Pet"]["description"] == "A pet"
    assert json.loads(models["Pet"]["schema"])["properties"]["friend"]["$ref"].endswith(
        f"/restapis/{api['id']}/models/Pet"
    )
    response = gateway.get_gateway_response(restApiId=api["id"], responseType="DEFAULT_4XX")
    assert response["responseParameters"] == {"gatewayresponse.header.X": "'y'"}
    parts = gateway.get_documentation_parts(restApiId=api["id"])["items"]
    assert [each["location"]["type"] for each in parts] == ["API", "METHOD"]


@pytest.mark.parametrize(
    ("mode", "first"), [("ignore", "/pets"), ("prepend", "/v1/shop/pets"), ("split", "/shop/pets")]
)
def test_base_paths(client: Callable[..., Any], mode: str, first: str) -> None:
    gateway = client("apigateway")
    api = imported(gateway, SWAGGER, parameters={"basepath": mode})
    assert first in resources(gateway, api["id"])


def test_merge_and_overwrite(client: Callable[..., Any]) -> None:
    gateway = client("apigateway")
    api_id = imported(gateway, SWAGGER)["id"]
    before = resources(gateway, api_id)
    other = {
        "openapi": "3.0.1",
        "info": {"title": "other", "version": "2"},
        "paths": {"/pets": {"get": {"responses": {}}}, "/more": {"get": {"responses": {}}}},
        "x-amazon-apigateway-binary-media-types": ["image/gif"],
    }
    merged = gateway.put_rest_api(restApiId=api_id, mode="merge", body=json.dumps(other).encode())
    assert (merged["id"], merged["name"], merged["binaryMediaTypes"]) == (api_id, "other", ["image/png", "image/gif"])
    after = resources(gateway, api_id)
    assert after.keys() == {*before, "/more"}
    assert after["/pets"]["id"] == before["/pets"]["id"]
    assert after["/pets"]["resourceMethods"].keys() == {"GET", "POST"}
    gateway.put_rest_api(restApiId=api_id, mode="overwrite", body=json.dumps(other).encode())
    after = resources(gateway, api_id)
    assert after.keys() == {"/", "/pets", "/more"}
    assert after["/"]["id"] == before["/"]["id"]
    assert after["/pets"]["id"] == before["/pets"]["id"]
    assert after["/pets"]["resourceMethods"].keys() == {"GET"}
    assert gateway.get_models(restApiId=api_id)["items"] == []


def test_openapi_3(client: Callable[..., Any]) -> None:
    gateway = client("apigateway")
    document = """
openapi: 3.0.1
info: {title: things, version: 2020-01-01}
security: [{pool: [read]}]
paths:
  /things/{proxy+}:
    put:
      parameters: [{name: proxy, in: path, required: true, schema: {type: string}}]
      requestBody: {$ref: '#/components/requestBodies/Thing'}
      responses:
        200: {description: ok, content: {application/json: {schema: {type: object, properties: {a: {type: string}}}}}}
      x-amazon-apigateway-integration: {type: http_proxy, httpMethod: put, uri: 'http://example.com/{proxy}',
        requestParameters: {integration.request.path.proxy: method.request.path.proxy, integration.request.header.x: true}}
components:
  requestBodies: {Thing: {content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}}}
  schemas: {Thing: {type: object}}
  securitySchemes:
    pool: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: cognito_user_pools,
      x-amazon-apigateway-authorizer: {type: cognito_user_pools, providerARNs: ['arn:aws:cognito-idp:us-east-1:1:userpool/x']}}
"""
    api = gateway.import_rest_api(body=document.encode())
    assert api["version"] == "2020-01-01"
    assert len(api["warnings"]) == 1
    assert "integration.request.header.x" in api["warnings"][0]
    method = resources(gateway, api["id"])["/things/{proxy+}"]["resourceMethods"]["PUT"]
    assert (method["authorizationType"], method["authorizationScopes"]) == ("COGNITO_USER_POOLS", ["read"])
    assert method["requestModels"] == {"application/json": "Thing"}
    assert method["methodResponses"]["200"]["responseModels"]["application/json"].startswith("MODEL")
    integration = method["methodIntegration"]
    assert (integration["type"], integration["httpMethod"], integration["connectionType"]) == (
        "HTTP_PROXY",
        "PUT",
        "INTERNET",
    )
    with pytest.raises(ClientError, match="Warnings found during import"):
        gateway.import_rest_api(body=document.encode(), failOnWarnings=True)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("paths", "/pets", "post", "x-amazon-apigateway-integration"), {"type": "aws_proxy", "httpMethod": "POST", "uri": "arn:x"}, "Unable to put integration on 'POST' for resource at path '/pets': Invalid ARN"),
        (("paths", "/pets", "post", "responses", "200", "schema"), {"$ref": "#/definitions/None"}, "Invalid model identifier specified: None"),
        (("definitions",), {"Not A Name": {}}, "must be alphanumeric"),
        (("x-amazon-apigateway-gateway-responses",), {"NONE": {}}, "Invalid gateway response type"),
        (("paths", "/pets", "post", "parameters"), [{"$ref": "#/nowhere"}], "Invalid OpenAPI input"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_nothing_is_made(
    client: Callable[..., Any], path: tuple[str, ...], value: Any, message: str
) -> None:
    gateway = client("apigateway")
    document = copy.deepcopy(SWAGGER)
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(ClientError) as raised:
        imported(gateway, document)
    assert raised.value.response["Error"]["Code"] == "BadRequestException"
    assert message in raised.value.response["Error"]["Message"]
    assert gateway.get_rest_apis()["items"] == []


def test_documentation_parts_alone(client: Callable[..., Any]) -> None:
    gateway = client("apigateway")
    api_id = gateway.create_rest_api(name="empty")["id"]
    ids = gateway.import_documentation_parts(restApiId=api_id, mode="overwrite", body=json.dumps(SWAGGER).encode())[
        "ids"
    ]
    parts = gateway.get_documentation_parts(restApiId=api_id)["items"]
    assert [each["id"] for each in parts] == ids
    assert json.loads(parts[1]["properties"]) == {"summary": "new"}
    again = gateway.import_documentation_parts(restApiId=api_id, mode="merge", body=json.dumps(SWAGGER).encode())["ids"]
    assert again == ids


@pytest.mark.parametrize("kind", ["swagger", "oas30"])
@pytest.mark.parametrize("accepts", ["application/json", "application/yaml"])
def test_what_is_exported_can_be_imported(client: Callable[..., Any], kind: str, accepts: str) -> None:
    gateway = client("apigateway")
    api_id = imported(gateway, SWAGGER)["id"]
    gateway.create_deployment(restApiId=api_id, stageName="dev")
    options = {"exportType": kind, "parameters": {"extensions": "apigateway,documentation"}, "accepts": accepts}
    export = gateway.get_export(restApiId=api_id, stageName="dev", **options)
    assert export["contentDisposition"] == f'attachment; filename="{kind}_1.5.{accepts.partition("/")[2]}"'
    body = export["body"].read()
    again = gateway.import_rest_api(body=body, failOnWarnings=True)["id"]
    gateway.create_deployment(restApiId=again, stageName="dev")
    second = gateway.get_export(restApiId=again, stageName="dev", **options)["body"].read()
    assert second.replace(again.encode(), api_id.encode()) == body


def test_the_form_of_exports(client: Callable[..., Any]) -> None:
    gateway = client("apigateway")
    api_id = imported(gateway, SWAGGER)["id"]
    gateway.create_deployment(restApiId=api_id, stageName="dev")
    plain = json.loads(gateway.get_export(restApiId=api_id, stageName="dev", exportType="swagger")["body"].read())
    assert (plain["swagger"], plain["basePath"], plain["schemes"]) == ("2.0", "/dev", ["https"])
    assert plain["host"] == f"{api_id}.execute-api.us-east-1.amazonaws.com"
    get = plain["paths"]["/pets/{id}"]["get"]
    assert get["security"] == [{"token": []}, {"key": []}] or get["security"] == [{"token": []}, {"api_key": []}]
    assert get["responses"]["200"]["schema"] == {"$ref": "#/definitions/Pet"}
    assert not any(name.startswith("x-") for name in (*plain, *get))
    export = gateway.get_export(
        restApiId=api_id, stageName="dev", exportType="oas30", parameters={"extensions": "integrations,postman"}
    )
    oas = json.loads(export["body"].read())
    assert oas["servers"][0]["variables"] == {"basePath": {"default": "dev"}}
    post = oas["paths"]["/pets"]["post"]
    assert post["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Pet"}
    assert post["x-amazon-apigateway-integration"]["type"] == "mock"
    with pytest.raises(ClientError) as raised:
        gateway.get_export(restApiId=api_id, stageName="none", exportType="oas30")
    assert raised.value.response["Error"]["Code"] == "NotFoundException"
