"""Deploys two buckets, the function and the API in front of it, as `cumulet env` sets boto3 up.

Usage: python examples/resize/deploy.py [python3.12]      # prints the API's address
"""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

NAME = "resize"
STAGE = "live"
HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / NAME
ORIGINALS, RESIZED = "pictures", "pictures-resized"


def package(runtime: str) -> bytes:
    """The function with Pillow for its Python, which pip fetches the first time."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(HERE / "resize.py", "resize.py")
        libraries = installed(runtime.removeprefix("python"))
        for file in sorted(libraries.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(libraries))
    return content.getvalue()


def installed(version: str) -> Path:
    """A folder with the locked requirements for that Python."""
    requirements = HERE / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = BUILD / f"python{version}-{digest}"
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.partial")
        options = ["--quiet", "--only-binary=:all:", "--require-hashes", "--upgrade", "--python-version", version]
        wanted = ["--requirement", str(requirements), "--target", str(partial)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, *wanted], check=True)
        partial.rename(folder)
    return folder


def make_role() -> str:
    """Its ARN: the function may read the one bucket, and read and write the other."""
    iam = boto3.client("iam")
    trust: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allowed = [
        (["s3:GetObject"], [f"arn:aws:s3:::{ORIGINALS}/*", f"arn:aws:s3:::{RESIZED}/*"]),
        (["s3:PutObject"], [f"arn:aws:s3:::{RESIZED}/*"]),
        (["s3:ListBucket"], [f"arn:aws:s3:::{ORIGINALS}", f"arn:aws:s3:::{RESIZED}"]),
        (["logs:*"], ["*"]),
    ]
    statements = [{"Effect": "Allow", "Action": actions, "Resource": on} for actions, on in allowed]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=NAME, PolicyName=NAME, PolicyDocument=policy)
    return str(role)


def make_function(runtime: str) -> str:
    """Its ARN."""
    functions = boto3.client("lambda")
    made = functions.create_function(
        FunctionName=NAME,
        Runtime=runtime,
        Handler="resize.handler",
        Role=make_role(),
        Code={"ZipFile": package(runtime)},
        MemorySize=1024,
        Timeout=20,
        Environment={"Variables": {"ORIGINALS": ORIGINALS, "RESIZED": RESIZED}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1})
    return str(made["FunctionArn"])


def make_api(function: str) -> str:
    """GET /images/{size}/{name}, given to the function; the API's id. All that comes and goes may be binary."""
    gateway = boto3.client("apigateway")
    made = gateway.create_rest_api(name=NAME, binaryMediaTypes=["*/*"])
    api, parent = made["id"], made["rootResourceId"]
    for part in ("images", "{size}", "{name}"):
        parent = gateway.create_resource(restApiId=api, parentId=parent, pathPart=part)["id"]
    method = {"restApiId": api, "resourceId": parent, "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE")
    _, _, _, region, account, *_ = function.split(":")
    gateway.put_integration(
        **method,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function}/invocations",
    )
    boto3.client("lambda").add_permission(
        FunctionName=NAME,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{region}:{account}:{api}/*/GET/images/*",
    )
    gateway.create_deployment(restApiId=api, stageName=STAGE)
    return str(api)


def main() -> None:
    runtime = sys.argv[1] if len(sys.argv) > 1 else f"python{sys.version_info.major}.{sys.version_info.minor}"
    for bucket in (ORIGINALS, RESIZED):
        boto3.client("s3").create_bucket(Bucket=bucket)
    api = make_api(make_function(runtime))
    port = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "http://localhost:4566")).port
    print(f"http://{api}.execute-api.localhost:{port}/{STAGE}/images")


if __name__ == "__main__":
    main()
