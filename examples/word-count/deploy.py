"""Deploys a bucket, two functions and the state machine that counts words, as `cumulet env` sets boto3 up.

Usage: python examples/word-count/deploy.py [python3.12]
"""

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3

HERE = Path(__file__).parent
BUCKET = "library"
OBJECTS = (["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{BUCKET}/*")


def make_role(name: str, service: str, allowed: list[tuple[list[str], str]]) -> str:
    """Its ARN; `allowed` are actions and the resource on which."""
    iam = boto3.client("iam")
    trust: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    statements = [{"Effect": "Allow", "Action": actions, "Resource": on} for actions, on in allowed]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=policy)
    return str(role)


def make_function(name: str, runtime: str, role: str) -> None:
    functions = boto3.client("lambda")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(HERE / f"{name}.py", f"{name}.py")
    functions.create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler=f"{name}.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
        MemorySize=512,
        Timeout=60,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def main() -> None:
    runtime = sys.argv[1] if len(sys.argv) > 1 else f"python3.{sys.version_info.minor}"
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    role = make_role("word-functions", "lambda.amazonaws.com", [OBJECTS, (["logs:*"], "*")])
    for name in ("count", "add_up"):
        make_function(name, runtime, role)
    allowed = [
        OBJECTS,
        (["s3:ListBucket"], f"arn:aws:s3:::{BUCKET}"),
        (["lambda:InvokeFunction"], "arn:aws:lambda:*:*:function:*"),
        (["states:StartExecution", "states:StopExecution", "states:DescribeExecution"], "*"),
    ]
    made = boto3.client("stepfunctions").create_state_machine(
        name="word-count",
        definition=(HERE / "machine.asl.json").read_text(),
        roleArn=make_role("word-count", "states.amazonaws.com", allowed),
    )
    print(made["stateMachineArn"])


if __name__ == "__main__":
    main()
