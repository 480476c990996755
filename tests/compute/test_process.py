"""The level without isolation: functions run as Lambda's do, and it says what it is."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.compute.conftest import Machine, make_machine
from tests.compute.test_extensions import CLIENT


@pytest.fixture(scope="module")
def plain() -> Iterator[Machine]:
    with make_machine("process") as machine:
        yield machine


def test_says_that_nothing_is_isolated(plain: Machine) -> None:
    level = plain.ask("level")
    assert level["name"] == "process"
    assert "NO ISOLATION" in level["meaning"]


def test_runs_functions_from_where_they_lie(plain: Machine) -> None:
    layer = plain.folder / "layer" / "python"
    layer.mkdir(parents=True)
    (layer / "extra.py").write_text("value = 5")
    function = plain.function(
        """
        import extra, os
        print("loading")
        def handler(event, context):
            return [event, extra.value, os.getcwd(), os.environ["LAMBDA_TASK_ROOT"], os.environ["MINE"]]
        """,
        layers=[str(layer.parent)],
        environment={"MINE": "1"},
    )
    outcome = plain.invoke(function, "event")
    code = function["code"]
    assert outcome["payload"] == f'["event", 5, "{code}", "{code}", "1"]'
    assert outcome["init_logs"] == "loading\n"


def test_ends_what_takes_too_long_with_its_children(plain: Machine) -> None:
    function = plain.function(
        """
        import os, subprocess, time
        def handler(event, context):
            print(subprocess.Popen(["/bin/sleep", "100"]).pid)
            time.sleep(100)
        """,
        timeout=3.0,
    )
    outcome = plain.invoke(function)
    assert outcome["error"] == "timeout"
    child = Path("/proc") / str(int(outcome["logs"])) / "stat"
    deadline = time.monotonic() + 60
    while _runs(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(stat: Path) -> bool:
    try:
        return stat.read_text().split()[2] != "Z"
    except OSError:  # it is gone, perhaps while this looks
        return False


def test_reports_ends_and_goes_on(plain: Machine) -> None:
    function = plain.function(
        "import os\ndef handler(event, context):\n    os._exit(3) if event else None\n    return 'well'"
    )
    assert plain.invoke(function, 1)["detail"] == "exit status 3"
    assert plain.result(function, 0) == "well"


def test_reaches_its_platform(plain: Machine) -> None:
    """At a port of its own, which the platform tells it: EnvironmentInfo.endpoint_port."""
    function = plain.function("""
        import os, socket
        def handler(event, context):
            with socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), timeout=40) as connection:
                connection.sendall(b"hello\\n")
                return connection.recv(100).decode()
    """)
    outcome = plain.invoke(function)
    assert outcome["payload"] == f'"{outcome["environment_id"]}"'


def test_ends_with_the_platform() -> None:
    with make_machine("process") as machine:
        pid = machine.result(machine.function("import os\ndef handler(event, context): return os.getpid()"))
        os.kill(machine.process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while (Path("/proc") / str(pid)).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not (Path("/proc") / str(pid)).exists()


def test_runs_javascript(plain: Machine) -> None:
    runtime = next((name for name in plain.ask("runtimes") if name.startswith("nodejs")), None)
    if runtime is None:
        pytest.skip("no Node.js on this machine")
    layer = plain.folder / "node-layer" / "nodejs" / "node_modules" / "extra"
    layer.mkdir(parents=True)
    (layer / "index.js").write_text("module.exports = 5")
    function = plain.function(
        "", runtime=runtime, handler="index.handler", layers=[str(layer.parents[2])], environment={"MINE": "1"}
    )
    source = "exports.handler = async (event) => [event, require('extra'), process.cwd(), process.env.MINE];"
    (Path(function["code"]) / "index.js").write_text(source)
    assert plain.result(function, "event") == ["event", 5, function["code"], "1"]
    assert plain.invoke(function)["cold"] is False


def test_runs_what_brings_its_runtime(plain: Machine) -> None:
    function = plain.function("", runtime="provided.al2023")
    missing = plain.invoke(function, request_id="r-1")
    assert "Couldn't find valid bootstrap(s)" in missing["payload"]
    bootstrap = Path(function["code"]) / "bootstrap"
    bootstrap.write_text("""#!/usr/bin/python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    id, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], answer.read()
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", event)
    api.getresponse().read()
""")
    bootstrap.chmod(0o755)
    assert [plain.result(function, 1), plain.result(function, [2])] == [1, [2]]


def test_wrapper_scripts_and_internal_extensions_work(plain: Machine) -> None:
    script = plain.folder / "wrap"
    script.write_text('#!/bin/sh\nexport ADDED=1\nexec "$@"\n')
    script.chmod(0o755)
    code = (
        CLIENT.replace("sys.argv[0]", '"x"')
        + """
import threading
heard = [register("INVOKE", name="inside")[0]]
def follow():
    while True:
        heard.append(event()["requestId"])
threading.Thread(target=follow, daemon=True).start()
def handler(e, c):
    for _ in range(1_000):
        if len(heard) == 2: break
        time.sleep(0.01)
    return [os.environ["ADDED"], *heard]
"""
    )
    function = plain.function(code, environment={"AWS_LAMBDA_EXEC_WRAPPER": str(script)})
    assert plain.result(function, request_id="p-1") == ["1", 200, "p-1"]
