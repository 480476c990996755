"""Invoking: answers, errors, logs, limits."""

import base64
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import HOLD, Gate, payload


def test_an_answer_tells_its_version(make: Callable[..., Any], functions: Any) -> None:
    make("echo")

    answer = functions.invoke(FunctionName="echo", Payload=json.dumps({"a": ["ü", 1.5, None]}))

    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer
    assert payload(answer) == {"a": ["ü", 1.5, None]}


def test_no_payload_is_an_empty_object(make: Callable[..., Any], functions: Any) -> None:
    make("empty")

    assert payload(functions.invoke(FunctionName="empty")) == {}


@pytest.mark.parametrize(
    "form", ["{name}", "{account}:function:{name}", "arn:aws:lambda:us-east-1:{account}:function:{name}"]
)
def test_a_function_has_several_names(form: str, make: Callable[..., Any], functions: Any, account: str) -> None:
    make("named")

    assert payload(functions.invoke(FunctionName=form.format(name="named", account=account), Payload="1")) == 1


def test_the_context_tells_about_the_invocation(make: Callable[..., Any], functions: Any, account: str) -> None:
    make(
        "context",
        """
def handler(event, context):
    return {
        "id": context.aws_request_id, "arn": context.invoked_function_arn, "version": context.function_version,
        "name": context.function_name, "group": context.log_group_name, "stream": context.log_stream_name,
        "custom": context.client_context.custom, "left": context.get_remaining_time_in_millis(),
    }
""",
        Timeout=10,
    )
    client_context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()

    answer = functions.invoke(FunctionName="context", ClientContext=client_context)
    seen = payload(answer)

    assert seen["id"] == answer["ResponseMetadata"]["RequestId"]
    assert seen["arn"] == f"arn:aws:lambda:us-east-1:{account}:function:context"
    assert (seen["version"], seen["name"], seen["group"]) == ("$LATEST", "context", "/aws/lambda/context")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen["stream"])
    assert seen["custom"] == {"k": "v"}
    assert 0 < seen["left"] <= 10_000


def test_the_environment_is_that_of_lambda(make: Callable[..., Any], functions: Any) -> None:
    make(
        "environment",
        "import os\n\ndef handler(event, context):\n    return dict(os.environ)\n",
        Environment={"Variables": {"MINE": "1"}},
    )

    seen = payload(functions.invoke(FunctionName="environment"))

    assert seen["MINE"] == "1"
    assert (seen["AWS_REGION"], seen["AWS_DEFAULT_REGION"]) == ("us-east-1", "us-east-1")
    assert (seen["AWS_LAMBDA_FUNCTION_NAME"], seen["AWS_LAMBDA_FUNCTION_VERSION"]) == ("environment", "$LATEST")
    assert (seen["_HANDLER"], seen["LAMBDA_TASK_ROOT"]) == ("index.handler", "/var/task")
    assert (seen["AWS_EXECUTION_ENV"], seen["TZ"]) == ("AWS_Lambda_python3.11", ":UTC")
    assert seen["AWS_LAMBDA_LOG_STREAM_NAME"].startswith("20")
    assert seen["AWS_ACCESS_KEY_ID"]


