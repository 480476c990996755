"""Responses that are read while the function writes them."""

import base64
import contextlib
import io
import json
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

SOURCE = """
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    exports.handler = awslambda.streamifyResponse(async (event, stream) => {
        stream.write('first ');
        await pause(50);
        if (event.fail) throw new TypeError('midway');
        if (event.hang) await pause(60000);
        for (let sent = 0; sent < (event.mb ?? 0); sent++) {
            if (!stream.write(Buffer.alloc(1 << 20))) await new Promise((go) => stream.once('drain', go));
        }
        stream.end('last');
    });
"""
BOOTSTRAP = """#!/usr/bin/python3 -I
import http.client, os, time, base64
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    id, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], answer.read()
    api.putrequest("POST", f"/2018-06-01/runtime/invocation/{id}/response")
    for name, value in (("Lambda-Runtime-Function-Response-Mode", "streaming"), ("Transfer-Encoding", "chunked"),
                        ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")):
        if b"silent" not in event or "Mode" not in name:
            api.putheader(name, value)
    api.endheaders()
    for piece in (b"one ", b"two"):
        api.send(b"%x\\r\\n%b\\r\\n" % (len(piece), piece))
        time.sleep(0.05)
    trailers = b""
    if b"cut" in event:
        api.close()
        continue
    if b"fail" in event:
        body = base64.b64encode(b'{"errorMessage":"midway"}')
        trailers = b"Lambda-Runtime-Function-Error-Type: Mine.Broken\\r\\nLambda-Runtime-Function-Error-Body: " + body + b"\\r\\n"
    api.send(b"0\\r\\n" + trailers + b"\\r\\n")
    assert api.getresponse().read() == b'{"status":"OK"}\\n'
"""


@pytest.fixture(scope="module")
def runtime() -> str:
    binary = shutil.which("node", path="/usr/local/bin:/usr/bin:/bin")
    if binary is None:
        pytest.skip("no Node.js on this machine")
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    return f"nodejs{version[1:].split('.')[0]}.x"


def package(name: str, source: str) -> dict[str, bytes]:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, source)
    return {"ZipFile": out.getvalue()}


@pytest.fixture
def streaming(make: Callable[..., Any], runtime: str) -> str:
    make("f", Runtime=runtime, Code=package("index.js", SOURCE))
    return "f"


@pytest.fixture
def own(make: Callable[..., Any]) -> str:
    make("own", Runtime="provided.al2023", Code=package("bootstrap", BOOTSTRAP))
    return "own"


def stream(functions: Any, name: str, event: Any = None, **more: Any) -> tuple[list[bytes], dict[str, str]]:
    """The chunks, and the event that ends them."""
    answer = functions.invoke_with_response_stream(FunctionName=name, Payload=json.dumps(event or {}), **more)
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    *chunks, end = answer["EventStream"]
    return [chunk["PayloadChunk"]["Payload"] for chunk in chunks], end["InvokeComplete"]


def test_chunks_come_as_they_are_written(functions: Any, streaming: str) -> None:
    assert stream(functions, streaming) == ([b"first ", b"last"], {})
    assert functions.invoke(FunctionName=streaming)["Payload"].read() == b"first last"
    answer = functions.invoke_with_response_stream(FunctionName=streaming)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-trace-id"].startswith("Root=1-")
    answer["EventStream"].close()


def test_the_log_comes_at_the_end(functions: Any, streaming: str) -> None:
    _, end = stream(functions, streaming, LogType="Tail")
    assert b"REPORT RequestId" in base64.b64decode(end["LogResult"])


def test_an_error_midway_follows_what_was_sent(functions: Any, streaming: str) -> None:
    chunks, end = stream(functions, streaming, {"fail": True})
    assert chunks == [b"first "]
    assert end["ErrorCode"] == "TypeError"
    assert json.loads(end["ErrorDetails"])["errorMessage"] == "midway"
    assert stream(functions, streaming)[0] == [b"first ", b"last"]


def test_a_timeout_midway(functions: Any, make: Callable[..., Any], runtime: str) -> None:
    make("slow", Runtime=runtime, Code=package("index.js", SOURCE), Timeout=4)
    chunks, end = stream(functions, "slow", {"hang": True})
    assert chunks == [b"first "]
    assert "Task timed out after 4.00 seconds" in end["ErrorDetails"]


def test_more_than_a_buffered_response_may_hold(functions: Any, streaming: str) -> None:
    chunks, end = stream(functions, streaming, {"mb": 7})
    assert sum(map(len, chunks)) == 7 * (1 << 20) + 10
    assert max(map(len, chunks)) <= 1 << 16
    assert end == {}
    assert functions.invoke(FunctionName=streaming, Payload='{"mb":7}')["FunctionError"] == "Unhandled"


