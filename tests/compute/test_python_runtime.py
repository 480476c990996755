"""The Python runtime behaves as Lambda's: handlers, events, errors, context, logs."""

import json
from typing import Any

import pytest
from tests.compute.conftest import Machine


def test_answers_with_the_handlers_result_as_json(machine: Machine) -> None:
    function = machine.function("""
        import collections, decimal
        def handler(event, context):
            return {"event": event, "of": collections.namedtuple("Point", "x y")(decimal.Decimal("1.50"), b"2")}
    """)
    event = {"a": [1, "ü"]}
    assert machine.result(function, event) == {"event": event, "of": {"x": 1.5, "y": "2"}}
    assert '"of": {"x": 1.50, "y": "2"}' in machine.invoke(function, event)["payload"]


def test_reuses_a_warm_environment_and_says_what_was_cold(machine: Machine) -> None:
    function = machine.function("""
        calls = 0
        def handler(event, context):
            global calls
            calls += 1
            return calls
    """)
    first, second = machine.invoke(function), machine.invoke(function)
    assert (first["payload"], second["payload"]) == ("1", "2")
    assert (first["cold"], second["cold"]) == (True, False)
    assert first["init_duration"] > 0
    assert second["init_duration"] is None
    assert first["environment_id"] == second["environment_id"]


@pytest.mark.parametrize(
    ("handler", "code", "kind", "message"),
    [
        ("gone.handler", "", "Runtime.ImportModuleError", "Unable to import module 'gone': No module named 'gone'"),
        ("app.gone", "", "Runtime.HandlerNotFound", "Handler 'gone' missing on module 'app'"),
        ("app", "", "Runtime.MalformedHandlerName", "Bad handler 'app': not enough values to unpack (expected 2, got 1)"),
        ("app.handler", "import left_pad", "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'left_pad'"),
        ("sys.exit", "", "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys as a handler module"),
        ("app.handler", "1/0", "ZeroDivisionError", "division by zero"),
    ],
)  # fmt: skip
def test_says_why_a_handler_cannot_be_loaded(
    machine: Machine, handler: str, code: str, kind: str, message: str
) -> None:
    outcome = machine.invoke(machine.function(code, handler=handler))
    document = json.loads(outcome["payload"])
    assert outcome["error"] == "init"
    assert (document["errorType"], document["errorMessage"]) == (kind, message)
    assert f"[ERROR] {kind}: {message}\n" in outcome["logs"]


def test_says_where_the_syntax_is_wrong(machine: Machine) -> None:
    document = json.loads(machine.invoke(machine.function("def handler(:\n"))["payload"])
    assert document["errorType"] == "Runtime.UserCodeSyntaxError"
    assert document["errorMessage"].startswith("Syntax error in module 'app': ")
    assert document["stackTrace"] == ['  File "/var/task/app.py" Line 1\n    def handler(:\n']


def test_gives_an_exception_with_the_functions_own_frames(machine: Machine) -> None:
    function = machine.function(
        "def handler(event, context):\n    return inner()\ndef inner():\n    raise KeyError('k')\n"
    )
    outcome = machine.invoke(function, request_id="abc")
    document = json.loads(outcome["payload"])
    assert outcome["error"] == "handled"
    assert document["errorType"] == "KeyError"
    assert document["errorMessage"] == "'k'"
    assert document["requestId"] == "abc"
    assert [frame.splitlines()[0] for frame in document["stackTrace"]] == [
        '  File "/var/task/app.py", line 2, in handler',
        '  File "/var/task/app.py", line 4, in inner',
    ]
    assert outcome["logs"].startswith(
        "[ERROR] KeyError: 'k'\nTraceback (most recent call last):\n\u00a0\u00a0File \"/var/task/app.py\""
    )
    lines = machine.ask("lines", key=function["key"])
    assert len(lines) == 1, "a traceback is one event of the log"
    assert machine.invoke(function)["cold"] is False, "an exception leaves the environment as it is"


