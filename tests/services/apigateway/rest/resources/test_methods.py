from collections.abc import Callable
from typing import Any

import pytest

Refuse = Callable[..., tuple[str, str]]


@pytest.fixture
def at(rest_api: Any) -> dict[str, str]:
    return {"restApiId": rest_api["id"], "resourceId": rest_api["rootResourceId"], "httpMethod": "GET"}


def test_a_methods_life(gateway: Any, at: dict[str, str], refused: Refuse) -> None:
    made = gateway.put_method(**at, authorizationType="NONE", requestParameters={"method.request.header.a": True})
    assert made["apiKeyRequired"] is False
    assert refused(gateway.put_method, **at, authorizationType="NONE")[0] == "ConflictException"
    gateway.update_method(
        **at,
        patchOperations=[
            {"op": "replace", "path": "/apiKeyRequired", "value": "true"},
            {"op": "add", "path": "/requestModels/application~1json", "value": "Empty"},
            {"op": "remove", "path": "/requestParameters/method.request.header.a"},
        ],
    )
    now = gateway.get_method(**at)
    assert now["apiKeyRequired"] is True
    assert now["requestModels"] == {"application/json": "Empty"}
    assert "requestParameters" not in now
    gateway.delete_method(**at)
    assert refused(gateway.get_method, **at) == ("NotFoundException", "Invalid Method identifier specified")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"authorizationType": "MAYBE"}, "Invalid Authorization Type specified. Valid options are "),
        ({"authorizationType": "CUSTOM"}, "Invalid authorizer ID specified."),
        ({"requestValidatorId": "abc123"}, "Invalid Request Validator identifier specified"),
        ({"requestModels": {"application/json": "Nope"}}, "Invalid model identifier specified: Nope"),
        ({"requestParameters": {"method.response.header.a": True}}, "Invalid mapping expression specified: "),
        (
            {"requestParameters": {"method.request.header.a": True, "method.request.path.a": True}},
            "Parameter names must be unique across querystring, header and path",
        ),
    ],
)
def test_wrong_methods_are_refused(
    gateway: Any, at: dict[str, str], refused: Refuse, wrong: dict[str, Any], message: str
) -> None:
    code, said = refused(gateway.put_method, **({**at, "authorizationType": "NONE"} | wrong))
    assert code == "BadRequestException"
    assert said.startswith(message)
    assert refused(gateway.get_method, **at)[0] == "NotFoundException"


def test_an_authorizer_in_use_stays(gateway: Any, at: dict[str, str], refused: Refuse) -> None:
    uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f/invocations"
    authorizer = gateway.create_authorizer(restApiId=at["restApiId"], name="a", type="TOKEN", authorizerUri=uri)
    assert authorizer["authorizerResultTtlInSeconds"] == 300
    assert authorizer["identitySource"] == "method.request.header.Authorization"
    gateway.put_method(**at, authorizationType="CUSTOM", authorizerId=authorizer["id"])
    named = {"restApiId": at["restApiId"], "authorizerId": authorizer["id"]}
    assert refused(gateway.delete_authorizer, **named)[0] == "ConflictException"
    gateway.update_method(**at, patchOperations=[{"op": "replace", "path": "/authorizationType", "value": "NONE"}])
    assert "authorizerId" not in gateway.get_method(**at)
    gateway.delete_authorizer(**named)
    assert gateway.get_authorizers(restApiId=at["restApiId"])["items"] == []


def test_authorizers_are_checked(gateway: Any, at: dict[str, str], refused: Refuse) -> None:
    for wrong in (
        {"type": "TOKEN"},
        {"type": "TOKEN", "authorizerUri": "arn:aws:lambda:us-east-1:1:function:f"},
        {"type": "COGNITO_USER_POOLS"},
        {"type": "COGNITO_USER_POOLS", "providerARNs": ["arn"], "authorizerResultTtlInSeconds": 3601},
    ):
        assert (
            refused(gateway.create_authorizer, restApiId=at["restApiId"], name="a", **wrong)[0] == "BadRequestException"
        )


def test_method_responses(gateway: Any, at: dict[str, str], refused: Refuse) -> None:
    gateway.put_method(**at, authorizationType="NONE")
    gateway.put_method_response(**at, statusCode="200", responseParameters={"method.response.header.a": True})
    assert refused(gateway.put_method_response, **at, statusCode="200")[0] == "ConflictException"
    operations = [{"op": "remove", "path": "/responseParameters/method.response.header.b"}]
    assert refused(gateway.update_method_response, **at, statusCode="200", patchOperations=operations) == (
        "NotFoundException",
        "Invalid parameter name specified",
    )
    wrong = {"method.request.header.a": True}
    assert (
        refused(gateway.put_method_response, **at, statusCode="201", responseParameters=wrong)[0]
        == "BadRequestException"
    )
    gateway.delete_method_response(**at, statusCode="200")
    assert "methodResponses" not in gateway.get_method(**at)
