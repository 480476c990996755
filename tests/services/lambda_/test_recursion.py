"""Functions that call themselves are stopped."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import payload

AGAIN = """
import boto3, json, os
client = boto3.client("lambda")
def handler(event, context):
    hops = event["hops"] + 1
    try:
        answer = client.invoke(FunctionName=context.function_name, Payload=json.dumps({"hops": hops}))
        return json.load(answer["Payload"])
    except client.exceptions.RecursiveInvocationException as error:
        return {"hops": hops, "error": error.response["Error"]["Message"]}
"""
SHOW = "import os\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']\n"


def test_every_invocation_has_a_place_in_a_chain(functions: Any, make: Callable[..., Any]) -> None:
    make("f", SHOW)
    first = payload(functions.invoke(FunctionName="f"))
    assert first.startswith("Root=1-")
    assert ";Lineage=1:" in first
    assert first.endswith(":0")


def test_a_function_that_calls_itself_is_stopped(functions: Any, make: Callable[..., Any]) -> None:
    make("f", AGAIN, Timeout=60)
    answer = payload(functions.invoke(FunctionName="f", Payload=json.dumps({"hops": 0})))
    assert answer["hops"] == 16
    assert "recursive loop" in answer["error"]


def with_lineage(functions: Any, name: str, times: int) -> Any:
    """Invoke as something that has come by `name` so often would."""
    [mark] = [part for part in payload(functions.invoke(FunctionName=name)).split(";") if part.startswith("Lineage=")]
    header = mark.rpartition(":")[0] + f":{times}"

    def add(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = f"Root=1-67a3b2c1-0123456789abcdef01234567;{header}"

    functions.meta.events.register("before-send.lambda.Invoke", add)
    return functions


def test_it_may_be_allowed(functions: Any, make: Callable[..., Any]) -> None:
    make("f", SHOW)
    with pytest.raises(ClientError, match="recursive loop") as caught:
        with_lineage(functions, "f", 15).invoke(FunctionName="f")
    assert caught.value.response["Error"]["Code"] == "RecursiveInvocationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    functions.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    assert payload(functions.invoke(FunctionName="f")).endswith(":16")


def test_an_event_of_a_loop_goes_to_the_dead_letter_queue(
    functions: Any, make: Callable[..., Any], client: Callable[..., Any]
) -> None:
    queues = client("sqs")
    url = queues.create_queue(QueueName="letters")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    make("f", SHOW, DeadLetterConfig={"TargetArn": arn})
    with_lineage(functions, "f", 15).invoke(FunctionName="f", InvocationType="Event", Payload=b'{"a": 1}')
    deadline = time.monotonic() + 20
    while not (
        found := queues.receive_message(QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=2).get("Messages")
    ):
        assert time.monotonic() < deadline
    assert found[0]["Body"] == '{"a": 1}'
