"""How environments of web functions come and go."""

import json
import threading
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
held = threading.Event()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/hold":
            open("/tmp/held", "w").close()
            held.wait(5)
        if self.path == "/free":
            held.set()
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


def test_none_when_nobody_asks(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node("--idle-timeout", "1")
    web = on(node)
    domain = web.make("shop", FILES)
    assert environments(node) == []
    assert web.ask(domain)[0] == 200
    assert len(environments(node)) == 1
    until(lambda: environments(node) == [])
    logs = node.client("logs", ACCOUNT)

    def told() -> bool:
        events = logs.filter_log_events(logGroupName="/aws/lambda/web/shop")["events"]
        return any("told to go" in event["message"] for event in events)

    until(told)
    assert web.ask(domain)[0] == 200


def test_no_more_than_there_may_be(web: WebFunctions) -> None:
    """Two environments of one place each, both held: further requests are refused, not queued."""
    settings = {"scalingConfig": {"maxEnvironments": 2}}
    domain = web.make("shop", FILES, PYTHON, endpoint=settings, maxConcurrencyPerEnvironment=1)
    statuses: list[int] = []

    def hold() -> None:
        statuses.append(web.ask(domain, "/hold")[0])

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 200, 429, 429]
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
    domain = web.make("shop", FILES)
    pid = web.ask(domain)[2]
    answers: list[bytes] = []
    holding = threading.Thread(target=lambda: answers.append(web.ask(domain, "/hold")[2]))
    holding.start()
    config = web.config({"main.py": SERVER.replace("%d", "new %d")}, PYTHON)
    made = web.api.create_web_function_revision(functionName="shop", **config)
    until(lambda: web.ask(domain)[2].startswith(b"new"))
    holding.join()
    assert answers[0] in {pid, b"new " + pid}  # it ended well, on whichever it had begun
    served = web.api.get_web_function_endpoint(functionName="shop", endpointName="live")["revisionWeights"]
    assert json.dumps(served) == json.dumps([{"revisionId": made["revisionId"], "weight": 100}])
