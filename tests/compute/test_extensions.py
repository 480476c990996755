"""Extensions in environments: started from a layer, or in the function's own process."""

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.compute.conftest import Machine

CLIENT = """#!/usr/bin/python3 -I
import http.client, json, os, sys, time
NAME = os.path.basename(sys.argv[0])
API = os.environ["AWS_LAMBDA_RUNTIME_API"]
ID = {}
def ask(method, path, body=None, headers={}, version="2020-01-01/extension"):
    connection = http.client.HTTPConnection(API)
    connection.request(method, f"/{version}/{path}", body, {**ID, **headers})
    answer = connection.getresponse()
    return answer.status, dict(answer.headers), answer.read().decode()
def register(*events, name=NAME, **headers):
    status, answer, body = ask("POST", "register", json.dumps({"events": events}), {"Lambda-Extension-Name": name, **headers})
    if status == 200:
        ID["Lambda-Extension-Identifier"] = answer["Lambda-Extension-Identifier"]
    return status, json.loads(body)
def event():
    status, headers, body = ask("GET", "event/next")
    assert status == 200, body
    return json.loads(body)
def say(*words):
    print(*words, flush=True)
"""
_FOLLOW = """
register("INVOKE", "SHUTDOWN")
while True:
    said = event()
    say(json.dumps(said))
    if said["eventType"] == "SHUTDOWN":
        sys.exit(0)
"""
_ECHO = "import os\ndef handler(event, context):\n    return event"
Make = Callable[..., dict[str, Any]]


@pytest.fixture
def extended(machine: Machine) -> Make:
    """`extended({"name": source}, code)` gives a function with a layer that brings these extensions."""

    def function(sources: dict[str, str], /, code: str = _ECHO, **spec: Any) -> dict[str, Any]:
        made = machine.function(code, **spec)
        folder = machine.folder / f"layer-{made['key']}"
        for name, source in sources.items():
            place = folder / "extensions" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(source if source.startswith("#!") else CLIENT + source)
            place.chmod(0o755)
        made["environment"] = {"AWS_LAMBDA_FUNCTION_NAME": "fn", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                               "_HANDLER": made["handler"], "MINE": "1", **spec.get("environment", {})}  # fmt: skip
        return {"shutdown_timeout": 30.0, **made, "layers": [str(folder)], "account": "111122223333"}

    return function


def lines(machine: Machine, function: dict[str, Any], count: int) -> list[str]:
    """What was logged, once there are `count` lines."""
    found: list[str] = []
    deadline = time.monotonic() + 60
    while len(found) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
        found += machine.ask("lines", key=function["key"])
    return found


