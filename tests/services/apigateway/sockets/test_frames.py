"""WebSockets on the wire: what breaks the protocol or its limits ends the connection with the right code."""

import base64
import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import NodeProcess
from tests.services.apigateway.sockets.conftest import Chat

TEXT, BINARY, CLOSE, PING, PONG, MORE = 1, 2, 8, 9, 10, 0


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, rsv: int = 0, length: int = -1
) -> bytes:
    """A frame; `length` is what it says of itself, if that is not the truth."""
    size = len(payload) if length < 0 else length
    head = bytes([(0x80 if fin else 0) | rsv | opcode])
    bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


class Raw:
    """A client that says whatever it likes."""

    def __init__(self, chat: Chat) -> None:
        self.sock: socket.socket = chat.socket()
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(
            f"GET /dev HTTP/1.1\r\nHost: {chat.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.file = self.sock.makefile("rb")
        assert self.file.readline().startswith(b"HTTP/1.1 101")
        while self.file.readline().strip():
            pass

    def say(self, *frames: bytes) -> None:
        with contextlib.suppress(OSError):  # the node has hung up already, which the test will see
            self.sock.sendall(b"".join(frames))

    def hear(self) -> tuple[int, bytes] | None:
        """The next frame: opcode and payload; None at the end."""
        head = self.file.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.file.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.file.read(8))
        return head[0] & 15, self.file.read(size)

    def code(self) -> int | None:
        """The code that the node closes with; None when it just hangs up."""
        try:
            while (heard := self.hear()) is not None:
                if heard[0] == CLOSE:
                    return int(struct.unpack("!H", heard[1][:2])[0]) if len(heard[1]) >= 2 else 1005
        except OSError:
            pass
        return None


@pytest.fixture
def raw(chat: Chat) -> Iterator[Raw]:
    target = chat.integrate("MOCK", "ok", RequestTemplates={"$default": '{"statusCode": 200}'})
    chat.route("$default", target, answers=True)
    chat.stage()
    client = Raw(chat)
    yield client
    client.sock.close()


def test_messages_in_pieces_with_pings_between(raw: Raw) -> None:
    raw.say(frame(TEXT, b'{"a":', fin=False), frame(PING, b"there?"), frame(MORE, b"1}"))
    assert raw.hear() == (PONG, b"there?")
    assert raw.hear() == (TEXT, b"ok")
    raw.say(frame(PONG, b"unasked"), frame(TEXT, b"x"))
    assert raw.hear() == (TEXT, b"ok")


def test_a_goodbye_is_answered_with_its_code(raw: Raw) -> None:
    raw.say(frame(CLOSE, struct.pack("!H", 3000) + b"bye"))
    assert raw.code() == 3000


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(TEXT, b"x", masked=False)], 1002),
        ([frame(TEXT, b"\xff\xfe")], 1007),
        ([frame(TEXT, "ä".encode()[:1], fin=False), frame(MORE, b"x")], 1007),
        ([frame(MORE, b"x")], 1002),
        ([frame(TEXT, b"x", fin=False), frame(TEXT, b"y")], 1002),
        ([frame(TEXT, b"x", rsv=0x40)], 1002),
        ([frame(3, b"x")], 1002),
        ([frame(11, b"x")], 1002),
        ([frame(PING, b"x" * 126)], 1002),
        ([frame(PING, b"x", fin=False)], 1002),
        ([frame(CLOSE, b"\x03")], 1002),
        ([frame(CLOSE, struct.pack("!H", 1005))], 1002),
        ([frame(CLOSE, struct.pack("!H", 1000) + b"\xff")], 1007),
        ([frame(TEXT, b"x" * 32_769)], 1009),
        ([frame(BINARY, b"x" * 40_000, length=2**40)], 1009),
        ([frame(TEXT, b"x" * 32_000, fin=False), *[frame(MORE, b"x" * 32_000, fin=False)] * 5], 1009),
        ([frame(TEXT, fin=False), frame(MORE, fin=False) * 140_000], 1009),
    ],
    ids=[
        "unmasked", "not text", "half a character", "no beginning", "two beginnings", "reserved bit", "reserved opcode",
        "reserved control", "long ping", "ping in pieces", "close without code", "close with a forbidden code",
        "close without text", "large frame", "endless frame", "large message", "a flood of nothing",
    ],
)  # fmt: skip
def test_what_breaks_the_protocol(raw: Raw, frames: list[bytes], code: int) -> None:
    raw.say(*frames)
    assert raw.code() == code


