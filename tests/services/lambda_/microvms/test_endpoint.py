"""Endpoints of MicroVMs: who may ask, at which port, by HTTP and by WebSocket; shells."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import websockets
from botocore.exceptions import ClientError
from tests.services.lambda_.microvms.conftest import FILES, Microvms
from websockets import Subprotocol

SHELL = "arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector:SHELL_INGRESS"
NONE = "arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector:NO_INGRESS"
TWO_PORTS = """
FROM public.ecr.aws/lambda/microvms:al2023-minimal
COPY app.py echo.py /app/
EXPOSE 9001
CMD python3 /app/app.py 8080 & exec python3 /app/echo.py
"""
ECHO = """
import base64, hashlib, socketserver

class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        headers = {}
        self.rfile.readline()
        while (line := self.rfile.readline().strip()):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        told = headers.get("sec-websocket-protocol", "none").encode()
        head = "HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
        self.wfile.write((head + f"Sec-WebSocket-Accept: {accept}\\r\\n\\r\\n").encode() + b"\\x81" + bytes([len(told)]) + told)
        while (first := self.rfile.read(2)):
            length, mask = first[1] & 127, self.rfile.read(4)
            text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(length)))
            if first[0] & 15 == 8:
                self.wfile.write(b"\\x88\\x00")
                return
            self.wfile.write(b"\\x81" + bytes([length]) + text[::-1])

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

