"""Tables: made, described, listed, deleted; what is refused, in AWS's words."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config

KEY = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
ATTRIBUTES = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}
BY_REQUEST = {"BillingMode": "PAY_PER_REQUEST"}


def test_a_table_is_made_and_described(dynamodb: Any, account: str) -> None:
    made = dynamodb.create_table(
        TableName="orders",
        **KEY,
        **ATTRIBUTES,
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 4},
        Tags=[{"Key": "team", "Value": "a"}],
    )["TableDescription"]
    assert made["TableStatus"] == "CREATING"
    assert made["TableArn"] == f"arn:aws:dynamodb:us-east-1:{account}:table/orders"
    assert "WarmThroughput" not in made
    dynamodb.get_waiter("table_exists").wait(TableName="orders", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    found = dynamodb.describe_table(TableName=made["TableArn"])["Table"]
    assert found["TableStatus"] == "ACTIVE"
    assert found["ProvisionedThroughput"]["WriteCapacityUnits"] == 4
    assert found["WarmThroughput"] == {"ReadUnitsPerSecond": 5, "WriteUnitsPerSecond": 4, "Status": "ACTIVE"}
    assert found["TableId"] == made["TableId"]
    assert dynamodb.list_tags_of_resource(ResourceArn=made["TableArn"])["Tags"] == [{"Key": "team", "Value": "a"}]


def test_tables_are_listed_in_pages(dynamodb: Any) -> None:
    for name in ("bbb", "aaa", "ccc"):
        dynamodb.create_table(TableName=name, **KEY, **ATTRIBUTES, **BY_REQUEST)
    first = dynamodb.list_tables(Limit=2)
    assert first["TableNames"] == ["aaa", "bbb"]
    last = dynamodb.list_tables(ExclusiveStartTableName=first["LastEvaluatedTableName"])
    assert last["TableNames"] == ["ccc"]
    assert "LastEvaluatedTableName" not in last


def test_a_deleted_table_is_gone_with_its_items(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    table = make_table()
    dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}})
    gone = dynamodb.delete_table(TableName=table)["TableDescription"]
    assert gone["TableStatus"] == "DELETING"
    missing = f"ResourceNotFoundException: Requested resource not found: Table: {table} not found"
    assert refused(dynamodb.describe_table, TableName=table) == missing
    unnamed = "ResourceNotFoundException: Requested resource not found"
    assert refused(dynamodb.get_item, TableName=table, Key={"id": {"S": "a"}}) == unnamed
    dynamodb.create_table(TableName=table, **KEY, **ATTRIBUTES, **BY_REQUEST)
    assert "Item" not in dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})


def test_a_name_is_taken_once(dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]) -> None:
    table = make_table()
    said = refused(dynamodb.create_table, TableName=table, **KEY, **ATTRIBUTES, **BY_REQUEST)
    assert said == f"ResourceInUseException: Table already exists: {table}"


def test_protected_tables_are_not_deleted(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    table = make_table(DeletionProtectionEnabled=True)
    assert "protected against deletion" in refused(dynamodb.delete_table, TableName=table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
            (
                "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified "
                "when BillingMode is PAY_PER_REQUEST"
            ),
        ),
        (
            {"KeySchema": [{"AttributeName": "no", "KeyType": "HASH"}]},
            (
                "One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. "
                "Keys: [no], AttributeDefinitions: [id]"
            ),
        ),
        (
            {"KeySchema": [{"AttributeName": "id", "KeyType": "RANGE"}]},
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            {
                "AttributeDefinitions": [
                    *ATTRIBUTES["AttributeDefinitions"],
                    {"AttributeName": "x", "AttributeType": "S"},
                ]
            },
            (
                "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of "
                "attributes defined in AttributeDefinitions"
            ),
        ),
        (
            {"TableName": "ab"},
            (
                "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: "
                "Member must have length greater than or equal to 3"
            ),
        ),
    ],
)
def test_what_is_refused(dynamodb: Any, refused: Callable[..., str], change: dict[str, Any], message: str) -> None:
    request = {"TableName": "table", **KEY, **ATTRIBUTES, **BY_REQUEST, **change}
    assert refused(dynamodb.create_table, **request) == f"ValidationException: {message}"
    assert dynamodb.list_tables()["TableNames"] == []


def test_tags_come_and_go(dynamodb: Any, make_table: Callable[..., str]) -> None:
    arn = dynamodb.describe_table(TableName=make_table())["Table"]["TableArn"]
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]


def test_policies_have_revisions(dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]) -> None:
    arn = dynamodb.describe_table(TableName=make_table())["Table"]["TableArn"]
    document = '{"Version": "2012-10-17", "Statement": []}'
    revision = dynamodb.put_resource_policy(ResourceArn=arn, Policy=document)["RevisionId"]
    held = dynamodb.get_resource_policy(ResourceArn=arn)
    assert (held["Policy"], held["RevisionId"]) == (document, revision)
    stale = refused(dynamodb.put_resource_policy, ResourceArn=arn, Policy=document, ExpectedRevisionId="other")
    assert stale.startswith("PolicyNotFoundException")
    dynamodb.delete_resource_policy(ResourceArn=arn)
    assert refused(dynamodb.get_resource_policy, ResourceArn=arn).startswith("PolicyNotFoundException")


def test_a_table_without_a_name(client: Callable[..., Any], refused: Callable[..., str]) -> None:
    unchecked = client("dynamodb", config=Config(retries={"total_max_attempts": 1}, parameter_validation=False))
    assert refused(unchecked.create_table, KeySchema=[]) == (
        "ValidationException: The parameter 'TableName' is required but was not present in the request"
    )
