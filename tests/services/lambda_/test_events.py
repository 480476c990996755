"""Asynchronous invocations: queued, retried by the clock, told of at the end."""

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import HOLD, Gate

FAIL = "def handler(event, context):\n    raise RuntimeError('never')\n"


class Queue:
    """A queue that receives what is told of invocations."""

    def __init__(self, sqs: Any, name: str) -> None:
        self._sqs = sqs
        self.url = sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn = attributes["Attributes"]["QueueArn"]

    def next(self) -> Any:
        """The next message; fails when none comes."""
        found: list[Any] = []

        def came() -> bool:
            answer = self._sqs.receive_message(
                QueueUrl=self.url,
                WaitTimeSeconds=2,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
                MaxNumberOfMessages=1,
            )
            found.extend(answer.get("Messages", ()))
            return bool(found)

        until(came, "the next message")
        self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=found[0]["ReceiptHandle"])
        return found[0]

    def empty(self) -> bool:
        return "Messages" not in self._sqs.receive_message(QueueUrl=self.url)


@pytest.fixture
def queue(client: Callable[..., Any]) -> Queue:
    return Queue(client("sqs"), "results")


@pytest.fixture
def attempts(client: Callable[..., Any]) -> Callable[[str], int]:
    """How often a function has run, by its log."""
    logs = client("logs")

    def count(name: str) -> int:
        try:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/{name}", filterPattern='"REPORT RequestId"'
            )
            return sum(len(page["events"]) for page in pages)
        except logs.exceptions.ResourceNotFoundException:
            return 0

    return count


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_success_is_told(make: Callable[..., Any], functions: Any, queue: Queue, account: str) -> None:
    make("works", "def handler(event, context):\n    return {'got': event}\n")
    functions.put_function_event_invoke_config(
        FunctionName="works", DestinationConfig={"OnSuccess": {"Destination": queue.arn}}
    )

    answer = functions.invoke(FunctionName="works", InvocationType="Event", Payload='{"a": 1}')
    record = json.loads(queue.next()["Body"])

    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": answer["ResponseMetadata"]["RequestId"],
            "functionArn": f"arn:aws:lambda:us-east-1:{account}:function:works:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"got": {"a": 1}},
    }


def test_a_failure_is_tried_three_times(
    make: Callable[..., Any],
    functions: Any,
    queue: Queue,
    advance: Callable[[float], None],
    attempts: Callable[[str], int],
) -> None:
    make("fails", FAIL, DeadLetterConfig={"TargetArn": queue.arn})
    request = functions.invoke(FunctionName="fails", InvocationType="Event", Payload="[1]")["ResponseMetadata"][
        "RequestId"
    ]
    until(lambda: attempts("fails") == 1, "the first attempt")

    advance(61)
    until(lambda: attempts("fails") == 2, "the second attempt, after a minute")
    assert queue.empty()
    advance(121)
    letter = queue.next()

    until(lambda: attempts("fails") == 3, "the log of the third attempt")
    assert letter["Body"] == "[1]"
    values = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert values == {"RequestID": request, "ErrorCode": "200", "ErrorMessage": "never"}


def test_no_retries_when_configured(make: Callable[..., Any], functions: Any, queue: Queue) -> None:
    make("once", FAIL)
    functions.put_function_event_invoke_config(
        FunctionName="once", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": queue.arn}}
    )

    functions.invoke(FunctionName="once", InvocationType="Event", Payload="{}")
    record = json.loads(queue.next()["Body"])

    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert record["responsePayload"]["errorType"] == "RuntimeError"


def test_an_event_can_be_too_old(make: Callable[..., Any], functions: Any, queue: Queue) -> None:
    make("aged", FAIL)
    functions.put_function_event_invoke_config(
        FunctionName="aged", MaximumEventAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": queue.arn}}
    )

    functions.invoke(FunctionName="aged", InvocationType="Event", Payload="{}")

    context = json.loads(queue.next()["Body"])["requestContext"]
    assert context["condition"] in {"EventAgeExceeded", "RetriesExhausted"}


def test_a_function_that_may_not_run_gives_its_events_back(
    make: Callable[..., Any], functions: Any, queue: Queue
) -> None:
    make("stopped")
    functions.put_function_concurrency(FunctionName="stopped", ReservedConcurrentExecutions=0)
    functions.put_function_event_invoke_config(
        FunctionName="stopped", DestinationConfig={"OnFailure": {"Destination": queue.arn}}
    )

    functions.invoke(FunctionName="stopped", InvocationType="Event", Payload='{"a": 1}')
    record = json.loads(queue.next()["Body"])

    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["requestPayload"] == {"a": 1}
    assert "responseContext" not in record


def test_a_function_hears_of_another(make: Callable[..., Any], functions: Any, queue: Queue) -> None:
    hearer = make("hears", "def handler(event, context):\n    return event['responsePayload']\n")["FunctionArn"]
    functions.put_function_event_invoke_config(
        FunctionName="hears", DestinationConfig={"OnSuccess": {"Destination": queue.arn}}
    )
    make("speaks", "def handler(event, context):\n    return 'hello'\n")
    functions.put_function_event_invoke_config(
        FunctionName="speaks", DestinationConfig={"OnSuccess": {"Destination": hearer}}
    )

    functions.invoke(FunctionName="speaks", InvocationType="Event")

    assert json.loads(queue.next()["Body"])["responsePayload"] == "hello"


