"""Deploys the machine, its URL and the page, and says where the page is. Against Cumulet, as `cumulet env` sets boto3 up.

Usage: python examples/slot-machine/deploy.py [python3.12]
"""

import io
import json
import os
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import boto3

NAME = "slot-machine"
HERE = Path(__file__).parent
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def deploy(runtime: str, website: str) -> None:
    """`website` is the address that the page will have: no other may invoke the function from a browser."""
    machine = deploy_machine(runtime, website)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=NAME)
    s3.delete_public_access_block(Bucket=NAME)
    s3.put_bucket_website(Bucket=NAME, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{NAME}/*"}
    s3.put_bucket_policy(Bucket=NAME, Policy=json.dumps({"Version": "2012-10-17", "Statement": [public]}))
    page = (HERE / "index.html").read_text().replace("{{machine}}", machine)
    s3.put_object(Bucket=NAME, Key="index.html", Body=page.encode(), ContentType="text/html; charset=utf-8")


def deploy_machine(runtime: str, website: str) -> str:
    """The function's URL."""
    functions = boto3.client("lambda")
    role = boto3.client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(HERE / "machine.py", "machine.py")
    functions.create_function(
        FunctionName=NAME,
        Runtime=runtime,
        Handler="machine.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1})
    cors = {"AllowOrigins": [website], "AllowMethods": ["POST"], "AllowHeaders": ["content-type"], "MaxAge": 60}
    url = functions.create_function_url_config(FunctionName=NAME, AuthType="NONE", Cors=cors)
    everybody = {"FunctionName": NAME, "Principal": "*"}
    functions.add_permission(
        StatementId="url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE", **everybody
    )
    functions.add_permission(
        StatementId="invoke", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True, **everybody
    )
    return str(url["FunctionUrl"])


def main() -> None:
    port = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "http://localhost:4566")).port
    website = f"http://{NAME}.s3-website.localhost:{port}"
    default = f"python{sys.version_info.major}.{sys.version_info.minor}"
    deploy(sys.argv[1] if len(sys.argv) > 1 else default, website)
    print(f"{website}/")


if __name__ == "__main__":
    main()
