"""The HTTP Runtime API, as programs inside environments see it: `bootstrap` brings its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.compute.conftest import Machine

Make = Callable[..., dict[str, Any]]

_CLIENT = """#!/usr/bin/python3 -I
import http.client, json, os, sys, time
API = os.environ["AWS_LAMBDA_RUNTIME_API"]
connection = http.client.HTTPConnection(API)
def ask(method, path, body=None, headers={}):
    connection.request(method, "/2018-06-01" + path, body, headers)
    answer = connection.getresponse()
    return answer.status, dict(answer.headers), answer.read()
def take():
    status, headers, event = ask("GET", "/runtime/invocation/next")
    assert status == 200, (status, event)
    return headers["Lambda-Runtime-Aws-Request-Id"], headers, event
def end(id, body, kind="response", headers={}):
    return ask("POST", f"/runtime/invocation/{id}/{kind}", body, headers)
"""
_ECHO = """
while True:
    id, headers, event = take()
    assert end(id, event)[0] == 202
"""
_SHELL = r"""#!/bin/bash
# No program but the shell: HTTP by hand.
host=${AWS_LAMBDA_RUNTIME_API%:*} port=${AWS_LAMBDA_RUNTIME_API#*:}
while true; do
  exec 3<>/dev/tcp/$host/$port
  printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n' >&3
  length=0
  while IFS= read -r line <&3; do
    line=${line%$'\r'}
    case $line in
      Content-Length:*) length=${line#*: } ;;
      Lambda-Runtime-Aws-Request-Id:*) id=${line#*: } ;;
      '') break ;;
    esac
  done
  IFS= read -r -N "$length" event <&3
  echo "event of $length bytes"
  answer="{\"you sent\":$event}"
  printf 'POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n%s' \
    "$id" "${#answer}" "$answer" >&3
  read -r line <&3
  exec 3>&-