def test_functions_that_do_not_stream_answer_in_one_chunk(functions: Any, make: Callable[..., Any]) -> None:
    make("whole", "def handler(event, context):\n    return event['x']\n")
    assert stream(functions, "whole", {"x": "é"}) == ([b'"\\u00e9"'], {})
    chunks, end = stream(functions, "whole")
    assert chunks == []
    assert end["ErrorCode"] == "Unhandled"
    assert json.loads(end["ErrorDetails"])["errorType"] == "KeyError"


def test_own_runtimes_stream_too(functions: Any, own: str) -> None:
    assert stream(functions, own) == ([b"one ", b"two"], {})
    assert functions.invoke(FunctionName=own)["Payload"].read() == b"one two"
    for event in ({"fail": True}, {"fail": True, "silent": True}):  # Go's client does not say that it streams
        chunks, end = stream(functions, own, event)
        assert chunks == [b"one ", b"two"]
        assert end == {"ErrorCode": "Mine.Broken", "ErrorDetails": '{"errorMessage":"midway"}'}
        answer = functions.invoke(FunctionName=own, Payload=json.dumps(event))
        assert answer["FunctionError"] == "Unhandled"
        assert json.loads(answer["Payload"].read()) == {"errorMessage": "midway"}


def test_a_runtime_that_cuts_its_response_off(functions: Any, own: str) -> None:
    chunks, end = stream(functions, own, {"cut": True})
    assert chunks == [b"one ", b"two"]
    assert end["ErrorCode"] == "Runtime.TruncatedResponse"
    assert stream(functions, own)[1] == {}


def test_the_function_runs_on_when_its_reader_is_gone(functions: Any, make: Callable[..., Any], runtime: str) -> None:
    source = """
        let ends = 0;
        exports.handler = awslambda.streamifyResponse(async (event, stream) => {
            if (event.ends) { stream.end(String(ends)); return; }
            for (let sent = 0; sent < 20; sent++) {
                if (!stream.write(Buffer.alloc(1 << 20))) await new Promise((go) => stream.once('drain', go));
            }
            stream.end();
            ends += 1;
        });
    """
    make("f", Runtime=runtime, Code=package("index.js", source), Timeout=30)
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    answer = functions.invoke_with_response_stream(FunctionName="f", Payload="{}")
    next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    chunks = None
    for _ in range(600):
        with contextlib.suppress(functions.exceptions.TooManyRequestsException):  # until the first one is at its end
            chunks = stream(functions, "f", {"ends": True})[0]
            break
        time.sleep(0.1)
    assert chunks == [b"1"]


def test_what_is_wrong_with_the_request_is_answered_at_once(functions: Any, streaming: str, own: str) -> None:
    invoke = functions.invoke_with_response_stream
    dry = invoke(FunctionName=streaming, InvocationType="DryRun")
    assert dry["StatusCode"] == 204
    refusals: dict[str, dict[str, Any]] = {
        "ResourceNotFoundException": {"FunctionName": "nobody"},
        "InvalidRequestContentException": {"FunctionName": streaming, "Payload": "{"},
        "RequestTooLargeException": {"FunctionName": streaming, "Payload": b'"' + b"x" * (6 << 20) + b'"'},
        "ValidationException": {"FunctionName": streaming, "InvocationType": "Event"},
    }
    for code, request in refusals.items():
        with pytest.raises(ClientError) as refused:
            invoke(**request)
        assert refused.value.response["Error"]["Code"] == code, request
    functions.put_function_concurrency(FunctionName=own, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as refused:
        invoke(FunctionName=own)
    assert refused.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_more_than_the_node_takes(start_node: Callable[..., Any], runtime: str) -> None:
    node = start_node("--limit", "lambda.stream_total=3000000", "--limit", "lambda.stream_burst=1000000")
    functions = node.client("lambda", "123412341234")
    functions.create_function(
        FunctionName="f",
        Runtime=runtime,
        Handler="index.handler",
        Role="arn:aws:iam::123412341234:role/r",
        Code=package("index.js", SOURCE),
        Timeout=30,
    )
    chunks, end = stream(functions, "f", {"mb": 4})
    assert 2_900_000 < sum(map(len, chunks)) <= 3_000_000
    assert json.loads(end["ErrorDetails"]) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (3000000 bytes).",
    }
    assert stream(functions, "f")[1] == {}