def test_refuses_results_that_json_cannot_hold(machine: Machine) -> None:
    outcome = machine.invoke(machine.function("def handler(event, context): return {1}"))
    document = json.loads(outcome["payload"])
    assert outcome["error"] == "handled"
    assert document["errorType"] == "Runtime.MarshalError"
    assert document["errorMessage"] == "Unable to marshal response: Object of type set is not JSON serializable"


def test_gives_the_context_of_the_function_and_the_invocation(machine: Machine) -> None:
    function = machine.function(
        """
        def handler(event, context):
            names = [name for name in vars(context) if not name.startswith("_")]
            values = {name: str(getattr(context, name)) for name in names}
            values["client"] = context.client_context.client.app_title
            values["custom"] = context.client_context.custom
            values["left"] = context.get_remaining_time_in_millis()
            return values
        """,
        environment={
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        },
    )
    client = json.dumps({"client": {"app_title": "title"}, "custom": {"a": 1}})
    values = machine.result(function, request_id="r-1", client_context=client, deadline_ms=4_000_000_000_000)
    assert values["function_name"] == "f"
    assert values["function_version"] == "7"
    assert values["memory_limit_in_mb"] == "256"
    assert values["log_group_name"] == "/aws/lambda/f"
    assert values["log_stream_name"] == "stream"
    assert values["aws_request_id"] == "r-1"
    assert values["invoked_function_arn"] == "arn:aws:lambda:us-east-1:000000000000:function:f"
    assert values["client"] == "title"
    assert values["custom"] == {"a": 1}
    assert values["left"] > 1_000_000


def test_keeps_what_is_written_in_order(machine: Machine) -> None:
    function = machine.function("""
        import logging, os, subprocess, sys
        print("loading")
        def handler(event, context):
            print("one")
            logging.warning("two\\nhalves")
            print("three", file=sys.stderr)
            subprocess.run(["/bin/echo", "four"])
            logging.info("not shown")
            print("five", end="")
    """)
    outcome = machine.invoke(function, request_id="id")
    lines = machine.ask("lines", key=function["key"])
    assert outcome["init_logs"] == "loading\n"
    assert [lines[0], lines[1], *lines[3:]] == ["loading", "one", "three", "four", "five"]
    level, time, request, message = lines[2].split("\t")
    assert (level, request, message) == ("[WARNING]", "id", "two\nhalves")
    assert len(time) == len("2026-01-01T00:00:00.000Z")


def test_logs_as_json_where_the_function_asks_for_it(machine: Machine) -> None:
    variables = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    code = "import logging\ndef handler(event, context): logging.getLogger('x').info('hi %s', 1, extra={'more': 2})"
    function = machine.function(code, environment=variables)
    machine.invoke(function, request_id="id")
    (line,) = machine.ask("lines", key=function["key"])
    document = json.loads(line)
    expected = {"level": "INFO", "message": "hi 1", "logger": "x", "requestId": "id", "more": 2}
    assert {name: document[name] for name in expected} == expected


def test_sees_only_the_environment_it_is_given(machine: Machine) -> None:
    code = "import os\ndef handler(event, context): return dict(os.environ)"
    function = machine.function(code, environment={"MINE": "1"})
    seen = machine.result(function, trace="Root=1-2-3", environment={"AWS_SESSION_TOKEN": "fresh"})
    assert seen["MINE"] == "1"
    assert seen["LAMBDA_TASK_ROOT"] == "/var/task"
    assert seen["_X_AMZN_TRACE_ID"] == "Root=1-2-3"
    assert seen["AWS_SESSION_TOKEN"] == "fresh"
    assert "SECRET" not in seen


