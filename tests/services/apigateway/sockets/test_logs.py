"""Execution logs of WebSocket APIs: who may have them, what they tell at which level, and what they keep to themselves."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.apigateway.sockets.conftest import Chat
from websockets.exceptions import InvalidStatus

ECHO = "def handler(event, context):\n    return {'statusCode': 200, 'body': event.get('body') or 'hello'}\n"
OK = {"$default": '{"statusCode": 200}'}


def _allow(client: Callable[..., Any], account: str) -> None:
    """Give the account the role that logs are written with."""
    role = f"arn:aws:iam::{account}:role/logs"
    client("apigateway").update_account(
        patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}]
    )


def _lines(client: Callable[..., Any], chat: Chat, last: str) -> list[str]:
    """The log of the stage `dev`, as soon as a line has `last` in it."""
    logs = client("logs")
    lines: list[str] = []
    for _ in range(600):
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/apigateway/{chat.id}/dev")
            lines = [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            lines = []
        if any(last in line for line in lines):
            break
        time.sleep(0.1)
    return lines


def _of(lines: list[str], what: str) -> list[str]:
    """The lines of the request that one with `what` in it is of, without its id."""
    id = next(line for line in lines if what in line).partition(") ")[0]
    return [line.partition(") ")[2] for line in lines if line.startswith(f"{id}) ")]


def _refused(run: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        run(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_logs_need_the_accounts_role(chat: Chat, client: Callable[..., Any], account: str) -> None:
    chat.route("$default", chat.integrate("MOCK", RequestTemplates=OK))
    chat.stage(DefaultRouteSettings={"LoggingLevel": "OFF"})
    at: dict[str, Any] = {"ApiId": chat.id, "StageName": "dev"}
    no_role = "BadRequestException", "CloudWatch Logs role ARN must be set in account settings to enable logging"
    assert _refused(chat.v2.update_stage, **at, DefaultRouteSettings={"LoggingLevel": "ERROR"}) == no_role
    assert _refused(chat.v2.update_stage, **at, RouteSettings={"$default": {"LoggingLevel": "INFO"}}) == no_role
    refused = _refused(
        chat.v2.create_stage, ApiId=chat.id, StageName="b", DefaultRouteSettings={"LoggingLevel": "INFO"}
    )
    assert refused == no_role
    _allow(client, account)
    stage = chat.v2.update_stage(**at, DefaultRouteSettings={"LoggingLevel": "ERROR"})
    assert stage["DefaultRouteSettings"]["LoggingLevel"] == "ERROR"
    http = chat.v2.create_api(Name="http", ProtocolType="HTTP")["ApiId"]
    settings = {"LoggingLevel": "INFO"}
    unknown = _refused(chat.v2.create_stage, ApiId=http, StageName="a", DefaultRouteSettings=settings)
    assert unknown == ("BadRequestException", "Execution logs are not supported on protocolType HTTP")


def test_all_is_told_but_secrets(chat: Chat, client: Callable[..., Any], account: str) -> None:
    _allow(client, account)
    arn = chat.function(f"echo-{chat.id}", ECHO)
    chat.route("$connect", chat.proxy(arn))
    chat.route("$default", chat.proxy(arn), answers=True)
    chat.stage(DefaultRouteSettings={"LoggingLevel": "INFO", "DataTraceEnabled": True})
    with chat.connect(additional_headers={"Authorization": "Bearer opensesame"}, user_agent_header="me") as connected:
        connected.send("x" * 3000)
        assert connected.recv(60) == "x" * 3000
        connected.close(1000)
    lines = _lines(client, chat, "disconnected from API")
    connect = _of(lines, "[$connect]")
    id = connect[0].removeprefix("Extended Request Id: ")
    url = f"https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/{arn}/invocations"
    free = "route '$connect' does not require API Key. Request will not contribute to throttle or quota limits"
    assert connect[1:6] == [
        f"Verifying Usage Plan for request: {id}. API Key:  API Stage: {chat.id}/dev",
        f"API Key  authorized because {free}",
        f"Usage Plan check succeeded for API Key  and API Stage {chat.id}/dev",
        f"Starting execution for request: {id}",
        "WebSocket Request Route: [$connect]",
    ]
    assert connect[6].startswith("Client [UserAgent: me, SourceIp: ")
    assert connect[6].endswith(f"] is connecting to WebSocket API [{chat.id}].")
    assert connect[7] == f"Endpoint request URI: {url}"
    assert f"AWS Integration Endpoint RequestId : {id}" in connect
    assert connect[-2] == "Successfully completed execution"
    assert connect[-1].startswith("Client [Connection Id: ")
    assert connect[-1].endswith(f" connected to API [{chat.id}] successfully.")
    told = next(line for line in connect if line.startswith("Endpoint request body after transformations: "))
    assert '"Authorization":"*' in told
    assert not [line for line in lines if "opens" in line]
    message = _of(lines, "[$default]")
    said = next(line for line in message if "received message" in line)
    assert said.startswith(f"WebSocket API [{chat.id}] received message from client [")
    assert said.endswith(f"Message: [{'x' * 1024} [TRUNCATED]]")
    assert message[-1] == "Method completed with status: 200"
    assert _of(lines, "[$disconnect]")[-1].endswith(
        f"disconnected from API [{chat.id}]. Close reason: [1000: Connection Closed Normally]"
    )


def test_a_route_has_its_own_level(chat: Chat, client: Callable[..., Any], account: str) -> None:
    _allow(client, account)
    for key, template in {"fine": '{"statusCode": 200}', "bad": "nothing", "off": "nothing", "loud": "nothing"}.items():
        mock = chat.integrate("MOCK", answer=f'"{key}"', RequestTemplates={"$default": template})
        chat.route(key, mock, answers=True)
    chat.stage(
        DefaultRouteSettings={"LoggingLevel": "ERROR"},
        RouteSettings={"off": {"LoggingLevel": "OFF"}, "loud": {"LoggingLevel": "INFO"}},
    )
    with chat.connect() as connected:
        for key in ("fine", "off", "bad", "loud"):
            connected.send(f'{{"action": "{key}", "word": "hidden"}}')
            assert connected.recv(60)
        connected.send('{"action": "nowhere"}')
        assert "Forbidden" in str(connected.recv(60))
    lines = _lines(client, chat, "Forbidden")
    why = "Execution failed due to configuration error: Unable to parse statusCode of the mock integration"
    loud = _of(lines, "[loud]")
    assert why in loud
    assert loud[-1] == "Method completed with status: 500"
    rest = [line.partition(") ")[2] for line in lines if line.partition(") ")[2] not in loud or why in line]
    assert rest.count(why) == 2
    assert [line for line in rest if line != why] == ["Forbidden"]
    assert not [line for line in lines if "hidden" in line]


def test_who_is_let_in(chat: Chat, client: Callable[..., Any], account: str) -> None:
    _allow(client, account)
    source = (
        "def handler(event, context):\n"
        "    statement = {'Effect': 'Allow', 'Action': 'execute-api:Invoke', 'Resource': event['methodArn']}\n"
        "    return {'principalId': 'somebody', 'policyDocument': {'Version': '2012-10-17', 'Statement': [statement]}}\n"
    )
    arn = chat.function(f"door-{chat.id}", source)
    made = chat.v2.create_authorizer(
        ApiId=chat.id,
        Name="door",
        AuthorizerType="REQUEST",
        AuthorizerUri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
        IdentitySource=["route.request.querystring.token"],
    )
    chat.route("$connect", AuthorizationType="CUSTOM", AuthorizerId=made["AuthorizerId"], ApiKeyRequired=True)
    chat.stage(DefaultRouteSettings={"LoggingLevel": "INFO", "DataTraceEnabled": True})
    with pytest.raises(InvalidStatus):
        chat.connect("/dev?token=opensesame")
    lines = _lines(client, chat, "Method completed with status: 403")
    told = [line.partition(") ")[2] for line in lines]
    id = told[0].removeprefix("Extended Request Id: ")
    assert told[1:3] == [
        f"Starting authorizer: {made['AuthorizerId']} for request: {id}",
        "Incoming identity: ****sesame",
    ]
    assert told[-5:-2] == [
        "Using valid authorizer policy for principal: **mebody",
        "Successfully completed authorizer execution",
        f"Verifying Usage Plan for request: {id}. API Key:  API Stage: {chat.id}/dev",
    ]
    assert told[-2:] == ["API Key is required", "Method completed with status: 403"]
    assert not [line for line in lines if "opensesame" in line]


def test_what_services_are_told(chat: Chat, client: Callable[..., Any], account: str) -> None:
    _allow(client, account)
    client("sqs").create_queue(QueueName="talk")
    target = chat.integrate(
        "AWS",
        "queued",
        IntegrationUri=f"arn:aws:apigateway:us-east-1:sqs:path/{account}/talk",
        IntegrationMethod="POST",
        CredentialsArn=f"arn:aws:iam::{account}:role/api",
        RequestParameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        RequestTemplates={"$default": "Action=SendMessage&MessageBody=$util.urlEncode($input.path('$.text'))"},
    )
    chat.route("queue", target, answers=True)
    chat.stage(RouteSettings={"queue": {"LoggingLevel": "INFO", "DataTraceEnabled": True}})
    with chat.connect() as connected:
        connected.send('{"action": "queue", "text": "tea"}')
        assert connected.recv(60) == "queued"
    told = _of(_lines(client, chat, "Method completed with status: 200"), "[queue]")
    assert f"Sending request to https://sqs.us-east-1.amazonaws.com/{account}/talk" in told
    assert "Endpoint request body after transformations: Action=SendMessage&MessageBody=tea&Version=2012-11-05" in told
    assert [line for line in told if line.startswith("Received response. Status: 200, Integration latency: ")]
    body = next(line for line in told if line.startswith("Endpoint response body before transformations: "))
    assert "MessageId" in body
