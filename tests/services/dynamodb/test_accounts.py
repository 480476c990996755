"""Global tables of several accounts: made by each account for itself, where all of their policies allow it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.dynamodb.test_replicas import wait

Client = Callable[..., Any]
Refused = Callable[..., str]
NAME = "music"
ID = {"id": {"S": "a"}}
KEYS: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


class Group:
    """Accounts, each with its region."""

    def __init__(self, client: Client, account: str) -> None:
        owners = [f"{(int(account) + more * 10**11) % 10**12:012d}" for more in range(3)]
        self.places = list(zip(owners, ("us-east-1", "us-west-2", "eu-west-1"), strict=True))
        self.arns = [f"arn:aws:dynamodb:{region}:{owner}:table/{NAME}" for owner, region in self.places]
        self.clients = [client("dynamodb", region, account=owner) for owner, region in self.places]

    def policy(self, of: int, actions: str = "*ForReplication") -> str:
        """The policy of one: all may replicate with it, and may join it."""
        replicate = {
            "Effect": "Allow",
            "Action": [f"dynamodb:{actions}", "dynamodb:ReplicateSettings"],
            "Resource": self.arns[of],
            "Principal": {"Service": ["replication.dynamodb.amazonaws.com"]},
            "Condition": {
                "StringEquals": {
                    "aws:SourceAccount": [owner for owner, _ in self.places],
                    "aws:SourceArn": self.arns,
                }
            },
        }
        join = {
            "Effect": "Allow",
            "Action": "dynamodb:AssociateTableReplica",
            "Resource": self.arns[of],
            "Principal": {"AWS": [owner for owner, _ in self.places]},
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [replicate, join]})

    def begin(self, **options: Any) -> None:
        """Make the first table."""
        self.clients[0].create_table(
            TableName=NAME,
            ResourcePolicy=self.policy(0),
            GlobalTableSettingsReplicationMode="ENABLED",
            **KEYS | options,
        )

    def joining(self, of: int, source: int = 0, **options: Any) -> dict[str, Any]:
        return {
            "TableName": NAME,
            "GlobalTableSourceArn": self.arns[source],
            "GlobalTableSettingsReplicationMode": "ENABLED",
            "ResourcePolicy": self.policy(of),
        } | options

    def join(self, of: int, source: int = 0) -> None:
        self.clients[of].create_table(**self.joining(of, source))
        for each in range(of + 1):
            wait(self.clients[each], NAME)


@pytest.fixture
def group(client: Client, account: str) -> Group:
    return Group(client, account)


def test_tables_of_three_accounts_are_one(group: Group) -> None:
    here, west, europe = group.clients
    group.begin()
    for number in range(150):
        here.put_item(TableName=NAME, Item={"id": {"S": f"{number}"}})
    group.join(1)
    group.join(2, source=1)
    assert europe.scan(TableName=NAME)["Count"] == 150
    found = wait(europe, NAME)
    assert found["TableArn"] == group.arns[2]
    assert found["GlobalTableSettingsReplicationMode"] == "ENABLED"
    shown = {(each["RegionName"], each["ReplicaArn"]) for each in found["Replicas"]}
    assert shown == {("us-east-1", group.arns[0]), ("us-west-2", group.arns[1])}
    europe.put_item(TableName=NAME, Item={**ID, "n": {"N": "1"}})
    west.update_item(TableName=NAME, Key=ID, UpdateExpression="ADD n :n", ExpressionAttributeValues={":n": {"N": "1"}})
    for each in group.clients:
        assert each.get_item(TableName=NAME, Key=ID)["Item"] == {**ID, "n": {"N": "2"}}
    west.delete_table(TableName=NAME)
    here.delete_item(TableName=NAME, Key=ID)
    assert "Item" not in europe.get_item(TableName=NAME, Key=ID)
    assert [each["RegionName"] for each in wait(here, NAME)["Replicas"]] == ["eu-west-1"]


def test_settings_are_alike(group: Group, refused: Refused) -> None:
    here, west, _ = group.clients
    group.begin()
    group.join(1)
    index = {
        "IndexName": "by-kind",
        "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    west.update_table(
        TableName=NAME,
        AttributeDefinitions=[{"AttributeName": "kind", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
        OnDemandThroughput={"MaxReadRequestUnits": 7, "MaxWriteRequestUnits": 8},
    )
    for each in (here, west):
        found = wait(each, NAME)
        assert found["OnDemandThroughput"]["MaxReadRequestUnits"] == 7
        assert [index["IndexName"] for index in found["GlobalSecondaryIndexes"]] == ["by-kind"]
    here.update_table(TableName=NAME, DeletionProtectionEnabled=True)
    assert west.describe_table(TableName=NAME)["Table"]["DeletionProtectionEnabled"] is False
    remote = refused(here.update_table, TableName=NAME, ReplicaUpdates=[{"Delete": {"RegionName": "us-west-2"}}])
    assert "CreateTable and DeleteTable" in remote
    assert "part of a global table" in refused(
        here.update_table, TableName=NAME, GlobalTableSettingsReplicationMode="DISABLED"
    )


def test_all_policies_must_allow_it(group: Group, refused: Refused) -> None:
    here, west, europe = group.clients
    group.begin()
    create = west.create_table
    assert refused(create, **group.joining(1, ResourcePolicy=group.policy(1, "ReadDataForReplication"))) == (
        "AccessDeniedException: User: replication.dynamodb.amazonaws.com is not authorized to perform: "
        f"dynamodb:WriteDataForReplication on resource: {group.arns[1]} "
        "because no resource-based policy allows the dynamodb:WriteDataForReplication action"
    )
    nobody = json.loads(group.policy(0))
    nobody["Statement"] = nobody["Statement"][:1]
    here.put_resource_policy(ResourceArn=group.arns[0], Policy=json.dumps(nobody))
    assert "AssociateTableReplica" in refused(create, **group.joining(1))
    here.delete_resource_policy(ResourceArn=group.arns[0])
    assert "AssociateTableReplica" in refused(create, **group.joining(1))
    here.put_resource_policy(ResourceArn=group.arns[0], Policy=group.policy(0))
    group.join(1)
    west.put_resource_policy(ResourceArn=group.arns[1], Policy=group.policy(1).replace(group.arns[2], "arn:none"))
    wait(west, NAME)
    third = refused(europe.create_table, **group.joining(2))
    assert f"dynamodb:ReadDataForReplication on resource: {group.arns[1]}" in third
    assert "ResourceNotFoundException" in refused(europe.describe_table, TableName=NAME)
    assert len(wait(here, NAME)["Replicas"]) == 1


def test_who_allows_it_no_more_stands_alone(group: Group) -> None:
    here, west, europe = group.clients
    group.begin()
    here.put_item(TableName=NAME, Item=ID)
    group.join(1)
    group.join(2)
    west.delete_resource_policy(ResourceArn=group.arns[1])
    west.put_item(TableName=NAME, Item={"id": {"S": "west"}})
    here.put_item(TableName=NAME, Item={"id": {"S": "east"}})
    assert "Replicas" not in wait(west, NAME)
    assert sorted(item["id"]["S"] for item in west.scan(TableName=NAME)["Items"]) == ["a", "west"]
    assert sorted(item["id"]["S"] for item in europe.scan(TableName=NAME)["Items"]) == ["a", "east"]


def test_requests_are_checked(client: Client, group: Group, refused: Refused) -> None:
    here, west, _ = group.clients
    here.create_table(TableName=NAME, ResourcePolicy=group.policy(0), **KEYS)
    create = west.create_table
    assert "must be ENABLED" in refused(create, **group.joining(1))
    here.update_table(TableName=NAME, GlobalTableSettingsReplicationMode="ENABLED")
    assert wait(here, NAME)["GlobalTableSettingsReplicationMode"] == "ENABLED"
    wrong: list[dict[str, Any]] = [
        {"GlobalTableSettingsReplicationMode": "ENABLED_WITH_OVERRIDES"},
        {"BillingMode": "PROVISIONED"},
        {"KeySchema": KEYS["KeySchema"]},
        {"TableName": "another"},
        {"GlobalTableSourceArn": NAME},
    ]
    for each in wrong:
        assert "ValidationException" in refused(create, **group.joining(1, **each))
    missing = f"{group.arns[0]}-not"
    assert "ResourceNotFoundException" in refused(create, **group.joining(1, GlobalTableSourceArn=missing))
    same_region = client("dynamodb", "us-east-1", account=group.places[1][0])
    same_account = client("dynamodb", "us-west-2")
    for elsewhere in (same_region, same_account):
        assert "an account and a Region of its own" in refused(elsewhere.create_table, **group.joining(1))
    here.update_table(TableName=NAME, ReplicaUpdates=[{"Create": {"RegionName": "ap-south-1"}}])
    assert wait(here, NAME)["GlobalTableSettingsReplicationMode"] == "ENABLED_WITH_OVERRIDES"
    assert "global table of one account" in refused(create, **group.joining(1))
