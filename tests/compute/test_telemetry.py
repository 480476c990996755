"""The Telemetry and the Logs API, as extensions inside environments use them."""

import json
from typing import Any

import pytest
from tests.compute.conftest import Machine
from tests.compute.test_extensions import Make, extended, lines, platform

__all__ = ["extended"]

_LISTENER = """
import socket, threading
LAST, TOLD = "platform.runtimeDone", threading.Event()
from http.server import BaseHTTPRequestHandler, HTTPServer
class Heard(BaseHTTPRequestHandler):
    def do_POST(self):
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for one in events:
            if one["type"] != "extension" or not one["record"].startswith('{"time"'):  # its own words, told to it again
                say(json.dumps(one))
        self.send_response(200); self.end_headers()
        if any(one["type"] == LAST for one in events): TOLD.set()
    def log_message(self, *_): pass
def listen():
    server = HTTPServer(("sandbox.localdomain", 8080), Heard)
    threading.Thread(target=server.serve_forever, daemon=True).start()
def subscribe(path="2022-07-01/telemetry", **changes):
    wanted = {"schemaVersion": "2022-12-13", "types": ["platform", "function"], "buffering": {"timeoutMs": 25},
              "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080"}, **changes}
    version, _, name = path.partition("/")
    return ask("PUT", name, json.dumps(wanted), version=version)
"""
_FOLLOW = """
while True:
    said = event()
    if said["eventType"] == "SHUTDOWN":
        sys.exit(0)
    TOLD.wait(30); time.sleep(0.3)  # what is frozen while it hears of something hears of it again
"""


def heard(machine: Machine, function: dict[str, Any], last: str) -> list[dict[str, Any]]:
    """The events that the extension got and printed, once one of the type `last` is among them."""
    events: list[dict[str, Any]] = []
    while last not in [one["type"] for one in events]:
        events += [json.loads(line) for line in lines(machine, function, 1) if line.startswith('{"time"')]
    return events


def test_everything_of_an_invocation_is_told(machine: Machine, extended: Make) -> None:
    function = extended(
        {"listener": _LISTENER + 'listen(); register("INVOKE", "SHUTDOWN"); subscribe()' + _FOLLOW},
        "print('loading')\ndef handler(e, c):\n    print('handling'); print('{\"level\": 1}')\n    return e",
    )
    assert machine.result(function, 7, request_id="t-1", trace="Root=1-2-3;Parent=45;Sampled=1") == 7
    machine.ask("retire", key=function["key"])
    events = heard(machine, function, "platform.report")
    kinds = [one["type"] for one in events]
    assert kinds[0] == "platform.initStart"
    in_order = [
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    ]
    assert [kind for kind in kinds if kind in in_order] == in_order
    assert "platform.extension" in kinds
    assert "platform.end" not in kinds
    by_type = {one["type"]: one["record"] for one in events}
    tracing = {"spanId": "45", "type": "X-Amzn-Trace-Id", "value": "Root=1-2-3;Parent=45;Sampled=1"}
    assert by_type["platform.initStart"] == {
        "initializationType": "on-demand", "phase": "init", "runtimeVersion": function["runtime"], "functionName": "fn",
        "functionVersion": "$LATEST", "instanceId": by_type["platform.initStart"]["instanceId"],
        "instanceMaxMemory": 256 << 20,
    }  # fmt: skip
    assert by_type["platform.telemetrySubscription"] == {
        "name": "listener", "state": "Subscribed", "types": ["platform", "function"]}  # fmt: skip
    assert by_type["platform.start"] == {"requestId": "t-1", "version": "$LATEST", "tracing": tracing}
    done = by_type["platform.runtimeDone"]
    assert (done["requestId"], done["status"], done["metrics"]["producedBytes"]) == ("t-1", "success", 1)
    report = by_type["platform.report"]
    assert (report["requestId"], report["status"], report["tracing"]) == ("t-1", "success", tracing)
    assert report["metrics"].keys() == {
        "durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs"}  # fmt: skip
    assert report["metrics"]["durationMs"] >= 299  # a sleep of 300 ms, by another clock
    said = [one["record"] for one in events if one["type"] == "function"]
    assert said == ["loading\n", "handling\n", {"level": 1}]
    assert platform(machine, function, "platform.telemetrySubscription")[0]["types"] == ["Platform", "Function"]


