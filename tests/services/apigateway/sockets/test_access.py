"""Who may talk to a WebSocket API, and how much: authorizers, signatures, keys and their plans, limits of routes."""

import json
from collections.abc import Callable
from typing import Any

from tests.services.apigateway.sockets.conftest import Chat


def test_a_function_decides_who_connects(chat: Chat) -> None:
    source = (
        "def handler(event, context):\n"
        "    assert event['type'] == 'REQUEST' and event['methodArn'].endswith('/dev/$connect')\n"
        "    token = event['headers']['Token']\n"
        "    if token == 'nobody': raise Exception('Unauthorized')\n"
        "    effect = 'Allow' if token == 'ann' else 'Deny'\n"
        "    return {'principalId': token, 'context': {'level': 3}, 'policyDocument': {'Version': '2012-10-17', 'Statement': [\n"
        "        {'Effect': effect, 'Action': 'execute-api:Invoke', 'Resource': event['methodArn']}]}}\n"
    )
    arn = chat.function("decides", source)
    made = chat.v2.create_authorizer(
        ApiId=chat.id,
        Name="decides",
        AuthorizerType="REQUEST",
        AuthorizerUri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
        IdentitySource=["route.request.header.Token"],
    )
    chat.route("$connect", AuthorizationType="CUSTOM", AuthorizerId=made["AuthorizerId"])
    chat.echo()
    chat.stage()
    with chat.connect(additional_headers={"Token": "ann"}) as client:
        client.send("x")
        told = json.loads(client.recv(60))["requestContext"]["authorizer"]
        assert told == {"principalId": "ann", "level": 3}
    assert chat.refused(403, additional_headers={"Token": "bob"})["message"] == "Forbidden"
    assert chat.refused(401, additional_headers={"Token": "nobody"})["message"] == "Unauthorized"
    assert chat.refused(401)["message"] == "Unauthorized"


def test_signed_handshakes(chat: Chat, account: str) -> None:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    chat.route("$connect", AuthorizationType="AWS_IAM")
    chat.echo()
    chat.stage()
    assert chat.refused(403)["message"] == "Missing Authentication Token"
    request = AWSRequest("GET", f"http://{chat.host}/dev")
    SigV4Auth(Credentials(account, "test"), "execute-api", "us-east-1").add_auth(request)
    with chat.connect(additional_headers=dict(request.headers.items())) as client:
        client.send("x")
        assert json.loads(client.recv(60))["requestContext"]["identity"]["userArn"] == f"arn:aws:iam::{account}:root"


def test_routes_have_limits(chat: Chat) -> None:
    target = chat.integrate("MOCK", "ok", RequestTemplates={"$default": '{"statusCode": 200}'})
    chat.route("$default", target, answers=True)
    chat.stage(DefaultRouteSettings={"ThrottlingBurstLimit": 2, "ThrottlingRateLimit": 0.001})
    with chat.connect() as client:
        told = []
        for _ in range(3):
            client.send("x")
            told.append(client.recv(60))
    assert told[:2] == ["ok", "ok"]
    assert json.loads(told[2])["message"] == "Too Many Requests"


def test_api_keys(chat: Chat, client: Callable[..., Any]) -> None:
    chat.route("$connect", ApiKeyRequired=True)
    chat.echo()
    chat.stage()
    rest = client("apigateway")
    key = rest.create_api_key(name="k", enabled=True)
    plan = rest.create_usage_plan(name="p", apiStages=[{"apiId": chat.id, "stage": "dev"}])
    assert chat.refused(403, additional_headers={"X-Api-Key": key["value"]})["message"] == "Forbidden"
    rest.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    assert chat.refused(403)["message"] == "Forbidden"
    with chat.connect(additional_headers={"X-Api-Key": key["value"]}) as connected:
        connected.send("x")
        assert json.loads(connected.recv(60))["body"] == "x"


def _keyed(chat: Chat, client: Callable[..., Any], **plan: Any) -> str:
    """The value of a key whose plan opens the API's stage, all of whose messages want it."""
    arn = chat.function(f"echo-{chat.id}", "def handler(event, context):\n    return {'body': 'here'}\n")
    chat.route("$default", chat.proxy(arn), answers=True, ApiKeyRequired=True)
    chat.stage()
    rest = client("apigateway")
    key = rest.create_api_key(name="k", enabled=True)
    made = rest.create_usage_plan(name="p", apiStages=[{"apiId": chat.id, "stage": "dev"}], **plan)
    rest.create_usage_plan_key(usagePlanId=made["id"], keyId=key["id"], keyType="API_KEY")
    return str(key["value"])


def test_quotas_of_keys(chat: Chat, client: Callable[..., Any]) -> None:
    key = _keyed(chat, client, quota={"limit": 2, "period": "MONTH"})
    with chat.connect(additional_headers={"X-Api-Key": key}) as connected:
        for _ in range(3):
            connected.send("x")
        said = sorted(str(connected.recv(60)) for _ in range(3))
        assert said[:2] == ["here", "here"] or said[1:] == ["here", "here"]
        (refused,) = [one for one in said if one != "here"]
        assert json.loads(refused)["message"] == "Limit Exceeded"


def test_throttles_of_keys(chat: Chat, client: Callable[..., Any]) -> None:
    key = _keyed(chat, client, throttle={"rateLimit": 0.001, "burstLimit": 1})
    with chat.connect(additional_headers={"X-Api-Key": key}) as connected:
        connected.send("x")
        assert connected.recv(60) == "here"
        connected.send("x")
        assert json.loads(connected.recv(60))["message"] == "Too Many Requests"
