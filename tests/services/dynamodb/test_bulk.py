"""Bulk puts: files of S3 written into a table that is there."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.dynamodb.compressing import zstd
from tests.services.dynamodb.test_backups import eventually
from tests.services.dynamodb.test_replicas import wait

ACCOUNT = "111122223333"
Make = Callable[..., str]
Refused = Callable[..., str]
BY_KIND: dict[str, Any] = {
    "more": [{"AttributeName": "kind", "AttributeType": "S"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-kind",
            "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
}


@pytest.fixture
def s3(client: Callable[..., Any]) -> Any:
    return client("s3")


@pytest.fixture
def bucket(s3: Any, account: str) -> str:
    name = f"bulk-{account}"
    s3.create_bucket(Bucket=name)
    return name


def line(id: str, **members: Any) -> bytes:
    kind = members.pop("kind", "a")
    return json.dumps({"Item": {"id": {"S": id}, "kind": {"S": kind}}} | members).encode() + b"\n"


def asked(table: str, bucket: str, **members: Any) -> dict[str, Any]:
    return {
        "TableName": table,
        "InputS3Configuration": {"S3Bucket": bucket, "S3KeyPrefix": "in/", "InputFormat": "DYNAMODB_JSON"},
        "OutputS3Configuration": {
            "S3Bucket": bucket,
            "S3KeyPrefix": "out",
            "OutputType": ["ERROR", "CONDITION_CHECK_FAILURE"],
        },
    } | members


def ended(dynamodb: Any, started: Any) -> Any:
    arn = started["BulkOperationDescription"]["BulkOperationArn"]

    def look() -> Any:
        found = dynamodb.describe_bulk_operation(BulkOperationArn=arn)["BulkOperationDescription"]
        return found if found["BulkOperationStatus"] not in ("IN_PROGRESS", "CANCELLING") else None

    return eventually(look)


def reported(s3: Any, bucket: str, found: Any, kind: str) -> list[Any]:
    folder = f"out/AWSDynamoDB/{found['BulkOperationArn'].rpartition('/')[2]}"
    listed = s3.get_object(Bucket=bucket, Key=f"{folder}/manifest-files.json")["Body"].read()
    keys = [json.loads(each)["dataFileS3Key"] for each in listed.splitlines() if json.loads(each)["outputType"] == kind]
    files = [gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]
    return [json.loads(each) for file in files for each in file.splitlines()]


def test_files_are_written_into_a_table(dynamodb: Any, make_table: Make, s3: Any, bucket: str) -> None:
    table = make_table(**BY_KIND)
    dynamodb.put_item(TableName=table, Item={"id": {"S": "there"}, "n": {"N": "1"}})
    s3.put_object(Bucket=bucket, Key="in/1", Body=b"".join(line(f"{number}") for number in range(450)) + b"\n")
    unless_there = {"ConditionExpression": "attribute_not_exists(id)"}
    if_one = {
        "ConditionExpression": "#n = :one",
        "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {":one": {"N": "1.0"}},
    }
    lines = [line("there", **unless_there), line("new", **unless_there), line("there", kind="b", **if_one)]
    s3.put_object(Bucket=bucket, Key="in/2", Body=b"".join(lines))
    request = asked(table, bucket, ClientToken="token", MaxWriteRequestUnits=100_000)
    started = dynamodb.start_bulk_put_items(**request)
    assert started["BulkOperationDescription"]["BulkOperationStatus"] == "IN_PROGRESS"
    again = dynamodb.start_bulk_put_items(**request)["BulkOperationDescription"]
    assert again["BulkOperationArn"] == started["BulkOperationDescription"]["BulkOperationArn"]
    found = ended(dynamodb, started)
    assert found["BulkOperationStatus"] == "COMPLETED", found
    assert (found["ProcessedItemCount"], found["FailedItemCount"]) == (453, 0)
    assert found["ProcessedInputBytes"] == found["TotalInputBytes"] > 450 * 40
    assert dynamodb.scan(TableName=table, Select="COUNT")["Count"] == 452
    assert dynamodb.scan(TableName=table, IndexName="by-kind", Select="COUNT")["Count"] == 452
    assert dynamodb.get_item(TableName=table, Key={"id": {"S": "there"}})["Item"]["kind"] == {"S": "b"}
    (unmet,) = reported(s3, bucket, found, "CONDITION_CHECK_FAILURE")
    assert unmet == {
        "itemS3Pointer": {"bucket": bucket, "key": "in/2", "itemIndex": 0},
        "Item": {"id": {"S": "there"}, "kind": {"S": "a"}},
        "ExistingItem": {"id": {"S": "there"}, "n": {"N": "1"}},
    }
    (usage,) = found["BulkOperationUsage"]
    index = usage["GlobalSecondaryIndexes"]["by-kind"]["BulkPutBytes"]
    assert usage["Table"]["BulkPutBytes"] + index == usage["BulkPutBytes"] > 452 * 14


@pytest.mark.parametrize(("compression", "compress"), [("GZIP", gzip.compress), ("ZSTD", zstd.compress)])
def test_records_that_are_none_are_reported(
    dynamodb: Any, make_table: Make, s3: Any, bucket: str, compression: str, compress: Callable[[bytes], bytes]
) -> None:
    table = make_table()
    nested = b'{"Item":{"id":{"S":"x"},"m":' + b'{"M":{"m":' * 5000 + b'{"S":""}' + b"}}" * 5000 + b"}}\n"
    bad = [
        b"no JSON\n",
        b'{"Item": {"other": {"S": "a"}}}\n',
        line("a", Condition="attribute_not_exists(id)"),
        line("a", ConditionExpression="id ="),
        line("a", ExpressionAttributeNames={"#a": "a"}),
        line("x" * 3000),
        nested,
    ]
    s3.put_object(Bucket=bucket, Key="in/1", Body=compress(b"".join([*bad, line("good")])))
    s3.put_object(Bucket=bucket, Key="in/2", Body=b"this is no compressed file")
    s3.put_object(Bucket=bucket, Key="in/3", Body=compress(line("last")))
    request = asked(table, bucket)
    request["InputS3Configuration"]["InputCompressionType"] = compression
    found = ended(dynamodb, dynamodb.start_bulk_put_items(**request))
    assert found["BulkOperationStatus"] == "COMPLETED_WITH_ERRORS", found
    assert (found["ProcessedItemCount"], found["FailedItemCount"]) == (10, 8)
    items = dynamodb.scan(TableName=table)["Items"]
    assert sorted(item["id"]["S"] for item in items) == ["good", "last"]
    failures = reported(s3, bucket, found, "ERROR")
    places = [(each["itemS3Pointer"]["key"], each["itemS3Pointer"]["itemIndex"]) for each in failures]
    assert places == [*(("in/1", number) for number in range(7)), ("in/2", None)]
    assert failures[1]["errorMessages"] == ["One or more parameter values were invalid: Missing the key id in the item"]


def test_operations_are_listed(
    dynamodb: Any, make_table: Make, s3: Any, bucket: str, advance: Callable[[float], None]
) -> None:
    table = make_table()
    s3.put_object(Bucket=bucket, Key="in/1", Body=line("a"))
    arns = []
    for _ in range(3):
        arns.append(ended(dynamodb, dynamodb.start_bulk_put_items(**asked(table, bucket)))["BulkOperationArn"])
        advance(1)
    first = dynamodb.list_bulk_operations(MaxResults=2)
    rest = dynamodb.list_bulk_operations(MaxResults=2, NextToken=first["NextToken"])
    listed = [*first["BulkOperationsSummaryList"], *rest["BulkOperationsSummaryList"]]
    assert [each["BulkOperationArn"] for each in listed] == arns[::-1]
    assert "NextToken" not in rest
    advance(91 * 86_400)
    assert dynamodb.list_bulk_operations()["BulkOperationsSummaryList"] == []


def test_an_operation_is_cancelled(dynamodb: Any, make_table: Make, s3: Any, bucket: str, refused: Refused) -> None:
    table = make_table()
    size = 20_000
    body = b"".join(line(f"{number}", kind="x" * 2000) for number in range(size))
    s3.put_object(Bucket=bucket, Key="in/1", Body=body)
    started = dynamodb.start_bulk_put_items(**asked(table, bucket, MaxWriteRequestUnits=1024))
    arn = started["BulkOperationDescription"]["BulkOperationArn"]
    eventually(lambda: dynamodb.scan(TableName=table, Select="COUNT", Limit=1)["Count"])
    assert dynamodb.cancel_bulk_operation(BulkOperationArn=arn)["BulkOperationStatus"] == "CANCELLING"
    found = ended(dynamodb, started)
    assert (found["BulkOperationStatus"], found["FailureCode"]) == ("CANCELLED", "Cancelled")
    assert 0 < found["ProcessedItemCount"] < size
    assert "ValidationException" in refused(dynamodb.cancel_bulk_operation, BulkOperationArn=arn)
    unknown = f"{arn[:-1]}x"
    assert "ResourceNotFoundException" in refused(dynamodb.cancel_bulk_operation, BulkOperationArn=unknown)


def test_operations_are_checked(
    client: Callable[..., Any], dynamodb: Any, make_table: Make, bucket: str, refused: Refused
) -> None:
    table = make_table()
    start = dynamodb.start_bulk_put_items
    request = asked(table, bucket)
    wanted = asked(table, bucket, InputS3Configuration=request["InputS3Configuration"] | {"InputFormat": "ION"})
    assert "NotImplemented" in refused(start, **wanted)
    output = request["OutputS3Configuration"]
    withouts: tuple[dict[str, Any], ...] = ({"OutputType": []}, {"S3SseKmsKeyId": "key"})
    for without in withouts:
        assert "ValidationException" in refused(start, **asked(table, bucket, OutputS3Configuration=output | without))
    assert "ResourceNotFoundException" in refused(start, **asked("there-is-none", bucket))
    found = ended(dynamodb, start(**asked(table, "there-is-no-such-bucket")))
    assert (found["BulkOperationStatus"], found["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    ended(dynamodb, start(**request, ClientToken="token"))
    assert "IdempotentParameterMismatchException" in refused(
        start, **request, ClientToken="token", PerformanceTier="ACCELERATED"
    )
    dynamodb.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    wait(dynamodb, table)
    assert "global table" in refused(start, **request)


def test_what_was_begun_goes_on_after_a_crash(start_node: Callable[..., Any]) -> None:
    node = start_node()
    dynamodb, s3 = node.client("dynamodb", ACCOUNT), node.client("s3", ACCOUNT)
    keys = {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    dynamodb.create_table(TableName="table", **keys)
    s3.create_bucket(Bucket="bucket")
    count = 3000
    once = {"ConditionExpression": "attribute_not_exists(id)"}
    for name in ("1", "2"):
        body = b"".join(line(f"{name}-{number}", **once) for number in range(count))
        s3.put_object(Bucket="bucket", Key=f"in/{name}", Body=body)
    started = dynamodb.start_bulk_put_items(**asked("table", "bucket"))
    eventually(lambda: dynamodb.scan(TableName="table", Select="COUNT", Limit=1)["Count"])
    node.kill()
    node.restart()
    dynamodb = node.client("dynamodb", ACCOUNT)
    found = ended(dynamodb, started)
    # Each record is put once: one that came again would find its item there, and be reported.
    assert (found["BulkOperationStatus"], found["ProcessedItemCount"]) == ("COMPLETED", 2 * count)
    assert reported(node.client("s3", ACCOUNT), "bucket", found, "CONDITION_CHECK_FAILURE") == []
    pages = dynamodb.get_paginator("scan").paginate(TableName="table", Select="COUNT")
    assert sum(page["Count"] for page in pages) == 2 * count
    node.stop()
