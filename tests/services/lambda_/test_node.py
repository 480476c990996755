"""Functions in JavaScript, and functions that bring their own runtime, through the service."""

import base64
import contextlib
import io
import json
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import payload


@pytest.fixture(scope="module")
def runtime() -> str:
    """The identifier of the Node.js that this machine has."""
    binary = shutil.which("node", path="/usr/local/bin:/usr/bin:/bin")
    if binary is None:
        pytest.skip("no Node.js on this machine")
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    return f"nodejs{version[1:].split('.')[0]}.x"


def package(source: str, name: str, mode: int = 0o644) -> dict[str, bytes]:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (0o100000 | mode) << 16
        archive.writestr(entry, source)
    return {"ZipFile": out.getvalue()}


def test_a_function_in_javascript(functions: Any, role: str, runtime: str, account: str) -> None:
    source = """
        exports.handler = async (event, context) => {
            console.log('working');
            if (event.fail) throw new TypeError('as asked');
            return {event, arn: context.invokedFunctionArn, env: process.env.AWS_EXECUTION_ENV, handler: process.env._HANDLER};
        };
    """
    functions.create_function(
        FunctionName="js",
        Runtime=runtime,
        Handler="index.handler",
        Role=role,
        Code=package(source, "index.js"),
        Timeout=30,
    )

    answer = functions.invoke(FunctionName="js", Payload=json.dumps({"a": "ü"}), LogType="Tail")
    failed = functions.invoke(FunctionName="js", Payload='{"fail":true}')

    assert payload(answer) == {
        "event": {"a": "ü"},
        "arn": f"arn:aws:lambda:us-east-1:{account}:function:js",
        "env": f"AWS_Lambda_{runtime}",
        "handler": "index.handler",
    }
    log = base64.b64decode(answer["LogResult"]).decode()
    request = answer["ResponseMetadata"]["RequestId"]
    assert re.search(rf"START RequestId: {request} Version: \$LATEST\n\S+Z\t{request}\tINFO\tworking\nEND ", log)
    assert failed["FunctionError"] == "Unhandled"
    document = payload(failed)
    assert (document["errorType"], document["errorMessage"], document["trace"][0]) == (
        "TypeError",
        "as asked",
        "TypeError: as asked",
    )


def test_a_module_that_cannot_be_loaded(functions: Any, role: str, runtime: str) -> None:
    functions.create_function(
        FunctionName="bad", Runtime=runtime, Handler="gone.handler", Role=role, Code=package("", "index.js"), Timeout=30
    )

    answer = functions.invoke(FunctionName="bad")

    assert answer["FunctionError"] == "Unhandled"
    assert payload(answer)["errorType"] == "Runtime.ImportModuleError"


def test_a_runtime_of_ones_own(functions: Any, role: str, client: Callable[..., Any]) -> None:
    source = """#!/usr/bin/python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    id, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], answer.read()
    print("own runtime,", os.environ["_HANDLER"], flush=True)
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", b'{"own":%b}' % event)
    api.getresponse().read()
"""
    functions.create_function(
        FunctionName="own",
        Runtime="provided.al2023",
        Handler="any",
        Role=role,
        Code=package(source, "bootstrap", 0o755),
        Timeout=30,
    )

    answers = [functions.invoke(FunctionName="own", Payload=str(number)) for number in range(3)]

    assert [payload(answer) for answer in answers] == [{"own": 0}, {"own": 1}, {"own": 2}]
    logs = client("logs")
    events: list[dict[str, Any]] = []
    deadline = time.monotonic() + 60
    while len(events) < 3:
        assert time.monotonic() < deadline, events
        time.sleep(0.1)
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
            events = logs.filter_log_events(logGroupName="/aws/lambda/own", filterPattern="own runtime")["events"]
    assert [event["message"].strip() for event in events] == ["own runtime, any"] * 3


def test_a_package_without_bootstrap(functions: Any, role: str) -> None:
    functions.create_function(
        FunctionName="empty", Runtime="provided.al2", Handler="any", Role=role, Code=package("", "readme")
    )

    answer = functions.invoke(FunctionName="empty")

    assert answer["FunctionError"] == "Unhandled"
    assert payload(answer) == {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": f"RequestId: {answer['ResponseMetadata']['RequestId']} Error: "
        "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
    }


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("require('./nothing')", "Runtime.ImportModuleError", "Error: Cannot find module './nothing'"),
        ("exports.other = 1", "Runtime.HandlerNotFound", "index.handler is undefined or not exported"),
        ("exports.handler = async (", "Runtime.UserCodeSyntaxError", "SyntaxError: "),
        ("exports.handler = async () => { null.x }", "TypeError", "Cannot read properties of null"),
        ("exports.handler = async () => process.exit(1)", "Runtime.ExitError", "exit status 1"),
        ("exports.handler = async () => process.kill(process.pid, 'SIGKILL')", "Runtime.ExitError", "signal: killed"),
        (
            (
                "exports.handler = async () => { Promise.reject(new Error('lost'));"
                " await new Promise((done) => setTimeout(done, 50000)) }"
            ),
            "Runtime.UnhandledPromiseRejection",
            "Error: lost",
        ),
    ],
)
def test_errors_have_their_class(source: str, kind: str, message: str, functions: Any, role: str, runtime: str) -> None:
    functions.create_function(
        FunctionName="bad",
        Runtime=runtime,
        Handler="index.handler",
        Role=role,
        Timeout=60,
        Code=package(source, "index.js"),
    )

    answer = functions.invoke(FunctionName="bad")

    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error = payload(answer)
    assert error["errorType"] == kind
    assert message in error["errorMessage"]
