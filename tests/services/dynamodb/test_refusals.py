"""What AWS refuses, and how it says so; each was seen on AWS by others who compare with it."""

import time
from collections.abc import Callable
from typing import Any

import pytest

BY_X = {
    "IndexName": "by-x",
    "KeySchema": [{"AttributeName": "x", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
X = {"AttributeName": "x", "AttributeType": "S"}


def test_a_transaction_tells_of_the_first_action_that_does_not_fit_its_table(
    dynamodb: Any, make_table: Callable[..., str]
) -> None:
    table = make_table()
    wrong = {"Put": {"TableName": table, "Item": {"id": {"N": "7"}}}}
    unmet = {"Put": {"TableName": table, "Item": {"id": {"S": "a"}}, "ConditionExpression": "attribute_exists(id)"}}
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.transact_write_items(TransactItems=[unmet, wrong, wrong])
    assert caught.value.response["CancellationReasons"] == [
        {"Code": "None"},
        {
            "Code": "ValidationError",
            "Message": "One or more parameter values were invalid: Type mismatch for key id expected: S actual: N",
        },
        {"Code": "None"},
    ]
    assert dynamodb.scan(TableName=table)["Items"] == []


def test_other_mistakes_refuse_the_whole_transaction(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    table = make_table()
    wrong = {"Put": {"TableName": table, "Item": {"id": {"N": "7"}}}}
    unnamed = {"Put": {"TableName": table, "Item": {"id": {"S": "a"}}, "ConditionExpression": "attribute_exists(#a)"}}
    said = refused(dynamodb.transact_write_items, TransactItems=[wrong, unnamed])
    assert said.startswith("ValidationException: Invalid ConditionExpression")
    large = [{"Put": {"TableName": table, "Item": {"id": {"S": f"{n}"}, "x": {"S": "x" * 380_000}}}} for n in range(12)]
    assert "size cannot exceed" in refused(dynamodb.transact_write_items, TransactItems=large)


def test_an_item_alone_in_its_partition_is_nothing_to_go_on_after(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    table = make_table(more=[X], GlobalSecondaryIndexes=[BY_X])
    asked = {"KeyConditionExpression": "id = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}}
    said = refused(dynamodb.query, TableName=table, ExclusiveStartKey={"id": {"S": "a"}}, **asked)
    assert said == (
        "ValidationException: The provided exclusive start key is invalid: ExclusiveStartKey: {id=AttributeValue: {S:a}}"
    )
    # An index has any number of items with a key.
    asked["KeyConditionExpression"] = "x = :a"
    after = {"id": {"S": "a"}, "x": {"S": "a"}}
    assert dynamodb.query(TableName=table, IndexName="by-x", ExclusiveStartKey=after, **asked)["Count"] == 0


def test_paths_have_32_levels(dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]) -> None:
    asked = {"TableName": make_table(), "Key": {"id": {"S": "a"}}}
    dynamodb.get_item(ProjectionExpression="a" + ".b" * 31, **asked)
    assert refused(dynamodb.get_item, ProjectionExpression="a" + ".b" * 32, **asked) == (
        "ValidationException: Invalid ProjectionExpression: The document path has too many nesting levels; "
        "nesting levels: 33"
    )


def test_values_that_are_too_long_for_a_new_index_are_left_out_of_it(
    dynamodb: Any, make_table: Callable[..., str]
) -> None:
    table = make_table("id", "at")
    for length in (1, 1024, 1025, 2048, 2049):
        dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "at": {"S": f"{length}"}, "x": {"S": "x" * length}})

    def lengths(name: str, schema: list[dict[str, str]]) -> set[int]:
        index = {**BY_X, "IndexName": name, "KeySchema": schema}
        definitions = [X, {"AttributeName": "id", "AttributeType": "S"}]
        dynamodb.update_table(
            TableName=table,
            AttributeDefinitions=definitions[: len(schema)],
            GlobalSecondaryIndexUpdates=[{"Create": index}],
        )
        deadline = time.monotonic() + 60
        while dynamodb.describe_table(TableName=table)["Table"]["TableStatus"] != "ACTIVE":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return {len(item["x"]["S"]) for item in dynamodb.scan(TableName=table, IndexName=name)["Items"]}

    assert lengths("hash", BY_X["KeySchema"]) == {1, 1024, 1025, 2048}  # type: ignore[arg-type]
    schema = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "x", "KeyType": "RANGE"}]
    assert lengths("range", schema) == {1, 1024}


def test_what_is_said_of_new_indexes(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    table = make_table(more=[X], GlobalSecondaryIndexes=[BY_X])
    second = {**BY_X, "IndexName": "second"}
    refuse = "ValidationException: One or more parameter values were invalid: "

    def said(update: dict[str, Any], **more: Any) -> str:
        return refused(dynamodb.update_table, TableName=table, GlobalSecondaryIndexUpdates=[update], **more)

    assert said({"Create": second}) == (
        f"{refuse}Some index key attributes are not defined in AttributeDefinitions. Keys: [x], AttributeDefinitions: []"
    )
    assert said({"Create": second}, AttributeDefinitions=[{**X, "AttributeType": "N"}]) == (
        f"{refuse}Attributes cannot be redefined. Please check that your attribute has the same type as previously "
        "defined. Existing schema: Schema:[SchemaElement: key{x:S:HASH}] New schema: Schema:[SchemaElement: key{x:N:HASH}]"
    )
    assert "Only one of" in said({"Create": second, "Delete": {"IndexName": "by-x"}}, AttributeDefinitions=[X])
    twice = {**second, "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a", "a"]}}
    assert "Duplicate" in said({"Create": twice}, AttributeDefinitions=[X])


