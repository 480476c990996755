"""Tables that change while they are in use: capacity, indexes that are filled, settings."""

import time
from collections.abc import Callable
from typing import Any

NEW_INDEX = {
    "IndexName": "by-kind",
    "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
    "Projection": {"ProjectionType": "ALL"},
}
KINDS = [{"AttributeName": "kind", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}]


def add_index(dynamodb: Any, table: str) -> Any:
    return dynamodb.update_table(
        TableName=table, AttributeDefinitions=KINDS, GlobalSecondaryIndexUpdates=[{"Create": NEW_INDEX}]
    )["TableDescription"]


def wait(dynamodb: Any, table: str) -> Any:
    """The table once nothing of it is under way."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        found = dynamodb.describe_table(TableName=table)["Table"]
        if found["TableStatus"] == "ACTIVE":
            return found
        time.sleep(0.02)
    raise AssertionError("the table did not become active")


def of_kind(dynamodb: Any, table: str, kind: str) -> list[int]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        IndexName="by-kind",
        KeyConditionExpression="kind = :k",
        ExpressionAttributeValues={":k": {"S": kind}},
    )
    return [int(item["n"]["N"]) for page in pages for item in page["Items"]]


def test_a_new_index_has_the_items_that_were_there(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table()
    for start in range(0, 500, 25):
        writes = [
            {"PutRequest": {"Item": {"id": {"S": f"{n}"}, "n": {"N": f"{n}"}, "kind": {"S": "ab"[n % 2]}}}}
            for n in range(start, start + 25)
        ]
        dynamodb.batch_write_item(RequestItems={table: writes})
    dynamodb.put_item(TableName=table, Item={"id": {"S": "wrong"}, "n": {"S": "text"}, "kind": {"S": "a"}})
    made = add_index(dynamodb, table)
    assert made["TableStatus"] == "UPDATING"
    assert made["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING"
    dynamodb.put_item(TableName=table, Item={"id": {"S": "late"}, "n": {"N": "1000"}, "kind": {"S": "a"}})
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "0"}})
    found = wait(dynamodb, table)
    assert found["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"
    assert of_kind(dynamodb, table, "a") == [*range(2, 500, 2), 1000]
    assert of_kind(dynamodb, table, "b") == list(range(1, 500, 2))


def test_filling_goes_on_after_a_kill(start_node: Callable[..., Any]) -> None:
    node = start_node()
    dynamodb = node.client("dynamodb", "111122223333")
    dynamodb.create_table(
        TableName="things",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for start in range(0, 1000, 25):
        writes = [
            {"PutRequest": {"Item": {"id": {"S": f"{n}"}, "n": {"N": f"{n}"}, "kind": {"S": "a"}}}}
            for n in range(start, start + 25)
        ]
        dynamodb.batch_write_item(RequestItems={"things": writes})
    add_index(dynamodb, "things")
    node.kill()
    node.restart()
    dynamodb = node.client("dynamodb", "111122223333")
    wait(dynamodb, "things")
    assert of_kind(dynamodb, "things", "a") == list(range(1000))
    node.stop()


def test_an_index_goes(dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]) -> None:
    table = make_table()
    add_index(dynamodb, table)
    wait(dynamodb, table)
    gone = dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-kind"}}])[
        "TableDescription"
    ]
    assert gone["GlobalSecondaryIndexes"][0]["IndexStatus"] == "DELETING"
    found = wait(dynamodb, table)
    assert "GlobalSecondaryIndexes" not in found
    assert found["AttributeDefinitions"] == [{"AttributeName": "id", "AttributeType": "S"}]
    said = refused(dynamodb.scan, TableName=table, IndexName="by-kind")
    assert said == "ValidationException: The table does not have the specified index: by-kind"
    add_index(dynamodb, table)  # its name is free again
    wait(dynamodb, table)


def test_billing_and_capacity(dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]) -> None:
    table = make_table()
    units = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}
    dynamodb.update_table(TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput=units)
    found = wait(dynamodb, table)
    assert found["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert found["ProvisionedThroughput"]["ReadCapacityUnits"] == 3
    same = refused(dynamodb.update_table, TableName=table, ProvisionedThroughput=units)
    assert same.startswith("ValidationException: The provisioned throughput for the table will not change.")
    nothing = refused(dynamodb.update_table, TableName=table)
    assert nothing.startswith("ValidationException: At least one of ProvisionedThroughput")


def test_settings_are_kept(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table()
    dynamodb.update_table(TableName=table, TableClass="STANDARD_INFREQUENT_ACCESS", DeletionProtectionEnabled=True)
    dynamodb.update_table(TableName=table, WarmThroughput={"ReadUnitsPerSecond": 13000, "WriteUnitsPerSecond": 5000})
    found = wait(dynamodb, table)
    assert found["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert found["DeletionProtectionEnabled"]
    assert found["WarmThroughput"] == {"ReadUnitsPerSecond": 13000, "WriteUnitsPerSecond": 5000, "Status": "ACTIVE"}


def test_contributor_insights_are_kept(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table()
    assert dynamodb.describe_contributor_insights(TableName=table)["ContributorInsightsStatus"] == "DISABLED"
    dynamodb.update_contributor_insights(TableName=table, ContributorInsightsAction="ENABLE")
    assert dynamodb.describe_contributor_insights(TableName=table)["ContributorInsightsStatus"] == "ENABLED"
    listed = dynamodb.list_contributor_insights()["ContributorInsightsSummaries"]
    assert [(each["TableName"], each["ContributorInsightsStatus"]) for each in listed] == [(table, "ENABLED")]


def test_limits_and_endpoints(dynamodb: Any, endpoint: str) -> None:
    assert dynamodb.describe_limits()["AccountMaxReadCapacityUnits"] == 80_000
    assert endpoint.endswith(dynamodb.describe_endpoints()["Endpoints"][0]["Address"])
