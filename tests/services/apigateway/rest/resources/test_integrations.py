from collections.abc import Callable
from typing import Any

import pytest

Refuse = Callable[..., tuple[str, str]]

LAMBDA = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f/invocations"
)


@pytest.fixture
def at(gateway: Any, rest_api: Any) -> dict[str, str]:
    place = {"restApiId": rest_api["id"], "resourceId": rest_api["rootResourceId"], "httpMethod": "GET"}
    gateway.put_method(**place, authorizationType="NONE", requestParameters={"method.request.querystring.q": False})
    gateway.put_method_response(**place, statusCode="200", responseParameters={"method.response.header.a": False})
    return place


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "HTTP", "uri": "http://example.com"},
        {"type": "HTTP", "uri": "ftp://example.com", "integrationHttpMethod": "GET"},
        {"type": "HTTP", "uri": "http://example.com", "integrationHttpMethod": "FETCH"},
        {"type": "AWS_PROXY", "uri": "arn:aws:apigateway:us-east-1:s3:path/b/k", "integrationHttpMethod": "POST"},
        {"type": "AWS", "uri": "arn:aws:apigateway:us-east-1:sqs:path/1/q", "integrationHttpMethod": "POST"},
        {"type": "AWS", "uri": "arn:aws:lambda:us-east-1:1:function:f", "integrationHttpMethod": "POST"},
        {"type": "MOCK", "timeoutInMillis": 49},
        {"type": "MOCK", "timeoutInMillis": 29001},
        {"type": "MOCK", "requestTemplates": {"json": "{}"}},
        {"type": "MOCK", "requestParameters": {"integration.request.header.a": "whatever"}},
        {"type": "MOCK", "requestParameters": {"header.a": "'a'"}},
        {
            "type": "MOCK",
            "requestParameters": {"integration.request.header.a": "method.request.querystring.undeclared"},
        },
    ],
)
def test_wrong_integrations_are_refused(
    gateway: Any, at: dict[str, str], refused: Refuse, wrong: dict[str, Any]
) -> None:
    assert refused(gateway.put_integration, **at, **wrong)[0] == "BadRequestException"
    assert "methodIntegration" not in gateway.get_method(**at)


def test_parameters_come_from_where_aws_says(gateway: Any, at: dict[str, str]) -> None:
    parameters = {
        "integration.request.header.a": "'fixed, with a comma'",
        "integration.request.header.b": "context.requestId",
        "integration.request.querystring.c": "method.request.querystring.q",
        "integration.request.querystring.d": "method.request.multivaluequerystring.q",
        "integration.request.path.e": "stageVariables.e",
        "integration.request.header.f": "method.request.body.name",
        "integration.request.header.g": "method.request.body",
    }
    made = gateway.put_integration(
        **at, type="HTTP", uri="http://example.com/{e}", integrationHttpMethod="POST", requestParameters=parameters
    )
    assert made["requestParameters"] == parameters
    assert made["connectionType"] == "INTERNET"


def test_an_integration_put_again_begins_anew(gateway: Any, at: dict[str, str]) -> None:
    gateway.put_integration(**at, type="AWS_PROXY", uri=LAMBDA, integrationHttpMethod="POST")
    gateway.put_integration_response(**at, statusCode="200")
    gateway.put_integration(**at, type="MOCK", uri="http://left.out")
    now = gateway.get_integration(**at)
    assert {"integrationResponses", "uri", "httpMethod"}.isdisjoint(now)


def test_patches(gateway: Any, at: dict[str, str], refused: Refuse) -> None:
    gateway.put_integration(**at, type="HTTP_PROXY", uri="http://a.example", integrationHttpMethod="GET")
    changed = gateway.update_integration(
        **at,
        patchOperations=[
            {"op": "replace", "path": "/uri", "value": "https://b.example"},
            {"op": "add", "path": "/requestTemplates/application~1json", "value": "$input.body"},
            {"op": "add", "path": "/cacheKeyParameters/method.request.querystring.q"},
            {"op": "replace", "path": "/tlsConfig/insecureSkipVerification", "value": "true"},
            {"op": "replace", "path": "/timeoutInMillis", "value": "1000"},
        ],
    )
    assert changed["uri"] == "https://b.example"
    assert changed["requestTemplates"] == {"application/json": "$input.body"}
    assert changed["cacheKeyParameters"] == ["method.request.querystring.q"]
    assert changed["tlsConfig"] == {"insecureSkipVerification": True}
    assert changed["timeoutInMillis"] == 1000
    wrong = [{"op": "replace", "path": "/uri", "value": "nowhere"}]
    assert refused(gateway.update_integration, **at, patchOperations=wrong)[0] == "BadRequestException"
    assert gateway.get_integration(**at)["uri"] == "https://b.example"


def test_response_headers_must_be_declared(gateway: Any, at: dict[str, str], refused: Refuse) -> None:
    gateway.put_integration(**at, type="MOCK")
    good = {"method.response.header.a": "integration.response.header.b"}
    gateway.put_integration_response(**at, statusCode="200", responseParameters=good)
    for wrong in (
        {"method.response.header.other": "'x'"},
        {"method.response.header.a": "method.request.header.b"},
        {"header.a": "'x'"},
    ):
        code, _ = refused(gateway.put_integration_response, **at, statusCode="200", responseParameters=wrong)
        assert code == "BadRequestException"
    assert gateway.get_integration_response(**at, statusCode="200")["responseParameters"] == good


def test_an_empty_template_is_shown_as_null(gateway: Any, at: dict[str, str]) -> None:
    gateway.put_integration(**at, type="MOCK")
    gateway.put_integration_response(**at, statusCode="200", responseTemplates={"application/json": ""})
    shown = gateway.get_integration_response(**at, statusCode="200")
    assert shown["responseTemplates"] == {"application/json": None}


def test_a_parameter_that_is_declared_in_another_place(gateway: Any) -> None:
    """As AWS was recorded to take it."""
    api = gateway.create_rest_api(name="pets")
    place = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    gateway.put_method(**place, authorizationType="NONE", requestParameters={"method.request.path.param1": False})
    parameters = {"integration.request.querystring.param1": "method.request.querystring.param1"}
    made = gateway.put_integration(**place, type="MOCK", requestParameters=parameters)
    assert made["requestParameters"] == parameters
