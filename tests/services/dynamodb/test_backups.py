"""Backups, and recovery to a moment: what comes back is what was there."""

import time
from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., str]
Refused = Callable[..., str]
INDEX = {
    "IndexName": "by-kind",
    "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
WITH_INDEX: dict[str, Any] = {
    "GlobalSecondaryIndexes": [INDEX],
    "more": [{"AttributeName": "kind", "AttributeType": "S"}],
}


def eventually(check: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 200
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def put(dynamodb: Any, table: str, id_: str, **attributes: str) -> None:
    item = {"id": {"S": id_}} | {name: {"S": value} for name, value in attributes.items()}
    dynamodb.put_item(TableName=table, Item=item)


def fill(dynamodb: Any, table: str, count: int) -> None:
    for start in range(0, count, 25):
        requests = [
            {"PutRequest": {"Item": {"id": {"S": f"{n:05d}"}, "kind": {"S": f"k{n % 3}"}, "text": {"S": "x" * 50}}}}
            for n in range(start, min(start + 25, count))
        ]
        dynamodb.batch_write_item(RequestItems={table: requests})


def contents(dynamodb: Any, table: str) -> dict[str, dict[str, str]]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    items = [{name: value["S"] for name, value in item.items()} for page in pages for item in page["Items"]]
    return {item.pop("id"): item for item in items}


def active(dynamodb: Any, table: str) -> None:
    eventually(lambda: dynamodb.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE")


def backed_up(dynamodb: Any, table: str, name: str = "backup") -> str:
    arn: str = dynamodb.create_backup(TableName=table, BackupName=name)["BackupDetails"]["BackupArn"]
    eventually(
        lambda: (
            dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"] == "AVAILABLE"
        )
    )
    return arn


def test_a_backup_holds_what_was_there(dynamodb: Any, make_table: Make, account: str) -> None:
    table = make_table(**WITH_INDEX)
    fill(dynamodb, table, 1200)
    before = contents(dynamodb, table)
    arn = backed_up(dynamodb, table)
    assert arn.startswith(f"arn:aws:dynamodb:us-east-1:{account}:table/{table}/backup/0")
    put(dynamodb, table, "00001", kind="changed")
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "00002"}})
    found = dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]
    assert found["SourceTableDetails"]["ItemCount"] == 1200
    assert found["BackupDetails"]["BackupSizeBytes"] == 1200 * (2 + 5 + 4 + 2 + 4 + 50)
    assert found["SourceTableFeatureDetails"]["GlobalSecondaryIndexes"][0]["IndexName"] == "by-kind"
    answer = dynamodb.restore_table_from_backup(TargetTableName=f"{table}-again", BackupArn=arn)["TableDescription"]
    assert answer["TableStatus"] == "CREATING"
    assert answer["RestoreSummary"]["RestoreInProgress"] is True
    active(dynamodb, f"{table}-again")
    assert contents(dynamodb, f"{table}-again") == before
    again = dynamodb.describe_table(TableName=f"{table}-again")["Table"]
    assert again["RestoreSummary"]["SourceBackupArn"] == arn
    assert again["RestoreSummary"]["RestoreInProgress"] is False
    answer = dynamodb.query(
        TableName=f"{table}-again",
        IndexName="by-kind",
        KeyConditionExpression="kind = :k",
        ExpressionAttributeValues={":k": {"S": "k1"}},
    )
    assert answer["Count"] == 400


def test_a_backup_is_of_one_moment_while_writes_go_on(dynamodb: Any, make_table: Make) -> None:
    table = make_table()
    fill(dynamodb, table, 2000)
    arn = dynamodb.create_backup(TableName=table, BackupName="backup")["BackupDetails"]["BackupArn"]
    for n in range(200):  # each pair is changed together: a backup has both changes or neither
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": {"id": {"S": id_}, "round": {"S": str(n)}}}}
                for id_ in ("00000", "01999")
            ]
        )
    eventually(
        lambda: (
            dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"] == "AVAILABLE"
        )
    )
    dynamodb.restore_table_from_backup(TargetTableName=f"{table}-again", BackupArn=arn)
    active(dynamodb, f"{table}-again")
    found = contents(dynamodb, f"{table}-again")
    assert len(found) == 2000
    assert found["00000"].get("round") == found["01999"].get("round")


def test_backups_are_listed_and_deleted(dynamodb: Any, make_table: Make, refused: Refused) -> None:
    first, second = make_table(), make_table()
    arns = [backed_up(dynamodb, first, "one"), backed_up(dynamodb, first, "two"), backed_up(dynamodb, second, "three")]
    assert [each["BackupArn"] for each in dynamodb.list_backups()["BackupSummaries"]] == sorted(arns)
    listed = dynamodb.list_backups(TableName=first)["BackupSummaries"]
    assert {each["BackupName"] for each in listed} == {"one", "two"}
    page = dynamodb.list_backups(Limit=2)
    rest = dynamodb.list_backups(ExclusiveStartBackupArn=page["LastEvaluatedBackupArn"])
    assert [each["BackupArn"] for each in (*page["BackupSummaries"], *rest["BackupSummaries"])] == sorted(arns)
    assert dynamodb.list_backups(TimeRangeUpperBound=1000)["BackupSummaries"] == []
    dynamodb.delete_table(TableName=first)
    gone = dynamodb.delete_backup(BackupArn=arns[0])["BackupDescription"]["BackupDetails"]
    assert gone["BackupStatus"] == "DELETED"
    assert refused(dynamodb.describe_backup, BackupArn=arns[0]) == (
        f"BackupNotFoundException: Backup not found: {arns[0]}"
    )
    assert "BackupNotFoundException" in refused(dynamodb.delete_backup, BackupArn=arns[0])
    dynamodb.restore_table_from_backup(TargetTableName=f"{first}-again", BackupArn=arns[1])
    active(dynamodb, f"{first}-again")


