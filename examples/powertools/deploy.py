"""Deploys Powertools as a layer, the function, and the queue that it books orders from, as `cumulet env` sets boto3 up.

Usage: python examples/powertools/deploy.py [python3.12]
"""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import boto3

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "powertools"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
READ_QUEUE = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def layer(runtime: str) -> bytes:
    """The locked requirements for that Python, as pip gives them."""
    version = runtime.removeprefix("python")
    folder = BUILD / f"python{version}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        options = ["--quiet", "--only-binary=:all:", "--require-hashes", "--no-deps", "--upgrade"]
        wanted = ["--python-version", version, "--requirement", str(HERE / "requirements.txt")]
        pip = [sys.executable, "-m", "pip", "install", "--target", str(partial)]
        subprocess.run([*pip, *options, *wanted], check=True)
        partial.rename(folder)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, f"python/{file.relative_to(folder)}")
    return content.getvalue()


def make_queues() -> tuple[str, str]:
    """The queue's URL and ARN; what fails three times goes to its dead-letter queue."""
    sqs = boto3.client("sqs")
    dead = sqs.create_queue(QueueName="orders-failed")["QueueUrl"]
    wanted = ["QueueArn"]
    dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=wanted)["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 3})
    attributes = {"RedrivePolicy": redrive, "VisibilityTimeout": "60"}
    queue = sqs.create_queue(QueueName="orders", Attributes=attributes)["QueueUrl"]
    return queue, sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=wanted)["Attributes"]["QueueArn"]


def make_role(queue_arn: str) -> str:
    iam = boto3.client("iam")
    role = iam.create_role(RoleName="orders", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    allowed = [(READ_QUEUE, queue_arn), (["logs:*", "xray:Put*"], "*")]
    statements = [{"Effect": "Allow", "Action": actions, "Resource": resource} for actions, resource in allowed]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName="orders", PolicyName="orders", PolicyDocument=policy)
    return str(role)


def deploy(runtime: str) -> str:
    """The queue's URL."""
    functions = boto3.client("lambda")
    published = functions.publish_layer_version(LayerName="powertools", Content={"ZipFile": layer(runtime)})
    queue, queue_arn = make_queues()
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(HERE / "orders.py", "orders.py")
    variables = {
        "POWERTOOLS_SERVICE_NAME": "orders",
        "POWERTOOLS_METRICS_NAMESPACE": "Shop",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    functions.create_function(
        FunctionName="orders",
        Runtime=runtime,
        Handler="orders.handler",
        Role=make_role(queue_arn),
        Code={"ZipFile": package.getvalue()},
        Layers=[published["LayerVersionArn"]],
        MemorySize=512,
        Timeout=30,
        Environment={"Variables": variables},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="orders", WaiterConfig={"Delay": 1})
    functions.create_event_source_mapping(
        EventSourceArn=queue_arn, FunctionName="orders", FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    return queue


def main() -> None:
    runtime = sys.argv[1] if len(sys.argv) > 1 else f"python{sys.version_info.major}.{sys.version_info.minor}"
    print(deploy(runtime))


if __name__ == "__main__":
    main()
