"""Whatever is asked of API Gateway, in whatever order, the answer is a result or an error of AWS: never the node's own failure."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cumulet.services.apigateway.rest import authorizers, patch
from cumulet.services.apigateway.rest.apis import rules as api_rules
from cumulet.services.apigateway.rest.domain_names import rules as domain_rules
from cumulet.services.apigateway.rest.keys import plan_rules
from cumulet.services.apigateway.rest.resources import integration_rules, methods

REQUESTS = 500
ODD = [
    "",
    "*",
    "arn:",
    "x\x00",
    "é",
    "\U0001f600",
    "{}",
    "null",
    "/",
    "../..",
    "%2e",
    "9" * 40,
    "a:b",
    "${a}",
    "\n",
    "[" * 5000,
]
RULES = (
    *(
        api_rules.RULES,
        authorizers._RULES,
        domain_rules.RULES,
        integration_rules.RULES,
        methods._RULES,
        plan_rules.RULES,
    ),
    integration_rules.RESPONSE_RULES,
)
PATHS = [
    *{path.replace(patch.EACH, name) for rules in RULES for path in rules.table for name in ("application~1json", "x")},
    *(
        "/*/*/caching/enabled",
        "/~1/GET/logging/loglevel",
        "/GET",
        "/*/*",
        "/variables/a",
        "/canarySettings/percentTraffic",
    ),
    *("/canarySettings", "/canarySettings/stageVariableOverrides/a", "/accessLogSettings", "/accessLogSettings/format"),
    *(
        "/statusCode",
        "/properties",
        "/schema",
        "/pathPart",
        "/parentId",
        "/remaining",
        "/deploymentId",
        "/stage",
        "/",
        "//",
    ),
    *(
        "/cacheClusterSize",
        "/tracingEnabled",
        "/validateRequestBody",
        "/cloudwatchRoleArn",
        "/features",
        "x",
        "/apiStages/a/throttle",
    ),
]
VALUES = [
    "true",
    "1",
    "-1",
    "0.5",
    "x",
    "{}",
    "10000000000",
    "nan",
    "EDGE",
    "PRIVATE",
    "dev",
    "a:dev",
    "MOCK",
    "CUSTOM",
    "Empty",
]
BODIES = [
    b"", b"{", b"[]", b"null", b"\xff", b"a: [", b"name,key\nx,aaaaaaaaaaaaaaaaaaaaaaaa\n",
    b'{"swagger": "2.0", "info": {"title": "t"}, "paths": {"/a": {"get": {"responses": {"200": {"description": ""}}}}}}',
    b'{"openapi": "3.0.1", "info": {"title": 5}, "paths": {"/{a}/{b+}": {"get": [], "x": null}}}',
    b'{"swagger": "2.0", "paths": {"/a": null, "b": {"get": {"parameters": [{"in": "body"}], "responses": 5}}}}',
]  # fmt: skip
Dice = random.Random


class Requests:
    """Requests made from the service's model, with ids of what is there."""

    def __init__(self, known: dict[str, list[Any]], dice: Dice) -> None:
        self._known = known
        self._dice = dice

    def structure(self, shape: Any, depth: int = 0) -> dict[str, Any]:
        chance = 0.3 if depth else 0.4
        return {
            name: self._value(member, name, depth + 1)
            for name, member in shape.members.items()
            if self._dice.random() < (0.98 if name in shape.required_members or name == "patchOperations" else chance)
        }

    def _value(self, shape: Any, name: str, depth: int) -> Any:
        dice = self._dice
        kind = shape.type_name
        if name in self._known and dice.random() < 0.95:
            return dice.choice(self._known[name])
        if shape.name == "PatchOperation":
            path = dice.choice(PATHS)
            op = dice.choice(["add", "remove", "replace", "replace", "replace", "copy", "move", "test"])
            return {"op": op, "path": path, "value": dice.choice([*VALUES, *ODD]), "from": dice.choice(PATHS)}
        if kind == "structure":
            return self.structure(shape, depth) if depth < 6 else {}
        if kind == "list":
            return [self._value(shape.member, name, depth + 1) for _ in range(dice.choice([0, 1, 1, 2]))]
        if kind == "map":
            keys = ["application/json", "a", "method.request.header.a", "integration.request.header.a", "200", *ODD[:4]]
            return {
                dice.choice(keys): self._value(shape.value, "value", depth + 1) for _ in range(dice.choice([0, 1, 2]))
            }
        if kind == "blob":
            return dice.choice(BODIES)
        if kind == "string":
            if shape.enum and dice.random() < 0.95:
                return dice.choice(shape.enum)
            return dice.choice([*VALUES, *ODD, "'x'", "method.request.header.a", "http://example.com", "2026-01-01"])
        simple: dict[str, list[Any]] = {"boolean": [True, False], "integer": [0, 1, 300, -1, 2**31 - 1, 2**40]}
        return dice.choice(simple.get(kind, [0.0, 0.5, 2.0, -1.0, 1e300]))