def platform(machine: Machine, function: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [record for type_, record in machine.ask("platform", key=function["key"]) if type_ == kind]


def test_an_extension_hears_of_invocations_and_of_the_end(machine: Machine, extended: Make) -> None:
    function = extended({"first": _FOLLOW})
    assert machine.result(function, {"n": 1}, request_id="r-1", deadline_ms=77, trace="Root=1-2-3;Parent=4") == {"n": 1}
    assert machine.result(function, request_id="r-2") is None
    machine.ask("retire", key=function["key"])
    first, second, last = (json.loads(line) for line in lines(machine, function, 3))
    assert first == {
        "eventType": "INVOKE",
        "deadlineMs": 77,
        "requestId": "r-1",
        "invokedFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1-2-3;Parent=4"},
    }
    assert (second["requestId"], "tracing" in second) == ("r-2", False)
    assert (last["eventType"], last["shutdownReason"]) == ("SHUTDOWN", "spindown".upper())
    assert platform(machine, function, "platform.extension") == [
        {"name": "first", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    ]


def test_is_told_of_its_function_and_has_its_variables(machine: Machine, extended: Make) -> None:
    function = extended({"who": """
say(json.dumps(register("INVOKE", **{"Lambda-Extension-Accept-Feature": "accountId"})))
say(json.dumps([dict(os.environ), os.getcwd(), os.getuid() == os.stat("/proc/self").st_uid]))
event(); event()
"""})  # fmt: skip
    machine.result(function)
    registered, (environment, folder, _) = (json.loads(line) for line in lines(machine, function, 2))
    assert registered == [
        200,
        {"functionName": "fn", "functionVersion": "$LATEST", "handler": "app.handler", "accountId": "111122223333"},
    ]
    assert folder == "/"
    assert (environment["MINE"], environment["AWS_LAMBDA_RUNTIME_API"]) == ("1", "127.0.0.1:9001")
    assert not environment.keys() & {"_HANDLER", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"}


def test_the_runtime_starts_when_extensions_have_registered(machine: Machine, extended: Make) -> None:
    slow = 'time.sleep(0.3); open("/tmp/registering", "w"); register("INVOKE"); event(); event()'
    function = extended(
        {"slow": slow}, "import os\nthere = os.path.exists('/tmp/registering')\ndef handler(e, c): return there"
    )
    assert machine.result(function) is True


def test_the_answer_does_not_wait_for_extensions_but_the_invocation_does(machine: Machine, extended: Make) -> None:
    function = extended({"late": """
register("INVOKE")
while True:
    event()
    while not os.path.exists("/var/task/answered"): time.sleep(0.01)
    time.sleep(0.5); open("/tmp/done", "a").write("x")
"""}, "import os\ndef handler(e, c): return os.path.exists('/tmp/done')")  # fmt: skip
    Path(function["code"]).chmod(0o777)
    outcome = machine.invoke(function, answered=f"{function['code']}/answered")
    assert outcome["payload"] == "false"
    assert outcome["finished"]["duration"] >= outcome["duration"] + 0.499  # a sleep, by another clock
    assert machine.invoke(function)["payload"] == "true"


def test_a_shell_script_is_an_extension(machine: Machine, extended: Make) -> None:
    if not Path("/bin/bash").exists():
        pytest.skip("no bash on this machine")
    function = extended({"shell.sh": r"""#!/bin/bash
host=${AWS_LAMBDA_RUNTIME_API%:*} port=${AWS_LAMBDA_RUNTIME_API#*:}
exec 3<>/dev/tcp/$host/$port
body='{"events":["INVOKE"]}'
printf 'POST /2020-01-01/extension/register HTTP/1.1\r\nHost: x\r\nLambda-Extension-Name: %s\r\nContent-Length: %d\r\n\r\n%s' \
  "${0##*/}" ${#body} "$body" >&3
while IFS= read -r line <&3; do
  line=${line%$'\r'}
  case $line in Lambda-Extension-Identifier:*) id=${line#*: };; '') break;; esac
done
echo "registered $id"
exec 3<>/dev/tcp/$host/$port
printf 'GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: x\r\nLambda-Extension-Identifier: %s\r\n\r\n' "$id" >&3
read -r line <&3
echo "$line"
exec 3<>/dev/tcp/$host/$port
printf 'GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: x\r\nLambda-Extension-Identifier: %s\r\n\r\n' "$id" >&3
while IFS= read -r line <&3; do :; done
"""})  # fmt: skip
    assert machine.result(function, 3) == 3
    shown = lines(machine, function, 2)
    assert shown[0].startswith("registered ")
    assert shown[-1].startswith("HTTP/1.1 200")  # between them another registration, where the first took too long


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("sys.exit(3)", "Extension.Crash", "exit code 3"),
        ('register("INVOKE"); sys.exit(0)', "Extension.Crash", "exit code 0"),
        ('register("INVOKE"); event(); sys.exit(4)', "Extension.Crash", "exit code 4"),
        ('register(); ask("POST", "init/error", "{}", {"Lambda-Extension-Function-Error-Type": "Extension.Mine"}); event()',
         "Extension.InitError", "Extension.Mine"),
        ('register("INVOKE"); event(); ask("POST", "exit/error", "{}", {"Lambda-Extension-Function-Error-Type": "A.B"})',
         "Extension.ExitError", "A.B"),
    ],
)  # fmt: skip
def test_an_extension_that_fails_fails_the_function(
    machine: Machine, extended: Make, source: str, kind: str, message: str
) -> None:
    function = extended({"bad": source}, "import time\ndef handler(e, c):\n    time.sleep(50)")
    outcome = machine.invoke(function, request_id="r-9")
    assert outcome["error"] == "crash"
    assert json.loads(outcome["payload"]) == {"errorType": kind, "errorMessage": f"RequestId: r-9 Error: {message}"}