def test_the_largest_message_passes(raw: Raw) -> None:
    raw.say(
        frame(TEXT, b"x" * 32_768, fin=False), *[frame(MORE, b"x" * 32_768, fin=False)] * 2, frame(MORE, b"x" * 32_768)
    )
    assert raw.hear() == (TEXT, b"ok")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Sec-WebSocket-Key: AAAA\r\nSec-WebSocket-Version: 13\r\n", 400),
        ("Sec-WebSocket-Version: 13\r\n", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n", 426),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426),
    ],
)
def test_handshakes_that_are_none(chat: Chat, headers: str, status: int) -> None:
    chat.route("$default")
    chat.stage()
    with chat.socket() as sock:
        sock.sendall(
            f"GET /dev HTTP/1.1\r\nHost: {chat.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{headers}\r\n".encode()
        )
        assert sock.recv(100).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_request_that_is_no_handshake(chat: Chat) -> None:
    chat.route("$default")
    chat.stage()
    with chat.socket() as sock:
        sock.sendall(f"GET /dev HTTP/1.1\r\nHost: {chat.host}\r\n\r\n".encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 403 ")


def test_connections_end_with_their_time_and_the_node(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node("--limit", "apigateway.socket_idle=1,apigateway.socket_life=3")

    def client(service: str, **options: Any) -> Any:
        return node.client(service, "111122223333", **options)

    chat = Chat(client, node.endpoint, "111122223333")
    chat.route("$default")
    chat.stage()
    idle, busy = Raw(chat), Raw(chat)
    for _ in range(100):
        busy.say(frame(PING))
        if busy.hear() != (PONG, b""):
            break
    assert idle.code() == 1001
    late = Raw(chat)
    node.stop()
    assert late.code() == 1001


def test_permissions_to_send_are_by_stage_and_client(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node("--iam", "enforce")
    root = node.client("iam", "111122223333")

    def client(service: str, **options: Any) -> Any:
        return node.client(service, options.pop("account", "111122223333"), **options)

    chat = Chat(client, node.endpoint, "111122223333")
    chat.route("$default")
    chat.stage()
    root.create_user(UserName="sender")
    statement = {
        "Effect": "Allow",
        "Action": "execute-api:ManageConnections",
        "Resource": f"arn:aws:execute-api:us-east-1:111122223333:{chat.id}/dev/POST/@connections/*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    root.put_user_policy(UserName="sender", PolicyName="send", PolicyDocument=document)
    key = root.create_access_key(UserName="sender")["AccessKey"]
    management = node.client(
        "apigatewaymanagementapi",
        "",
        endpoint_url=f"{node.endpoint}/_aws/execute-api/{chat.id}/dev",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    with pytest.raises(ClientError, match="Gone"):
        management.post_to_connection(ConnectionId="L0SM9cOFvHcCIhw=", Data=b"x")
    with pytest.raises(ClientError, match="not authorized"):
        management.delete_connection(ConnectionId="L0SM9cOFvHcCIhw=")


def test_a_client_that_takes_nothing_stops_those_who_send_to_it(chat: Chat) -> None:
    source = "import json\ndef handler(event, context):\n    return {'statusCode': 200, 'body': event['requestContext']['connectionId']}\n"
    chat.route("$default", chat.proxy(chat.function("who", source)), answers=True)
    chat.stage()
    deaf = Raw(chat)
    deaf.say(frame(TEXT, b"who am I?"))
    heard = deaf.hear()
    assert heard is not None
    management = chat.management()
    sent = 0
    with pytest.raises(ClientError) as caught:
        for _ in range(400):
            management.post_to_connection(ConnectionId=heard[1].decode(), Data=b"x" * 131_072)
            sent += 1
    assert caught.value.response["Error"]["Code"] == "LimitExceededException"
    # What was accepted arrives, once the client listens: nothing is torn.
    for _ in range(sent):
        got = 0
        while got < 131_072:
            piece = deaf.hear()
            assert piece is not None
            got += len(piece[1])
        assert got == 131_072
    deaf.sock.close()


def test_a_flood_of_messages_is_worked_off_in_turn(raw: Raw) -> None:
    raw.say(*[frame(TEXT, b"x")] * 2_000)
    for _ in range(2_000):
        assert raw.hear() == (TEXT, b"ok")


def test_functions_hear_of_the_end_of_the_node(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node()

    def client(service: str, **options: Any) -> Any:
        return node.client(service, options.pop("account", "111122223333"), **options)

    chat = Chat(client, node.endpoint, "111122223333")
    queue = client("sqs").create_queue(QueueName="ends")["QueueUrl"]
    source = (
        "import boto3\n"
        "sqs = boto3.client('sqs')\n"
        "def handler(event, context):\n"
        f"    sqs.send_message(QueueUrl='{queue}', MessageBody=str(event['requestContext'].get('disconnectStatusCode')))\n"
        "    return {'statusCode': 200}\n"
    )
    target = chat.proxy(chat.function("ends", source, Timeout=30, MemorySize=1769))
    chat.route("$connect", target)
    chat.route("$disconnect", target)
    chat.stage()
    last = Raw(chat)
    node.stop()
    assert last.code() == 1001
    last.sock.close()
    node.start()
    told: list[str] = []
    for _ in range(6):
        found = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=10)
        told += [one["Body"] for one in found.get("Messages", [])]
        if len(told) == 2:
            break
    assert sorted(told) == ["1001", "None"]
