"""Deploys a bucket, three tables and two functions that process orders, as `cumulet env` sets boto3 up.

Usage: python examples/orders/deploy.py [python3.12]
"""

import io
import json
import sys
import zipfile
from pathlib import Path

import boto3

HERE = Path(__file__).parent
BUCKET = "transactions"
TABLES = {"Transactions": "transaction", "Customers": "customer", "Totals": "total"}
"""By name, what the key is called."""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
READ_STREAM = ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"]


def make_table(name: str, key: str, stream: bool) -> tuple[str, str]:
    """Its ARN, and that of its stream."""
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **({"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}} if stream else {}),
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    table = dynamodb.describe_table(TableName=name)["Table"]
    return table["TableArn"], table.get("LatestStreamArn", "")


def make_role(name: str, allowed: list[tuple[list[str], str]]) -> str:
    """Its ARN; `allowed` are actions and the resource on which."""
    iam = boto3.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    everything = [*allowed, (["logs:*"], "*")]
    statements = [{"Effect": "Allow", "Action": actions, "Resource": resource} for actions, resource in everything]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=policy)
    return str(role)


def make_function(name: str, runtime: str, role: str) -> str:
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
        MemorySize=512,
        Timeout=60,
        Environment={"Variables": {table.upper(): table for table in TABLES}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return str(made["FunctionArn"])


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
    notified = {
        "LambdaFunctionArn": function,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "incoming/"}]}},
    }
    boto3.client("s3").put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"LambdaFunctionConfigurations": [notified]}
    )


def follow_stream(function: str, stream: str) -> None:
    """The function is given what is new in the table, in batches, and says itself from where to try again."""
    boto3.client("lambda").create_event_source_mapping(
        EventSourceArn=stream,
        FunctionName=function,
        StartingPosition="TRIM_HORIZON",
        BatchSize=100,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": json.dumps({"eventName": ["INSERT"]})}]},
    )


def deploy(runtime: str) -> None:
    tables = {name: make_table(name, key, stream=name == "Transactions") for name, key in TABLES.items()}
    transactions, stream = tables["Transactions"]
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    booking = [
        (["s3:GetObject"], f"arn:aws:s3:::{BUCKET}/incoming/*"),
        (["s3:PutObject"], f"arn:aws:s3:::{BUCKET}/reports/*"),
        (["dynamodb:PutItem"], transactions),
        (["dynamodb:UpdateItem"], tables["Customers"][0]),
    ]
    counting = [
        (["dynamodb:UpdateItem"], transactions),
        (["dynamodb:UpdateItem"], tables["Totals"][0]),
        (READ_STREAM, stream),
    ]
    follow_bucket(make_function("book", runtime, make_role("book", booking)))
    follow_stream(make_function("total", runtime, make_role("total", counting)), stream)


def main() -> None:
    deploy(sys.argv[1] if len(sys.argv) > 1 else f"python{sys.version_info.major}.{sys.version_info.minor}")
    print(f"Deployed. Now: aws s3 cp FILE s3://{BUCKET}/incoming/")


if __name__ == "__main__":
    main()
