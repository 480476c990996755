import json
import time
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def sqs(client: Callable[..., Any]) -> Any:
    return client("sqs")


def make_queue(sqs: Any, name: str, bucket: str) -> tuple[str, str]:
    """The URL and ARN of a queue that lets S3 send from the bucket."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, arn


def received(sqs: Any, url: str, count: int) -> list[dict[str, Any]]:
    """The bodies of `count` messages, waiting for them."""
    bodies: list[dict[str, Any]] = []
    deadline = time.monotonic() + 200
    while len(bodies) < count and time.monotonic() < deadline:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages", [])
        for message in got:
            bodies.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def test_events_come_to_a_queue(s3: Any, sqs: Any, bucket: str) -> None:
    url, arn = make_queue(sqs, "events", bucket)
    rules = [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".txt"}]
    config = {
        "Id": "mine",
        "QueueArn": arn,
        "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
        "Filter": {"Key": {"FilterRules": rules}},
    }
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [config]})
    (test,) = received(sqs, url, 1)
    assert (test["Event"], test["Bucket"]) == ("s3:TestEvent", bucket)

    put = s3.put_object(Bucket=bucket, Key="in/a b+ü.txt", Body=b"hello")
    s3.put_object(Bucket=bucket, Key="in/other.jpg", Body=b"")
    s3.copy_object(Bucket=bucket, Key="in/copy.txt", CopySource={"Bucket": bucket, "Key": "in/a b+ü.txt"})
    s3.delete_object(Bucket=bucket, Key="in/copy.txt")
    records = [body["Records"][0] for body in received(sqs, url, 3)]
    by_name = {record["eventName"]: record for record in records}
    assert set(by_name) == {"ObjectCreated:Put", "ObjectCreated:Copy", "ObjectRemoved:Delete"}
    record = by_name["ObjectCreated:Put"]
    assert (record["eventVersion"], record["eventSource"], record["awsRegion"]) == ("2.1", "aws:s3", "us-east-1")
    assert record["s3"]["configurationId"] == "mine"
    assert record["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{bucket}"
    thing = record["s3"]["object"]
    assert thing["key"] == "in/a+b%2B%C3%BC.txt"
    assert (thing["size"], thing["eTag"]) == (5, put["ETag"].strip('"'))
    assert thing["sequencer"] < by_name["ObjectCreated:Copy"]["s3"]["object"]["sequencer"]


def test_versions_and_markers_are_told_apart(s3: Any, sqs: Any, versioned: str) -> None:
    url, arn = make_queue(sqs, "versions", versioned)
    config = {"QueueArn": arn, "Events": ["s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=versioned, NotificationConfiguration={"QueueConfigurations": [config]}
    )
    received(sqs, url, 1)
    version = s3.put_object(Bucket=versioned, Key="k", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    s3.delete_object(Bucket=versioned, Key="k", VersionId=version)
    records = [body["Records"][0] for body in received(sqs, url, 2)]
    told = {record["eventName"]: record["s3"]["object"]["versionId"] for record in records}
    assert told == {"ObjectRemoved:DeleteMarkerCreated": marker, "ObjectRemoved:Delete": version}


def test_the_configuration_comes_back(s3: Any, sqs: Any, bucket: str) -> None:
    assert not _config(s3, bucket)
    _, arn = make_queue(sqs, "back", bucket)
    wanted = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:Put"]}]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wanted)
    (kept,) = _config(s3, bucket)["QueueConfigurations"]
    assert (kept["QueueArn"], kept["Events"]) == (arn, ["s3:ObjectCreated:Put"])
    assert kept["Id"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    assert not _config(s3, bucket)


def _config(s3: Any, bucket: str) -> dict[str, Any]:
    answer = s3.get_bucket_notification_configuration(Bucket=bucket)
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_what_cannot_be_reached_is_refused(s3: Any, sqs: Any, bucket: str, account: str, refused: Any) -> None:
    def put(**configuration: Any) -> dict[str, Any]:
        return dict(
            refused(
                "InvalidArgument",
                400,
                s3.put_bucket_notification_configuration,
                Bucket=bucket,
                NotificationConfiguration=configuration,
            )
        )

    created = ["s3:ObjectCreated:*"]
    error = put(QueueConfigurations=[{"QueueArn": "nothing", "Events": created}])
    assert error["Message"] == "The ARN could not be parsed"
    missing = f"arn:aws:sqs:us-east-1:{account}:missing"
    error = put(QueueConfigurations=[{"QueueArn": missing, "Events": created}])
    assert error["Message"] == "Unable to validate the following destination configurations"
    assert (error["ArgumentName1"], error["ArgumentValue1"]) == (missing, "The destination queue does not exist")
    function = f"arn:aws:lambda:us-east-1:{account}:function:missing"
    error = put(LambdaFunctionConfigurations=[{"LambdaFunctionArn": function, "Events": created}])
    assert error["ArgumentValue1"] == f"Not authorized to invoke function [{function}]"
    closed = sqs.create_queue(QueueName="closed")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=closed, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    assert "do not allow S3" in put(QueueConfigurations=[{"QueueArn": arn, "Events": created}])["ArgumentValue1"]
    _, arn = make_queue(sqs, "overlap", bucket)
    one = {"QueueArn": arn, "Events": created}
    two = {"QueueArn": arn, "Events": ["s3:ObjectCreated:Put"]}
    assert "overlap" in put(QueueConfigurations=[one, two])["Message"]
    assert not _config(s3, bucket)
