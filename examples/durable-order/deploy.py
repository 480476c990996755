"""Deploys the durable function, the one that answers it, and the bucket that is the book, as `cumulet env` sets boto3 up.

Usage: python examples/durable-order/deploy.py [python3.13]
"""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "durable-order"
BOOK = "orders"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
GO_ON = ["lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"]


def sdk() -> Path:
    """A folder with AWS's SDK for durable functions (Python alone, so one for every version)."""
    folder = BUILD / "sdk"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        options = ["--quiet", "--require-hashes", "--no-deps", "--upgrade", "--target", str(partial)]
        requirements = ["--requirement", str(HERE / "requirements.txt")]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, *requirements], check=True)
        partial.rename(folder)
    return folder


def package(name: str, libraries: Path | None = None) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(HERE / f"{name}.py", f"{name}.py")
        for file in sorted(libraries.rglob("*")) if libraries else ():
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(libraries or HERE))
    return content.getvalue()


def make_role(name: str, allowed: list[tuple[list[str], str]]) -> str:
    """Its ARN; `allowed` are actions and the resource on which."""
    iam = boto3.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    everything = [*allowed, (["logs:*"], "*")]
    statements = [{"Effect": "Allow", "Action": actions, "Resource": resource} for actions, resource in everything]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=policy)
    return str(role)


def make_function(name: str, runtime: str, role: str, code: bytes, **members: Any) -> str:
    """Its ARN."""
    functions = boto3.client("lambda")
    made = functions.create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler=f"{name}.handler",
        Role=role,
        Code={"ZipFile": code},
        MemorySize=512,
        Timeout=30,
        **members,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return str(made["FunctionArn"])


def deploy(runtime: str) -> None:
    boto3.client("s3").create_bucket(Bucket=BOOK)
    account = boto3.client("sts").get_caller_identity()["Account"]
    region = boto3.client("lambda").meta.region_name
    order = f"arn:aws:lambda:{region}:{account}:function:order"
    answers = ["lambda:SendDurableExecutionCallbackSuccess"]
    approver = make_function("approver", runtime, make_role("approver", [(answers, f"{order}:*")]), package("approver"))
    allowed = [
        (GO_ON, f"{order}:*"),
        (["lambda:InvokeFunction"], approver),
        (["s3:PutObject"], f"arn:aws:s3:::{BOOK}/*"),
    ]
    make_function(
        "order",
        runtime,
        make_role("order", allowed),
        package("order", sdk()),
        DurableConfig={"ExecutionTimeout": 30 * 86400, "RetentionPeriodInDays": 14},
        Environment={"Variables": {"APPROVER": approver, "BOOK": BOOK}},
    )


def main() -> None:
    deploy(sys.argv[1] if len(sys.argv) > 1 else f"python{sys.version_info.major}.{sys.version_info.minor}")
    print("Deployed; README.md says how to place an order")


if __name__ == "__main__":
    main()
