"""HTTP and WebSocket APIs by their operations: what they are made of, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]


@pytest.fixture
def v2(client: Client) -> Any:
    return client("apigatewayv2")


def _refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_an_http_api_has_awss_defaults(v2: Any) -> None:
    made = v2.create_api(Name="shop", ProtocolType="HTTP", Tags={"team": "a"})
    assert len(made["ApiId"]) == 10
    assert made["ApiEndpoint"].startswith(f"http://{made['ApiId']}.execute-api.us-east-1.localhost:")
    assert made["ApiKeySelectionExpression"] == "$request.header.x-api-key"
    assert made["RouteSelectionExpression"] == "$request.method $request.path"
    assert made["DisableExecuteApiEndpoint"] is False
    assert made["Tags"] == {"team": "a"}
    got = v2.get_api(ApiId=made["ApiId"])
    made.pop("ResponseMetadata")
    got.pop("ResponseMetadata")
    assert got == made
    assert [one["ApiId"] for one in v2.get_apis()["Items"]] == [made["ApiId"]]


def test_a_websocket_api_needs_a_selection_expression(v2: Any) -> None:
    code, message = _refused(v2.create_api, Name="chat", ProtocolType="WEBSOCKET")
    assert (code, "Route selection expression" in message) == ("BadRequestException", True)
    made = v2.create_api(Name="chat", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    assert made["ApiEndpoint"].startswith("ws://")


def test_an_api_is_updated_and_deleted(v2: Any, account: str) -> None:
    id = v2.create_api(Name="a", ProtocolType="HTTP", Description="old")["ApiId"]
    updated = v2.update_api(ApiId=id, Name="b", Description="", CorsConfiguration={"AllowOrigins": ["*"]})
    assert updated["Name"] == "b"
    assert "Description" not in updated
    assert updated["CorsConfiguration"]["AllowOrigins"] == ["*"]
    v2.delete_cors_configuration(ApiId=id)
    assert "CorsConfiguration" not in v2.get_api(ApiId=id)
    v2.delete_api(ApiId=id)
    assert _refused(v2.get_api, ApiId=id) == (
        "NotFoundException",
        f"Invalid API identifier specified {account}:{id}",
    )


def test_another_account_does_not_see_an_api(v2: Any, client: Client) -> None:
    id = v2.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    assert _refused(client("apigatewayv2", account="999999999999").get_api, ApiId=id)[0] == "NotFoundException"
    assert _refused(client("apigatewayv2", region="eu-west-1").get_api, ApiId=id)[0] == "NotFoundException"


def test_quick_create_makes_what_an_api_needs(v2: Any) -> None:
    id = v2.create_api(Name="quick", ProtocolType="HTTP", Target="https://example.com/x")["ApiId"]
    route = v2.get_routes(ApiId=id)["Items"][0]
    integration = v2.get_integrations(ApiId=id)["Items"][0]
    stage = v2.get_stage(ApiId=id, StageName="$default")
    assert route["RouteKey"] == "$default"
    assert route["ApiGatewayManaged"] is True
    assert route["Target"] == f"integrations/{integration['IntegrationId']}"
    assert (integration["IntegrationType"], integration["IntegrationMethod"]) == ("HTTP_PROXY", "ANY")
    assert stage["AutoDeploy"] is True
    assert stage["LastDeploymentStatusMessage"].startswith("Successfully deployed stage with deployment ID")
    v2.update_api(ApiId=id, Target="https://example.org/", RouteKey="GET /pets")
    assert v2.get_routes(ApiId=id)["Items"][0]["RouteKey"] == "GET /pets"
    assert v2.get_integrations(ApiId=id)["Items"][0]["IntegrationUri"] == "https://example.org/"


@pytest.mark.parametrize(
    "key", ["GET pets", "FETCH /pets", "/pets", "GET /{a}/{a}", "GET /{a+}/b", "GET /x{a}", "GET  /a b", "$other"]
)
def test_route_keys_that_are_none_are_refused(v2: Any, key: str) -> None:
    id = v2.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    assert _refused(v2.create_route, ApiId=id, RouteKey=key)[0] == "BadRequestException"
    assert v2.get_routes(ApiId=id)["Items"] == []


def test_routes_live(v2: Any) -> None:
    id = v2.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    integration = v2.create_integration(
        ApiId=id, IntegrationType="HTTP_PROXY", IntegrationMethod="GET", IntegrationUri="https://example.com"
    )
    assert integration["TimeoutInMillis"] == 30000
    assert integration["PayloadFormatVersion"] == "1.0"
    target = f"integrations/{integration['IntegrationId']}"
    route = v2.create_route(ApiId=id, RouteKey="GET /pets/{id}", Target=target)
    assert (route["AuthorizationType"], route["ApiKeyRequired"], len(route["RouteId"])) == ("NONE", False, 7)
    assert _refused(v2.create_route, ApiId=id, RouteKey="GET /pets/{id}") == (
        "ConflictException",
        "Route with key GET /pets/{id} already exists for this API",
    )
    assert _refused(v2.delete_integration, ApiId=id, IntegrationId=integration["IntegrationId"]) == (
        "ConflictException",
        f"Cannot delete Integration because it is referenced by the following Routes with Ids: [{route['RouteId']}]",
    )
    assert _refused(v2.create_route, ApiId=id, RouteKey="GET /b", Target="integrations/zzz")[0] == "NotFoundException"
    v2.update_route(ApiId=id, RouteId=route["RouteId"], OperationName="getPet")
    assert v2.get_route(ApiId=id, RouteId=route["RouteId"])["OperationName"] == "getPet"
    v2.delete_route(ApiId=id, RouteId=route["RouteId"])
    v2.delete_integration(ApiId=id, IntegrationId=integration["IntegrationId"])
    assert v2.get_integrations(ApiId=id)["Items"] == []


def test_authorizers_live(v2: Any) -> None:
    id = v2.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    jwt = v2.create_authorizer(
        ApiId=id,
        Name="jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": "https://issuer.example.com", "Audience": ["me"]},
    )
    asked = {"ApiId": id, "RouteKey": "GET /a", "AuthorizationType": "JWT"}
    assert _refused(v2.create_route, **asked)[1] == (
        "Invalid authorizer ID specified. Setting the authorization type to JWT requires a valid JWT authorizer."
    )
    route = v2.create_route(**asked, AuthorizerId=jwt["AuthorizerId"], AuthorizationScopes=["read"])
    assert _refused(v2.delete_authorizer, ApiId=id, AuthorizerId=jwt["AuthorizerId"])[0] == "ConflictException"
    v2.update_route(ApiId=id, RouteId=route["RouteId"], AuthorizationType="NONE", AuthorizationScopes=[])
    assert "AuthorizerId" not in v2.get_route(ApiId=id, RouteId=route["RouteId"])
    v2.delete_authorizer(ApiId=id, AuthorizerId=jwt["AuthorizerId"])
    assert v2.get_authorizers(ApiId=id)["Items"] == []


def test_deployments_freeze_and_stages_deploy_by_themselves(v2: Any) -> None:
    id = v2.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    assert _refused(v2.create_deployment, ApiId=id)[1] == "Unable to deploy API because no routes exist in this API"
    v2.create_route(ApiId=id, RouteKey="$default")
    deployment = v2.create_deployment(ApiId=id, Description="first")
    assert (deployment["AutoDeployed"], deployment["DeploymentStatus"]) == (False, "DEPLOYED")
    stage = v2.create_stage(ApiId=id, StageName="prod", DeploymentId=deployment["DeploymentId"])
    assert stage["StageVariables"] == {}
    assert stage["DefaultRouteSettings"] == {"DetailedMetricsEnabled": False}
    assert _refused(v2.create_stage, ApiId=id, StageName="prod") == ("ConflictException", "Stage already exists")
    assert _refused(v2.delete_deployment, ApiId=id, DeploymentId=deployment["DeploymentId"])[0] == "BadRequestException"
    v2.create_stage(ApiId=id, StageName="$default", AutoDeploy=True)
    before = v2.get_stage(ApiId=id, StageName="$default")["DeploymentId"]
    v2.create_route(ApiId=id, RouteKey="GET /new")
    after = v2.get_stage(ApiId=id, StageName="$default")["DeploymentId"]
    assert before != after
    assert v2.get_stage(ApiId=id, StageName="prod")["DeploymentId"] == deployment["DeploymentId"]
    for _ in range(15):
        v2.update_api(ApiId=id, Description="again")
    assert len(v2.get_deployments(ApiId=id)["Items"]) <= 12


def test_stage_settings_are_merged_and_taken_away(v2: Any) -> None:
    id = v2.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    v2.create_route(ApiId=id, RouteKey="GET /a")
    v2.create_stage(ApiId=id, StageName="s", StageVariables={"a": "1", "b": "2"})
    stage = v2.update_stage(
        ApiId=id,
        StageName="s",
        StageVariables={"a": "", "c": "3"},
        RouteSettings={"GET /a": {"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 2.5}},
        AccessLogSettings={
            "DestinationArn": "arn:aws:logs:us-east-1:111111111111:log-group:x",
            "Format": "$context.requestId",
        },
    )
    assert stage["StageVariables"] == {"b": "2", "c": "3"}
    assert stage["RouteSettings"]["GET /a"]["ThrottlingRateLimit"] == 2.5
    unknown = _refused(v2.update_stage, ApiId=id, StageName="s", RouteSettings={"GET /b": {"ThrottlingBurstLimit": 1}})
    assert unknown == ("NotFoundException", "Unable to find Route by key GET /b within the provided RouteSettings")
    v2.delete_route_settings(ApiId=id, StageName="s", RouteKey="GET /a")
    v2.delete_access_log_settings(ApiId=id, StageName="s")
    stage = v2.get_stage(ApiId=id, StageName="s")
    assert stage["RouteSettings"] == {}
    assert "AccessLogSettings" not in stage


def test_pages(v2: Any) -> None:
    id = v2.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    made = {v2.create_route(ApiId=id, RouteKey=f"GET /{n}")["RouteId"] for n in range(5)}
    found, token = [], None
    while True:
        page = v2.get_routes(ApiId=id, MaxResults="2", **({"NextToken": token} if token else {}))
        assert len(page["Items"]) <= 2
        found += [route["RouteId"] for route in page["Items"]]
        token = page.get("NextToken")
        if token is None:
            break
    assert sorted(found) == sorted(made)
    assert _refused(v2.get_routes, ApiId=id, NextToken="%%%")[0] == "BadRequestException"
    assert _refused(v2.get_routes, ApiId=id, MaxResults="many")[0] == "BadRequestException"


def test_websocket_parts_live(v2: Any) -> None:
    id = v2.create_api(Name="c", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")["ApiId"]
    integration = v2.create_integration(
        ApiId=id,
        IntegrationType="MOCK",
        RequestTemplates={"200": '{"statusCode":200}'},
        TemplateSelectionExpression="200",
    )
    assert integration["IntegrationResponseSelectionExpression"] == "${integration.response.statuscode}"
    assert integration["TimeoutInMillis"] == 29000
    response = v2.create_integration_response(
        ApiId=id, IntegrationId=integration["IntegrationId"], IntegrationResponseKey="$default"
    )
    route = v2.create_route(
        ApiId=id,
        RouteKey="ping",
        Target=f"integrations/{integration['IntegrationId']}",
        RouteResponseSelectionExpression="$default",
        RequestParameters={"route.request.header.x": {"Required": True}},
    )
    answer = v2.create_route_response(ApiId=id, RouteId=route["RouteId"], RouteResponseKey="$default")
    assert (
        v2.get_route_responses(ApiId=id, RouteId=route["RouteId"])["Items"][0]["RouteResponseId"]
        == answer["RouteResponseId"]
    )
    listed = v2.get_integration_responses(ApiId=id, IntegrationId=integration["IntegrationId"])["Items"]
    assert listed[0]["IntegrationResponseId"] == response["IntegrationResponseId"]
    v2.delete_route_request_parameter(ApiId=id, RouteId=route["RouteId"], RequestParameterKey="route.request.header.x")
    assert not v2.get_route(ApiId=id, RouteId=route["RouteId"]).get("RequestParameters")
    model = v2.create_model(ApiId=id, Name="Pet", Schema='{"type":"object","properties":{"n":{"type":"string"}}}')
    assert "$inputRoot.n" in v2.get_model_template(ApiId=id, ModelId=model["ModelId"])["Value"]
    v2.update_model(ApiId=id, ModelId=model["ModelId"], Description="a pet")
    assert v2.get_models(ApiId=id)["Items"][0]["Description"] == "a pet"
    v2.delete_model(ApiId=id, ModelId=model["ModelId"])
    v2.delete_route(ApiId=id, RouteId=route["RouteId"])
    assert (
        _refused(v2.get_route_response, ApiId=id, RouteId=route["RouteId"], RouteResponseId=answer["RouteResponseId"])[
            0
        ]
        == "NotFoundException"
    )


def test_vpc_links_and_tags(v2: Any) -> None:
    link = v2.create_vpc_link(Name="l", SubnetIds=["subnet-1"], Tags={"a": "1"})
    assert (link["VpcLinkStatus"], link["VpcLinkVersion"]) == ("PENDING", "V2")
    assert v2.get_vpc_link(VpcLinkId=link["VpcLinkId"])["VpcLinkStatus"] == "AVAILABLE"
    arn = f"arn:aws:apigateway:us-east-1::/vpclinks/{link['VpcLinkId']}"
    v2.tag_resource(ResourceArn=arn, Tags={"b": "2"})
    v2.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert v2.get_tags(ResourceArn=arn)["Tags"] == {"b": "2"}
    v2.update_vpc_link(VpcLinkId=link["VpcLinkId"], Name="m")
    v2.delete_vpc_link(VpcLinkId=link["VpcLinkId"])
    assert v2.get_vpc_links()["Items"] == []


def test_an_id_may_be_chosen(v2: Any, account: str) -> None:
    name = f"shop-{account}"
    assert v2.create_api(Name="a", ProtocolType="HTTP", Tags={"_custom_id_": name})["ApiId"] == name
    assert _refused(v2.create_api, Name="b", ProtocolType="HTTP", Tags={"_custom_id_": name})[0] == "ConflictException"
    assert (
        _refused(v2.create_api, Name="b", ProtocolType="HTTP", Tags={"_custom_id_": "A_b"})[0] == "BadRequestException"
    )


def test_mappings_are_checked(v2: Any) -> None:
    id = v2.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    proxy = {
        "ApiId": id,
        "IntegrationType": "HTTP_PROXY",
        "IntegrationMethod": "GET",
        "IntegrationUri": "https://e.com",
    }
    for mapping in (
        {"append:cookie.x": "1"},
        {"overwrite:header.x": "$response.header.y"},
        {"append:header.authorization": "x"},
    ):
        assert _refused(v2.create_integration, **proxy, RequestParameters=mapping)[0] == "BadRequestException"
    answers: tuple[dict[str, dict[str, str]], ...] = (
        {"999": {}},
        {"200": {"overwrite:querystring.a": "1"}},
        {"200": {"overwrite:statuscode": "x"}},
    )
    for answer in answers:
        assert _refused(v2.create_integration, **proxy, ResponseParameters=answer)[0] == "BadRequestException"
    made = v2.create_integration(
        **proxy, RequestParameters={"append:header.a": "$context.requestId", "overwrite:path": "/x"}
    )
    after = v2.update_integration(
        ApiId=id, IntegrationId=made["IntegrationId"], RequestParameters={"overwrite:path": ""}
    )
    assert after["RequestParameters"] == {"append:header.a": "$context.requestId"}


def test_service_integrations_need_their_parameters(v2: Any) -> None:
    id = v2.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    asked = {
        "ApiId": id,
        "IntegrationType": "AWS_PROXY",
        "IntegrationSubtype": "SQS-SendMessage",
        "PayloadFormatVersion": "1.0",
        "CredentialsArn": "arn:aws:iam::111111111111:role/r",
    }
    assert _refused(v2.create_integration, **asked, RequestParameters={"QueueUrl": "x"})[0] == "BadRequestException"
    assert (
        _refused(v2.create_integration, **(asked | {"IntegrationSubtype": "SNS-Publish"}))[0] == "BadRequestException"
    )
    v2.create_integration(**asked, RequestParameters={"QueueUrl": "x", "MessageBody": "$request.body"})
