"""Extensions of a layer, and what the log says of them and of initialisations, as text and as JSON."""

import base64
import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from tests.compute.test_extensions import CLIENT

_FOLLOW = 'say("from the extension")\nregister("INVOKE", "SHUTDOWN")\nwhile True: event(); time.sleep(0.2)\n'
_LINGERS = 'register("INVOKE")\nwhile True: event(); time.sleep(60)\n'
Call = Callable[..., Any]


@pytest.fixture
def layer(functions: Any) -> Call:
    """`layer(source)` publishes a layer with the extension `watcher` and gives its ARN."""

    def publish(source: str) -> str:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            entry = zipfile.ZipInfo("extensions/watcher")
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, CLIENT + source)
        answer = functions.publish_layer_version(LayerName="watching", Content={"ZipFile": out.getvalue()})
        return str(answer["LayerVersionArn"])

    return publish


@pytest.fixture
def log(client: Call) -> Call:
    """`log("function", "REPORT")` gives its log's lines once one begins so, or contains it."""
    logs = client("logs")

    def read(name: str, last: str) -> list[str]:
        deadline = time.monotonic() + 60
        while True:
            try:
                events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
            except logs.exceptions.ResourceNotFoundException:
                events = []
            lines = [event["message"] for event in events]
            if any(last in line for line in lines):
                return lines
            assert time.monotonic() < deadline, lines
            time.sleep(0.1)

    return read


def test_an_extension_is_in_the_log_and_in_the_duration(make: Call, functions: Any, layer: Call, log: Call) -> None:
    make("f", Layers=[layer(_FOLLOW)])
    answer = functions.invoke(FunctionName="f", Payload="1", LogType="Tail")
    assert answer["Payload"].read() == b"1"
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert float(tail.split("\tDuration: ")[1].split()[0]) >= 200
    lines = log("f", "REPORT RequestId")
    assert "from the extension\n" in lines
    assert "EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n" in lines
    [report] = [line for line in lines if line.startswith("REPORT")]
    assert float(report.split("Duration: ")[1].split()[0]) >= 200
    names = [line.split()[0] for line in lines]
    assert names.index("INIT_START") < names.index("EXTENSION") < names.index("START") < names.index("REPORT")


def test_the_slot_is_taken_until_the_extension_is_done(make: Call, functions: Any, layer: Call) -> None:
    make("f", Layers=[layer(_LINGERS)])
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    functions.invoke(FunctionName="f")
    with pytest.raises(functions.exceptions.TooManyRequestsException):
        functions.invoke(FunctionName="f")


def test_an_extension_that_crashes(make: Call, functions: Any, layer: Call, log: Call) -> None:
    make("f", Layers=[layer("sys.exit(3)")])
    answer = functions.invoke(FunctionName="f")
    document = json.loads(answer["Payload"].read())
    assert (answer["FunctionError"], document["errorType"]) == ("Unhandled", "Extension.Crash")
    lines = log("f", "REPORT RequestId")
    reports = [line for line in lines if line.startswith("INIT_REPORT")]
    assert [line.split("Phase: ")[1] for line in reports] == [
        "init\tStatus: error\tError Type: Extension.Crash\n",
        "invoke\tStatus: error\tError Type: Extension.Crash\n",
    ]
    assert sum(line.startswith("INIT_START") for line in lines) == 1
    assert f"{document['errorMessage']}\nExtension.Crash\n" in lines
    assert lines[-1].endswith("Status: error\tError Type: Extension.Crash\n")


def test_an_initialisation_that_fails_is_done_again(make: Call, functions: Any, log: Call) -> None:
    make("f", "print('loading')\nraise ValueError('no')")
    assert json.loads(functions.invoke(FunctionName="f")["Payload"].read())["errorType"] == "ValueError"
    lines = log("f", "REPORT RequestId")
    assert [line.split()[0] for line in lines if line.split()[0] in {"loading", "INIT_START", "INIT_REPORT", "START", "REPORT"}] == [
        "INIT_START", "loading", "INIT_REPORT", "loading", "INIT_REPORT", "START", "REPORT"]  # fmt: skip


_SAYS = """
import json, logging
log = logging.getLogger()
print(json.dumps({"timestamp": "2026-01-01T00:00:00Z", "level": "DEBUG", "message": "own debug"}))
def handler(event, context):
    log.info("info"); log.warning("warning")
    print(json.dumps({"timestamp": "2026-01-01T00:00:00Z", "level": "ERROR", "message": "own error"}))
    return event
"""


@pytest.mark.parametrize(
    ("levels", "platform", "said"),
    [
        ({}, ["initStart", "start", "report"], ["info", "warning", "own error"]),
        ({"SystemLogLevel": "DEBUG", "ApplicationLogLevel": "DEBUG"},
         ["initStart", "initReport", "start", "runtimeDone", "report"], ["own debug", "info", "warning", "own error"]),
        ({"SystemLogLevel": "WARN", "ApplicationLogLevel": "ERROR"}, [], ["own error"]),
    ],
)  # fmt: skip
def test_levels_choose_what_is_logged(
    make: Call, functions: Any, log: Call, levels: dict[str, str], platform: list[str], said: list[str]
) -> None:
    make("f", _SAYS, LoggingConfig={"LogFormat": "JSON", **levels})
    answer = functions.invoke(FunctionName="f", Payload='"1"')
    lines = [json.loads(line) for line in log("f", "platform.report" if platform else "own error")]
    assert [line["type"].removeprefix("platform.") for line in lines if "type" in line] == platform
    assert [line["message"] for line in lines if "message" in line] == said
    if platform:
        [report] = [line["record"] for line in lines if line.get("type") == "platform.report"]
        assert report.keys() == {"requestId", "metrics", "status"}
        assert (report["requestId"], report["status"]) == (answer["ResponseMetadata"]["RequestId"], "success")
        assert report["metrics"].keys() == {
            "durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs"}  # fmt: skip


def test_a_traced_invocation_is_reported_so(make: Call, functions: Any, log: Call) -> None:
    make("f")
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    functions.meta.events.register(
        "before-send.lambda.Invoke", lambda request, **_: request.headers.__setitem__("X-Amzn-Trace-Id", header) or None
    )
    functions.invoke(FunctionName="f")
    [report] = [line for line in log("f", "REPORT RequestId") if line.startswith("REPORT")]
    assert (
        "\tXRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\tSegmentId: 53995c3f42cd8ad8\tSampled: true\t\n" in report
    )


def test_with_active_tracing_the_first_invocation_is_traced(make: Call, functions: Any, log: Call) -> None:
    make("f", "import os\ndef handler(e, c): return os.environ['_X_AMZN_TRACE_ID']", TracingConfig={"Mode": "Active"})
    trace = json.loads(functions.invoke(FunctionName="f")["Payload"].read())
    fields = dict(part.split("=") for part in trace.split(";"))
    assert (len(fields["Root"]), len(fields["Parent"]), fields["Sampled"]) == (35, 16, "1")
    [report] = [line for line in log("f", "REPORT RequestId") if line.startswith("REPORT")]
    assert f"XRAY TraceId: {fields['Root']}\tSegmentId: {fields['Parent']}\tSampled: true" in report
