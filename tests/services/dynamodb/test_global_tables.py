"""Global tables of version 2017.11.29, and the settings of such tables."""

from collections.abc import Callable
from typing import Any

import pytest

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
ID = {"id": {"S": "a"}}
STREAM = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
Clients = dict[str, Any]


@pytest.fixture
def regions(client: Callable[..., Any]) -> Clients:
    return {region: client("dynamodb", region) for region in REGIONS}


def make(regions: Clients, *names: str, **options: Any) -> None:
    for name in names or REGIONS:
        regions[name].create_table(
            **{
                "TableName": "table",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
                **STREAM,
                **options,
            }
        )


def group(*names: str) -> dict[str, Any]:
    return {"GlobalTableName": "table", "ReplicationGroup": [{"RegionName": name} for name in names]}


def test_tables_are_joined(regions: Clients, refused: Callable[..., str]) -> None:
    here, west, europe = (regions[name] for name in REGIONS)
    make(regions)
    made = here.create_global_table(**group("us-east-1", "us-west-2"))["GlobalTableDescription"]
    assert (made["GlobalTableStatus"], made["GlobalTableArn"].rpartition("/")[2]) == ("CREATING", "table")
    shown = west.describe_global_table(GlobalTableName="table")["GlobalTableDescription"]
    assert shown["GlobalTableStatus"] == "ACTIVE"
    assert [each["RegionName"] for each in shown["ReplicationGroup"]] == ["us-east-1", "us-west-2"]
    assert west.describe_table(TableName="table")["Table"]["GlobalTableVersion"] == "2017.11.29"
    west.put_item(TableName="table", Item=ID)
    assert here.get_item(TableName="table", Key=ID)["Item"] == ID
    assert "Item" not in europe.get_item(TableName="table", Key=ID)
    listed = here.list_global_tables()["GlobalTables"]
    assert listed == [{"GlobalTableName": "table", "ReplicationGroup": shown["ReplicationGroup"]}]
    assert here.list_global_tables(RegionName="eu-west-1")["GlobalTables"] == []
    update = here.update_global_table
    add = [{"Create": {"RegionName": "eu-west-1"}}]
    assert update(GlobalTableName="table", ReplicaUpdates=add)["GlobalTableDescription"]["ReplicationGroup"][2:]
    europe.put_item(TableName="table", Item={"id": {"S": "b"}})
    assert here.scan(TableName="table")["Count"] == 2
    assert "ReplicaAlreadyExistsException" in refused(update, GlobalTableName="table", ReplicaUpdates=add)
    take = [{"Delete": {"RegionName": "us-west-2"}}]
    update(GlobalTableName="table", ReplicaUpdates=take)
    assert "ReplicaNotFoundException" in refused(update, GlobalTableName="table", ReplicaUpdates=take)
    here.put_item(TableName="table", Item={"id": {"S": "c"}})
    assert (west.scan(TableName="table")["Count"], europe.scan(TableName="table")["Count"]) == (2, 2)
    europe.delete_table(TableName="table")
    assert len(here.list_global_tables()["GlobalTables"][0]["ReplicationGroup"]) == 1
    here.delete_table(TableName="table")
    assert "GlobalTableNotFoundException" in refused(here.describe_global_table, GlobalTableName="table")


def test_what_is_joined_is_checked(regions: Clients, refused: Callable[..., str]) -> None:
    here = regions["us-east-1"]
    create = here.create_global_table
    make(regions, "us-east-1")
    assert "TableNotFoundException" in refused(create, **group("us-east-1", "us-west-2"))
    make(regions, "us-west-2", StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    assert "must have a stream" in refused(create, **group("us-east-1", "us-west-2"))
    keys = {
        "KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "other", "AttributeType": "S"}],
    }
    make(regions, "eu-west-1", **keys)
    assert "must have the key" in refused(create, **group("us-east-1", "eu-west-1"))
    create(**group("us-east-1"))
    assert "GlobalTableAlreadyExistsException" in refused(create, **group("us-east-1"))
    assert "UpdateGlobalTable" in refused(
        here.update_table, TableName="table", ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}]
    )


def test_settings_by_region(regions: Clients, refused: Callable[..., str]) -> None:
    here, west = regions["us-east-1"], regions["us-west-2"]
    make(regions)
    here.create_global_table(**group("us-east-1", "us-west-2"))
    update = {
        "GlobalTableName": "table",
        "GlobalTableBillingMode": "PROVISIONED",
        "GlobalTableProvisionedWriteCapacityUnits": 7,
        "ReplicaSettingsUpdate": [
            {"RegionName": name, "ReplicaProvisionedReadCapacityUnits": units}
            for name, units in (("us-east-1", 5), ("us-west-2", 6))
        ],
    }
    assert here.update_global_table_settings(**update)["ReplicaSettings"][0]["ReplicaStatus"] == "UPDATING"
    found = west.describe_global_table_settings(GlobalTableName="table")["ReplicaSettings"]
    members = ("RegionName", "ReplicaProvisionedReadCapacityUnits", "ReplicaProvisionedWriteCapacityUnits")
    assert [tuple(each[member] for member in members) for each in found] == [("us-east-1", 5, 7), ("us-west-2", 6, 7)]
    assert west.describe_table(TableName="table")["Table"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 6
    scaled = {"MinimumUnits": 1, "MaximumUnits": 5}
    assert "NotImplemented" in refused(
        here.update_global_table_settings,
        GlobalTableName="table",
        GlobalTableProvisionedWriteCapacityAutoScalingSettingsUpdate=scaled,
    )
    other = [{"RegionName": "eu-west-1", "ReplicaProvisionedReadCapacityUnits": 1}]
    assert "ReplicaNotFoundException" in refused(
        here.update_global_table_settings, GlobalTableName="table", ReplicaSettingsUpdate=other
    )
    assert "GlobalTableNotFoundException" in refused(here.describe_global_table_settings, GlobalTableName="none")


def test_nothing_is_scaled(regions: Clients, refused: Callable[..., str]) -> None:
    here = regions["us-east-1"]
    make(regions, "us-east-1")
    found = here.describe_table_replica_auto_scaling(TableName="table")["TableAutoScalingDescription"]
    (replica,) = found["Replicas"]
    assert replica["ReplicaProvisionedReadCapacityAutoScalingSettings"] == {"AutoScalingDisabled": True}
    wanted = {"MinimumUnits": 1, "MaximumUnits": 5}
    assert "NotImplemented" in refused(
        here.update_table_replica_auto_scaling, TableName="table", ProvisionedWriteCapacityAutoScalingUpdate=wanted
    )