Server(("0.0.0.0", 9001), Echo).serve_forever()
"""


def test_nobody_gets_in_without_a_good_token(microvms: Microvms, advance: Callable[[float], None]) -> None:
    image = microvms.image()
    vm, other = microvms.run(image), microvms.run(image)
    missing, failed = (403, b"Request missing authentication"), (403, b"Token authentication failed")
    assert microvms.ask(vm, token="") == missing
    assert microvms.ask(vm, token="not-a-token") == missing
    token = microvms.token(vm["microvmId"], minutes=5)
    assert token.count(".") == 4
    assert microvms.ask(vm, token=token[:-4] + "AAAA") == missing
    assert microvms.ask(other, token=token) == failed
    unknown = {"endpoint": vm["endpoint"].replace(vm["endpoint"][:8], "00000000")}
    assert microvms.ask(unknown, token=token) == failed
    assert microvms.ask(vm, token=token)[0] == 200
    assert microvms.ask(vm, token=microvms.token(vm["microvmId"], port=9000)) == failed
    some = microvms.token(vm["microvmId"], range={"startPort": 8000, "endPort": 8100})
    assert microvms.ask(vm, token=some)[0] == 200
    assert microvms.ask(vm, token=some, X_aws_proxy_port="8200") == failed
    assert microvms.ask(vm, token=some, X_aws_proxy_port="http")[0] == 400
    assert microvms.ask(vm, token=some, X_aws_proxy_port="8081") == (502, b"")
    advance(301)
    assert microvms.ask(vm, token=token) == failed


def test_headers_and_bodies_are_passed_on(microvms: Microvms) -> None:
    vm = microvms.run(microvms.image())
    assert microvms.ask(vm, "/here?x=%20")[1] == b'{"path": "/here?x=%20", "folder": "/app"}'
    _, body = microvms.ask(vm, "/headers", X_Own="yes", X_aws_proxy_other="no")
    headers = json.loads(body)
    assert headers["x-own"] == "yes"
    assert headers["host"] == vm["endpoint"]
    assert not [name for name in headers if name.startswith("x-aws-proxy")]
    large = "x" * 300_000
    assert json.loads(microvms.ask(vm, "/echo", method="POST", body=large)[1]) == large


def test_tokens_are_made_for_what_there_is(microvms: Microvms) -> None:
    vm = microvms.run(microvms.image())
    id = vm["microvmId"]
    make = microvms.api.create_microvm_auth_token
    everything: list[Any] = [{"allPorts": {}}]
    for wrong in (
        {"microvmIdentifier": id, "expirationInMinutes": 61, "allowedPorts": everything},
        {"microvmIdentifier": id, "expirationInMinutes": 0, "allowedPorts": everything},
        {"microvmIdentifier": id, "expirationInMinutes": 5, "allowedPorts": []},
        {"microvmIdentifier": id, "expirationInMinutes": 5, "allowedPorts": [{"port": 1, "allPorts": {}}]},
        {"microvmIdentifier": id, "expirationInMinutes": 5, "allowedPorts": [{"port": 70_000}]},
        {
            "microvmIdentifier": id,
            "expirationInMinutes": 5,
            "allowedPorts": [{"range": {"startPort": 9, "endPort": 8}}],
        },
    ):
        with pytest.raises(ClientError) as refused:
            make(**wrong)
        assert refused.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError) as refused:
        make(microvmIdentifier="microvm-nobody", expirationInMinutes=5, allowedPorts=everything)
    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("ResourceNotFoundException", "MicroVM not found: microvm-nobody")
    with pytest.raises(ClientError) as refused:
        microvms.api.create_microvm_shell_auth_token(microvmIdentifier=id, expirationInMinutes=5)
    assert "requires SHELL_INGRESS" in refused.value.response["Error"]["Message"]
    closed = microvms.run(vm["imageArn"], ingressNetworkConnectors=[NONE])
    assert microvms.ask(closed) == (403, b"Token authentication failed")


def _at(endpoint: str, vm: Any, path: str) -> dict[str, Any]:
    """To connect to a MicroVM's host at the node's address."""
    parts = urlsplit(endpoint)
    return {"uri": f"ws://{vm['endpoint']}{path}", "host": parts.hostname, "port": parts.port}


def test_websockets_are_passed_through(microvms: Microvms, endpoint: str) -> None:
    files = {**FILES, "Dockerfile": TWO_PORTS, "echo.py": ECHO}
    vm = microvms.run(
        microvms.image("echo", files),
        idlePolicy={"maxIdleDurationSeconds": 60, "suspendedDurationSeconds": 600, "autoResumeEnabled": True},
    )
    token = microvms.token(vm["microvmId"])
    protocols = ["lambda-microvms", f"lambda-microvms.authentication.{token}", "lambda-microvms.port.9001"]

    async def talk(offered: list[str], **headers: str) -> list[Any]:
        asked = _at(endpoint, vm, "/any")
        async with websockets.connect(
            asked.pop("uri"),
            subprotocols=[Subprotocol(one) for one in offered] or None,
            additional_headers=headers,
            **asked,
        ) as socket:
            first = await socket.recv()
            await socket.send("hello")
            return [socket.subprotocol, first, await socket.recv()]

    assert asyncio.run(talk(protocols)) == ["lambda-microvms", "none", "olleh"]
    named = {"X-aws-proxy-auth": token, "X-aws-proxy-port": "9001"}
    assert asyncio.run(talk([], **named)) == [None, "none", "olleh"]
    with pytest.raises(websockets.InvalidStatus) as refused:
        asyncio.run(talk([], **{"X-aws-proxy-port": "9001"}))
    assert refused.value.response.status_code == 403

    async def cut() -> None:
        asked = _at(endpoint, vm, "/")
        async with websockets.connect(asked.pop("uri"), additional_headers=named, **asked) as socket:
            await socket.recv()
            microvms.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 60)

    asyncio.run(cut())
    assert asyncio.run(talk(protocols))[2] == "olleh"


def test_a_shell_is_beside_the_program(microvms: Microvms, endpoint: str) -> None:
    vm = microvms.run(microvms.image(), ingressNetworkConnectors=[SHELL])
    assert microvms.ask(vm) == (403, b"Token authentication failed")
    made = microvms.api.create_microvm_shell_auth_token(microvmIdentifier=vm["microvmId"], expirationInMinutes=5)
    token = made["authToken"]["X-aws-proxy-auth"]

    async def talk() -> str:
        asked = _at(endpoint, vm, "/shell")
        offered = [f"lambda-microvms.authentication.{token}", "lambda-microvms", "lambda-microvms.port.8022"]
        async with websockets.connect(
            asked.pop("uri"), subprotocols=[Subprotocol(one) for one in offered], **asked
        ) as socket:
            first = json.loads(await socket.recv())
            assert first["type"] == "session_init"
            await socket.send(
                "cat /proc/1/cmdline; ls app.py; echo $((6 * 7)) > /tmp/answer; cat /tmp/answer; id -u; exit\n"
            )
            shown = ""
            try:
                while True:
                    shown += str(await asyncio.wait_for(socket.recv(), 60))
            except websockets.ConnectionClosed:
                return shown

    shown = asyncio.run(talk())
    assert "\n42\r\n" in shown
    assert "app.py" in shown
    assert "\n0\r\n" not in shown
    assert microvms.ask(vm, token=token, X_aws_proxy_port="8022")[0] in {400, 403}
