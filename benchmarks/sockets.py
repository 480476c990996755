"""Many WebSockets on one node: what they cost while nobody says anything, and how fast messages are answered.

python benchmarks/sockets.py                       # 2,000 connections
python benchmarks/sockets.py --connections 10000 --messages 5000
"""

import argparse
import base64
import json
import os
import resource
import select
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.client import Client
from benchmarks.load import Result
from benchmarks.processes import Server
from benchmarks.run import OURS

# AWS lets an account open 500 connections a second; here the node's own speed is asked for.
COMMAND = f"{OURS} --limit apigateway.sockets_rate=1000000 --limit apigateway.sockets=100000"
STAGE = "bench"
OK = b"ok"
FUNCTION = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n"
_AT_ONCE = 64
"""Handshakes under way."""
_REST = 8.0
_CLIENTS = (1, 8, 64)
_SECONDS = 15.0
_SHORT = 126
"""A payload of fewer bytes has its length in the second byte of its frame."""


class Talker:
    """The client's end of a WebSocket: short messages, each answered before the next."""

    def __init__(self, address: tuple[str, int], path: str) -> None:
        self.socket = socket.create_connection(address, timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.started = 0.0
        self._received = bytearray()
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{address[1]}", "Upgrade: websocket", "Connection: Upgrade")
        self.socket.sendall(
            "\r\n".join((*lines, f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "")).encode()
        )

    def opened(self) -> None:
        """Wait until the server has accepted. Raises ConnectionError when it refuses."""
        while b"\r\n\r\n" not in self._received:
            self._read()
        if not self._received.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(self._received[:300].decode(errors="replace"))
        self._received.clear()

    def send(self, text: bytes) -> None:
        """The mask is zeros: it hides nothing here."""
        self.started = time.perf_counter()
        self.socket.sendall(bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text)

    def feed(self) -> bytes | None:
        """Read what there is; the answer when it is whole."""
        self._read()
        if len(self._received) < 2 or len(self._received) < 2 + self._received[1]:
            return None
        if self._received[0] != 0x81 or self._received[1] >= _SHORT:
            return b"an unexpected frame"
        answer = bytes(self._received[2:])
        self._received.clear()
        return answer

    def _read(self) -> None:
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise ConnectionError("the server closed the connection")
        self._received += piece


def make_api(client: Client, run: str) -> str:
    """The path of an API that answers `ok`: by a mock, or, where the message's action is `function`, by a function."""
    gateway = client.boto("apigatewayv2")
    api = gateway.create_api(
        Name=f"sockets-{run}", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )["ApiId"]
    mock = gateway.create_integration(
        ApiId=api,
        IntegrationType="MOCK",
        TemplateSelectionExpression="200",
        RequestTemplates={"200": '{"statusCode": 200}'},
    )["IntegrationId"]
    gateway.create_integration_response(
        ApiId=api,
        IntegrationId=mock,
        IntegrationResponseKey="$default",
        TemplateSelectionExpression="200",
        ResponseTemplates={"200": OK.decode()},
    )
    function = client.function(f"sockets-{run}", FUNCTION)
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    proxy = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationMethod="POST", IntegrationUri=uri
    )["IntegrationId"]
    for key, integration in (("$default", mock), ("function", proxy)):
        route = gateway.create_route(
            ApiId=api, RouteKey=key, Target=f"integrations/{integration}", RouteResponseSelectionExpression="$default"
        )["RouteId"]
        gateway.create_route_response(ApiId=api, RouteId=route, RouteResponseKey="$default")
    deployment = gateway.create_deployment(ApiId=api)["DeploymentId"]
    gateway.create_stage(ApiId=api, StageName=STAGE, DeploymentId=deployment)
    return f"/_aws/execute-api/{api}/{STAGE}"


def open_all(client: Client, path: str, count: int) -> list[Talker]:
    talkers: list[Talker] = []
    while len(talkers) < count:
        few = [Talker(client.address, path) for _ in range(min(_AT_ONCE, count - len(talkers)))]
        for talker in few:
            talker.opened()
        talkers += few
    return talkers


