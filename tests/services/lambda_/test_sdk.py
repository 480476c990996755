"""The AWS SDK that functions find, speaking to the node they run on."""

import json
from collections.abc import Callable
from typing import Any

from tests.services.lambda_.conftest import payload

FUNCTION = """
import json
import boto3

def handler(event, context):
    calls = {}
    for service, operation, arguments in event:
        answer = getattr(boto3.client(service), operation)(**arguments)
        answer.pop("ResponseMetadata")
        calls[service] = sorted(answer)
    return calls
"""


def test_a_function_calls_every_service(make: Callable[..., Any], functions: Any, account: str) -> None:
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("s3", "create_bucket", {"Bucket": f"made-inside-{account}"}),
        ("sqs", "create_queue", {"QueueName": "made-inside"}),
        ("logs", "describe_log_groups", {}),
        ("iam", "list_users", {}),
        ("sts", "get_caller_identity", {}),
        ("lambda", "get_function", {"FunctionName": "caller"}),
    ]
    make("caller", FUNCTION, Timeout=60, MemorySize=512)
    functions.get_waiter("function_active_v2").wait(FunctionName="caller", WaiterConfig={"Delay": 1})
    answer = payload(functions.invoke(FunctionName="caller", Payload=json.dumps(calls)))
    assert answer == {
        "s3": ["BucketArn", "Location"],
        "sqs": ["QueueUrl"],
        "logs": ["logGroups"],
        "iam": ["IsTruncated", "Users"],
        "sts": ["Account", "Arn", "UserId"],
        "lambda": ["Code", "Configuration"],
    }