@pytest.mark.parametrize(
    ("code", "detail", "message"),
    [
        ("import sys; sys.exit()", "", "Runtime exited without providing a reason"),
        ("import sys; sys.exit(3)", "exit status 3", "Runtime exited with error: exit status 3"),
        ("import os; os._exit(1)", "exit status 1", "Runtime exited with error: exit status 1"),
        ("import os; os.kill(os.getpid(), 9)", "signal: killed", "Runtime exited with error: signal: killed"),
        ("import os; os.abort()", "signal: aborted", "Runtime exited with error: signal: aborted"),
    ],
)
def test_reports_a_runtime_that_ends(machine: Machine, code: str, detail: str, message: str) -> None:
    function = machine.function(
        f"def handler(event, context):\n    if event: return 1\n    print('last words')\n    {code}"
    )
    outcome = machine.invoke(function, request_id="id")
    assert (outcome["error"], outcome["detail"]) == ("crash", detail)
    expected = {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: id Error: {message}"}
    assert json.loads(outcome["payload"]) == expected
    assert outcome["logs"] == "last words\n"
    again = machine.invoke(function, 1)
    assert again["cold"], "a fresh environment takes its place"
    assert again["payload"] == "1"


def test_reports_a_runtime_that_ends_while_loading(machine: Machine) -> None:
    outcome = machine.invoke(machine.function("import sys\nprint('x')\nsys.exit(4)"), request_id="id")
    assert (outcome["error"], outcome["detail"]) == ("crash", "exit status 4")


def test_carries_six_megabytes_both_ways_and_no_more(machine: Machine) -> None:
    code = "def handler(event, context): return 'x' * event if isinstance(event, int) else len(event)"
    function = machine.function(code, memory_mb=1769)
    assert machine.result(function, "y" * (6 * 1024 * 1024 - 2)) == 6 * 1024 * 1024 - 2
    assert len(machine.result(function, 6 * 1024 * 1024)) == 6 * 1024 * 1024
    outcome = machine.invoke(function, 7_000_000)
    assert outcome["error"] == "too_large"
    assert json.loads(outcome["payload"])["errorType"] == "Function.ResponseSizeTooLarge"
    assert machine.result(function, 3) == "xxx", "what came before does not matter"


def test_brings_the_aws_sdk(machine: Machine) -> None:
    function = machine.function("""
        import boto3
        def handler(event, context):
            client = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
            return [boto3.__file__, client.meta.region_name]
    """)
    assert machine.result(function) == ["/var/runtime/boto3/__init__.py", "eu-west-1"]


def test_prefers_an_sdk_that_the_function_brings(machine: Machine) -> None:
    function = machine.function("import boto3\ndef handler(event, context): return boto3.__file__")
    package = machine.folder / function["key"] / "boto3"
    package.mkdir()
    (package / "__init__.py").touch()
    assert machine.result(function) == "/var/task/boto3/__init__.py"


def test_merges_layers_in_order(machine: Machine) -> None:
    layers = []
    for name, content in (("one", {"a.py": "who = 'one'", "b.py": "who = 'one'"}), ("two", {"b.py": "who = 'two'"})):
        folder = machine.folder / f"layer-{machine.function('')['key']}-{name}" / "python"
        folder.mkdir(parents=True)
        for file, text in content.items():
            (folder / file).write_text(text)
        layers.append(str(folder.parent))
    code = "import a, b\ndef handler(event, context): return [a.who, b.who, b.__file__]"
    assert machine.result(machine.function(code, layers=layers)) == ["one", "two", "/opt/python/b.py"]
    assert machine.result(machine.function("import b\ndef handler(e, c): return b.who", layers=layers[1:])) == "two"


def test_every_environment_has_its_own_randomness(machine: Machine) -> None:
    code = (
        "import random, uuid\nfirst = random.random()\ndef handler(event, context): return [first, str(uuid.uuid4())]"
    )
    answers: list[Any] = [machine.result(machine.function(code)) for _ in range(3)]
    assert len({str(answer[0]) for answer in answers}) == 3
    assert len({answer[1] for answer in answers}) == 3


def test_its_own_forks_are_as_any_forks(machine: Machine) -> None:
    """Modules that want something done after a fork have it done, in the function's forks too."""
    code = """
        import os, random, threading
        def handler(event, context):
            reading, writing = os.pipe()
            if os.fork() == 0:
                os.write(writing, str(random.random()).encode())
                os._exit(0)
            os.wait()
            mine = threading.main_thread().native_id == threading.get_native_id()
            return [os.read(reading, 100).decode() != str(random.random()), mine]
    """
    assert machine.invoke(machine.function(code))["payload"] == "[true, true]"


def test_reaches_its_platform_on_its_own_loopback(machine: Machine) -> None:
    function = machine.function("""
        import socket
        def handler(event, context):
            with socket.create_connection(("127.0.0.1", 4566), timeout=40) as connection:
                connection.sendall(b"hello\\n")
                return connection.recv(100).decode()
    """)
    outcome = machine.invoke(function)
    assert json.loads(outcome["payload"]) == outcome["environment_id"]


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"])
def test_every_python_of_this_machine_runs_functions(machine: Machine, version: str) -> None:
    runtime = f"python{version}"
    if runtime not in machine.ask("runtimes"):
        pytest.skip(f"this machine has no Python {version} for this user")
    code = "import sys\ndef handler(event, context):\n    print('x')\n    return list(sys.version_info[:2])"
    outcome = machine.invoke(machine.function(code, runtime=runtime))
    assert json.loads(outcome["payload"]) == [int(part) for part in version.split(".")]
    assert outcome["logs"] == "x\n"


def test_says_what_would_run_an_unknown_runtime(machine: Machine) -> None:
    with pytest.raises(AssertionError, match=r"has nothing that runs ruby3\.3"):
        machine.result(machine.function("", runtime="ruby3.3"))


def test_says_that_the_code_is_not_there(machine: Machine) -> None:
    function = {**machine.function(""), "code": "/nonexistent"}
    assert "a function could not be put into its sandbox" in machine.invoke(function)["unavailable"]


def test_a_slow_start_counts_into_the_invocation(machine: Machine) -> None:
    """What takes longer than the init phase is started again, within the function's own time."""
    code = "import time\ntime.sleep(0.6)\ndef handler(event, context): return 'done'"
    outcome = machine.invoke(machine.function(code, init_timeout=0.2))
    assert outcome["payload"] == '"done"'
    assert outcome["duration"] > 0.6
    outcome = machine.invoke(machine.function(code, init_timeout=0.2, timeout=0.3))
    assert outcome["error"] == "timeout"


_WRAPPER = """#!/bin/sh
echo "wrapper: $#"
export ADDED=1 _HANDLER=app.other
exec "$@"
"""


def test_a_wrapper_script_starts_the_runtime(machine: Machine) -> None:
    layer = machine.folder / f"wrapper-{machine.level}"
    layer.mkdir()
    (layer / "wrap").write_text(_WRAPPER)
    (layer / "wrap").chmod(0o755)
    code = """
import os, sys
def other(event, context):
    return [event, os.environ["ADDED"], os.environ["MINE"], sys.argv[0], context.function_name, "boto3" in sys.modules]
"""
    function = machine.function(
        code, layers=[str(layer)],
        environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap", "MINE": "2", "AWS_LAMBDA_FUNCTION_NAME": "f", "_HANDLER": "app.handler"},
    )  # fmt: skip
    expected = [1, "1", "2", "/var/runtime/bootstrap", "f", False]
    assert machine.result(function, 1) == expected
    assert machine.result(function, 1) == expected
    assert machine.ask("lines", key=function["key"])[0] == "wrapper: 2"


def test_a_wrapper_script_that_is_missing_ends_the_runtime(machine: Machine) -> None:
    function = machine.function("", environment={"AWS_LAMBDA_EXEC_WRAPPER": "/idontexist.sh"})
    outcome = machine.invoke(function, request_id="w-1")
    assert json.loads(outcome["payload"]) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: w-1 Error: Runtime exited with error: exit status 127",
    }


