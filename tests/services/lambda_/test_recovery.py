"""A node that is killed: what it accepted is there when it comes back."""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.services.lambda_.conftest import ECHO, RUNTIME, package, payload

ACCOUNT = "777788889999"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/functions"
SLOW = """
import time

def handler(event, context):
    time.sleep(event["sleep"])
    return event["number"]
"""


def create(functions: Any, name: str, source: str) -> None:
    functions.create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Handler="index.handler",
        Role=ROLE,
        Timeout=30,
        Code={"ZipFile": package(source)},
    )


def test_events_survive_a_kill(start_node: Callable[..., Any]) -> None:
    node = start_node()
    functions, sqs = node.client("lambda", ACCOUNT), node.client("sqs", ACCOUNT)
    url = sqs.create_queue(QueueName="results")["QueueUrl"]
    create(functions, "slow", SLOW)
    functions.put_function_event_invoke_config(
        FunctionName="slow",
        DestinationConfig={"OnSuccess": {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:results"}},
    )
    functions.invoke(FunctionName="slow", Payload='{"sleep": 0, "number": -1}')
    for number in range(20):
        event = json.dumps({"sleep": 0.2, "number": number})
        functions.invoke(FunctionName="slow", InvocationType="Event", Payload=event)
    node.kill()

    node.start()
    sqs = node.client("sqs", ACCOUNT)
    numbers: set[int] = set()
    deadline = time.monotonic() + 100
    while numbers != set(range(20)):
        assert time.monotonic() < deadline, f"only {sorted(numbers)} were run"
        answer = sqs.receive_message(
            QueueUrl=url.replace(url.split("/")[2], node.endpoint.split("/")[2]),
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
        )
        for message in answer.get("Messages", []):
            numbers.add(json.loads(message["Body"])["responsePayload"])


def test_functions_survive_a_kill(start_node: Callable[..., Any]) -> None:
    node = start_node()
    functions = node.client("lambda", ACCOUNT)
    create(functions, "kept", ECHO)
    functions.publish_version(FunctionName="kept")
    functions.put_function_concurrency(FunctionName="kept", ReservedConcurrentExecutions=5)
    node.kill()

    node.start()
    functions = node.client("lambda", ACCOUNT)

    assert payload(functions.invoke(FunctionName="kept", Payload="[1]")) == [1]
    assert payload(functions.invoke(FunctionName="kept", Qualifier="1", Payload="[2]")) == [2]
    assert functions.get_function(FunctionName="kept")["Concurrency"] == {"ReservedConcurrentExecutions": 5}


def test_a_function_in_the_making_is_finished_after_a_kill(start_node: Callable[..., Any]) -> None:
    node = start_node()
    functions = node.client("lambda", ACCOUNT)
    for number in range(5):
        create(functions, f"new-{number}", ECHO)
    node.kill()

    node.start()
    functions = node.client("lambda", ACCOUNT)

    for number in range(5):
        assert payload(functions.invoke(FunctionName=f"new-{number}", Payload="1")) == 1
        assert functions.get_function_configuration(FunctionName=f"new-{number}")["State"] == "Active"
