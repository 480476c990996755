"""Deploys the server as a web function, and says where it is. Runs against Cumulet or AWS, whatever boto3 is set up for.

Usage: python examples/guestbook/deploy.py [nodejs24.x]
"""

import io
import json
import sys
import zipfile
from pathlib import Path

import boto3

NAME = "guestbook"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def package() -> bytes:
    """The server as it is, and one line that AWS's runtime starts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("index.mjs", "page.html"):
            archive.write(Path(__file__).with_name(name), name)
        archive.writestr("index.js", "import('./index.mjs');\n")
    return out.getvalue()


def deploy(runtime: str) -> str:
    """The host's name of the endpoint."""
    account = boto3.client("sts").get_caller_identity()["Account"]
    role = boto3.client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    bucket, s3 = f"{NAME}-{account}", boto3.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="server.zip", Body=package())
    web = boto3.client("lambda-web")
    web.create_web_function(
        functionName=NAME,
        revisionConfig={
            "buildConfig": {
                "codeConfig": {"s3Object": {"bucket": bucket, "key": "server.zip"}},
                "runtimeConfig": {"runtime": runtime},
            },
            "serviceConfig": {"executionRoleArn": role},
        },
        endpointConfig={
            "endpointName": "live",
            "endpointType": "HomeRegion",
            "authType": "ApplicationManaged",
            "autoDeploymentMode": "LatestRevision",
        },
    )
    web.get_waiter("web_function_endpoint_active").wait(functionName=NAME, endpointName="live")
    return str(web.get_web_function_endpoint(functionName=NAME, endpointName="live")["domainName"])


if __name__ == "__main__":
    print(deploy(sys.argv[1] if len(sys.argv) > 1 else "nodejs24.x"))