def test_logs_as_json(machine: Machine) -> None:
    code = """
import logging
log = logging.getLogger("mine")
def handler(event, context):
    log.debug("hidden")
    log.info("says %s", "ü", extra={"more": [1]})
    log.warning({"a": 1})
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("caught")
    raise KeyError("k")
"""
    variables = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    outcome = machine.invoke(machine.function(code, environment=variables), request_id="j-1")
    said, structured, caught, raised = (json.loads(line) for line in outcome["logs"].splitlines())
    assert said == {"timestamp": said["timestamp"], "level": "INFO", "message": "says ü", "logger": "mine",
                    "requestId": "j-1", "more": [1]}  # fmt: skip
    assert structured["message"] == {"a": 1}
    assert (caught["errorType"], caught["errorMessage"]) == ("ZeroDivisionError", "division by zero")
    assert caught["location"] == "/var/task/app.py:handler:11"
    assert caught["stackTrace"][0].startswith('  File "/var/task/app.py", line 9, in handler')
    assert list(raised)[:2] == ["timestamp", "level"]
    assert (raised["level"], raised["errorType"], raised["errorMessage"], raised["requestId"]) == (
        "ERROR", "KeyError", "'k'", "j-1")  # fmt: skip


def test_the_context_tells_the_callers_trace(machine: Machine) -> None:
    function = machine.function("def handler(event, context): return [context.w3c(), vars(context.client_context)]")
    context = {"w3c": {"traceparent": "00-1-2-01", "baggage": 3, "more": "x"}, "custom": {"a": "b"}}
    w3c, client = machine.result(function, client_context=json.dumps(context))
    assert w3c == {"traceparent": "00-1-2-01"}
    assert client == {"custom": {"a": "b"}, "env": None, "client": None}


