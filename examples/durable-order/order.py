"""An order as a durable function: it takes days, but runs for milliseconds. What it has done is kept, whatever happens."""

import json
import os

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig

functions = boto3.client("lambda")
s3 = boto3.client("s3")


@durable_execution
def handler(event, context: DurableContext):
    order = event["order"]
    context.step(lambda _: note(order, "reserved"), name="reserve")
    answer = context.wait_for_callback(
        lambda callback, _: ask(order, event["amount"], callback),
        name="approval",
        config=WaitForCallbackConfig(timeout=Duration.from_days(7)),
    )
    if answer != "approved":
        context.step(lambda _: note(order, "released"), name="release")
        return {"order": order, "state": "refused"}
    context.wait(Duration.from_days(2), name="packing")
    context.step(lambda _: note(order, "shipped"), name="ship")
    return {"order": order, "state": "shipped"}


def ask(order, amount, callback):
    """The answer is not waited for: the approver sends it to the callback when there is one."""
    question = {"order": order, "amount": amount, "callback": callback}
    functions.invoke(FunctionName=os.environ["APPROVER"], InvocationType="Event", Payload=json.dumps(question))


def note(order, what):
    s3.put_object(Bucket=os.environ["BOOK"], Key=f"{order}/{what}")
    return what