def test_a_table_that_goes_shows_no_indexes(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table("id", "at", more=[X], GlobalSecondaryIndexes=[BY_X])
    gone = dynamodb.delete_table(TableName=table)["TableDescription"]
    hidden = {
        "KeySchema",
        "AttributeDefinitions",
        "CreationDateTime",
        "GlobalSecondaryIndexes",
        "LocalSecondaryIndexes",
    }
    assert not hidden & set(gone)
    assert "LastUpdateToPayPerRequestDateTime" in gone["BillingModeSummary"]


def test_numbers_of_records_are_for_iterators_that_begin_at_them(
    dynamodb: Any, client: Callable[..., Any], make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    table = make_table(StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    streams = client("dynamodbstreams")
    arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]
    place = {"StreamArn": arn, "ShardId": shard["ShardId"]}
    number = shard["SequenceNumberRange"]["StartingSequenceNumber"]
    for kind in ("TRIM_HORIZON", "LATEST"):
        said = refused(streams.get_shard_iterator, ShardIteratorType=kind, SequenceNumber=number, **place)
        assert said.startswith("ValidationException: ")


def test_attributes_have_names(dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]) -> None:
    asked = {"TableName": make_table(), "Key": {"id": {"S": "a"}}}
    said = "ValidationException: One or more parameter values were invalid: Empty attribute name"
    assert refused(dynamodb.update_item, AttributeUpdates={"": {"Value": {"N": "2"}, "Action": "PUT"}}, **asked) == said
    assert refused(dynamodb.get_item, AttributesToGet=[""], **asked) == said


def test_a_table_never_gets_less_warm(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    table = make_table()

    def warm(**units: int) -> Any:
        dynamodb.update_table(TableName=table, WarmThroughput=units)
        return dynamodb.describe_table(TableName=table)["Table"]["WarmThroughput"]

    for units, name in (({"ReadUnitsPerSecond": 6000}, "Read"), ({"WriteUnitsPerSecond": 3999}, "Write")):
        assert refused(dynamodb.update_table, TableName=table, WarmThroughput=units) == (
            f"ValidationException: One or more parameter values were invalid: Requested {name}UnitsPerSecond for "
            "WarmThroughput for table is lower than current WarmThroughput, decreasing WarmThroughput is not supported"
        )
    assert warm(WriteUnitsPerSecond=4001) == {
        "ReadUnitsPerSecond": 12000,
        "WriteUnitsPerSecond": 4001,
        "Status": "ACTIVE",
    }
    assert warm(ReadUnitsPerSecond=12000)["WriteUnitsPerSecond"] == 4001


def test_the_most_of_an_on_demand_table(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    table = make_table()

    def most(**units: int) -> Any:
        dynamodb.update_table(TableName=table, OnDemandThroughput=units)
        return dynamodb.describe_table(TableName=table)["Table"].get("OnDemandThroughput")

    assert most(MaxReadRequestUnits=1000, MaxWriteRequestUnits=500) == {
        "MaxReadRequestUnits": 1000,
        "MaxWriteRequestUnits": 500,
    }
    assert most(MaxReadRequestUnits=2000) == {"MaxReadRequestUnits": 2000, "MaxWriteRequestUnits": 500}
    assert most(MaxReadRequestUnits=-1) == {"MaxWriteRequestUnits": 500}
    assert most(MaxWriteRequestUnits=-1) is None
    for units in (0, -2):
        given = {"MaxReadRequestUnits": units}
        said = refused(dynamodb.update_table, TableName=table, OnDemandThroughput=given)
        assert said.startswith("ValidationException: ")
    provisioned = {
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    }
    given = {"MaxReadRequestUnits": 5}
    assert refused(dynamodb.update_table, TableName=table, OnDemandThroughput=given, **provisioned) == (
        "ValidationException: One or more parameter values were invalid: MaxReadRequestUnits for OnDemandThroughput "
        "cannot be specified when the table BillingMode is PROVISIONED"
    )


def test_a_table_that_is_not_paid_by_request_any_more_needs_throughput_for_its_indexes(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    table = make_table(more=[X], GlobalSecondaryIndexes=[BY_X])
    units = {"ReadCapacityUnits": 50, "WriteCapacityUnits": 50}
    wanted = {"TableName": table, "BillingMode": "PROVISIONED", "ProvisionedThroughput": units}
    assert refused(dynamodb.update_table, **wanted).endswith("ProvisionedThroughput must be specified for index: by-x")
    update = {"Update": {"IndexName": "by-x", "ProvisionedThroughput": units}}
    dynamodb.update_table(**wanted, GlobalSecondaryIndexUpdates=[update])
    (index,) = dynamodb.describe_table(TableName=table)["Table"]["GlobalSecondaryIndexes"]
    assert index["ProvisionedThroughput"]["ReadCapacityUnits"] == 50