def test_shows_each_invocations_trace_to_python_and_to_programs(machine: Machine) -> None:
    function = machine.function("""
        import os, subprocess
        NAME = "_X_AMZN_TRACE_ID"
        def handler(event, context):
            seen = [os.environ.get(NAME), subprocess.check_output(["printenv", NAME], text=True).strip()]
            exec(event, globals())
            return seen
    """)
    changes = [
        "pass",
        "del os.environ[NAME]",
        "os.environ[NAME] = 'changed'",
        "os.environ.clear(); os.environ['PATH'] = '/usr/bin:/bin'",
        "os.environ = dict(os.environ)",
        "os.putenv(NAME, os.environ[NAME])",
        "pass",
    ]
    traces = ["Root=1-2-3;Sampled=0", "Root=1", "Root=1-2-3-4", "Root=2", "x" * 5000, "Root=3", "Root=4"]
    seen = [machine.result(function, change, trace=header) for change, header in zip(changes, traces, strict=True)]
    assert [python for python, _ in seen] == traces
    assert [program for _, program in seen][:5] == traces[:5]


def test_takes_json_with_space_or_a_mark_around_it(machine: Machine) -> None:
    function = machine.function("def handler(event, context): return [event]")
    for event in (' {"a": [1, "ü"]}\n', '\ufeff["mark"]', '"text"', "1.5", "null"):
        outcome = machine.ask("invoke", spec=function, payload=event)
        assert json.loads(outcome["payload"]) == [json.loads(event.removeprefix("\ufeff"))]
    outcome = machine.ask("invoke", spec=function, payload="1 2")
    assert json.loads(outcome["payload"])["errorType"] == "Runtime.UnmarshalError"


def test_answers_with_what_was_part_of_a_circle_before(machine: Machine) -> None:
    function = machine.function("""
        inner = []
        def handler(event, context):
            inner[:] = [inner] if event == "circle" else [event]
            return {"a": [inner]}
    """)
    refused = json.loads(machine.invoke(function, "circle")["payload"])
    assert refused["errorMessage"] == "Unable to marshal response: Circular reference detected"
    assert machine.result(function, "line") == {"a": [["line"]]}