done
"""


@pytest.fixture
def make(machine: Machine) -> Make:
    """`make(source)` gives a function whose bootstrap is Python with a small client; `raw` one that is all of it."""

    def function(source: str, /, *, raw: bool = False, **spec: Any) -> dict[str, Any]:
        made = machine.function("", **{"runtime": "provided.al2023", "handler": "h.x", **spec})
        put(Path(made["code"]) / "bootstrap", source if raw else _CLIENT + source)
        return made

    return function


def put(path: Path, text: str, mode: int = 0o755) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_a_shell_script_can_be_a_runtime(machine: Machine, make: Make) -> None:
    if not Path("/bin/bash").exists():
        pytest.skip("no bash on this machine")
    function = make(_SHELL, raw=True)
    first, second = machine.invoke(function, {"a": 1}), machine.invoke(function, [2])
    assert (first["payload"], second["payload"]) == ('{"you sent":{"a": 1}}', '{"you sent":[2]}')
    assert (first["cold"], second["cold"]) == (True, False)
    assert second["logs"] == "event of 3 bytes\n"


def test_tells_everything_about_the_invocation(machine: Machine, make: Make) -> None:
    function = make("id, headers, event = take(); end(id, json.dumps(headers))")
    headers = machine.result(
        function, request_id="r-1", deadline_ms=123, trace="Root=1-2-3", client_context='{"custom":\n{"k": 1}}'
    )
    assert headers == {
        "Content-Type": "application/json",
        "Content-Length": "4",
        "Lambda-Runtime-Aws-Request-Id": "r-1",
        "Lambda-Runtime-Deadline-Ms": "123",
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Lambda-Runtime-Trace-Id": "Root=1-2-3",
        "Lambda-Runtime-Client-Context": '{"custom": {"k": 1}}',
    }


def test_the_environment_is_lambdas(machine: Machine, make: Make) -> None:
    function = make("id, _, event = take(); end(id, json.dumps([dict(os.environ), os.getcwd(), os.listdir('/proc/self/fd')]))",
                    environment={"_HANDLER": "h.x", "A": "1"})  # fmt: skip
    environment, folder, descriptors = machine.result(function)
    assert folder == "/var/task"
    assert environment["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001"
    assert (environment["_HANDLER"], environment["LAMBDA_TASK_ROOT"]) == ("h.x", "/var/task")
    assert len(descriptors) == 5, "the standard three, the connection, and the folder being listed"


@pytest.mark.parametrize(
    ("headers", "body", "document"),
    [
        ({}, '{"errorType":"E","errorMessage":"m","stackTrace":[]}', {"errorType": "E", "errorMessage": "m", "stackTrace": []}),
        ({"Lambda-Runtime-Function-Error-Type": "Function.E"}, '{"errorMessage":"m"}', {"errorMessage": "m"}),
        ({"Content-Type": "application/vnd.aws.lambda.error.cause+json"},
         '{"errorType":"E","errorMessage":"m","stackTrace":[],"errorCause":{"paths":[]}}',
         {"errorType": "E", "errorMessage": "m", "stackTrace": []}),
        ({"Content-Type": "application/vnd.aws.lambda.error.cause+json"}, "{", "Invalid error body"),
    ],
)  # fmt: skip
def test_an_error_is_the_invocations_answer(
    machine: Machine, make: Make, headers: dict[str, str], body: str, document: object
) -> None:
    function = make(f"while True:\n    id, _, event = take(); end(id, {body!r}, 'error', {headers!r})")
    outcome = machine.invoke(function)
    assert (outcome["error"], json.loads(outcome["payload"])) == ("handled", document)
    assert machine.invoke(function)["cold"] is False


def test_an_error_of_the_initialisation(machine: Machine, make: Make) -> None:
    function = make(
        """print(ask("POST", "/runtime/init/error", '{"errorType":"Runtime.Bad","errorMessage":"no"}')[0]); sys.exit(1)"""
    )
    outcome = machine.invoke(function)
    assert (outcome["error"], json.loads(outcome["payload"])) == ("init", {"errorType": "Runtime.Bad", "errorMessage": "no"})  # fmt: skip


@pytest.mark.parametrize(
    ("request_line", "status", "kind"),
    [
        ("end('other', '1')", 400, "InvalidRequestID"),
        ("end('other', '1', 'error')", 400, "InvalidRequestID"),
        ("ask('GET', '/runtime/invocation/next')", 403, "InvalidStateTransition"),
        ("ask('POST', '/runtime/init/error', '{}')", 403, "InvalidStateTransition"),
        ("ask('GET', '/runtime/nothing')", 404, None),
        ("ask('POST', '/runtime/invocation/next')", 405, None),
        ("ask('GET', '/ping')", 200, None),
    ],
)
def test_what_is_out_of_turn_is_refused_and_changes_nothing(
    machine: Machine, make: Make, request_line: str, status: int, kind: str | None
) -> None:
    function = make(f"""
while True:
    id, _, event = take()
    seen, _, body = {request_line}
    end(id, json.dumps([seen, body.decode()]))
""")
    seen, body = machine.result(function)
    assert seen == status
    if kind is not None:
        assert json.loads(body)["errorType"] == kind
    assert machine.invoke(function)["cold"] is False


def test_an_invocation_ends_once(machine: Machine, make: Make) -> None:
    function = make("""
id, _, event = take(); end(id, "1"); status, _, body = end(id, "2")
id, _, event = take(); end(id, json.dumps([status, json.loads(body)["errorMessage"]]))
""")
    assert machine.result(function) == 1
    assert machine.result(function) == [
        403,
        "Transition from RuntimeResponseSentState to InvocationResponse failed for runtime. Error: State transition is not allowed",
    ]


def test_an_answer_that_is_too_large(machine: Machine, make: Make) -> None:
    function = make("""
id, _, event = take(); status, _, body = end(id, b"x" * (8 << 20))
id, _, event = take(); end(id, json.dumps([status, json.loads(body)["errorType"]]))
""")
    outcome = machine.invoke(function)
    assert outcome["error"] == "too_large"
    assert json.loads(outcome["payload"])["errorType"] == "Function.ResponseSizeTooLarge"
    assert machine.result(function) == [413, "RequestEntityTooLarge"]


def test_bodies_in_chunks_and_with_expectations(machine: Machine, make: Make) -> None:
    function = make("""
