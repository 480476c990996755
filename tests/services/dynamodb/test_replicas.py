"""Global tables: what is written in one region is there in the others."""

import time
from collections.abc import Callable
from typing import Any

ID = {"id": {"S": "a"}}


def wait(client: Any, table: str) -> Any:
    """The table once nothing of it is under way."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = client.describe_table(TableName=table)["Table"]
        replicas = [each["ReplicaStatus"] for each in found.get("Replicas", [])]
        if found["TableStatus"] == "ACTIVE" and set(replicas) <= {"ACTIVE"}:
            return found
        time.sleep(0.02)
    raise AssertionError("the table did not become active")


def test_a_table_in_three_regions(
    client: Callable[..., Any], make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    here, west, europe = client("dynamodb"), client("dynamodb", "us-west-2"), client("dynamodb", "eu-west-1")
    table = make_table()
    for number in range(150):
        here.put_item(TableName=table, Item={"id": {"S": f"{number}"}})
    for region in ("us-west-2", "eu-west-1"):
        here.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": region}}])
        wait(here, table)
    assert [each["RegionName"] for each in wait(here, table)["Replicas"]] == ["us-west-2", "eu-west-1"]
    found = wait(europe, table)
    assert sorted(each["RegionName"] for each in found["Replicas"]) == ["us-east-1", "us-west-2"]
    assert "eu-west-1" in found["LatestStreamArn"]
    assert europe.scan(TableName=table)["Count"] == 150
    west.put_item(TableName=table, Item={**ID, "n": {"N": "1"}})
    europe.update_item(
        TableName=table, Key=ID, UpdateExpression="ADD n :n", ExpressionAttributeValues={":n": {"N": "1"}}
    )
    for region in (here, west, europe):
        assert region.get_item(TableName=table, Key=ID)["Item"] == {**ID, "n": {"N": "2"}}
    here.delete_item(TableName=table, Key=ID)
    assert "Item" not in west.get_item(TableName=table, Key=ID)
    again = refused(west.update_table, TableName=table, ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])
    assert "already existed as tables" in again


def test_indexes_are_alike(client: Callable[..., Any], make_table: Callable[..., str]) -> None:
    here, west = client("dynamodb"), client("dynamodb", "us-west-2")
    table = make_table()
    here.put_item(TableName=table, Item={**ID, "kind": {"S": "x"}})
    here.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    wait(west, table)
    index = {
        "IndexName": "by-kind",
        "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    here.update_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "kind", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )
    wait(here, table)
    wait(west, table)
    assert west.scan(TableName=table, IndexName="by-kind")["Count"] == 1


def test_keys_of_several_attributes_and_vectors_are_alike(
    client: Callable[..., Any], make_table: Callable[..., str]
) -> None:
    here, west = client("dynamodb"), client("dynamodb", "us-west-2")
    schema = [{"AttributeName": name, "KeyType": kind} for name, kind in (("a", "HASH"), ("b", "HASH"), ("c", "RANGE"))]
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in "abc"]
    several = {"IndexName": "several", "KeySchema": schema, "Projection": {"ProjectionType": "KEYS_ONLY"}}

    def near(name: str) -> dict[str, Any]:
        return {
            "IndexName": name,
            "VectorAttribute": {"AttributeName": "v"},
            "Dimensions": 2,
            "DistanceFunction": "COSINE",
            "Projection": {"ProjectionType": "ALL"},
        }

    table = make_table(more=definitions, GlobalSecondaryIndexes=[several], VectorIndexes=[near("first")])
    item = {**{name: {"S": name} for name in "abc"}, "v": {"L": [{"N": "1"}, {"N": "2"}]}}
    here.put_item(TableName=table, Item={**ID, **item})
    here.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    wait(west, table)
    here.update_table(TableName=table, VectorIndexUpdates=[{"Create": near("second")}])
    wait(here, table)
    wait(west, table)
    west.put_item(TableName=table, Item={"id": {"S": "of the west"}, **item})
    for region in (here, west):
        values = {":a": {"S": "a"}, ":b": {"S": "b"}}
        found = region.query(
            TableName=table,
            IndexName="several",
            KeyConditionExpression="a = :a AND b = :b",
            ExpressionAttributeValues=values,
        )
        assert found["Count"] == 2
        for name in ("first", "second"):
            asked = {"SearchVector": [{"N": "2"}, {"N": "1"}], "TopK": 5}
            assert len(region.search_vectors(TableName=table, IndexName=name, **asked)["SearchResults"]) == 2


def test_a_replica_goes(
    client: Callable[..., Any], make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    here, west = client("dynamodb"), client("dynamodb", "us-west-2")
    table = make_table()
    here.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    wait(west, table)
    here.update_table(TableName=table, ReplicaUpdates=[{"Delete": {"RegionName": "us-west-2"}}])
    assert refused(west.describe_table, TableName=table).startswith("ResourceNotFoundException")
    assert "Replicas" not in wait(here, table)
    here.put_item(TableName=table, Item=ID)
    assert west.list_tables()["TableNames"] == []
