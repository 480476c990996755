"""APIs of API Gateway as tasks."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.stepfunctions.engine.conftest import Workflows

Client = Callable[..., Any]
Task = Callable[..., dict[str, Any]]
ECHO = """
import json

def handler(event, context):
    identity = event["requestContext"].get("identity", {}).get("userArn")
    told = {"method": event["httpMethod"], "path": event["path"], "query": event["multiValueQueryStringParameters"],
            "mine": event["multiValueHeaders"].get("mine"), "body": event["body"], "who": identity}
    return {"statusCode": int(event["path"].rpartition("/")[2]), "body": json.dumps(told)}
"""


@pytest.fixture
def api(client: Client, function: Callable[..., str]) -> Callable[[str], str]:
    """`api(authorization)` makes a REST API that a function answers, and gives its host."""
    gateway, arn = client("apigateway"), function("echo", ECHO)

    def make(authorization: str) -> str:
        id = gateway.create_rest_api(name="echo")["id"]
        root = gateway.get_resources(restApiId=id)["items"][0]["id"]
        resource = gateway.create_resource(restApiId=id, parentId=root, pathPart="{proxy+}")["id"]
        place = {"restApiId": id, "resourceId": resource, "httpMethod": "ANY"}
        gateway.put_method(**place, authorizationType=authorization)
        uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
        gateway.put_integration(**place, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        gateway.create_deployment(restApiId=id, stageName="live")
        return f"{id}.execute-api.us-east-1.amazonaws.com"

    return make


def invoke(workflows: Workflows, task: Task, host: str, path: str, **parameters: Any) -> dict[str, Any]:
    given = {"ApiEndpoint": host, "Method": "POST", "Stage": "live", "Path": path, **parameters}
    return workflows.run(task("apigateway:invoke", given))


def test_an_api_of_the_node(workflows: Workflows, task: Task, api: Callable[[str], str]) -> None:
    ended = invoke(
        workflows,
        task,
        api("NONE"),
        "orders/201",
        QueryParameters={"q": ["a b", "c"]},
        Headers={"mine": ["1"]},
        RequestBody={"n": 1},
    )
    output = json.loads(ended["output"])
    assert (output["StatusCode"], output["StatusText"]) == (201, "Created")
    told = output["ResponseBody"]
    assert (told["method"], told["path"]) == ("POST", "/orders/201")
    assert (told["query"], told["mine"], json.loads(told["body"])) == ({"q": ["a b", "c"]}, ["1"], {"n": 1})
    assert output["Headers"]["Content-Type"] == ["application/json"]


def test_an_answer_of_failure_fails_the_task(workflows: Workflows, task: Task, api: Callable[[str], str]) -> None:
    ended = invoke(workflows, task, api("NONE"), "orders/404")
    assert (ended["error"], json.loads(ended["cause"])["path"]) == ("ApiGateway.404", "/orders/404")


def test_a_call_may_be_signed_by_the_role(workflows: Workflows, task: Task, api: Callable[[str], str]) -> None:
    host = api("AWS_IAM")
    assert invoke(workflows, task, host, "orders/200")["error"] == "ApiGateway.403"
    signed = invoke(workflows, task, host, "orders/200", AuthType="IAM_ROLE")
    assert ":assumed-role/" in json.loads(signed["output"])["ResponseBody"]["who"]


@pytest.mark.parametrize("parameters", [{"Headers": {"mine": "1"}}, {"Headers": {"Host": ["x"]}}, {"Method": "POUR"}])
def test_parameters_that_no_call_can_have(workflows: Workflows, task: Task, parameters: dict[str, Any]) -> None:
    ended = invoke(workflows, task, "x.execute-api.us-east-1.amazonaws.com", "p", **parameters)
    assert ended["error"] == "States.Runtime"
    assert f"[The value of the field '{next(iter(parameters))}' has an invalid format]" in ended["cause"]