id, _, event = take(); end(id, iter([b'"a', b'b"']), headers={"Lambda-Runtime-Function-Response-Mode": "streaming"})
id, _, event = take(); print(end(id, "1", headers={"Expect": "100-continue"})[0])
id, _, event = take(); status, _, body = end(id, "1", headers={"Lambda-Runtime-Function-Response-Mode": "odd"})
id, _, event = take(); end(id, json.dumps([status, json.loads(body)["errorType"]]))
""")
    assert machine.result(function) == "ab"
    assert machine.result(function) == 1
    assert machine.invoke(function)["error"] == "handled"
    assert machine.result(function) == [400, "InvalidFunctionResponseMode"]


def test_what_is_no_http_closes_that_connection_only(machine: Machine, make: Make) -> None:
    function = make("""
import socket
def send(data):
    try:
        with socket.create_connection(API.split(":")) as raw:
            raw.sendall(data)
            return raw.recv(1000).decode().split("\\r\\n")[0] or "closed"
    except ConnectionError:
        return "closed"
while True:
    id, _, event = take()
    seen = [send(b"garbage\\r\\n\\r\\n"), send(b"GET /" + b"x" * 100000 + b" HTTP/1.1\\r\\n\\r\\n")]
    many = [socket.create_connection(API.split(":")) for _ in range(100)]
    end(id, json.dumps(seen))
""")
    assert machine.result(function) == ["HTTP/1.1 400 Bad Request", "closed"]
    assert machine.invoke(function)["cold"] is False


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import os; os._exit(3)", "Runtime exited with error: exit status 3"),
        ("import os; os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("take(); sys.exit(4)", "Runtime exited with error: exit status 4"),
        ("take(); sys.exit(0)", "Runtime exited without providing a reason"),
    ],
)
def test_the_end_of_the_program_is_a_crash(machine: Machine, make: Make, source: str, message: str) -> None:
    outcome = machine.invoke(make(source), request_id="r-2")
    assert outcome["error"] == "crash"
    assert json.loads(outcome["payload"]) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: r-2 Error: {message}",
    }


def test_a_program_that_answers_too_late(machine: Machine, make: Make) -> None:
    outcome = machine.invoke(make("take(); time.sleep(60)", timeout=0.3))
    assert outcome["error"] == "timeout"


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        (None, 0, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
        ("#!/bin/sh\n", 0o644, "fork/exec /var/task/bootstrap: permission denied"),
        ("\x7fNOT ELF", 0o755, "fork/exec /var/task/bootstrap: exec format error"),
        ("#!/no/such/shell\n", 0o755, "fork/exec /var/task/bootstrap: no such file or directory"),
    ],
)
def test_says_why_there_is_no_program_to_run(machine: Machine, text: str | None, mode: int, why: str) -> None:
    function = machine.function("", runtime="provided.al2", handler="h.x")
    if text is not None:
        put(Path(function["code"]) / "bootstrap", text, mode)
    outcome = machine.invoke(function, request_id="r-3")
    assert outcome["error"] == "init"
    assert json.loads(outcome["payload"]) == {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": f"RequestId: r-3 Error: {why}",
    }


def test_a_layer_may_bring_the_program(machine: Machine) -> None:
    layer = machine.folder / f"bootstrap-layer-{machine.level}"
    put(layer / "bootstrap", _CLIENT + _ECHO)
    function = machine.function("", runtime="provided.al2", handler="h.x", layers=[str(layer)])
    assert machine.result(function, {"b": "ü"}) == {"b": "ü"}


def test_serves_many_at_once_and_megabytes(machine: Machine, make: Make) -> None:
    function = make(_ECHO)
    large = "x" * 5_000_000
    assert machine.result(function, large) == large
    requests = [{"do": "invoke", "spec": function, "payload": str(number)} for number in range(6)]
    assert [answer["payload"] for answer in machine.ask_all(requests)] == [str(number) for number in range(6)]


def test_signals_are_as_programs_expect_them(machine: Machine, make: Make) -> None:
    function = make("""
import re
id, _, event = take()
end(id, json.dumps(re.search("SigIgn:\\t(.*)", open("/proc/self/status").read())[1]))
""")
    # SIGPIPE and SIGXFSZ are this Python's own doing, 32 and 33 the C library's, which lets nobody set them.
    ignored = int(machine.result(function), 16) & ~(1 << 12 | 1 << 24 | 1 << 31 | 1 << 32)
    assert ignored == 0