def test_restores_are_checked(dynamodb: Any, make_table: Make, refused: Refused) -> None:
    table = make_table()
    arn = backed_up(dynamodb, table)
    assert refused(dynamodb.restore_table_from_backup, TargetTableName=table, BackupArn=arn) == (
        f"TableAlreadyExistsException: Table already exists: {table}"
    )
    assert refused(dynamodb.create_backup, TableName="missing", BackupName="backup") == (
        "TableNotFoundException: Table not found: missing"
    )
    assert refused(dynamodb.describe_continuous_backups, TableName="missing") == (
        "TableNotFoundException: Table not found: missing"
    )
    assert refused(
        dynamodb.restore_table_to_point_in_time,
        SourceTableName=table,
        TargetTableName="another",
        UseLatestRestorableTime=True,
    ) == (f"PointInTimeRecoveryUnavailableException: Point in time recovery is not enabled for table '{table}'")


def test_tables_of_other_accounts_are_not_restored(
    client: Callable[..., Any], dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str], account: str
) -> None:
    table = make_table()
    recovery = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=recovery)
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    stranger = client("dynamodb", account=f"{(int(account) + 10**11) % 10**12:012d}")
    asked = {"SourceTableArn": arn, "TargetTableName": "copy", "UseLatestRestorableTime": True}
    assert refused(stranger.restore_table_to_point_in_time, **asked) == (
        f"TableNotFoundException: Table not found: {table}"
    )


@pytest.fixture
def recover(dynamodb: Any) -> Callable[..., dict[str, dict[str, str]]]:
    """What a table was at a moment, by restoring it to that."""
    count = iter(range(100))

    def run(table: str, **moment: Any) -> dict[str, dict[str, str]]:
        target = f"{table}-{next(count)}"
        dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=target, **moment)
        active(dynamodb, target)
        return contents(dynamodb, target)

    return run


def test_a_table_is_restored_to_a_moment(
    dynamodb: Any,
    make_table: Make,
    node: Any,
    advance: Callable[[float], None],
    recover: Callable[..., dict[str, dict[str, str]]],
    refused: Refused,
) -> None:
    table = make_table(**WITH_INDEX)
    put(dynamodb, table, "kept", kind="a")
    put(dynamodb, table, "changed", kind="a")
    put(dynamodb, table, "deleted", kind="a")
    settings = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=settings)

    def moment() -> float:
        advance(10)
        now = float(node.get(node.endpoint + "/_cumulet/clock")["now"])
        advance(10)
        return now

    moments = [moment()]
    put(dynamodb, table, "changed", kind="b")
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "deleted"}})
    put(dynamodb, table, "new", kind="b")
    moments.append(moment())
    put(dynamodb, table, "changed", kind="c")
    put(dynamodb, table, "changed", kind="d")
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "new"}})
    moments.append(moment())
    expected = [
        {"kept": {"kind": "a"}, "changed": {"kind": "a"}, "deleted": {"kind": "a"}},
        {"kept": {"kind": "a"}, "changed": {"kind": "b"}, "new": {"kind": "b"}},
        {"kept": {"kind": "a"}, "changed": {"kind": "d"}},
    ]
    assert [recover(table, RestoreDateTime=each) for each in moments] == expected
    assert recover(table, UseLatestRestorableTime=True) == expected[-1]
    assert "InvalidRestoreTimeException" in refused(
        dynamodb.restore_table_to_point_in_time,
        SourceTableName=table,
        TargetTableName="another",
        RestoreDateTime=moments[0] - 3600,
    )
    found = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    shown = found["PointInTimeRecoveryDescription"]
    assert shown["PointInTimeRecoveryStatus"] == "ENABLED"
    assert shown["RecoveryPeriodInDays"] == 35
    assert moments[0] - 60 < shown["EarliestRestorableDateTime"].timestamp() < moments[0]
    settings = {"PointInTimeRecoveryEnabled": False}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=settings)
    found = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert found == {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
    }


def test_a_deleted_table_with_recovery_is_backed_up(
    dynamodb: Any, make_table: Make, advance: Callable[[float], None], refused: Refused
) -> None:
    table, plain = make_table(**WITH_INDEX), make_table()
    put(dynamodb, table, "a", kind="x")
    fill(dynamodb, table, 650)
    settings = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=settings)
    before = contents(dynamodb, table)
    for each in (table, plain):
        dynamodb.delete_table(TableName=each)
    assert dynamodb.list_backups()["BackupSummaries"] == []
    (found,) = dynamodb.list_backups(BackupType="SYSTEM")["BackupSummaries"]
    assert dynamodb.list_backups(BackupType="ALL")["BackupSummaries"] == [found]
    assert (found["BackupName"], found["BackupType"]) == (f"{table}$DeletedTableBackup", "SYSTEM")
    assert (found["BackupExpiryDateTime"] - found["BackupCreationDateTime"]).days in (34, 35)
    arn = found["BackupArn"]

    def whole() -> Any:
        told = dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]
        return told if told["BackupDetails"]["BackupStatus"] == "AVAILABLE" else None

    assert eventually(whole)["SourceTableDetails"]["ItemCount"] == 651
    dynamodb.restore_table_from_backup(TargetTableName=table, BackupArn=arn)
    eventually(lambda: dynamodb.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE")
    assert contents(dynamodb, table) == before
    advance(36 * 86_400)
    assert dynamodb.list_backups(BackupType="ALL")["BackupSummaries"] == []
    assert "BackupNotFoundException" in refused(dynamodb.describe_backup, BackupArn=arn)