def test_one_that_cannot_be_started(machine: Machine, extended: Make) -> None:
    function = extended({"broken": "#!/no/such/interpreter\n"})
    outcome = machine.invoke(function)
    assert json.loads(outcome["payload"])["errorType"] == "Extension.LaunchError"
    states = platform(machine, function, "platform.extension")
    assert states[0] == {"name": "broken", "state": "LaunchError", "events": [], "errorType": "UnknownError"}


def test_one_that_never_waits_uses_up_the_functions_time(machine: Machine, extended: Make) -> None:
    function = extended(
        {"stuck": 'register("INVOKE", "SHUTDOWN"); event(); time.sleep(60)'}, timeout=4.0, shutdown_timeout=2.0
    )
    outcome = machine.invoke(function)
    assert outcome["error"] is None
    assert outcome["finished"]["error"] == "timeout"
    assert machine.invoke(function)["cold"] is True


def test_more_than_ten_are_too_many(machine: Machine, extended: Make) -> None:
    wait = "register(); event()"
    function = extended({f"e{number:02}": wait for number in range(11)}, memory_mb=1024)
    assert json.loads(machine.invoke(function)["payload"])["errorType"] == "Extension.LaunchError"


@pytest.mark.parametrize(
    ("request_line", "kind"),
    [
        ('ask("GET", "event/next", headers={"Lambda-Extension-Identifier": ""})', "Extension.MissingExtensionIdentifier"),
        ('ask("GET", "event/next", headers={"Lambda-Extension-Identifier": "x"})', "Extension.InvalidExtensionIdentifier"),
        ('ask("GET", "event/next", headers={"Lambda-Extension-Identifier": "0" * 32})', "Extension.UnknownExtensionIdentifier"),
        ('ask("POST", "register", "{}", {"Lambda-Extension-Name": ""})', "Extension.InvalidExtensionName"),
        ('ask("POST", "register", "[", {"Lambda-Extension-Name": NAME})', "InvalidRequestFormat"),
        ('ask("POST", "register", json.dumps({"events": ["X"]}), {"Lambda-Extension-Name": NAME})', "Extension.InvalidEventType"),
        ('ask("POST", "register", "{}", {"Lambda-Extension-Name": NAME})', "Extension.InvalidExtensionState"),
        ('ask("POST", "init/error", "{}")', "Extension.MissingHeader"),
    ],
)  # fmt: skip
def test_what_is_out_of_turn_is_refused(machine: Machine, extended: Make, request_line: str, kind: str) -> None:
    function = extended({"odd": f"register()\nsay(json.dumps({request_line}))\nevent()"})
    assert machine.result(function, 5) == 5
    status, _, body = json.loads(lines(machine, function, 1)[0])
    assert (status, json.loads(body)["errorType"]) == (403, kind)


def test_an_internal_extension_hears_of_invocations_only(machine: Machine, extended: Make) -> None:
    code = (
        CLIENT
        + """
import threading
refused = register("SHUTDOWN", name="inside")
accepted = register("INVOKE", name="inside")
heard = []
def follow():
    while True:
        heard.append(event())
threading.Thread(target=follow, daemon=True).start()
def handler(e, c):
    for _ in range(1_000):
        if len(heard) == e: break
        time.sleep(0.01)
    return [refused, accepted[0], [one["requestId"] for one in heard], register("INVOKE", name="late")[1]["errorType"]]
"""
    )
    function = machine.function(code.replace("sys.argv[0]", '"x"'), environment={"AWS_LAMBDA_FUNCTION_NAME": "fn"})
    refused, status, heard, late = machine.result(function, 1, request_id="i-1")
    assert refused == [403, {"errorMessage": "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
                             "errorType": "Extension.InvalidEventType"}]  # fmt: skip
    assert (status, heard, late) == (200, ["i-1"], "Extension.RegistrationClosed")
    assert machine.result(function, 2, request_id="i-2")[2] == ["i-1", "i-2"]