def test_an_exception_is_the_answer(make: Callable[..., Any], functions: Any) -> None:
    make("raises", "def handler(event, context):\n    raise ValueError('no luck')\n")

    answer = functions.invoke(FunctionName="raises")
    error = payload(answer)

    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no luck")
    assert error["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert 'File "/var/task/index.py", line 2, in handler' in error["stackTrace"][0]


def test_a_timeout_ends_the_environment(make: Callable[..., Any], functions: Any) -> None:
    make(
        "slow",
        "import time\ncount = 0\n\ndef handler(event, context):\n    global count\n    count += 1\n"
        "    time.sleep(event.get('sleep', 0))\n    return count\n",
        Timeout=4,
    )
    assert payload(functions.invoke(FunctionName="slow")) == 1

    answer = functions.invoke(FunctionName="slow", Payload='{"sleep": 60}', LogType="Tail")

    assert answer["FunctionError"] == "Unhandled"
    request = answer["ResponseMetadata"]["RequestId"]
    assert payload(answer) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request} Error: Task timed out after 4.00 seconds",
    }
    log = base64.b64decode(answer["LogResult"]).decode()
    assert re.search(rf"^\S+Z {request} Task timed out after 4.00 seconds$", log, re.MULTILINE)
    assert payload(functions.invoke(FunctionName="slow")) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import os\n    os._exit(3)", "Runtime exited with error: exit status 3"),
        ("x = []\n    while True: x.append(bytearray(1 << 20))", "Runtime exited with error: signal: killed"),
    ],
)
def test_a_crash_is_the_answer(body: str, message: str, make: Callable[..., Any], functions: Any) -> None:
    make("crash", f"def handler(event, context):\n    {body}\n", Timeout=20)

    answer = functions.invoke(FunctionName="crash")

    assert answer["FunctionError"] == "Unhandled"
    error = payload(answer)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith(message)


def test_the_tail_is_the_end_of_the_log(make: Callable[..., Any], functions: Any) -> None:
    make("tail", "def handler(event, context):\n    print('x' * 5000)\n    print('the end')\n")

    answer = functions.invoke(FunctionName="tail", LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()

    request = answer["ResponseMetadata"]["RequestId"]
    assert len(log) == 4096
    assert re.search(
        rf"x\nthe end\nEND RequestId: {request}\nREPORT RequestId: {request}\tDuration: [\d.]+ ms\t"
        r"Billed Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n$",
        log,
    )


def test_log_lines_reach_cloudwatch(make: Callable[..., Any], functions: Any, client: Callable[..., Any]) -> None:
    make("logged", "print('loading')\n\ndef handler(event, context):\n    print('running', event)\n")
    first = functions.invoke(FunctionName="logged", Payload="1")["ResponseMetadata"]["RequestId"]
    second = functions.invoke(FunctionName="logged", Payload="2")["ResponseMetadata"]["RequestId"]

    messages = _messages(client("logs"), "/aws/lambda/logged", 9)

    assert messages[0].startswith("INIT_START Runtime Version: python3.11\tRuntime Version ARN: arn:aws:lambda:")
    assert messages[1:5] == [
        "loading\n",
        f"START RequestId: {first} Version: $LATEST\n",
        "running 1\n",
        f"END RequestId: {first}\n",
    ]
    assert messages[5].startswith(f"REPORT RequestId: {first}\t")
    assert messages[6:9] == [
        f"START RequestId: {second} Version: $LATEST\n",
        "running 2\n",
        f"END RequestId: {second}\n",
    ]


def _messages(logs: Any, group: str, at_least: int) -> list[str]:
    """The events of the group's only stream, once there are so many."""
    deadline = time.monotonic() + 60
    while True:
        try:
            [stream] = logs.describe_log_streams(logGroupName=group)["logStreams"]
            events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)[
                "events"
            ]
            if len(events) >= at_least:
                return [event["message"] for event in events]
        except (logs.exceptions.ResourceNotFoundException, ValueError):
            pass
        assert time.monotonic() < deadline, "the log lines did not come"
        time.sleep(0.05)


@pytest.mark.parametrize("body", [b"{", b"{'a': 1}", b"\xff", b"nul", b'{"a": 1} x'])
def test_what_is_not_json_is_refused(body: bytes, make: Callable[..., Any], functions: Any) -> None:
    make("strict")

    with pytest.raises(
        functions.exceptions.InvalidRequestContentException, match="Could not parse request body into json"
    ):
        functions.invoke(FunctionName="strict", Payload=body)