def test_a_burst_runs_every_event_once(
    make: Callable[..., Any], functions: Any, attempts: Callable[[str], int]
) -> None:
    make("busy")
    for number in range(100):
        functions.invoke(FunctionName="busy", InvocationType="Event", Payload=str(number))

    until(lambda: attempts("busy") == 100, "all events run")


def test_queued_events_wait_for_their_turn(
    make: Callable[..., Any], functions: Any, attempts: Callable[[str], int]
) -> None:
    make("single", "import time\n\ndef handler(event, context):\n    time.sleep(0.05)\n")
    functions.put_function_concurrency(FunctionName="single", ReservedConcurrentExecutions=1)
    for _ in range(10):
        functions.invoke(FunctionName="single", InvocationType="Event", Payload="{}")

    until(lambda: attempts("single") == 10, "all events run, one at a time")


def test_the_configuration_can_be_read_and_changed(make: Callable[..., Any], functions: Any, account: str) -> None:
    make("configured")
    functions.put_function_event_invoke_config(FunctionName="configured", MaximumRetryAttempts=0)
    functions.update_function_event_invoke_config(FunctionName="configured", MaximumEventAgeInSeconds=60)

    found = functions.get_function_event_invoke_config(FunctionName="configured")

    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (0, 60)
    assert found["FunctionArn"] == f"arn:aws:lambda:us-east-1:{account}:function:configured:$LATEST"
    assert found["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    [listed] = functions.list_function_event_invoke_configs(FunctionName="configured")["FunctionEventInvokeConfigs"]
    assert listed["MaximumRetryAttempts"] == 0
    functions.delete_function_event_invoke_config(FunctionName="configured")
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match="doesn't have an EventInvokeConfig"):
        functions.get_function_event_invoke_config(FunctionName="configured")


def test_a_function_is_no_destination_for_itself(make: Callable[..., Any], functions: Any) -> None:
    arn = make("itself")["FunctionArn"]

    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="as a destination for itself"):
        functions.put_function_event_invoke_config(
            FunctionName="itself", DestinationConfig={"OnFailure": {"Destination": arn}}
        )


def test_a_target_that_nothing_reaches_yet_is_refused_at_once(
    make: Callable[..., Any], functions: Any, account: str
) -> None:
    make("works", FAIL)
    topic = f"arn:aws:sns:us-east-1:{account}:topic"
    with pytest.raises(ClientError, match="NotImplemented"):
        functions.put_function_event_invoke_config(
            FunctionName="works", DestinationConfig={"OnFailure": {"Destination": topic}}
        )
    with pytest.raises(ClientError, match="NotImplemented"):
        functions.update_function_configuration(FunctionName="works", DeadLetterConfig={"TargetArn": topic})
    assert "DeadLetterConfig" not in functions.get_function_configuration(FunctionName="works")


def test_a_failure_may_be_kept_in_a_bucket(
    make: Callable[..., Any], functions: Any, client: Callable[..., Any], account: str
) -> None:
    s3 = client("s3")
    bucket = f"failures-{account}"
    s3.create_bucket(Bucket=bucket)
    make("fails", FAIL)
    functions.put_function_event_invoke_config(
        FunctionName="fails",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    functions.invoke(FunctionName="fails", InvocationType="Event", Payload='{"a": 1}')
    until(lambda: s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1, "the record")
    [item] = s3.list_objects_v2(Bucket=bucket)["Contents"]
    pattern = r"aws/lambda/async/fails/\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}"
    assert re.fullmatch(pattern, item["Key"])
    record = json.loads(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestPayload"] == {"a": 1}


def test_a_bucket_takes_failures_alone(make: Callable[..., Any], functions: Any) -> None:
    make("f")
    with pytest.raises(ClientError, match=r"The provided destination config .* is invalid"):
        functions.put_function_event_invoke_config(
            FunctionName="f", DestinationConfig={"OnSuccess": {"Destination": "arn:aws:s3:::bucket"}}
        )


def test_a_throttled_event_grows_too_old(
    make: Callable[..., Any],
    functions: Any,
    queue: Queue,
    advance: Callable[[float], None],
    gate: Callable[[str], Gate],
) -> None:
    """It waits for room, with growing pauses, and is given up by its age."""
    door = gate("busy")
    make("busy", HOLD + "def handler(event, context):\n    hold()\n", Timeout=100)
    functions.put_function_event_invoke_config(
        FunctionName="busy",
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": queue.arn}},
    )
    functions.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(functions.invoke, FunctionName="busy")
        door.begun()
        functions.invoke(FunctionName="busy", InvocationType="Event")
        advance(70)
        try:
            record = json.loads(queue.next()["Body"])
        finally:
            door.go()
        running.result()
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["responseContext"] == {"statusCode": 429}
    assert "responsePayload" not in record


def test_a_record_continues_the_chain(make: Callable[..., Any], functions: Any, client: Callable[..., Any]) -> None:
    sqs = client("sqs")
    queue = Queue(sqs, "chain")
    make("works", "import os\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']\n")
    functions.put_function_event_invoke_config(
        FunctionName="works", DestinationConfig={"OnSuccess": {"Destination": queue.arn}}
    )
    functions.invoke(FunctionName="works", InvocationType="Event")
    message = queue.next()
    assert message["Attributes"]["AWSTraceHeader"] == json.loads(message["Body"])["responsePayload"]
