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
    answer = functions.invoke(FunctionName="f")
    first = payload(answer)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-trace-id"] == first
    assert first.startswith("Root=1-")
    assert ";Lineage=1:" in first
    assert first.endswith(":0")


def test_a_function_that_calls_itself_is_stopped(functions: Any, make: Callable[..., Any]) -> None:
    make("f", AGAIN, Timeout=100)
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
    deadline = time.monotonic() + 60
    while not (
        found := queues.receive_message(QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=2).get("Messages")
    ):
        assert time.monotonic() < deadline
    assert found[0]["Body"] == '{"a": 1}'


PASS_ON = """
import boto3, os
sqs = boto3.client("sqs")
def handler(event, context):
    for record in event["Records"]:
        sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=record["body"])
        sqs.send_message(QueueUrl=os.environ["SOURCE"], MessageBody=record["body"])
"""


def test_a_loop_through_a_queue_ends(functions: Any, make: Callable[..., Any], client: Callable[..., Any]) -> None:
    queues = client("sqs")
    source = queues.create_queue(QueueName="source", Attributes={"VisibilityTimeout": "300"})["QueueUrl"]
    seen = queues.create_queue(QueueName="seen")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=source, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    make("loop", PASS_ON, Timeout=60, Environment={"Variables": {"SEEN": seen, "SOURCE": source}})
    functions.create_event_source_mapping(FunctionName="loop", EventSourceArn=arn, BatchSize=1)
    queues.send_message(QueueUrl=source, MessageBody="round")
    deadline = time.monotonic() + 100
    while count(queues, seen) < 16:
        assert time.monotonic() < deadline, count(queues, seen)
        time.sleep(0.1)
    time.sleep(1.0)
    assert count(queues, seen) == 16


def count(queues: Any, url: str) -> int:
    """Messages in a queue."""
    attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


ON_OBJECTS = """
import boto3
s3 = boto3.client("s3")
def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        s3.put_object(Bucket=bucket, Key=record["s3"]["object"]["key"] + "x", Body=b"")
"""


def test_a_loop_through_a_bucket_ends(
    functions: Any, make: Callable[..., Any], client: Callable[..., Any], account: str
) -> None:
    s3 = client("s3")
    bucket = f"loop-{account}"
    s3.create_bucket(Bucket=bucket)
    arn = make("loop", ON_OBJECTS, Timeout=60)["FunctionArn"]
    functions.add_permission(
        FunctionName="loop", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    s3.put_object(Bucket=bucket, Key="x")
    deadline = time.monotonic() + 100
    while s3.list_objects_v2(Bucket=bucket)["KeyCount"] < 17:
        assert time.monotonic() < deadline, s3.list_objects_v2(Bucket=bucket)["KeyCount"]
        time.sleep(0.1)
    time.sleep(1.0)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 17