def test_the_end_is_orderly(machine: Machine, extended: Make) -> None:
    code = """
import signal, sys
def bye(*_):
    print("runtime: bye", flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, bye)
def handler(e, c): return 1
"""
    function = extended({"last": _FOLLOW.replace("sys.exit(0)", "say('extension: bye'); sys.exit(0)")}, code)
    machine.result(function)
    machine.ask("retire", key=function["key"])
    assert [line for line in lines(machine, function, 4) if "bye" in line] == ["runtime: bye", "extension: bye"]


def test_hostile_requests_leave_the_node_well(machine: Machine, extended: Make) -> None:
    function = extended({"hostile": """
register("INVOKE")
import socket
many = [socket.create_connection(API.split(":")) for _ in range(100)]
for one in many[:50]:
    try: one.sendall(b"GET /2020-01-01/extension/event/next HTTP/1.1\\r\\n\\r\\n" * 20)
    except OSError: pass
for one in many: one.close()
while True: event()
"""})  # fmt: skip
    assert machine.result(function, 1) == 1
    assert machine.result(machine.function(_ECHO), 2) == 2


def test_runtimes_that_speak_http_have_extensions_too(machine: Machine, extended: Make) -> None:
    function = extended({"first": _FOLLOW}, runtime="provided.al2023")
    bootstrap = Path(function["code"]) / "bootstrap"
    bootstrap.write_text(CLIENT + """
accepted = register("INVOKE", name="inside")
import threading
threading.Thread(target=lambda: [event() for _ in range(9)], daemon=True).start()
mine = {}
def runtime(method, path, body=None):
    global ID
    return ask(method, path, body, mine, version="2018-06-01/runtime")
while True:
    _, headers, body = runtime("GET", "invocation/next")
    runtime("POST", "invocation/" + headers["Lambda-Runtime-Aws-Request-Id"] + "/response", body)
""")  # fmt: skip
    bootstrap.chmod(0o755)
    assert machine.result(function, {"n": 1}, request_id="r-1") == {"n": 1}
    assert machine.result(function, 2, request_id="r-2") == 2
    machine.ask("retire", key=function["key"])
    said = [json.loads(line) for line in lines(machine, function, 3)]
    assert [one.get("requestId", one.get("shutdownReason")) for one in said] == ["r-1", "r-2", "SPINDOWN"]
    names = [record["name"] for record in platform(machine, function, "platform.extension")]
    assert sorted(names) == ["first", "inside"]


def test_a_runtime_with_an_internal_extension_ends_in_order(machine: Machine) -> None:
    code = (
        CLIENT.replace("sys.argv[0]", '"x"')
        + """
import signal, threading
def bye(*_):
    say("bye"); sys.exit(0)
signal.signal(signal.SIGTERM, bye)
register(name="inside")
threading.Thread(target=event, daemon=True).start()
def handler(e, c): return 1
"""
    )
    function = machine.function(code, shutdown_timeout=120.0)
    assert machine.result(function) == 1
    machine.ask("retire", key=function["key"])
    assert lines(machine, function, 1) == ["bye"]


def test_nothing_stays_of_environments_with_extensions(machine: Machine, extended: Make) -> None:
    name = f"unique-{machine.name}"

    def running() -> list[Path]:
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if name.encode() in file.read_bytes():
                    found.append(file)
        return found

    function = extended({name: _FOLLOW + "time.sleep(60)\n", f"{name}-2": 'register("INVOKE")\nwhile True: event()\n'})
    machine.result(function)
    machine.ask("retire", key=function["key"])
    deadline = time.monotonic() + 60
    while left := running():
        assert time.monotonic() < deadline, left
        time.sleep(0.01)
