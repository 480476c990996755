"""Deploys tables, functions and the API that social.yaml describes, as `cumulet env` sets boto3 up.

Usage: eval "$(python examples/social/deploy.py [python3.12])"    # sets API, URL and KEY
"""

import io
import json
import os
import secrets
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

HERE = Path(__file__).parent
STAGE = "dev"
TABLES = {"social-accounts": ["name"], "social-posts": ["wall", "post"], "social-comments": ["post", "comment"]}
"""By name, the keys: of the partition, and if there is another, of the order in it."""
READ, WRITE = ["dynamodb:GetItem", "dynamodb:Query"], ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
FUNCTIONS: dict[str, list[str]] = {
    "accounts": ["social-accounts"],
    "authorizer": [],
    "posts": ["social-posts", "social-comments"],
}
"""By name, the tables that they read and write."""


def make_table(name: str, keys: list[str]) -> None:
    dynamodb = boto3.client("dynamodb")
    kinds = zip(keys, ("HASH", "RANGE"), strict=False)
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in kinds],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})


def make_role(name: str, service: str, actions: list[str], tables: list[str]) -> str:
    """Its ARN; the role may do `actions` on `tables`."""
    iam = boto3.client("iam")
    trust: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    statements = [{"Effect": "Allow", "Action": ["logs:*"], "Resource": ["*"]}]
    if tables:
        resources = [f"arn:aws:dynamodb:*:*:table/{table}" for table in tables]
        statements.append({"Effect": "Allow", "Action": actions, "Resource": resources})
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=policy)
    return str(role)


def make_functions(runtime: str) -> None:
    """All functions have the same code, and a handler each."""
    functions = boto3.client("lambda")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        for source in (HERE / "functions").glob("*.py"):
            archive.write(source, source.name)
    secret = secrets.token_hex(32)
    for name, tables in FUNCTIONS.items():
        functions.create_function(
            FunctionName=f"social-{name}",
            Runtime=runtime,
            Handler=f"{name}.handler",
            Role=make_role(
                f"social-{name}", "lambda.amazonaws.com", [*READ, *WRITE, "dynamodb:BatchWriteItem"], tables
            ),
            Code={"ZipFile": package.getvalue()},
            MemorySize=512,
            Timeout=20,
            Environment={"Variables": {"SECRET": secret}},
        )
    for name in FUNCTIONS:
        functions.get_waiter("function_active_v2").wait(FunctionName=f"social-{name}", WaiterConfig={"Delay": 1})


def import_api() -> str:
    """The API of social.yaml, deployed; its id."""
    account, region = boto3.client("sts").get_caller_identity()["Account"], boto3.Session().region_name
    document = (HERE / "social.yaml").read_text().replace("{{account}}", account).replace("{{region}}", str(region))
    gateway = boto3.client("apigateway")
    api = gateway.import_rest_api(body=document.encode(), failOnWarnings=True)["id"]
    for name in FUNCTIONS:
        boto3.client("lambda").add_permission(
            FunctionName=f"social-{name}",
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{region}:{account}:{api}/*",
        )
    gateway.create_deployment(restApiId=api, stageName=STAGE)
    return str(api)


def make_key(api: str) -> str:
    """A partner's key: five requests at once, one a second, fifty a day."""
    gateway = boto3.client("apigateway")
    plan = gateway.create_usage_plan(
        name="social-partners",
        apiStages=[{"apiId": api, "stage": STAGE}],
        throttle={"rateLimit": 1, "burstLimit": 5},
        quota={"limit": 50, "period": "DAY"},
    )
    key = gateway.create_api_key(name="social-partner", enabled=True)
    gateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    return str(key["value"])


def main() -> None:
    for name, keys in TABLES.items():
        make_table(name, keys)
    make_role("social-likes", "apigateway.amazonaws.com", ["dynamodb:UpdateItem"], ["social-posts"])
    make_functions(sys.argv[1] if len(sys.argv) > 1 else f"python{sys.version_info.major}.{sys.version_info.minor}")
    api = import_api()
    port = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "http://localhost:4566")).port
    print(f"API={api}\nURL=http://{api}.execute-api.localhost:{port}/{STAGE}\nKEY={make_key(api)}")


if __name__ == "__main__":
    main()
