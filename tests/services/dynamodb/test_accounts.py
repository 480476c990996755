"""Global tables of several accounts: made by each account for itself, where all of their policies allow it."""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
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

    def fill(self, items: int) -> None:
        for first in range(0, items, 25):
            puts = [
                {"PutRequest": {"Item": {"id": {"S": f"{first + each}"}, "kind": {"S": "x"}}}} for each in range(25)
            ]
            self.clients[0].batch_write_item(RequestItems={NAME: puts})


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
    told = refused(create, **group.joining(1, GlobalTableSourceArn=missing))
    here.delete_resource_policy(ResourceArn=group.arns[0])
    hidden = refused(create, **group.joining(1))
    here.put_resource_policy(ResourceArn=group.arns[0], Policy=group.policy(0))
    assert told.startswith("AccessDeniedException")
    assert told.replace(missing, group.arns[0]) == hidden  # which tables others have is not told
    own = group.arns[0].replace(group.places[0][0], group.places[1][0])
    assert "ResourceNotFoundException" in refused(create, **group.joining(1, GlobalTableSourceArn=own))
    same_region = client("dynamodb", "us-east-1", account=group.places[1][0])
    same_account = client("dynamodb", "us-west-2")
    for elsewhere in (same_region, same_account):
        assert "an account and a Region of its own" in refused(elsewhere.create_table, **group.joining(1))
    here.update_table(TableName=NAME, ReplicaUpdates=[{"Create": {"RegionName": "ap-south-1"}}])
    assert wait(here, NAME)["GlobalTableSettingsReplicationMode"] == "ENABLED_WITH_OVERRIDES"
    assert "global table of one account" in refused(create, **group.joining(1))


