"""Deploys a layer, the two functions that share it, and three buckets. Against Cumulet, as `cumulet env` sets boto3 up.

Usage: python examples/watermark/deploy.py [python3.12]
"""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import boto3

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "watermark"
CHAIN = (("photos", "watermark", "published"), ("published", "thumbnail", "thumbnails"))
"""From this bucket, by this function, into that bucket."""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def publish_layer(runtime: str) -> str:
    """Pillow for that Python, and `pictures`; gives the ARN of the layer's version."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(HERE / "pictures.py", "python/pictures.py")
        libraries = installed(runtime.removeprefix("python"))
        for file in sorted(libraries.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, f"python/{file.relative_to(libraries)}")
    layer = boto3.client("lambda").publish_layer_version(
        LayerName="pictures", Content={"ZipFile": content.getvalue()}, CompatibleRuntimes=[runtime]
    )
    return str(layer["LayerVersionArn"])


def installed(version: str) -> Path:
    """A folder with the locked requirements for that Python, filled by pip the first time."""
    folder = BUILD / f"python{version}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        options = ["--quiet", "--only-binary=:all:", "--require-hashes", "--upgrade", "--python-version", version]
        requirements = ["--requirement", str(HERE / "requirements.txt"), "--target", str(partial)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, *requirements], check=True)
        partial.rename(folder)
    return folder


def make_role(name: str, source: str, target: str) -> str:
    """A role that may read the one bucket and write the other; its ARN."""
    iam = boto3.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    allowed = [
        ("s3:GetObject", f"arn:aws:s3:::{source}/*"),
        ("s3:PutObject", f"arn:aws:s3:::{target}/*"),
        ("logs:*", "*"),
    ]
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName="pictures", PolicyDocument=policy)
    return str(role)


def make_function(name: str, runtime: str, layer: str, source: str, target: str) -> None:
    """One function, which S3 invokes for every picture in `source`."""
    functions = boto3.client("lambda")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(HERE / f"{name}.py", f"{name}.py")
    made = functions.create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler=f"{name}.handler",
        Role=make_role(name, source, target),
        Code={"ZipFile": package.getvalue()},
        Layers=[layer],
        MemorySize=512,
        Timeout=20,
        Environment={"Variables": {"TARGET": target, "TEXT": "(c) Cumulet"}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    functions.add_permission(
        FunctionName=name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{source}",
        SourceAccount=made["FunctionArn"].split(":")[4],
    )
    notified = {"LambdaFunctionArn": made["FunctionArn"], "Events": ["s3:ObjectCreated:*"]}
    boto3.client("s3").put_bucket_notification_configuration(
        Bucket=source, NotificationConfiguration={"LambdaFunctionConfigurations": [notified]}
    )


def main() -> None:
    runtime = sys.argv[1] if len(sys.argv) > 1 else f"python{sys.version_info.major}.{sys.version_info.minor}"
    layer = publish_layer(runtime)
    for bucket in ("photos", "published", "thumbnails"):
        boto3.client("s3").create_bucket(Bucket=bucket)
    for source, name, target in CHAIN:
        make_function(name, runtime, layer, source, target)
    print(f"Both functions have {layer}. Now: aws s3 cp PICTURE s3://photos/")


if __name__ == "__main__":
    main()
