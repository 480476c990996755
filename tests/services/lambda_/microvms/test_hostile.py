"""MicroVMs whose programs and clients mean harm: nothing of them holds what is the node's for long."""

import asyncio
import http.client
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import websockets
from botocore.exceptions import ClientError
from tests.services.lambda_.microvms.conftest import FILES, Microvms
from websockets import Subprotocol

ALL = "arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector:ALL_INGRESS"
RAW = """
import os, socket, threading, time, urllib.parse

def inside(sock, path):
    if path.startswith("/endless"):
        sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1000000000000\\r\\n\\r\\n")
        while True:
            sock.sendall(bytes(1 << 20))
    if path.startswith("/credentials"):
        where = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
        with socket.create_connection((where.hostname, where.port)) as other:
            asked = b"GET /_cumulet/microvms/credentials HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: \\xe9\\r\\n\\r\\n"
            other.sendall(asked)
            answer(sock, other.recv(1000).split(b"\\r\\n")[0])
    else:
        answer(sock, b"here")

def answer(sock, body):
    sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%b" % (len(body), body))

def talk(sock):
    try:
        with sock:
            while True:
                head = b""
                while b"\\r\\n\\r\\n" not in head:
                    more = sock.recv(65536)
                    if not more:
                        return
                    head += more
                inside(sock, head.split()[1].decode())
    except OSError:
        pass

def serve(port):
    with socket.create_server(("0.0.0.0", port), backlog=100) as server:
        while True:
            threading.Thread(target=talk, args=(server.accept()[0],), daemon=True).start()

for port in range(10001, 10201):
    threading.Thread(target=serve, args=(port,), daemon=True).start()
serve(8080)
"""


@pytest.fixture
def raw(microvms: Microvms) -> Any:
    return microvms.run(microvms.image("raw", {**FILES, "app.py": RAW}), ingressNetworkConnectors=[ALL])


def test_heads_that_are_no_numbers_or_no_text(microvms: Microvms, raw: Any) -> None:
    assert microvms.ask(raw, X_aws_proxy_port="000080" + "9" * 5000)[0] == 400
    assert microvms.ask(raw, X_aws_proxy_port="0000809999")[0] == 400
    assert microvms.ask(raw, "/credentials") == (200, b"HTTP/1.1 403 Forbidden")


def test_an_endless_answer_to_a_handshake_is_not_kept(microvms: Microvms, raw: Any) -> None:
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert microvms.ask(raw, "/endless", **handshake) == (502, b"")
    assert microvms.ask(raw, "/", **handshake) == (200, b"here")


def test_many_ports_take_few_descriptors(microvms: Microvms, raw: Any, node_pid: int) -> None:
    token = microvms.token(raw["microvmId"])

    def sockets() -> int:
        return sum(1 for place in Path(f"/proc/{node_pid}/fd").iterdir() if _is_socket(place))

    before = sockets()
    for port in range(10001, 10201):
        assert microvms.ask(raw, token=token, X_aws_proxy_port=str(port)) == (200, b"here")
    assert sockets() - before < 150
    assert microvms.ask(raw, token=token, X_aws_proxy_port="10001") == (200, b"here")


def _is_socket(path: Path) -> bool:
    try:
        return str(path.readlink()).startswith("socket:")
    except OSError:
        return False


@pytest.fixture
def node_pid(endpoint: str) -> int:
    parts = urlsplit(endpoint)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", "/_cumulet/status")
    pid = json.loads(connection.getresponse().read())["pid"]
    connection.close()
    if not os.access(f"/proc/{pid}/fd", os.R_OK):
        pytest.skip("this machine has no /proc, or it tells nothing of the node")
    return int(pid)


def test_shells_that_are_asked_for_at_once_are_no_more_than_one_by_one(
    microvms: Microvms, raw: Any, endpoint: str
) -> None:
    made = microvms.api.create_microvm_shell_auth_token(microvmIdentifier=raw["microvmId"], expirationInMinutes=5)
    offered = [f"lambda-microvms.authentication.{made['authToken']['X-aws-proxy-auth']}", "lambda-microvms"]
    parts = urlsplit(endpoint)

    async def opened() -> int:
        async def one() -> Any:
            return await websockets.connect(
                f"ws://{raw['endpoint']}/shell",
                subprotocols=[Subprotocol(each) for each in [*offered, "lambda-microvms.port.8022"]],
                host=parts.hostname,
                port=parts.port,
                open_timeout=60,
            )

        found = await asyncio.gather(*(one() for _ in range(25)), return_exceptions=True)
        shells = [each for each in found if not isinstance(each, BaseException)]
        for shell in shells:
            await shell.close()
        return len(shells)

    assert asyncio.run(opened()) == 10
    assert asyncio.run(opened()) == 10


def test_builds_leave_room_on_the_disk(start_node: Callable[..., Any]) -> None:
    node = start_node("--limit", "lambda-microvms.free_space=1000000000000000")
    account = "123456789012"
    microvms = Microvms(lambda service, config=None: node.client(service, account), account, node.endpoint)
    arn = microvms.api.create_microvm_image(name="large", **microvms.asked())["imageArn"]
    assert microvms.built(arn)["stateReason"].startswith("DISK_STORAGE_FULL")


def test_microvms_have_no_more_memory_than_the_machine(start_node: Callable[..., Any]) -> None:
    node = start_node("--limit", "lambda-microvms.machine_memory_mb=1000")
    account = "123456789012"
    microvms = Microvms(lambda service, config=None: node.client(service, account), account, node.endpoint)
    image = microvms.image()
    first = microvms.run(image)["microvmId"]
    with pytest.raises(ClientError) as caught:
        microvms.run(image)
    error = caught.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == (
        "InsufficientCapacityException",
        500,
    )
    microvms.api.terminate_microvm(microvmIdentifier=first)
    microvms.run(image)
