"""Functions that do what they should not: an answer as AWS gives it, and a node that goes on."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import payload


@pytest.fixture
def healthy(make: Callable[..., Any], functions: Any) -> Callable[[], None]:
    """Checks that the node serves another function."""
    make("healthy")

    def check() -> None:
        assert payload(functions.invoke(FunctionName="healthy", Payload=b'"well"')) == "well"

    check()
    return check


@pytest.mark.parametrize(
    ("source", "handler", "kind", "message"),
    [
        ("import nothing_here", "index.handler", "Runtime.ImportModuleError", "No module named 'nothing_here'"),
        ("", "other.handler", "Runtime.ImportModuleError", "Unable to import module 'other': No module named 'other'"),
        ("x = 1", "index.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'index'"),
        ("def handler(:", "index.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'index'"),
        ("", "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler'"),
        ("1 / 0", "index.handler", "ZeroDivisionError", "division by zero"),
        ("import os\nos._exit(3)", "index.handler", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("import sys\nsys.exit(0)", "index.handler", "Runtime.ExitError", "Runtime exited without providing a reason"),
    ],
)
def test_what_cannot_be_loaded(
    source: str, handler: str, kind: str, message: str, make: Callable[..., Any], functions: Any
) -> None:
    make("bad", source, Handler=handler)
    answer = functions.invoke(FunctionName="bad")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error = payload(answer)
    assert error["errorType"] == kind
    assert message in error["errorMessage"]


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("return object()", "Runtime.MarshalError", "Unable to marshal response: Object of type object is not JSON"),
        ("return {1: {2, 3}}", "Runtime.MarshalError", "Object of type set is not JSON serializable"),
        ("import sys; sys.exit(1)", "Runtime.ExitError", "Runtime exited with error: exit status 1"),
        ("import os; os.kill(os.getpid(), 9)", "Runtime.ExitError", "Runtime exited with error: signal: killed"),
        ("import os; os.abort()", "Runtime.ExitError", "Runtime exited with error: signal: aborted"),
        ("import os; os.closerange(3, 1024); return 1", "Runtime.ExitError", "Runtime exited"),
        ("import ctypes; ctypes.string_at(0)", "Runtime.ExitError", "signal: segmentation fault"),
    ],
)
def test_what_does_not_answer(
    body: str, kind: str, message: str, make: Callable[..., Any], functions: Any, healthy: Callable[[], None]
) -> None:
    make("bad", f"def handler(event, context):\n    if event == 'ok': return 'fine'\n    {body}\n", Timeout=60)
    answer = functions.invoke(FunctionName="bad")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error = payload(answer)
    assert error["errorType"] == kind
    assert message in error["errorMessage"]
    assert payload(functions.invoke(FunctionName="bad", Payload=b'"ok"')) == "fine"
    healthy()


def test_children_and_threads_are_left_behind(
    make: Callable[..., Any], functions: Any, healthy: Callable[[], None]
) -> None:
    make(
        "busy",
        """
import os, threading, time
def spin():
    while True: pass
def handler(event, context):
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)
    threading.Thread(target=spin, daemon=True).start()
    return threading.active_count()
""",
        Timeout=60,
    )
    assert payload(functions.invoke(FunctionName="busy")) == 2
    healthy()
    assert payload(functions.invoke(FunctionName="busy")) == 3
    healthy()


def last_line(logs: Any, group: str) -> str:
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    if not streams:
        return ""
    events = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"], limit=1)["events"]
    return str(events[0]["message"]) if events else ""


def test_a_hundred_megabytes_of_log(
    make: Callable[..., Any], functions: Any, client: Callable[..., Any], healthy: Callable[[], None]
) -> None:
    make(
        "loud",
        "def handler(event, context):\n    line = 'x' * 999\n    for _ in range(100_000): print(line)\n    return 'done'\n",
        Timeout=60,
        MemorySize=1024,
    )
    assert payload(functions.invoke(FunctionName="loud", LogType="Tail")) == "done"
    healthy()
    logs = client("logs")
    deadline = time.monotonic() + 100
    while "REPORT RequestId" not in last_line(logs, "/aws/lambda/loud"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    healthy()
    assert payload(functions.invoke(FunctionName="healthy", Payload=b"1")) == 1
