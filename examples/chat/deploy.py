"""Deploys the room and its page, and says where they are. Against Cumulet, as `cumulet env` sets boto3 up.

Usage: python examples/chat/deploy.py [python3.12]
"""

import io
import json
import os
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import boto3

NAME = "chat"
STAGE = "live"
HERE = Path(__file__).parent
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def make_table() -> None:
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName=NAME,
        KeySchema=[{"AttributeName": "connection", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "connection", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=NAME, WaiterConfig={"Delay": 1})


def make_role(api: str) -> str:
    """Its ARN: the function may write down who is there, and send to this API's connections."""
    iam = boto3.client("iam")
    role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    allowed = [
        (["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:Scan"], f"arn:aws:dynamodb:*:*:table/{NAME}"),
        (["execute-api:ManageConnections"], f"arn:aws:execute-api:*:*:{api}/{STAGE}/POST/@connections/*"),
        (["logs:*"], "*"),
    ]
    statements = [{"Effect": "Allow", "Action": actions, "Resource": resource} for actions, resource in allowed]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=NAME, PolicyName=NAME, PolicyDocument=policy)
    return str(role)


def make_function(api: str, runtime: str) -> str:
    """Its ARN."""
    functions = boto3.client("lambda")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(HERE / "chat.py", "chat.py")
    made = functions.create_function(
        FunctionName=NAME,
        Runtime=runtime,
        Handler="chat.handler",
        Role=make_role(api),
        Code={"ZipFile": package.getvalue()},
        MemorySize=512,
        Timeout=20,
        Environment={"Variables": {"TABLE": NAME}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1})
    _, _, _, region, account, *_ = made["FunctionArn"].split(":")
    functions.add_permission(
        FunctionName=NAME,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{region}:{account}:{api}/*",
    )
    return str(made["FunctionArn"])


def make_room(runtime: str) -> str:
    """The address that clients connect to."""
    gateway = boto3.client("apigatewayv2")
    api = gateway.create_api(Name=NAME, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    function = make_function(api["ApiId"], runtime)
    region = function.split(":")[3]
    integration = gateway.create_integration(
        ApiId=api["ApiId"],
        IntegrationType="AWS_PROXY",
        IntegrationMethod="POST",
        IntegrationUri=f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function}/invocations",
    )
    for key in ("$connect", "$disconnect", "sendmessage", "$default"):
        gateway.create_route(ApiId=api["ApiId"], RouteKey=key, Target=f"integrations/{integration['IntegrationId']}")
    deployment = gateway.create_deployment(ApiId=api["ApiId"])["DeploymentId"]
    gateway.create_stage(ApiId=api["ApiId"], StageName=STAGE, DeploymentId=deployment)
    return f"{api['ApiEndpoint']}/{STAGE}"


def publish_page(room: str) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=NAME)
    s3.delete_public_access_block(Bucket=NAME)
    s3.put_bucket_website(Bucket=NAME, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{NAME}/*"}
    s3.put_bucket_policy(Bucket=NAME, Policy=json.dumps({"Version": "2012-10-17", "Statement": [public]}))
    page = (HERE / "index.html").read_text().replace("{{room}}", room)
    s3.put_object(Bucket=NAME, Key="index.html", Body=page.encode(), ContentType="text/html; charset=utf-8")


def main() -> None:
    make_table()
    room = make_room(sys.argv[1] if len(sys.argv) > 1 else f"python{sys.version_info.major}.{sys.version_info.minor}")
    publish_page(room)
    port = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "http://localhost:4566")).port
    print(f"http://{NAME}.s3-website.localhost:{port}/\n{room}")


if __name__ == "__main__":
    main()