def test_a_table_stays_as_it_is_until_its_items_are_copied(group: Group, refused: Refused) -> None:
    """Whether copying ended before a request came is a matter of luck: what the request does must fit either."""
    here, west, _ = group.clients
    items = 1500
    group.begin(
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "kind")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-kind",
                "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    group.fill(items)
    west.create_table(**group.joining(1))

    def told(run: Callable[..., Any], **arguments: Any) -> str:
        """The code of its error; empty where there is none."""
        try:
            run(TableName=NAME, **arguments)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    assert told(here.update_table, DeletionProtectionEnabled=False) in ("", "ResourceInUseException")
    dropped = told(here.update_table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-kind"}}])
    assert dropped in ("", "ResourceInUseException")
    found = here.describe_table(TableName=NAME)["Table"]
    if found["Replicas"][0]["ReplicaStatus"] == "CREATING":
        assert found["TableStatus"] == "UPDATING"
    with contextlib.suppress(west.exceptions.ResourceNotFoundException):  # so it is said of a table that is being made
        assert west.scan(TableName=NAME, Select="COUNT")["Count"] == items
    gone = told(here.delete_table)
    assert gone in ("", "ResourceInUseException")
    found = wait(west, NAME)
    assert west.scan(TableName=NAME, Select="COUNT")["Count"] == items
    if gone:
        wait(here, NAME)
        here.delete_table(TableName=NAME)
    assert "Replicas" not in wait(west, NAME)
    if dropped:
        assert west.scan(TableName=NAME, IndexName="by-kind", Select="COUNT")["Count"] == items


def test_settings_that_come_together_are_alike(group: Group) -> None:
    here, west, _ = group.clients
    group.begin()
    group.join(1)
    west.update_table(TableName=NAME, StreamSpecification={"StreamEnabled": False})
    here.update_table(
        TableName=NAME,
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        WarmThroughput={"ReadUnitsPerSecond": 13_000, "WriteUnitsPerSecond": 5_000},
    )
    here.put_item(TableName=NAME, Item=ID)
    for each in (here, west):
        found = wait(each, NAME)
        assert found["ProvisionedThroughput"]["ReadCapacityUnits"] == 3
        assert found["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        assert found["WarmThroughput"]["ReadUnitsPerSecond"] == 13_000


def test_nobody_agrees_for_another_account(client: Client, group: Group, refused: Refused) -> None:
    here, west, europe = group.clients
    group.begin()
    theirs = group.joining(1, TableName=group.arns[1])
    assert "AccessDeniedException" in refused(europe.create_table, **theirs)
    assert "ResourceNotFoundException" in refused(west.describe_table, TableName=NAME)
    for odd in (f"{group.arns[0]}/index/a", group.arns[0].replace("arn:aws:", "arn:aws-cn:")):
        assert "must be the ARN of a table" in refused(west.create_table, **group.joining(1, GlobalTableSourceArn=odd))
    here.delete_resource_policy(ResourceArn=group.arns[0])
    told = refused(client("dynamodb", "us-east-1", account=group.places[1][0]).create_table, **group.joining(1))
    assert "AssociateTableReplica" in told  # and not which accounts and regions have the table


def test_a_policy_may_ask_what_the_caller_is(group: Group, refused: Refused) -> None:
    here, west, _ = group.clients
    group.begin()
    policy = json.loads(group.policy(0))
    replicate, join = policy["Statement"]
    replicate["Condition"]["Bool"] = {"aws:PrincipalIsAWSService": "true"}
    replicate["Condition"]["StringLike"] = {"aws:PrincipalServiceName": "replication.*"}
    join["Condition"] = {"Bool": {"aws:PrincipalIsAWSService": "false"}}
    denied = {"Effect": "Deny", "Principal": "*", "Action": "dynamodb:*", "Resource": "*"}
    for condition in (
        {"ArnEquals": {"aws:SourceArn": group.arns[1]}},
        {"StringEquals": {"aws:PrincipalAccount": group.places[1][0]}},
    ):
        policy["Statement"] = [replicate, join, denied | {"Condition": condition}]
        here.put_resource_policy(ResourceArn=group.arns[0], Policy=json.dumps(policy))
        assert "AccessDeniedException" in refused(west.create_table, **group.joining(1))
    policy["Statement"] = [replicate, join]
    here.put_resource_policy(ResourceArn=group.arns[0], Policy=json.dumps(policy))
    group.join(1)


def test_a_replica_does_not_tell_what_its_source_was_restored_from(group: Group) -> None:
    here, west, _ = group.clients
    here.create_table(TableName="before", **KEYS)
    backup = here.create_backup(TableName="before", BackupName="mine")["BackupDetails"]["BackupArn"]
    deadline = time.monotonic() + 200
    while here.describe_backup(BackupArn=backup)["BackupDescription"]["BackupDetails"]["BackupStatus"] != "AVAILABLE":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    here.restore_table_from_backup(BackupArn=backup, TargetTableName=NAME)
    assert "RestoreSummary" in wait(here, NAME)
    here.put_resource_policy(ResourceArn=group.arns[0], Policy=group.policy(0))
    here.update_table(TableName=NAME, GlobalTableSettingsReplicationMode="ENABLED")
    group.join(1)
    assert "RestoreSummary" not in wait(west, NAME)


def test_who_holds_a_replica_has_no_other_way_to_the_tables_of_others(
    start_node: Callable[..., Any], account: str, refused: Refused
) -> None:
    node = start_node("--iam", "enforce")

    def client(service: str, region: str, account: str) -> Any:
        return node.client(service, account, region)

    group = Group(client, account)
    here, west, _ = group.clients
    group.begin()
    group.join(1)
    here.put_item(TableName=NAME, Item=ID)
    assert west.get_item(TableName=NAME, Key=ID)["Item"] == ID
    recovery = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    here.update_continuous_backups(TableName=NAME, **recovery)
    arn = group.arns[0]
    put = {"PutRequest": {"Item": ID}}
    tries: list[tuple[Callable[..., Any], dict[str, Any]]] = [
        (west.get_item, {"TableName": arn, "Key": ID}),
        (west.scan, {"TableName": f"{arn}/index/any"}),
        (west.batch_get_item, {"RequestItems": {arn: {"Keys": [ID]}}}),
        (west.batch_write_item, {"RequestItems": {NAME: [put], arn: [put]}}),
        (west.transact_get_items, {"TransactItems": [{"Get": {"TableName": arn, "Key": ID}}]}),
        (west.transact_write_items, {"TransactItems": [{"Delete": {"TableName": arn, "Key": ID}}]}),
        (west.execute_statement, {"Statement": f'SELECT * FROM "{arn}"'}),
        (west.describe_table, {"TableName": arn}),
        (west.update_table, {"TableName": arn, "DeletionProtectionEnabled": False}),
        (west.delete_table, {"TableName": arn}),
        (west.update_continuous_backups, {"TableName": arn, **recovery}),
        (west.create_backup, {"TableName": arn, "BackupName": "theirs"}),
        (west.export_table_to_point_in_time, {"TableArn": arn, "S3Bucket": "any-bucket"}),
        (west.put_resource_policy, {"ResourceArn": arn, "Policy": group.policy(0)}),
        (west.list_tags_of_resource, {"ResourceArn": arn}),
        (
            west.restore_table_to_point_in_time,
            {"SourceTableArn": arn, "TargetTableName": "copy", "UseLatestRestorableTime": True},
        ),
    ]
    for call, arguments in tries:
        assert refused(call, **arguments).startswith("AccessDeniedException"), call
    stream = here.describe_table(TableName=NAME)["Table"]["LatestStreamArn"]
    theirs = client("dynamodbstreams", "us-west-2", account=group.places[1][0])
    assert refused(theirs.describe_stream, StreamArn=stream).startswith("AccessDeniedException")
