"""The story, told with boto3 and the AWS CLI as they are: a photograph goes in, its thumbnail comes out.

Usage: python examples/thumbnail/run.py      (or `make demo`)

It starts a node of its own on a free port with a folder of its own, and ends both. Nothing here is special to Cumulet but
starting the node, and moving its clock so that nobody waits three minutes for two retries.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from package import build

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "thumbnail"
ACCOUNT = "111122223333"
REGION = "us-east-1"
PHOTOS, THUMBNAILS = "photos", "thumbnails"
FUNCTION = "thumbnailer"
GROUP = f"/aws/lambda/{FUNCTION}"
PATIENCE = 60.0

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
PERMISSIONS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{PHOTOS}/*"},
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{THUMBNAILS}/*"},
        {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
    ],
}
Event = dict[str, Any]


class Failure(Exception):
    """The story did not go as it must; the text says where."""


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def node() -> Iterator[str]:
    """A fresh node; gives its endpoint, and points boto3 and the AWS CLI at it."""
    folder = Path(tempfile.mkdtemp(prefix="cumulet-demo-"))
    command = [sys.executable, "-m", "cumulet"]
    options = ["--data", str(folder / "data")]
    up = [*command, "up", *options, "--port", "0", "--iam", "enforce"]
    machine = json.loads(
        subprocess.run([*command, "doctor", *options, "--json"], check=True, capture_output=True).stdout
    )
    if machine["isolation"]["name"] == "process":  # nobody but this story runs here, so it may
        up += ["--isolation", "process"]
    process = subprocess.Popen(up, stdin=subprocess.DEVNULL)
    try:
        if subprocess.run([*command, "wait", *options], check=False).returncode or process.poll() is not None:
            raise Failure("the node did not start")
        described = subprocess.run(
            [*command, "env", *options, "--account", ACCOUNT, "--region", REGION, "--json"],
            check=True,
            capture_output=True,
        )
        os.environ.update(json.loads(described.stdout), AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="")
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(name, None)
        yield os.environ["AWS_ENDPOINT_URL"]
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def aws(*arguments: str) -> None:
    """The AWS CLI, as a user types it."""
    say(f"$ aws {' '.join(arguments)}")
    beside = Path(sys.executable).with_name("aws")
    program = str(beside) if beside.exists() else shutil.which("aws")
    if program is None:
        raise Failure("there is no AWS CLI: pip install awscli")
    subprocess.run([program, *arguments], check=True)


def deploy(version: str) -> None:
    """Role, buckets, function, permission, notification."""
    say(f"\n== Deploy: a role, two buckets, a Python {version} function with Pillow, a notification")
    iam, functions, s3 = boto3.client("iam"), boto3.client("lambda"), boto3.client("s3")
    role = iam.create_role(RoleName=FUNCTION, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=FUNCTION, PolicyName="thumbnails", PolicyDocument=json.dumps(PERMISSIONS))
    aws("s3", "mb", f"s3://{PHOTOS}")
    aws("s3", "mb", f"s3://{THUMBNAILS}")
    package = build(version, BUILD)
    say(f"package: {len(package) / 1e6:.1f} MB")
    arn = functions.create_function(
        FunctionName=FUNCTION,
        Runtime=f"python{version}",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": package},
        MemorySize=256,
        Timeout=10,
        Environment={"Variables": {"THUMBNAILS": THUMBNAILS}},
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName=FUNCTION, WaiterConfig={"Delay": 1})
    functions.add_permission(
        FunctionName=FUNCTION,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{PHOTOS}",
        SourceAccount=ACCOUNT,
    )
    s3.put_bucket_notification_configuration(
        Bucket=PHOTOS,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )


def events() -> list[Event]:
    """Everything the function has logged so far."""
    logs = boto3.client("logs")
    try:
        pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return []
    return [event for page in pages for event in page["events"]]


def wait_for(what: str, found: Callable[[], Any]) -> Any:
    """Look until `found` gives something."""
    end = time.monotonic() + PATIENCE
    while not (value := found()):
        if time.monotonic() > end:
            raise Failure(
                f"{what}: nothing after {PATIENCE:.0f} s. The log:\n" + "\n".join(e["message"] for e in events())
            )
        time.sleep(0.05)
    return value


def thumbnail_of(name: str) -> dict[str, Any] | None:
    """The object that the function wrote, once it is there."""
    listing = boto3.client("s3").list_objects_v2(Bucket=THUMBNAILS, Prefix=f"{name}-")
    return listing["Contents"][0] if listing.get("Contents") else None


def reports(count: int) -> Callable[[], list[Event] | None]:
    """REPORT lines, once there are `count`."""

    def found() -> list[Event] | None:
        lines = [event for event in events() if event["message"].startswith("REPORT")]
        return lines if len(lines) >= count else None

    return found


def good_photograph() -> None:
    """Upload, wait, and show what happened when."""
    say("\n== A photograph arrives")
    before = time.time()
    aws("s3", "cp", "--no-progress", str(HERE / "astronaut.jpg"), f"s3://{PHOTOS}/astronaut.jpg")
    written = wait_for("the thumbnail", lambda: thumbnail_of("astronaut"))
    [report] = wait_for("the REPORT line", reports(1))
    show_timeline(before, written, report["message"])
    say("\nThe function's log:")
    for event in events():
        say(f"  {moment(event['timestamp'] / 1000)}  {event['message'].rstrip()}")
    place = BUILD / "astronaut-thumbnail.jpg"
    boto3.client("s3").download_file(THUMBNAILS, written["Key"], str(place))
    if not place.read_bytes().startswith(b"\xff\xd8\xff"):
        raise Failure("what the function wrote is not a JPEG")
    say(f"\nThe thumbnail: {place} ({place.stat().st_size} bytes)")


def show_timeline(before: float, written: dict[str, Any], report: str) -> None:
    """Upload, event, cold start, duration, memory, written object."""
    uploaded = boto3.client("s3").head_object(Bucket=PHOTOS, Key="astronaut.jpg")
    figures = dict(
        re.findall(r"(Init Duration|Billed Duration|Duration|Max Memory Used|Memory Size): ([\d.]+ \w+)", report)
    )
    started = next(event for event in events() if event["message"].startswith("START"))["timestamp"] / 1000
    size = (HERE / "astronaut.jpg").stat().st_size
    for name, value in (
        ("upload began", moment(before)),
        ("object stored", f"{uploaded['LastModified']:%H:%M:%S} UTC, {size} bytes, ETag {uploaded['ETag']}"),
        ("event reached the function", moment(started)),
        ("cold start", figures.get("Init Duration", "none (warm)")),
        ("duration", figures["Duration"]),
        ("billed duration", figures["Billed Duration"]),
        ("memory", f"{figures['Max Memory Used']} of {figures['Memory Size']}"),
        ("object written", f"s3://{THUMBNAILS}/{written['Key']}, {written['Size']} bytes"),
    ):
        say(f"  {name:<28}{value}")


def moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S.%f}"[:-3]


def bad_photograph(endpoint: str) -> None:
    """A text file named .jpg: a clear error, two retries a minute and two minutes later, and no more."""
    say("\n== A file that is no photograph arrives")
    broken = BUILD / "broken.jpg"
    broken.write_text("This is not a photograph.\n")
    aws("s3", "cp", "--no-progress", str(broken), f"s3://{PHOTOS}/broken.jpg")
    wait_for("the first attempt", reports(2))
    for attempt in (2, 3):
        wait_for(f"attempt {attempt}", lambda count=attempt + 1: advance(endpoint, 5) or reports(count)())
    starts = [event["timestamp"] / 1000 for event in events() if event["message"].startswith("START")]
    _, first, second, third = starts
    say(f"  retried after {second - first:.0f} s, and again {third - second:.0f} s later (the node's clock was moved)")
    if second - first < 60 or third - second < 120:
        raise Failure("a retry came too early")
    advance(endpoint, 900)
    lines = [event["message"] for event in events()]
    errors = [line for line in lines if "NotAnImage" in line and "broken.jpg" in line]
    attempts = {line.split()[2] for line in lines if line.startswith("START")}
    if len(errors) != 3 or len(attempts) != 2:
        raise Failure(f"expected 3 errors of one request, found {len(errors)} in:\n" + "\n".join(lines))
    say(f"  three attempts of one event, then it was given up. The log says:\n  {errors[0].splitlines()[0].rstrip()}")


def advance(endpoint: str, seconds: int) -> None:
    """Move the node's clock; on AWS one waits."""
    body = json.dumps({"advance": seconds}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/_cumulet/clock", body, method="POST")):
        pass


def still_healthy(endpoint: str) -> None:
    """The node answers, and the next photograph gets its thumbnail from a warm environment."""
    say("\n== The node is well: another photograph")
    aws("s3", "cp", "--no-progress", str(HERE / "astronaut.jpg"), f"s3://{PHOTOS}/again.jpg")
    written = wait_for("the second thumbnail", lambda: thumbnail_of("again"))
    say(f"  s3://{THUMBNAILS}/{written['Key']}, {written['Size']} bytes")
    with urllib.request.urlopen(f"{endpoint}/_cumulet/health") as answer:
        if answer.status != 200:
            raise Failure(f"the node's health is {answer.status}")


def main() -> int:
    """Tell the story; 0 when all of it is true."""
    BUILD.mkdir(parents=True, exist_ok=True)
    try:
        with node() as endpoint:
            deploy(f"{sys.version_info.major}.{sys.version_info.minor}")
            good_photograph()
            bad_photograph(endpoint)
            still_healthy(endpoint)
    except (Failure, subprocess.CalledProcessError, ClientError) as error:
        say(f"demo: FAILED: {error}")
        return 1
    say("\ndemo: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