def test_a_restoration_is_told(machine: Machine, extended: Make) -> None:
    function = extended(
        {"listener": _LISTENER + 'listen(); register("INVOKE", "SHUTDOWN"); subscribe()' + _FOLLOW},
        "def handler(e, c):\n    return e",
    )
    variables = {**function["environment"], "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    function = {**function, "snapshot": True, "environment": variables}
    assert machine.result(function, 7) == 7
    machine.ask("retire", key=function["key"])
    events = heard(machine, function, "platform.report")
    by_type = {one["type"]: one["record"] for one in events}
    assert by_type["platform.initReport"]["initializationType"] == "snap-start"
    assert by_type["platform.initReport"]["phase"] == "snap-start"
    assert by_type["platform.restoreStart"] == {
        "runtimeVersion": function["runtime"], "functionName": "fn", "functionVersion": "$LATEST",
        "instanceId": by_type["platform.initStart"]["instanceId"], "instanceMaxMemory": 256 << 20,
    }  # fmt: skip
    assert by_type["platform.restoreRuntimeDone"] == {"status": "success"}
    assert by_type["platform.restoreReport"].keys() == {"status", "metrics"}
    metrics = by_type["platform.report"]["metrics"]
    assert metrics["restoreDurationMs"] > 0
    assert "initDurationMs" not in metrics
    kinds = [one["type"] for one in events]
    told = [
        kind
        for kind in kinds
        if kind.startswith("platform.restore") or kind in {"platform.initReport", "platform.start"}
    ]
    assert told == [
        "platform.initReport", "platform.restoreStart", "platform.restoreRuntimeDone", "platform.restoreReport",
        "platform.start",
    ]  # fmt: skip


def test_the_logs_api_has_its_own_forms(machine: Machine, extended: Make) -> None:
    subscribe = 'subscribe("2020-08-15/logs", schemaVersion="2020-08-15", types=["platform", "function", "extension"])'
    function = extended(
        {"listener": _LISTENER + f'LAST = "function"; listen(); register("INVOKE", "SHUTDOWN"); {subscribe}' + _FOLLOW,
         "other": 'register("SHUTDOWN"); say("from the other"); event()'},
        "def handler(e, c):\n    print('{\"level\": 1}')",
    )  # fmt: skip
    machine.result(function, request_id="t-2")
    machine.ask("retire", key=function["key"])
    events = heard(machine, function, "platform.report")
    records = {one["type"]: one["record"] for one in events if one["type"] != "extension"}
    assert records["function"] == '{"level": 1}\n'
    assert records["platform.start"] == {"requestId": "t-2", "version": "$LATEST"}
    assert records["platform.end"] == {"requestId": "t-2"}
    assert records["platform.report"].keys() == {"requestId", "metrics"}
    assert records["platform.logsSubscription"]["state"] == "Subscribed"
    assert not records.keys() & {"platform.initStart", "platform.runtimeDone"}
    assert "from the other\n" in [one["record"] for one in events if one["type"] == "extension"]


def test_by_tcp_events_are_lines(machine: Machine, extended: Make) -> None:
    function = extended({"listener": _LISTENER + """
server = socket.create_server(("127.0.0.1", 9009))
def serve():
    connection, _ = server.accept()
    for line in connection.makefile():
        say(line.strip()); TOLD.set()
threading.Thread(target=serve, daemon=True).start()
register("INVOKE", "SHUTDOWN")
subscribe(destination={"protocol": "TCP", "port": 9009}, types=["function"])
""" + _FOLLOW}, "def handler(e, c): print('to tcp')")  # fmt: skip
    machine.result(function)
    assert [one["record"] for one in heard(machine, function, "function")] == ["to tcp\n"]


@pytest.mark.parametrize(
    "changes",
    [
        {"schemaVersion": "2019-01-01"},
        {"types": []},
        {"types": ["other"]},
        {"types": "platform"},
        {"destination": {"protocol": "HTTP", "URI": "http://169.254.169.254:80"}},
        {"destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:99999"}},
        {"destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:80/a\r\nb"}},
        {"destination": {"protocol": "TCP", "port": 0}},
        {"destination": {"protocol": "UDP", "port": 1}},
        {"buffering": {"maxItems": 999}},
        {"buffering": {"maxBytes": 2_000_000}},
        {"buffering": {"timeoutMs": 24}},
        {"buffering": {"timeoutMs": True}},
    ],
)
def test_what_is_no_subscription_is_refused(machine: Machine, extended: Make, changes: dict[str, Any]) -> None:
    if machine.level != "full":
        pytest.skip("the same at every level")
    source = f"register()\nstatus, _, body = subscribe(**json.loads({json.dumps(changes)!r}))\nsay(json.dumps([status, body]))\nevent()"
    function = extended({"odd": _LISTENER + source})
    assert machine.result(function, 1) == 1
    status, body = json.loads(lines(machine, function, 1)[0])
    assert (status, json.loads(body)["errorType"]) == (400, "ValidationError")


def test_subscribing_is_over_when_the_initialisation_is(machine: Machine, extended: Make) -> None:
    function = extended({"late": _LISTENER + 'register("INVOKE"); event(); say(json.dumps(subscribe())); event()'})
    machine.result(function)
    status, _, body = json.loads(lines(machine, function, 1)[0])
    assert (status, json.loads(body)["errorType"]) == (403, "Telemetry.SubscriptionClosed")


@pytest.mark.parametrize(
    "listener",
    [
        "pass",
        "server = socket.create_server(('127.0.0.1', 8080))",
        """
server = socket.create_server(('127.0.0.1', 8080))
def serve():
    while True:
        connection, _ = server.accept()
        try:
            while True: connection.sendall(b"x" * 100000)
        except OSError: pass
threading.Thread(target=serve, daemon=True).start()
""",
    ],
    ids=["nobody", "silent", "garbage"],
)
def test_a_listener_that_does_not_listen_harms_nobody(machine: Machine, extended: Make, listener: str) -> None:
    source = f"{_LISTENER}\n{listener}\nregister('INVOKE'); subscribe()\nwhile True: event()"
    function = extended({"hostile": source}, "def handler(e, c):\n    print('x' * 100_000)\n    return e")
    for number in range(20):
        assert machine.result(function, number) == number
    assert machine.result(machine.function("def handler(e, c): return 1")) == 1
