"""Deploys two tables, two functions and the state machine of an order, as `cumulet env` sets boto3 up.

Usage: python examples/order-saga/deploy.py [python3.12]
"""

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3

HERE = Path(__file__).parent
FUNCTIONS = {"payments": ["dynamodb:UpdateItem"], "parcels": []}
"""By name, what they may do with the table Payments."""


def make_table(name: str, key: str) -> None:
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})


def make_role(name: str, service: str, allowed: list[tuple[list[str], str]]) -> str:
    """Its ARN; `allowed` are actions and the resource on which."""
    iam = boto3.client("iam")
    trust: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    statements = [{"Effect": "Allow", "Action": actions, "Resource": on} for actions, on in allowed if actions]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=policy)
    return str(role)


def make_function(name: str, runtime: str) -> None:
    functions = boto3.client("lambda")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(HERE / f"{name}.py", f"{name}.py")
    allowed = [(FUNCTIONS[name], "arn:aws:dynamodb:*:*:table/Payments"), (["logs:*"], "*")]
    functions.create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler=f"{name}.handler",
        Role=make_role(name, "lambda.amazonaws.com", allowed),
        Code={"ZipFile": package.getvalue()},
        MemorySize=512,
        Timeout=30,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def main() -> None:
    runtime = sys.argv[1] if len(sys.argv) > 1 else f"python3.{sys.version_info.minor}"
    make_table("Stock", "sku")
    make_table("Payments", "order")
    boto3.client("dynamodb").put_item(TableName="Stock", Item={"sku": {"S": "book"}, "pieces": {"N": "10"}})
    for name in FUNCTIONS:
        make_function(name, runtime)
    allowed = [
        (["dynamodb:UpdateItem"], "arn:aws:dynamodb:*:*:table/Stock"),
        (["lambda:InvokeFunction"], "arn:aws:lambda:*:*:function:*"),
    ]
    made = boto3.client("stepfunctions").create_state_machine(
        name="order-saga",
        definition=(HERE / "machine.asl.json").read_text(),
        roleArn=make_role("order-saga", "states.amazonaws.com", allowed),
    )
    print(made["stateMachineArn"])


if __name__ == "__main__":
    main()
