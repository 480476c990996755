"""Global tables: what is written in one region is there in the others."""

import time
from collections.abc import Callable
from typing import Any

ID = {"id": {"S": "a"}}


def wait(client: Any, table: str) -> Any:
    """The table once nothing of it is under way."""
    deadline = time.monotonic() + 200
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


def strong(client: Any, table: str, *regions: str, witness: str = "", **more: Any) -> Any:
    wanted: dict[str, Any] = {"ReplicaUpdates": [{"Create": {"RegionName": region}} for region in regions]}
    if witness:
        wanted["GlobalTableWitnessUpdates"] = [{"Create": {"RegionName": witness}}]
    return client.update_table(TableName=table, MultiRegionConsistency="STRONG", **wanted, **more)


def test_strong_consistency_with_a_witness(
    client: Callable[..., Any], make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    here, east = client("dynamodb"), client("dynamodb", "us-east-2")
    table = make_table()
    strong(here, table, "us-east-2", witness="us-west-2")
    found = wait(here, table)
    assert found["MultiRegionConsistency"] == "STRONG"
    assert found["GlobalTableWitnesses"] == [{"RegionName": "us-west-2", "WitnessStatus": "ACTIVE"}]
    assert [each["RegionName"] for each in found["Replicas"]] == ["us-east-2"]
    assert "LatestStreamArn" not in found
    assert wait(east, table)["GlobalTableWitnesses"] == found["GlobalTableWitnesses"]
    here.put_item(TableName=table, Item=ID)
    once = {"TableName": table, "Item": ID, "ConditionExpression": "attribute_not_exists(id)"}
    assert "ConditionalCheckFailedException" in refused(east.put_item, **once)
    assert "ResourceNotFoundException" in refused(client("dynamodb", "us-west-2").get_item, TableName=table, Key=ID)
    put = {"Put": {"TableName": table, "Item": ID}}
    assert "not supported" in refused(here.transact_write_items, TransactItems=[put])
    assert "not supported" in refused(east.transact_get_items, TransactItems=[{"Get": {"TableName": table, "Key": ID}}])
    ttl = {"Enabled": True, "AttributeName": "at"}
    assert "not supported" in refused(here.update_time_to_live, TableName=table, TimeToLiveSpecification=ttl)
    assert "not supported" in refused(east.delete_table, TableName=table)
    gone = [{"Delete": {"RegionName": "us-east-2"}}]
    assert "must be deleted together" in refused(here.update_table, TableName=table, ReplicaUpdates=gone)
    more = [{"Create": {"RegionName": "eu-west-1"}}]
    assert "cannot be added" in refused(here.update_table, TableName=table, ReplicaUpdates=more)
    witness = [{"Delete": {"RegionName": "us-west-2"}}]
    here.update_table(TableName=table, ReplicaUpdates=gone, GlobalTableWitnessUpdates=witness)
    found = wait(here, table)
    assert not {"MultiRegionConsistency", "GlobalTableWitnesses", "Replicas"} & found.keys()
    assert here.get_item(TableName=table, Key=ID)["Item"] == ID
    here.transact_write_items(TransactItems=[put])


def test_strong_consistency_of_three_replicas(client: Callable[..., Any], make_table: Callable[..., str]) -> None:
    here = client("dynamodb")
    regions = ("us-east-2", "us-west-2")
    table = make_table()
    strong(here, table, *regions)
    wait(here, table)
    for number, region in enumerate(("us-east-1", *regions)):
        client("dynamodb", region).put_item(TableName=table, Item={"id": {"S": f"{number}"}})
    for region in regions:
        found = wait(client("dynamodb", region), table)
        assert found["MultiRegionConsistency"] == "STRONG"
        assert len(found["Replicas"]) == 2
        assert client("dynamodb", region).scan(TableName=table)["Count"] == 3
    here.update_table(TableName=table, ReplicaUpdates=[{"Delete": {"RegionName": region}} for region in regions])
    assert "MultiRegionConsistency" not in wait(here, table)
    assert client("dynamodb", "us-west-2").list_tables()["TableNames"] == []


def test_strong_consistency_is_checked(
    client: Callable[..., Any], make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    here = client("dynamodb")
    table = make_table()

    def why(*regions: str, witness: str = "") -> str:
        return refused(lambda **_: strong(here, table, *regions, witness=witness))

    assert "exactly three replicas" in why("us-east-2")
    assert "exactly three replicas" in why("us-east-2", witness="us-east-2")
    assert "one set of regions" in why("us-east-2", witness="eu-west-1")
    gone = [{"Delete": {"RegionName": "us-west-2"}}]
    only_witness = [{"Create": {"RegionName": "us-west-2"}}]
    assert "Witnesses can only" in refused(here.update_table, TableName=table, GlobalTableWitnessUpdates=only_witness)
    assert "not part of the global table" in refused(here.update_table, TableName=table, ReplicaUpdates=gone)
    here.put_item(TableName=table, Item=ID)
    assert "must be empty" in why("us-east-2", "us-west-2")
    assert "Replicas" not in wait(here, table)


def test_a_replica_has_settings_of_its_own(
    client: Callable[..., Any], make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    here, west = client("dynamodb"), client("dynamodb", "us-west-2")
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    table = make_table(BillingMode="PROVISIONED", ProvisionedThroughput=units)
    own = {"RegionName": "us-west-2", "ProvisionedThroughputOverride": {"ReadCapacityUnits": 50}}
    here.update_table(TableName=table, ReplicaUpdates=[{"Create": own}])
    (shown,) = wait(here, table)["Replicas"]
    assert shown["ProvisionedThroughputOverride"] == {"ReadCapacityUnits": 50}

    def capacity(region: Any) -> tuple[int, int]:
        found = wait(region, table)["ProvisionedThroughput"]
        return found["ReadCapacityUnits"], found["WriteCapacityUnits"]

    assert (capacity(here), capacity(west)) == ((5, 6), (50, 6))
    units = {"ReadCapacityUnits": 50, "WriteCapacityUnits": 6}
    here.update_table(TableName=table, ProvisionedThroughput=units)
    assert (capacity(here), capacity(west)) == ((50, 6), (50, 6))
    own = {
        "RegionName": "us-west-2",
        "ProvisionedThroughputOverride": {"ReadCapacityUnits": 20},
        "TableClassOverride": "STANDARD_INFREQUENT_ACCESS",
    }
    here.update_table(TableName=table, ReplicaUpdates=[{"Update": own}])
    (shown,) = wait(here, table)["Replicas"]
    assert shown["GlobalTableSettingsReplicationMode"] == "ENABLED_WITH_OVERRIDES"
    assert shown["ReplicaTableClassSummary"] == {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
    here.update_table(TableName=table, ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 8})
    assert (capacity(here), capacity(west)) == ((7, 8), (20, 8))
    assert wait(west, table)["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    most = {"RegionName": "us-west-2", "OnDemandThroughputOverride": {"MaxReadRequestUnits": 5}}
    assert "PROVISIONED" in refused(here.update_table, TableName=table, ReplicaUpdates=[{"Update": most}])


def test_a_replica_stands_alone(
    client: Callable[..., Any], make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    here, west = client("dynamodb"), client("dynamodb", "us-west-2")
    table = make_table()
    here.put_item(TableName=table, Item=ID)
    here.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    assert wait(here, table)["DisassociationProtectionEnabled"] is True
    wait(west, table)
    alone = [{"Disassociate": {"RegionName": "us-west-2", "DisassociationMode": "WAIT_FOR_REPLICATION"}}]
    assert "protected against disassociation" in refused(west.update_table, TableName=table, ReplicaUpdates=alone)
    west.update_table(TableName=table, DisassociationProtectionEnabled=False)
    assert "region of the request" in refused(here.update_table, TableName=table, ReplicaUpdates=alone)
    west.update_table(TableName=table, ReplicaUpdates=alone)
    for region in (here, west):
        assert "Replicas" not in wait(region, table)
    here.put_item(TableName=table, Item={"id": {"S": "b"}})
    assert (here.scan(TableName=table)["Count"], west.scan(TableName=table)["Count"]) == (2, 1)


def test_time_to_live_is_alike(client: Callable[..., Any], make_table: Callable[..., str]) -> None:
    here, west = client("dynamodb"), client("dynamodb", "us-west-2")
    table = make_table()
    here.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    wait(west, table)
    ttl = {"Enabled": True, "AttributeName": "at"}
    here.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)
    found = west.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert found["AttributeName"] == "at"
