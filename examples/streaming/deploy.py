"""Deploys the function and its URL, and says where the page is. Runs against Cumulet or AWS, whatever boto3 is set up for.

Usage: python examples/streaming/deploy.py [nodejs20.x]
"""

import io
import json
import sys
import zipfile
from pathlib import Path

import boto3

NAME = "lift-off"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def deploy(runtime: str) -> str:
    """The address of the page."""
    functions = boto3.client("lambda")
    role = boto3.client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(Path(__file__).with_name("index.mjs"), "index.mjs")
    functions.create_function(
        FunctionName=NAME,
        Runtime=runtime,
        Handler="index.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
        Timeout=60,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1})
    url = functions.create_function_url_config(FunctionName=NAME, AuthType="NONE", InvokeMode="RESPONSE_STREAM")
    everybody = {"FunctionName": NAME, "Principal": "*"}
    functions.add_permission(
        StatementId="url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE", **everybody
    )
    functions.add_permission(
        StatementId="invoke", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True, **everybody
    )
    return str(url["FunctionUrl"])


if __name__ == "__main__":
    print(deploy(sys.argv[1] if len(sys.argv) > 1 else "nodejs20.x"))
