"""Deploys a bucket, a table, three functions and the state machine of a video platform, as `cumulet env` sets boto3 up.

Usage: python examples/video-on-demand/deploy.py [python3.12]
"""

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3

HERE = Path(__file__).parent
BUCKET = "videos"
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


def make_function(name: str, runtime: str, role: str, **variables: str) -> str:
    """Its ARN."""
    functions = boto3.client("lambda")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(HERE / f"{name}.py", f"{name}.py")
    made = functions.create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler=f"{name}.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
        MemorySize=1024,
        Timeout=300,
        Environment={"Variables": variables},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return str(made["FunctionArn"])


def make_table() -> None:
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName="Videos",
        KeySchema=[{"AttributeName": "video", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "video", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName="Videos", WaiterConfig={"Delay": 1})


def follow_bucket(function: str) -> None:
    """S3 invokes the function for every file under incoming/."""
    boto3.client("lambda").add_permission(
        FunctionName=function,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{BUCKET}",
        SourceAccount=function.split(":")[4],
    )
    rule = {
        "LambdaFunctionArn": function,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "incoming/"}]}},
    }
    boto3.client("s3").put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )


def main() -> None:
    runtime = sys.argv[1] if len(sys.argv) > 1 else f"python3.{sys.version_info.minor}"
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    make_table()
    role = make_role("video-functions", "lambda.amazonaws.com", [OBJECTS, (["logs:*"], "*")])
    for name in ("probe", "transcode"):
        make_function(name, runtime, role)
    allowed = [
        OBJECTS,
        (["dynamodb:PutItem"], "arn:aws:dynamodb:*:*:table/Videos"),
        (["lambda:InvokeFunction"], "arn:aws:lambda:*:*:function:*"),
    ]
    machine = boto3.client("stepfunctions").create_state_machine(
        name="video-on-demand",
        definition=(HERE / "machine.asl.json").read_text(),
        roleArn=make_role("video-on-demand", "states.amazonaws.com", allowed),
    )["stateMachineArn"]
    starts = make_role(
        "video-ingest", "lambda.amazonaws.com", [(["states:StartExecution"], machine), (["logs:*"], "*")]
    )
    follow_bucket(make_function("ingest", runtime, starts, MACHINE=machine))
    print(machine)


if __name__ == "__main__":
    main()
