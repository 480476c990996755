"""Exports to S3 and imports from it."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.dynamodb.compressing import zstd
from tests.services.dynamodb.test_backups import contents, eventually, fill, put

Make = Callable[..., str]
Refused = Callable[..., str]
KEYS: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "at", "AttributeType": "N"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture
def s3(client: Callable[..., Any]) -> Any:
    return client("s3")


@pytest.fixture
def bucket(s3: Any, account: str) -> str:
    name = f"transfers-{account}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def recoverable(dynamodb: Any, make_table: Make) -> str:
    table = make_table()
    settings = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=settings)
    return table


def exported(dynamodb: Any, **members: Any) -> Any:
    arn = dynamodb.export_table_to_point_in_time(**members)["ExportDescription"]["ExportArn"]

    def end() -> Any:
        found = dynamodb.describe_export(ExportArn=arn)["ExportDescription"]
        return found if found["ExportStatus"] != "IN_PROGRESS" else None

    return eventually(end)


def imported(dynamodb: Any, **members: Any) -> Any:
    arn = dynamodb.import_table(**members)["ImportTableDescription"]["ImportArn"]

    def end() -> Any:
        found = dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"]
        return found if found["ImportStatus"] != "IN_PROGRESS" else None

    return eventually(end)


def read(s3: Any, bucket: str, key: str) -> bytes:
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def arn_of(dynamodb: Any, table: str) -> str:
    return str(dynamodb.describe_table(TableName=table)["Table"]["TableArn"])


def test_a_table_is_exported_and_imported(dynamodb: Any, recoverable: str, s3: Any, bucket: str) -> None:
    fill(dynamodb, recoverable, 700)
    before = contents(dynamodb, recoverable)
    found = exported(dynamodb, TableArn=arn_of(dynamodb, recoverable), S3Bucket=bucket, S3Prefix="out")
    assert found["ExportStatus"] == "COMPLETED", found
    assert found["ItemCount"] == 700
    summary = json.loads(read(s3, bucket, found["ExportManifest"]))
    assert summary["outputFormat"] == "DYNAMODB_JSON"
    assert summary["itemCount"] == 700
    folder = found["ExportManifest"].rpartition("/")[0]
    assert folder == f"out/AWSDynamoDB/{found['ExportArn'].rpartition('/')[2]}"
    files = [json.loads(line) for line in read(s3, bucket, summary["manifestFilesS3Key"]).splitlines()]
    lines = [
        json.loads(line)
        for file in files
        for line in gzip.decompress(read(s3, bucket, file["dataFileS3Key"])).splitlines()
    ]
    assert len(lines) == 700
    assert lines[0].keys() == {"Item"}
    assert {line["Item"]["id"]["S"] for line in lines} == before.keys()
    names = {each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert {f"{folder}/{name}" for name in ("_started", "manifest-summary.md5", "manifest-files.md5")} <= names
    parameters = KEYS | {
        "TableName": "again",
        "KeySchema": KEYS["KeySchema"][:1],
        "AttributeDefinitions": KEYS["AttributeDefinitions"][:1],
    }
    again = imported(
        dynamodb,
        S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": f"{folder}/data/"},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType="GZIP",
        TableCreationParameters=parameters,
    )
    assert (again["ImportStatus"], again["ImportedItemCount"], again["ErrorCount"]) == ("COMPLETED", 700, 0)
    assert contents(dynamodb, "again") == before
    assert dynamodb.list_exports()["ExportSummaries"] == [
        {"ExportArn": found["ExportArn"], "ExportStatus": "COMPLETED", "ExportType": "FULL_EXPORT"}
    ]
    assert [each["ImportArn"] for each in dynamodb.list_imports()["ImportSummaryList"]] == [again["ImportArn"]]


def test_an_export_is_of_its_moment(
    dynamodb: Any, recoverable: str, s3: Any, bucket: str, node: Any, advance: Callable[[float], None]
) -> None:
    put(dynamodb, recoverable, "old", kind="a")
    advance(10)
    moment = float(node.get(node.endpoint + "/_cumulet/clock")["now"])
    advance(10)
    put(dynamodb, recoverable, "old", kind="b")
    put(dynamodb, recoverable, "new", kind="b")
    found = exported(dynamodb, TableArn=arn_of(dynamodb, recoverable), S3Bucket=bucket, ExportTime=moment)
    summary = json.loads(read(s3, bucket, found["ExportManifest"]))
    (file,) = [json.loads(line) for line in read(s3, bucket, summary["manifestFilesS3Key"]).splitlines()]
    assert gzip.decompress(read(s3, bucket, file["dataFileS3Key"])) == (
        b'{"Item":{"id":{"S":"old"},"kind":{"S":"a"}}}\n'
    )


@pytest.fixture
def now(node: Any) -> Callable[[], float]:
    return lambda: float(node.get(node.endpoint + "/_cumulet/clock")["now"])


def increments(s3: Any, bucket: str, found: Any) -> dict[str, Any]:
    """The lines of an incremental export by the id of their item."""
    summary = json.loads(read(s3, bucket, found["ExportManifest"]))
    assert (summary["version"], summary["exportType"]) == ("2023-08-01", "INCREMENTAL_EXPORT")
    assert summary["itemCount"] == found["ItemCount"]
    lines = []
    for listed in read(s3, bucket, summary["manifestFilesS3Key"]).splitlines():
        key = json.loads(listed)["dataFileS3Key"]
        assert key.startswith("AWSDynamoDB/data/")
        lines += [json.loads(line) for line in gzip.decompress(read(s3, bucket, key)).splitlines()]
    return {line["Keys"]["id"]["S"]: line for line in lines}


def test_an_incremental_export_has_what_changed(
    dynamodb: Any, recoverable: str, s3: Any, bucket: str, now: Callable[[], float], advance: Callable[[float], None]
) -> None:
    def delete(id: str) -> None:
        dynamodb.delete_item(TableName=recoverable, Key={"id": {"S": id}})

    for id in ("kept", "changed", "twice", "deleted", "later", "back"):
        put(dynamodb, recoverable, id, kind="a")
    advance(60)
    since = now()
    put(dynamodb, recoverable, "changed", kind="b")
    put(dynamodb, recoverable, "kept", kind="a")
    put(dynamodb, recoverable, "new", kind="n")
    put(dynamodb, recoverable, "short", kind="s")
    delete("short")
    delete("deleted")
    delete("back")
    advance(600)
    put(dynamodb, recoverable, "twice", kind="b")
    put(dynamodb, recoverable, "twice", kind="c")
    put(dynamodb, recoverable, "back", kind="a")
    advance(600)
    until = now()
    for id in ("later", "new", "changed"):
        put(dynamodb, recoverable, id, kind="z")
    window: dict[str, Any] = {"ExportFromTime": since, "ExportToTime": until}
    asked = {"TableArn": arn_of(dynamodb, recoverable), "S3Bucket": bucket, "ExportType": "INCREMENTAL_EXPORT"}
    found = exported(dynamodb, **asked, IncrementalExportSpecification=window)
    assert found["ExportStatus"] == "COMPLETED", found
    assert found["IncrementalExportSpecification"]["ExportViewType"] == "NEW_AND_OLD_IMAGES"
    lines = increments(s3, bucket, found)

    def images(line: Any) -> tuple[Any, Any]:
        return tuple(line[name]["kind"]["S"] if name in line else None for name in ("OldImage", "NewImage"))  # type: ignore[return-value]  # two of them

    assert {id: images(line) for id, line in lines.items()} == {
        "changed": ("a", "b"),
        "new": (None, "n"),
        "deleted": ("a", None),
        "twice": ("a", "c"),
        "back": ("a", "a"),
    }
    assert since * 1e6 - 1 <= int(lines["new"]["Metadata"]["WriteTimestampMicros"]["N"]) < until * 1e6
    window["ExportViewType"] = "NEW_IMAGE"
    lines = increments(s3, bucket, exported(dynamodb, **asked, IncrementalExportSpecification=window))
    assert {id: images(line)[1] for id, line in lines.items() if "OldImage" not in line} == {
        "changed": "b",
        "new": "n",
        "deleted": None,
        "twice": "c",
        "back": "a",
    }


def test_an_incremental_export_of_many_items(
    dynamodb: Any, recoverable: str, s3: Any, bucket: str, now: Callable[[], float], advance: Callable[[float], None]
) -> None:
    since = now()
    advance(1)
    fill(dynamodb, recoverable, 450)
    advance(1000)
    window = {"ExportFromTime": since + 0.5}
    asked = {"TableArn": arn_of(dynamodb, recoverable), "S3Bucket": bucket, "ExportType": "INCREMENTAL_EXPORT"}
    found = exported(dynamodb, **asked, IncrementalExportSpecification=window)
    assert len(increments(s3, bucket, found)) == found["ItemCount"] == 450


def lines_of(s3: Any, bucket: str, found: Any) -> list[Any]:
    """The lines of all data files of an export."""
    assert found["ExportStatus"] == "COMPLETED", found
    summary = json.loads(read(s3, bucket, found["ExportManifest"]))
    listed = [json.loads(line) for line in read(s3, bucket, summary["manifestFilesS3Key"]).splitlines()]
    files = [gzip.decompress(read(s3, bucket, each["dataFileS3Key"])) for each in listed]
    return [json.loads(line) for file in files for line in file.splitlines()]


def test_a_full_export_is_filtered(dynamodb: Any, make_table: Make, s3: Any, bucket: str) -> None:
    table = make_table("id", "at:N")
    settings = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=settings)
    for id in "ab":
        for at in range(4):
            item = {"id": {"S": id}, "at": {"N": f"{at}"}, "kind": {"S": "odd" if at % 2 else "even"}}
            dynamodb.put_item(TableName=table, Item=item | {"more": {"S": "x"}})

    def found(**wanted: Any) -> list[Any]:
        arn = arn_of(dynamodb, table)
        lines = lines_of(s3, bucket, exported(dynamodb, TableArn=arn, S3Bucket=bucket, FilterSpecification=wanted))
        return sorted((line["Item"]["id"]["S"], line["Item"]["at"]["N"], len(line["Item"])) for line in lines)

    values = {":a": {"S": "a"}, ":odd": {"S": "odd"}, ":one": {"N": "1"}}
    assert found(
        KeyConditionExpression="id = :a AND #at > :one",
        FilterExpression="kind = :odd",
        ProjectionExpression="id, #at",
        ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues=values,
    ) == [("a", "3", 2)]
    assert found(
        FilterExpression="id <> :a AND kind = :odd",
        ExpressionAttributeValues={":a": {"S": "a"}, ":odd": {"S": "odd"}},
    ) == [("b", "1", 4), ("b", "3", 4)]


def test_an_incremental_export_is_filtered(
    dynamodb: Any, recoverable: str, s3: Any, bucket: str, now: Callable[[], float], advance: Callable[[float], None]
) -> None:
    for id, kind in (("left", "a"), ("came", "b"), ("gone", "a"), ("other", "b")):
        put(dynamodb, recoverable, id, kind=kind)
    advance(60)
    since = now()
    put(dynamodb, recoverable, "left", kind="b")
    put(dynamodb, recoverable, "came", kind="a")
    for id in ("gone", "other"):
        dynamodb.delete_item(TableName=recoverable, Key={"id": {"S": id}})
    advance(1200)
    found = exported(
        dynamodb,
        TableArn=arn_of(dynamodb, recoverable),
        S3Bucket=bucket,
        ExportType="INCREMENTAL_EXPORT",
        IncrementalExportSpecification={"ExportFromTime": since, "ExportToTime": now()},
        FilterSpecification={
            "FilterExpression": "kind = :a",
            "ProjectionExpression": "id",
            "ExpressionAttributeValues": {":a": {"S": "a"}},
        },
    )
    lines = increments(s3, bucket, found)
    assert lines.keys() == {"came", "gone"}  # by what was last there
    assert lines["came"]["NewImage"] == lines["came"]["OldImage"] == {"id": {"S": "came"}}


def test_filters_of_exports_are_checked(dynamodb: Any, recoverable: str, refused: Refused) -> None:
    arn, values = arn_of(dynamodb, recoverable), {":a": {"S": "a"}}

    def why(**wanted: Any) -> str:
        export = dynamodb.export_table_to_point_in_time
        return refused(export, TableArn=arn, S3Bucket="bucket", FilterSpecification=wanted)

    assert "missed key schema element: id" in why(KeyConditionExpression="kind = :a", ExpressionAttributeValues=values)
    wanted = {"KeyConditionExpression": "id = :a", "FilterExpression": "id <> :a", "ExpressionAttributeValues": values}
    assert "Primary key attribute: id" in why(**wanted)
    assert "unused in expressions" in why(FilterExpression="attribute_exists(x)", ExpressionAttributeValues=values)


def test_an_export_is_encrypted_by_a_key(
    dynamodb: Any, recoverable: str, s3: Any, bucket: str, client: Callable[..., Any], refused: Refused
) -> None:
    put(dynamodb, recoverable, "a", kind="a")
    key = client("kms").create_key()["KeyMetadata"]
    asked = {"TableArn": arn_of(dynamodb, recoverable), "S3Bucket": bucket, "S3SseKmsKeyId": key["KeyId"]}
    assert "S3SseAlgorithm is KMS" in refused(dynamodb.export_table_to_point_in_time, **asked)
    found = exported(dynamodb, **asked, S3SseAlgorithm="KMS")
    assert len(lines_of(s3, bucket, found)) == 1
    head = s3.head_object(Bucket=bucket, Key=found["ExportManifest"])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key["Arn"])


def test_windows_are_checked(
    dynamodb: Any, recoverable: str, refused: Refused, now: Callable[[], float], advance: Callable[[float], None]
) -> None:
    since = now()
    advance(25 * 3600)
    asked = {"TableArn": arn_of(dynamodb, recoverable), "S3Bucket": "bucket", "ExportType": "INCREMENTAL_EXPORT"}

    def why(**window: float) -> str:
        given = {"IncrementalExportSpecification": window} if window else {}
        return refused(dynamodb.export_table_to_point_in_time, **asked, **given)

    missing = "ExportFromTime must be provided in IncrementalExportSpecification"
    assert why() == f"ValidationException: Invalid Request: {missing}"
    assert why(ExportFromTime=since + 1).startswith("InvalidExportTimeException: The difference")
    assert why(ExportFromTime=since + 1, ExportToTime=since + 800).startswith("InvalidExportTimeException: The diff")
    assert why(ExportFromTime=since - 3600, ExportToTime=since + 800).startswith("InvalidExportTimeException: The win")
    assert why(ExportFromTime=since + 90000, ExportToTime=since + 99000).startswith("InvalidExportTimeException: The w")


def test_exports_are_checked(dynamodb: Any, make_table: Make, recoverable: str, refused: Refused) -> None:
    export = dynamodb.export_table_to_point_in_time
    arn = arn_of(dynamodb, recoverable)
    table = make_table()
    assert "PointInTimeRecoveryUnavailableException" in refused(
        export, TableArn=arn_of(dynamodb, table), S3Bucket="bucket"
    )
    assert "NotImplemented" in refused(export, TableArn=arn, S3Bucket="bucket", ExportFormat="ION")
    assert "InvalidExportTimeException" in refused(export, TableArn=arn, S3Bucket="bucket", ExportTime=1000)
    found = exported(dynamodb, TableArn=arn, S3Bucket="there-is-none")
    assert (found["ExportStatus"], found["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    first = export(TableArn=arn, S3Bucket="there-is-none", ClientToken="token")["ExportDescription"]
    again = export(TableArn=arn, S3Bucket="there-is-none", ClientToken="token")["ExportDescription"]
    assert again["ExportArn"] == first["ExportArn"]
    assert "ExportConflictException" in refused(export, TableArn=arn, S3Bucket="another", ClientToken="token")
    assert "ExportNotFoundException" in refused(
        dynamodb.describe_export, ExportArn=f"{arn}/export/01234567890123-01234567"
    )


def test_csv_is_imported(dynamodb: Any, s3: Any, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket,
        Key="in/1.csv",
        Body=b'id,at,text\r\na,1.50,"one, two"\nb,-7,"two\nlines and a "" quotation"\n\nno number,x,text\nshort,1\n',
    )
    s3.put_object(Bucket=bucket, Key="in/2.csv", Body=b"id,at,other\nc,1e3,text")
    s3.put_object(Bucket=bucket, Key="not/3.csv", Body=b"id,at\nd,1")
    found = imported(
        dynamodb,
        S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": "in/"},
        InputFormat="CSV",
        TableCreationParameters=KEYS | {"TableName": "csv"},
    )
    assert (found["ImportStatus"], found["ImportedItemCount"], found["ErrorCount"]) == ("COMPLETED", 3, 2), found
    items = sorted(dynamodb.scan(TableName="csv")["Items"], key=lambda item: str(item["id"]["S"]))
    assert items == [
        {"id": {"S": "a"}, "at": {"N": "1.5"}, "text": {"S": "one, two"}},
        {"id": {"S": "b"}, "at": {"N": "-7"}, "text": {"S": 'two\nlines and a " quotation'}},
        {"id": {"S": "c"}, "at": {"N": "1000"}, "other": {"S": "text"}},
    ]


def test_csv_may_have_its_header_beside_it(dynamodb: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="1", Body=zstd.compress(b"a;1\nb;2\n"))
    found = imported(
        dynamodb,
        S3BucketSource={"S3Bucket": bucket},
        InputFormat="CSV",
        InputCompressionType="ZSTD",
        InputFormatOptions={"Csv": {"Delimiter": ";", "HeaderList": ["id", "at"]}},
        TableCreationParameters=KEYS | {"TableName": "csv"},
    )
    assert found["ImportedItemCount"] == 2


def test_lines_that_are_no_items_are_counted(dynamodb: Any, s3: Any, bucket: str) -> None:
    good = json.dumps({"Item": {"id": {"S": "a"}, "at": {"N": "1"}, "set": {"SS": ["x", "y"]}}})
    bad = [
        "{}",
        "nothing",
        '{"Item": {"id": {"S": "a"}}}',
        '{"Item": {"id": {"S": "a"}, "at": {"S": "1"}}}',
        "[" * 3000,
        '{"Item":{"id":{"S":"a"},"at":{"N":"1"},"m":' + '{"M":{"m":' * 5000 + '{"S":""}' + "}}" * 5000 + "}}",
    ]
    s3.put_object(Bucket=bucket, Key="1", Body="\n".join([*bad, good, good]).encode())
    found = imported(
        dynamodb,
        S3BucketSource={"S3Bucket": bucket},
        InputFormat="DYNAMODB_JSON",
        TableCreationParameters=KEYS | {"TableName": "lines"},
    )
    assert (found["ImportStatus"], found["ImportedItemCount"], found["ErrorCount"]) == ("COMPLETED", 2, 6)
    assert dynamodb.scan(TableName="lines")["Count"] == 1


def test_what_was_refused_is_in_the_log(
    dynamodb: Any, s3: Any, bucket: str, client: Callable[..., Any], account: str
) -> None:
    s3.put_object(Bucket=bucket, Key="in/1.csv", Body=b"id,at\na,1\n,2\nb,x\n")
    s3.put_object(Bucket=bucket, Key="in/2.csv", Body=b"title,artist\nThe Dark Side of the Moon,Pink Floyd\n")
    found = imported(
        dynamodb,
        S3BucketSource={"S3Bucket": bucket},
        InputFormat="CSV",
        TableCreationParameters=KEYS | {"TableName": "logged"},
    )
    assert found["ErrorCount"] == 3
    group = "/aws-dynamodb/imports"
    assert found["CloudWatchLogGroupArn"] == f"arn:aws:logs:us-east-1:{account}:log-group:{group}:*"
    stream = f"{found['ImportArn'].rpartition('/')[2]}/error"
    events = client("logs").get_log_events(logGroupName=group, logStreamName=stream)["events"]
    told = [json.loads(event["message"]) for event in events]
    assert [(each["itemS3Pointer"]["key"], each["itemS3Pointer"]["itemIndex"]) for each in told] == [
        ("in/1.csv", 1),
        ("in/1.csv", 2),
        ("in/2.csv", 0),
    ]
    assert told[2] == {
        "itemS3Pointer": {"bucket": bucket, "key": "in/2.csv", "itemIndex": 0},
        "importArn": found["ImportArn"],
        "errorMessages": ["One or more parameter values were invalid: Missing the key id in the item"],
    }


def test_imports_are_checked(dynamodb: Any, s3: Any, bucket: str, make_table: Make, refused: Refused) -> None:
    taken = make_table()

    def wanted(**members: Any) -> dict[str, Any]:
        return {
            "S3BucketSource": {"S3Bucket": bucket},
            "InputFormat": "DYNAMODB_JSON",
            "TableCreationParameters": KEYS | {"TableName": "target"},
        } | members

    parameters = KEYS | {"TableName": taken}
    assert refused(dynamodb.import_table, **wanted(TableCreationParameters=parameters)) == (
        f"ResourceInUseException: Table already exists: {taken}"
    )
    assert "NotImplemented" in refused(dynamodb.import_table, **wanted(InputFormat="ION"))
    assert "ValidationException" in refused(dynamodb.import_table, **wanted(InputCompressionType="LZ4"))
    parameters = KEYS | {"TableName": "target", "KeySchema": KEYS["KeySchema"][1:]}
    assert "ValidationException" in refused(dynamodb.import_table, **wanted(TableCreationParameters=parameters))
    s3.put_object(Bucket=bucket, Key="1", Body=b"nothing of the kind")
    for compression in ("GZIP", "ZSTD"):
        parameters = KEYS | {"TableName": compression}
        found = imported(dynamodb, **wanted(InputCompressionType=compression, TableCreationParameters=parameters))
        assert found["ImportStatus"] == "FAILED"
        assert f"no {compression.lower()} file" in found["FailureMessage"]
    found = imported(
        dynamodb,
        **wanted(S3BucketSource={"S3Bucket": "there-is-none"}, TableCreationParameters=KEYS | {"TableName": "other"}),
    )
    assert (found["ImportStatus"], found["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
