"""How environments of web functions come and go."""

import http.client
import json
import select
import time
from collections.abc import Callable
from typing import Any

from tests.conftest import NodeProcess
from tests.services.lambda_.web.conftest import PYTHON, WebFunctions
from tests.services.lambda_.web.test_access import ACCOUNT, on

SERVER = """
import http.server, os, signal, sys, threading, time

def leave(*_):
    print("told to go")
    os._exit(0)

signal.signal(signal.SIGTERM, leave)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/hold":
            threading.Event().wait(300)
        self.answer()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer()

    def answer(self):
        body = b"%d" % os.getpid()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *parts):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", 3000), Handler).serve_forever()
"""
FILES = {"main.py": SERVER}


def environments(node: NodeProcess) -> list[Any]:
    return list(node.get(node.endpoint + "/_cumulet/status")["environments"])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def begun(web: WebFunctions, domain: str) -> http.client.HTTPConnection:
    """A request under way: the server waits for the rest of its body."""
    connection = web.connect()
    connection.putrequest("POST", "/", skip_host=True)
    connection.putheader("Host", domain)
    connection.putheader("Content-Length", "2")
    connection.endheaders(b"a")
    return connection


def ended(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    """Its answer, once it is whole."""
    connection.send(b"b")
    return answer(connection)


def answer(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    found = connection.getresponse()
    body = found.read()
    connection.close()
    return found.status, body


def test_none_when_nobody_asks(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node("--idle-timeout", "1")
    web = on(node)
    domain = web.make("shop", FILES)
    assert environments(node) == []
    request = begun(web, domain)
    until(lambda: len(environments(node)) == 1)
    assert ended(request)[0] == 200
    until(lambda: environments(node) == [])
    logs = node.client("logs", ACCOUNT)

    def told() -> bool:
        try:
            events = logs.filter_log_events(logGroupName="/aws/lambda/web/shop")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return False
        return any("told to go" in event["message"] for event in events)

    until(told)
    assert web.ask(domain)[0] == 200


def test_no_more_than_there_may_be(web: WebFunctions) -> None:
    """Two environments of one place each, both held: further requests are refused, not queued."""
    settings = {"scalingConfig": {"maxEnvironments": 2}}
    domain = web.make("shop", FILES, PYTHON, endpoint=settings, maxConcurrencyPerEnvironment=1, timeoutSeconds=100)
    requests = {request.sock: request for request in (begun(web, domain) for _ in range(4))}
    for _ in range(2):
        answered, _, _ = select.select(list(requests), [], [], 60)
        assert answer(requests.pop(answered[0]))[0] == 429
    assert [ended(request)[0] for request in requests.values()] == [200, 200]
    assert web.ask(domain)[0] == 200


def test_a_client_that_goes_away_leaves_its_place(web: WebFunctions) -> None:
    settings = {"scalingConfig": {"maxEnvironments": 2}}
    domain = web.make("shop", FILES, PYTHON, endpoint=settings, maxConcurrencyPerEnvironment=1)
    for _ in range(3):
        connection = web.connect()
        connection.request("GET", "/hold", headers={"Host": domain})
        connection.close()
    until(lambda: web.ask(domain)[0] == 200)


def test_a_new_revision_takes_over_from_a_busy_one(web: WebFunctions) -> None:
    domain = web.make("shop", FILES, timeoutSeconds=100)
    pid = web.ask(domain)[2]
    request = begun(web, domain)
    config = web.config({"main.py": SERVER.replace("%d", "new %d")}, PYTHON)
    made = web.api.create_web_function_revision(functionName="shop", **config)
    until(lambda: web.ask(domain)[2].startswith(b"new"))
    assert ended(request)[1] in {pid, b"new " + pid}  # it ended well, on whichever it had begun
    served = web.api.get_web_function_endpoint(functionName="shop", endpointName="live")["revisionWeights"]
    assert json.dumps(served) == json.dumps([{"revisionId": made["revisionId"], "weight": 100}])
