"""Builds the image, and says its ARN. Runs against Cumulet or AWS, whatever boto3 is set up for."""

import io
import json
import time
import zipfile
from pathlib import Path

import boto3

NAME = "sandbox"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def package() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("Dockerfile", "session.py"):
            archive.write(Path(__file__).with_name(name), name)
    return out.getvalue()


def build_role(bucket: str) -> str:
    """A role that may read the package, and write the build's log."""
    iam = boto3.client("iam")
    role = iam.create_role(RoleName=f"{NAME}-build", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    allowed = [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"},
        {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
    ]
    policy = {"Version": "2012-10-17", "Statement": allowed}
    iam.put_role_policy(RoleName=role["RoleName"], PolicyName="build", PolicyDocument=json.dumps(policy))
    return str(role["Arn"])


def deploy() -> str:
    """The image's ARN, once it is built."""
    account = boto3.client("sts").get_caller_identity()["Account"]
    bucket, s3 = f"{NAME}-{account}", boto3.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="sandbox.zip", Body=package())
    microvms = boto3.client("lambda-microvms")
    base = microvms.list_managed_microvm_images()["items"][0]["imageArn"]
    image = microvms.create_microvm_image(
        name=NAME,
        baseImageArn=base,
        buildRoleArn=build_role(bucket),
        codeArtifact={"uri": f"s3://{bucket}/sandbox.zip"},
        resources=[{"minimumMemoryInMiB": 512}],
        hooks={"port": 8080, "microvmImageHooks": {"ready": "ENABLED", "readyTimeoutInSeconds": 60}},
    )["imageArn"]
    while (found := microvms.get_microvm_image(imageIdentifier=image))["state"] == "CREATING":
        time.sleep(0.2)
    if found["state"] != "CREATED":
        version = microvms.get_microvm_image_version(imageIdentifier=image, imageVersion="1.0")
        raise SystemExit(version["stateReason"])
    return str(image)


if __name__ == "__main__":
    print(deploy())
