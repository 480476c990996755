"""Sources where permissions are enforced: they are read as the function's execution role."""

import json
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError
from tests.conftest import NodeProcess
from tests.services.lambda_.conftest import ECHO, RUNTIME, package
from tests.services.lambda_.sources.conftest import until

ACCOUNT = "555555555555"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def test_the_role_must_be_allowed_to_read(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node("--iam", "enforce")
    iam, functions, sqs = (node.client(name, ACCOUNT) for name in ("iam", "lambda", "sqs"))
    url = sqs.create_queue(QueueName="source")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:source"
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    functions.create_function(
        FunctionName="reader",
        Runtime=RUNTIME,
        Handler="index.handler",
        Role=role,
        Timeout=30,
        Code={"ZipFile": package(ECHO)},
    )

    def allow(*actions: str) -> None:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": arn}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=document)

    def refusal() -> str:
        with pytest.raises(ClientError) as caught:
            functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="reader")
        return str(caught.value.response["Error"]["Message"])

    sentence = "The function execution role does not have permissions to call {} on SQS"
    assert refusal() == sentence.format("ReceiveMessage")
    allow("sqs:ReceiveMessage")
    assert refusal() == sentence.format("DeleteMessage")
    allow("sqs:ReceiveMessage", "sqs:DeleteMessage")
    assert refusal() == sentence.format("GetQueueAttributes")
    allow("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="reader")
    sqs.send_message(QueueUrl=url, MessageBody="a")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def left() -> list[str]:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return [found[name] for name in names]

    until(lambda: left() == ["0", "0"])