def talk(talkers: list[Talker], text: bytes, count: int) -> Result:
    """So many messages, from all of these at once; each waits for its answer before it sends the next."""
    result, poll = Result(), select.epoll()
    by_number = {talker.socket.fileno(): talker for talker in talkers}
    cpu, started, sent = time.process_time(), time.perf_counter(), 0
    for number, talker in by_number.items():
        poll.register(number, select.EPOLLIN)
        talker.send(text)
        sent += 1
    waiting = len(talkers)
    while waiting and (events := poll.poll(60)):
        for number, _ in events:
            talker = by_number[number]
            answer = talker.feed()
            if answer is None:
                continue
            result.latencies.append(time.perf_counter() - talker.started)
            if answer != OK:
                result.errors += 1
                result.first_error = result.first_error or answer.decode(errors="replace")
            if sent < count and time.perf_counter() - started < _SECONDS:
                talker.send(text)
                sent += 1
            else:
                waiting -= 1
    result.seconds, result.client_cpu = time.perf_counter() - started, time.process_time() - cpu
    poll.close()
    return result


def rested(server: Server, held: int, empty: float) -> dict[str, float]:
    """Memory, what of it each connection has added, and the processor time of a node that nobody uses."""
    time.sleep(_REST)
    before = server.cpu()
    time.sleep(_REST)
    cpu = (server.cpu() - before) / _REST * 100
    memory = server.memory()
    found = {"pss_mb": round(memory, 1), "cpu_percent": round(cpu, 2)}
    return found | {"kb_each": round((memory - empty) * 1024 / held, 2)} if held else found


def spoken(server: Server, talkers: list[Talker], messages: int) -> Iterator[dict[str, Any]]:
    """Figures by route and number of clients that talk at once."""
    for route, text in (("mock", b'{"action": "mock"}'), ("function", b'{"action": "function"}')):
        for clients in _CLIENTS:
            few = talkers[:clients]
            talk(few, text, 2 * clients)
            before = server.cpu()
            result = talk(few, text, messages)
            cpu = (server.cpu() - before) / max(result.done, 1) * 1e6
            yield {
                "measure": route,
                "clients": clients,
                "p50_ms": round(result.percentile(50) * 1e3, 3),
                "p99_ms": round(result.percentile(99) * 1e3, 3),
                "per_s": round((result.done - result.errors) / result.seconds),
                "server_cpu_us": round(cpu),
                "client_cpu_us": round(result.client_cpu / max(result.done, 1) * 1e6),
                "errors": result.errors,
                "first_error": result.first_error,
            }


def say(figures: dict[str, Any]) -> None:
    print(json.dumps(figures), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=2_000)
    parser.add_argument("--messages", type=int, default=3_000, help="of each kind, for at most 15 seconds")
    options = parser.parse_args()
    count = max(options.connections, *_CLIENTS)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server, run = Server("cumulet", COMMAND), uuid.uuid4().hex[:8]
    client = Client(server.endpoint)
    try:
        server.start(lambda: client.replay([client.build("s3", "list_buckets")], 1, seconds=5).errors == 0)
        path = make_api(client, run)
        [first] = open_all(client, path, 1)  # what is loaded with the first is not what each costs
        for text in (b"{}", b'{"action": "function"}'):
            talk([first], text, 20)
        say({"measure": "before"} | rested(server, 0, 0))
        empty = server.memory()
        before, started = server.cpu(), time.perf_counter()
        talkers = open_all(client, path, count)
        seconds = time.perf_counter() - started
        cpu = round((server.cpu() - before) / count * 1e6)
        say({"measure": "open", "connections": count, "seconds": round(seconds, 2), "server_cpu_us": cpu})
        say({"measure": "idle"} | rested(server, count, empty))
        talk(talkers, b"{}", count)
        say({"measure": "idle, each has talked"} | rested(server, count, empty))
        for figures in spoken(server, talkers, options.messages):
            say(figures)
    finally:
        server.remove()


if __name__ == "__main__":
    main()
