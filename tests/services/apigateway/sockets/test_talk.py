"""WebSocket APIs as clients know them: they connect, say something, are answered, and go."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.apigateway.sockets.conftest import Chat
from websockets.exceptions import ConnectionClosed, InvalidStatus

SAYS = "def handler(event, context):\n    return {value}\n"
LOGS = "import json\ndef handler(event, context):\n    print('EVENT ' + json.dumps(event))\n    return {'statusCode': 200}\n"


def _logged(client: Callable[..., Any], name: str, what: str) -> list[Any]:
    """The events of a kind that a function printed."""
    logs = client("logs")
    for _ in range(600):
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            events = []
        found = [json.loads(e["message"].partition("EVENT ")[2]) for e in events if "EVENT " in e["message"]]
        found = [event for event in found if event["requestContext"]["eventType"] == what]
        if found:
            return found
        time.sleep(0.1)
    return []


def test_a_message_is_answered(chat: Chat, account: str) -> None:
    chat.echo()
    chat.stage()
    with chat.connect() as client:
        client.send('{"n": 1}')
        event = json.loads(client.recv(60))
    assert event["body"] == '{"n": 1}'
    assert event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["routeKey"] == "$default"
    assert context["eventType"] == "MESSAGE"
    assert context["messageDirection"] == "IN"
    assert context["stage"] == "dev"
    assert context["apiId"] == chat.id
    assert context["messageId"] == context["requestId"]
    assert len(context["connectionId"]) == 16
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["domainName"].startswith(chat.id)
    assert "headers" not in event


def test_routes_are_chosen_by_what_a_message_says(chat: Chat) -> None:
    for key in ("join", "$default"):
        chat.route(
            key,
            chat.proxy(chat.function(key.strip("$"), SAYS.format(value=f"{{'statusCode': 200, 'body': '{key}'}}"))),
            answers=True,
        )
    chat.stage()
    with chat.connect() as client:
        for said, key in (
            ('{"action": "join"}', "join"),
            ('{"action": "other"}', "$default"),
            ('{"action": "$connect"}', "$default"),
            ("no json", "$default"),
            ("[1]", "$default"),
            (b"\xff\xfe", "$default"),
        ):
            client.send(said)
            assert client.recv(60) == key, said


def test_what_no_route_is_for(chat: Chat) -> None:
    chat.route("join")
    chat.stage()
    with chat.connect() as client:
        client.send('{"action": "none"}')
        told = json.loads(client.recv(60))
        assert told["message"] == "Forbidden"
        assert set(told) == {"message", "connectionId", "requestId"}
        client.send('{"action": "join"}')
        assert json.loads(client.recv(60))["message"] == "Internal server error"


def test_without_a_route_response_nothing_comes_back(chat: Chat) -> None:
    chat.route("quiet", chat.proxy(chat.function("quiet", SAYS.format(value="{'statusCode': 200, 'body': 'never'}"))))
    chat.route(
        "loud",
        chat.proxy(chat.function("loud", SAYS.format(value="{'statusCode': 200, 'body': 'heard'}"))),
        answers=True,
    )
    chat.route("none", chat.proxy(chat.function("none", SAYS.format(value="None"))), answers=True)
    chat.route("bad", chat.proxy(chat.function("bad", "def handler(event, context):\n    1 / 0\n")))
    chat.stage()
    with chat.connect() as client:
        client.send('{"action": "quiet"}')
        client.send('{"action": "none"}')
        with pytest.raises(TimeoutError):
            client.recv(1.0)
        client.send('{"action": "loud"}')
        assert client.recv(60) == "heard"
        client.send('{"action": "bad"}')
        assert json.loads(client.recv(60))["message"] == "Internal server error"


def test_connect_is_told_and_may_deny(chat: Chat, client: Callable[..., Any]) -> None:
    source = (
        "import json\n"
        "def handler(event, context):\n"
        "    print('EVENT ' + json.dumps(event))\n"
        "    asked = (event.get('queryStringParameters') or {}).get('as')\n"
        "    if asked == 'stranger': return {'statusCode': 403, 'body': 'go away'}\n"
        "    if asked == 'broken': raise Exception('x')\n"
        "    if asked == 'odd': return 'yes'\n"
        "    return {'statusCode': 200, 'headers': {'Sec-WebSocket-Protocol': 'two'}}\n"
    )
    chat.route("$connect", chat.proxy(chat.function("door", source)))
    chat.route("$default")
    chat.stage(StageVariables={"color": "blue"})
    with chat.connect("/dev?as=ann&as=bob", subprotocols=["one", "two"], additional_headers={"X-Me": "1"}) as connected:
        assert connected.subprotocol == "two"
    event = _logged(client, "door", "CONNECT")[0]
    assert event["headers"]["X-Me"] == "1"
    assert event["multiValueHeaders"]["X-Forwarded-For"] == ["127.0.0.1"]
    assert event["queryStringParameters"] == {"as": "bob"}
    assert event["multiValueQueryStringParameters"] == {"as": ["ann", "bob"]}
    assert event["stageVariables"] == {"color": "blue"}
    assert event["requestContext"]["routeKey"] == "$connect"
    assert "body" not in event
    _refused_text(chat, 403, b"go away", path="/dev?as=stranger")
    assert chat.refused(502, path="/dev?as=broken")["message"] == "Internal server error"
    assert chat.refused(502, path="/dev?as=odd")["message"] == "Internal server error"


def _refused_text(chat: Chat, status: int, body: bytes, **options: Any) -> None:
    with pytest.raises(InvalidStatus) as caught:
        chat.connect(**options)
    assert (caught.value.response.status_code, caught.value.response.body) == (status, body)


def test_disconnect_is_told_the_code_and_reason(chat: Chat, client: Callable[..., Any]) -> None:
    chat.route("$disconnect", chat.proxy(chat.function("bye", LOGS)))
    chat.route("$default")
    chat.stage()
    chat.connect().close(3001, "had enough")
    context = _logged(client, "bye", "DISCONNECT")[0]["requestContext"]
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (3001, "had enough")
    assert context["routeKey"] == "$disconnect"


def test_a_client_that_vanishes_is_told_as_1006(chat: Chat, client: Callable[..., Any]) -> None:
    chat.route("$disconnect", chat.proxy(chat.function("bye", LOGS)))
    chat.route("$default")
    chat.stage()
    gone = chat.connect()
    gone.socket.close()
    assert _logged(client, "bye", "DISCONNECT")[0]["requestContext"]["disconnectStatusCode"] == 1006


def test_stages_and_apis_that_are_not_there(chat: Chat, make_chat: Callable[..., Chat]) -> None:
    chat.route("$default")
    chat.stage()
    assert chat.refused(403, path="/other")["message"] == "Forbidden"
    assert chat.refused(403, host=chat.host.replace(chat.id, "nosuchapi0"))["message"] == "Forbidden"
    closed = make_chat(DisableExecuteApiEndpoint=True)
    closed.route("$default")
    closed.stage()
    assert closed.refused(403)["message"] == "Forbidden"


def test_a_mock_answers_with_templates(chat: Chat) -> None:
    target = chat.integrate(
        "MOCK",
        '{"said": $input.json("$.text"), "by": "$context.connectionId", "v": "$stageVariables.v"}',
        RequestTemplates={"$default": '{"statusCode": 200}'},
    )
    chat.route("say", target, answers=True)
    chat.stage(StageVariables={"v": "1"})
    with chat.connect() as client:
        client.send('{"action": "say", "text": "hi"}')
        told = json.loads(client.recv(60))
    assert told["v"] == "1"
    assert len(told["by"]) == 16


def test_a_function_gets_what_a_template_makes(chat: Chat) -> None:
    arn = chat.function("sum", SAYS.format(value="{'sum': event['a'] + event['b']}"))
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    target = chat.integrate(
        "AWS",
        '{"total": $input.json("$.sum")}',
        IntegrationUri=uri,
        IntegrationMethod="POST",
        RequestTemplates={"$default": '{"a": $input.path("$.x"), "b": 2}'},
    )
    chat.route("add", target, answers=True)
    chat.stage()
    with chat.connect() as client:
        client.send('{"action": "add", "x": 40}')
        assert json.loads(client.recv(60)) == {"total": 42}


def test_a_queue_gets_messages_without_a_function(chat: Chat, client: Callable[..., Any], account: str) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="talk")["QueueUrl"]
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
    chat.stage()
    with chat.connect() as connected:
        connected.send('{"action": "queue", "text": "tea & cake"}')
        assert connected.recv(60) == "queued"
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "tea & cake"


@pytest.fixture
def known(chat: Chat) -> tuple[Chat, Any, str]:
    """An API, a client of it, and the id of its connection."""
    chat.echo()
    chat.stage()
    connected = chat.connect()
    connected.send("who am I?")
    return chat, connected, json.loads(connected.recv(60))["requestContext"]["connectionId"]


def test_backends_send_ask_and_end(known: tuple[Chat, Any, str]) -> None:
    chat, connected, id = known
    management = chat.management()
    management.post_to_connection(ConnectionId=id, Data=b"hello")
    assert connected.recv(60) == "hello"
    management.post_to_connection(ConnectionId=id, Data=b"\xff\x00")
    assert connected.recv(60) == b"\xff\x00"
    management.post_to_connection(ConnectionId=id, Data="ä".encode() * 65_536)
    assert connected.recv(60) == "ä" * 65_536
    about = management.get_connection(ConnectionId=id)
    assert about["Identity"]["SourceIp"] == "127.0.0.1"
    assert about["LastActiveAt"] >= about["ConnectedAt"]
    management.delete_connection(ConnectionId=id)
    with pytest.raises(ConnectionClosed) as closed:
        connected.recv(60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000
    gone: ClientError | None = None
    for _ in range(1_200):
        try:
            management.get_connection(ConnectionId=id)
        except ClientError as error:
            gone = error
            break
        time.sleep(0.05)
    assert gone is not None
    assert gone.response["Error"]["Code"] == "GoneException"
    assert gone.response["ResponseMetadata"]["HTTPStatusCode"] == 410


def test_backends_are_refused(known: tuple[Chat, Any, str]) -> None:
    chat, connected, id = known
    management = chat.management()
    with pytest.raises(management.exceptions.PayloadTooLargeException):
        management.post_to_connection(ConnectionId=id, Data=b"x" * (128 * 1024 + 1))
    with pytest.raises(management.exceptions.GoneException):
        management.post_to_connection(ConnectionId="L0SM9cOFvHcCIhw=", Data=b"x")
    stranger = chat.management(account="999999999999")
    with pytest.raises(stranger.exceptions.ForbiddenException):
        stranger.post_to_connection(ConnectionId=id, Data=b"x")
    connected.close()


def test_functions_send_to_their_clients(chat: Chat) -> None:
    source = (
        "import boto3, json\n"
        "def handler(event, context):\n"
        "    c = event['requestContext']\n"
        "    url = 'https://' + c['apiId'] + '.execute-api.us-east-1.amazonaws.com/' + c['stage']\n"
        "    boto3.client('apigatewaymanagementapi', endpoint_url=url).post_to_connection(\n"
        "        ConnectionId=c['connectionId'], Data=b'from inside')\n"
        "    return {'statusCode': 200}\n"
    )
    chat.route("$default", chat.proxy(chat.function("inside", source, Timeout=30, MemorySize=512)))
    chat.stage()
    with chat.connect() as client:
        client.send("x")
        assert client.recv(60) == "from inside"


def test_messages_that_do_not_fit_their_model_reach_no_integration(chat: Chat) -> None:
    email = {
        "type": "object",
        "required": ["to"],
        "properties": {"to": {"$ref": "https://apigateway.amazonaws.com/restapis/x/models/address"}},
    }
    for name, schema in (("email", email), ("address", {"type": "string", "minLength": 3})):
        chat.v2.create_model(ApiId=chat.id, Name=name, ContentType="application/json", Schema=json.dumps(schema))
    target = chat.integrate("MOCK", "sent", RequestTemplates={"$default": '{"statusCode": 200}'})
    chosen = {"ModelSelectionExpression": "${request.body.kind}", "RequestModels": {"mail": "email"}}
    chat.route("strict", target, answers=True, **chosen)
    chosen["RequestModels"] = {"mail": "email", "$default": "address"}
    chat.route("$default", target, answers=True, **chosen)
    chat.route("free", target, answers=True, RequestModels={"mail": "email"})
    chat.stage()
    with chat.connect() as client:

        def told(message: str | bytes) -> Any:
            client.send(message)
            said = str(client.recv(60))
            return said if said == "sent" else json.loads(said)

        refused = told('{"action": "strict", "kind": "mail"}')
        assert refused.keys() == {"message", "connectionId", "requestId"}
        assert refused["message"] == "Invalid request body"
        for action, body in (
            ("strict", '"kind": "mail", "to": "ab"'),
            ("strict", '"kind": "fax", "to": "ann@example.com"'),
            ("other", '"kind": "fax", "to": "ann@example.com"'),
        ):
            assert told(f'{{"action": "{action}", {body}}}')["message"] == "Invalid request body"
        assert told("no JSON")["message"] == told(b"\xff")["message"] == "Invalid request body"
        assert told('{"action": "strict", "kind": "mail", "to": "ann@example.com"}') == "sent"
        assert told('"a text that fits"') == told('{"action": "free", "kind": "mail"}') == "sent"


@pytest.mark.parametrize("whole", [True, False])
def test_who_is_connected_to_what_is_deleted(chat: Chat, whole: bool) -> None:
    chat.echo()
    chat.stage()
    with chat.connect() as connected:
        connected.send("x")
        assert json.loads(connected.recv(60))["body"] == "x"
        if whole:
            chat.v2.delete_api(ApiId=chat.id)
        else:
            chat.v2.delete_stage(ApiId=chat.id, StageName="dev")
        with pytest.raises(ConnectionClosed) as closed:
            connected.recv(60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001


def test_a_domain_of_its_own(chat: Chat) -> None:
    chat.echo()
    chat.stage()
    name = f"ws{chat.id}.example.com"
    arn = f"arn:aws:acm:us-east-1:{chat.account}:certificate/1"
    chat.v2.create_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": arn}])
    chat.v2.create_api_mapping(DomainName=name, ApiId=chat.id, Stage="dev")
    with chat.connect("/", host=name) as connected:
        connected.send("x")
        context = json.loads(connected.recv(60))["requestContext"]
        assert (context["domainName"], context["stage"]) == (name, "dev")


def test_access_logs(chat: Chat, client: Callable[..., Any]) -> None:
    logs = client("logs")
    logs.create_log_group(logGroupName="access")
    chat.echo()
    destination = f"arn:aws:logs:us-east-1:{chat.account}:log-group:access"
    text = "$context.requestId $context.routeKey $context.eventType $context.status $context.connectionId"
    chat.stage(AccessLogSettings={"DestinationArn": destination, "Format": text})
    with chat.connect() as connected:
        connected.send("x")
        id = json.loads(connected.recv(60))["requestContext"]["connectionId"]
    lines: list[str] = []
    for _ in range(600):
        lines = [event["message"] for event in logs.filter_log_events(logGroupName="access")["events"]]
        if len(lines) == 3:
            break
        time.sleep(0.1)
    told = [line.split()[1:] for line in lines]
    assert sorted(told) == sorted(
        [
            ["$connect", "CONNECT", "200", id],
            ["$default", "MESSAGE", "200", id],
            ["$disconnect", "DISCONNECT", "200", id],
        ]
    )


def test_many_clients_hear_what_one_says(chat: Chat, client: Callable[..., Any]) -> None:
    client("dynamodb").create_table(
        TableName="room",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    source = (
        "import boto3\n"
        "room = boto3.resource('dynamodb').Table('room')\n"
        "def handler(event, context):\n"
        "    c = event['requestContext']\n"
        "    if c['eventType'] == 'CONNECT': room.put_item(Item={'id': c['connectionId']})\n"
        "    elif c['eventType'] == 'DISCONNECT': room.delete_item(Key={'id': c['connectionId']})\n"
        "    else:\n"
        "        api = boto3.client('apigatewaymanagementapi',\n"
        "            endpoint_url='https://' + c['domainName'] + '/' + c['stage'])\n"
        "        for one in room.scan(ConsistentRead=True)['Items']:\n"
        "            api.post_to_connection(ConnectionId=one['id'], Data=event['body'].encode())\n"
        "    return {'statusCode': 200}\n"
    )
    target = chat.proxy(chat.function("room", source, Timeout=30, MemorySize=512))
    for key in ("$connect", "$disconnect", "$default"):
        chat.route(key, target)
    chat.stage()
    clients = [chat.connect() for _ in range(3)]
    clients[0].send("hello")
    assert [one.recv(60) for one in clients] == ["hello"] * 3
    for one in clients:
        one.close()
    for _ in range(600):
        if client("dynamodb").scan(TableName="room", ConsistentRead=True)["Count"] == 0:
            break
        time.sleep(0.1)
    else:
        pytest.fail("clients that went are still in the room")