@pytest.fixture
def known(gateway: Any, deployed: Any, account: str) -> dict[str, list[Any]]:
    """Values of members by their names; most are of things that are there."""
    id, root = deployed["id"], deployed["rootResourceId"]
    child = gateway.create_resource(restApiId=id, parentId=root, pathPart="pets")["id"]
    deployment = gateway.get_deployments(restApiId=id)["items"][0]["id"]
    uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f/invocations"
    authorizer = gateway.create_authorizer(restApiId=id, name="a", type="TOKEN", authorizerUri=uri)["id"]
    plan = gateway.create_usage_plan(name="p", quota={"limit": 5, "period": "DAY"})["id"]
    key = gateway.create_api_key(name="k")["id"]
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    gateway.create_domain_name(domainName=f"any{account}.example.com")
    arns = [
        f"arn:aws:apigateway:us-east-1::/{path}"
        for path in (f"restapis/{id}", f"restapis/{id}/stages/dev", f"apikeys/{key}")
    ]
    return {
        "restApiId": [id],
        "resourceId": [root, child],
        "parentId": [root, child],
        "httpMethod": ["GET", "ANY", "PUT"],
        "statusCode": ["200", "404"],
        "stageName": ["dev", "new"],
        "deploymentId": [deployment, "gone"],
        "authorizerId": [authorizer, "gone"],
        "modelName": ["Empty", "Pet"],
        "pathPart": ["a", "{b}", "{c+}", "pets"],
        "usagePlanId": [plan],
        "keyId": [key],
        "apiKey": [key],
        "domainName": [f"any{account}.example.com", f"other{account}.example.com"],
        "basePath": ["(none)", "v1"],
        "resourceArn": [*arns, "arn:aws:apigateway:us-east-1::/vpclinks/x"],
        "uri": [uri, "http://example.com"],
        "position": ["", "*", "YQ=="],
        "limit": [0, 1, 500, -1, 10**6],
        "startDate": ["2026-01-01"],
        "endDate": ["2026-01-02"],
        "exportType": ["oas30", "swagger"],
    }


@pytest.mark.parametrize("seed", range(3))
def test_a_result_or_an_aws_error(client: Callable[..., Any], known: dict[str, list[Any]], seed: int) -> None:
    dice = random.Random(seed)
    settings = Config(parameter_validation=False, retries={"total_max_attempts": 1}, read_timeout=60)
    gateway = client("apigateway", config=settings)
    requests = Requests(known, dice)
    operations = sorted(
        set(gateway.meta.service_model.operation_names) - {"DeleteRestApi", "TestInvokeMethod", "GetSdk"}
    )
    failed, succeeded = [], 0
    for _ in range(REQUESTS):
        operation = dice.choice(operations)
        request = requests.structure(gateway.meta.service_model.operation_model(operation).input_shape)
        try:
            gateway._make_api_call(operation, request)
        except ClientError as error:
            code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            said = error.response["Error"].get("Message")
            if not code or not said or (status >= 500 and code != "NotImplemented"):
                failed.append((operation, code, request))
        except (BotoCoreError, TypeError, ValueError, AttributeError, LookupError):
            continue  # botocore could not send it
        else:
            succeeded += 1
    assert failed == []
    assert succeeded > REQUESTS // 20