def test_payloads_have_limits(make: Callable[..., Any], functions: Any) -> None:
    make("limited", "def handler(event, context):\n    return 'x' * event\n", Timeout=30)
    large = b'"' + b"x" * (6 * 1024 * 1024) + b'"'

    with pytest.raises(functions.exceptions.RequestTooLargeException) as caught:
        functions.invoke(FunctionName="limited", Payload=large)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert caught.value.response["Error"]["Message"] == (
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    )
    with pytest.raises(
        functions.exceptions.RequestTooLargeException,
        match=r"1048577 byte payload is too large for the Event invocation type \(limit 1048576 bytes\)",
    ):
        functions.invoke(FunctionName="limited", Payload=large[: 1024 * 1024] + b'"', InvocationType="Event")
    answer = functions.invoke(FunctionName="limited", Payload=b"6291600")
    assert answer["FunctionError"] == "Unhandled"
    assert payload(answer) == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }


def test_a_dry_run_runs_nothing(make: Callable[..., Any], functions: Any) -> None:
    make("dry")

    assert functions.invoke(FunctionName="dry", InvocationType="DryRun")["StatusCode"] == 204
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match=r":function:none:\$LATEST"):
        functions.invoke(FunctionName="none", InvocationType="DryRun")


def test_another_region_is_out_of_reach(functions: Any, account: str) -> None:
    with pytest.raises(
        ClientError, match=r"Functions from 'eu-west-1' are not reachable in this region \('us-east-1'\)"
    ):
        functions.invoke(FunctionName=f"arn:aws:lambda:eu-west-1:{account}:function:f")


def test_a_function_calls_aws_as_its_role(
    make: Callable[..., Any], functions: Any, client: Callable[..., Any], account: str
) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument=json.dumps(trust))
    make(
        "caller",
        "import boto3\n\ndef handler(event, context):\n    return boto3.client('sts').get_caller_identity()['Arn']\n",
        Timeout=20,
    )

    assert payload(functions.invoke(FunctionName="caller")) == f"arn:aws:sts::{account}:assumed-role/functions/caller"


def test_reserved_concurrency_throttles(make: Callable[..., Any], functions: Any, gate: Callable[[str], Gate]) -> None:
    door = gate("narrow")
    make("narrow", HOLD + "def handler(event, context):\n    if event: hold()\n", Timeout=100)
    functions.invoke(FunctionName="narrow", Payload="0")
    functions.put_function_concurrency(FunctionName="narrow", ReservedConcurrentExecutions=1)

    with ThreadPoolExecutor() as pool:
        long = pool.submit(functions.invoke, FunctionName="narrow", Payload="1")
        door.begun()
        try:
            with pytest.raises(functions.exceptions.TooManyRequestsException, match=r"Rate Exceeded\.") as caught:
                functions.invoke(FunctionName="narrow", Payload="0")
        finally:
            door.go()
        assert "FunctionError" not in long.result()

    assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert "FunctionError" not in functions.invoke(FunctionName="narrow", Payload="0")


def test_some_concurrency_stays_unreserved(make: Callable[..., Any], functions: Any) -> None:
    make("greedy")

    with pytest.raises(ClientError, match=r"below its minimum value of \[100\]"):
        functions.put_function_concurrency(FunctionName="greedy", ReservedConcurrentExecutions=901)
    functions.put_function_concurrency(FunctionName="greedy", ReservedConcurrentExecutions=900)

    limits = functions.get_account_settings()["AccountLimit"]
    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (1000, 100)
    functions.delete_function_concurrency(FunctionName="greedy")
    assert "ReservedConcurrentExecutions" not in functions.get_function_concurrency(FunctionName="greedy")


def test_the_older_operation_queues_as_well(make: Callable[..., Any], functions: Any) -> None:
    make("older")

    answer = functions.invoke_async(FunctionName="older", InvokeArgs=b'{"a": 1}')

    assert (answer["Status"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (202, 202)
    with pytest.raises(functions.exceptions.InvalidRequestContentException):
        functions.invoke_async(FunctionName="older", InvokeArgs=b"{")
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.invoke_async(FunctionName="none", InvokeArgs=b"{}")
