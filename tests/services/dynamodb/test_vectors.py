"""Vector indexes and SearchVectors."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.dynamodb.test_backups import eventually

INDEX = "near"


def vector(*numbers: float) -> dict[str, Any]:
    return {"L": [{"N": repr(number)} for number in numbers]}


def index(
    dimensions: int = 3,
    distance: str = "COSINE",
    projection: Any = "ALL",
    schema: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    given = {"ProjectionType": projection} if isinstance(projection, str) else projection
    found = {
        "IndexName": INDEX,
        "VectorAttribute": {"AttributeName": "v"},
        "Dimensions": dimensions,
        "DistanceFunction": distance,
        "Projection": given,
        **more,
    }
    if schema:
        found["SearchSchema"] = [
            {"AttributeName": name, "SearchSchemaElementType": kind} for name, kind in schema.items()
        ]
    return found


def defined(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


@pytest.fixture
def search(dynamodb: Any) -> Callable[..., list[tuple[str, float]]]:
    """Ids and scores of what is nearest."""

    def run(table: str, *numbers: float, top: int = 10, **options: Any) -> list[tuple[str, float]]:
        found = dynamodb.search_vectors(
            TableName=table,
            IndexName=INDEX,
            SearchVector=[{"N": repr(number)} for number in numbers],
            TopK=top,
            **options,
        )["SearchResults"]
        return [(each["Item"]["id"]["S"], each["Score"]) for each in found]

    return run


def put(dynamodb: Any, table: str, id: str, *numbers: float, **more: str) -> None:
    item = {"id": {"S": id}, "v": vector(*numbers), **{name: {"S": value} for name, value in more.items()}}
    dynamodb.put_item(TableName=table, Item=item)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        ("COSINE", [("a", 0.0), ("b", 0.0), ("c", 1 - 1 / math.sqrt(2)), ("d", 1.0), ("e", 2.0)]),
        ("EUCLIDEAN", [("a", 0.0), ("c", 1.0), ("d", math.sqrt(2)), ("e", 2.0), ("b", 9.0)]),
        ("DOT_PRODUCT", [("b", 10.0), ("a", 1.0), ("c", 1.0), ("d", 0.0), ("e", -1.0)]),
    ],
)
def test_scores(
    dynamodb: Any, make_table: Callable[..., str], search: Callable[..., Any], distance: str, expected: Any
) -> None:
    table = make_table(VectorIndexes=[index(distance=distance)])
    rows = {"a": (1, 0, 0), "b": (10, 0, 0), "c": (1, 1, 0), "d": (0, 1, 0), "e": (-1, 0, 0)}
    for id, numbers in rows.items():
        put(dynamodb, table, id, *numbers)
    found = search(table, 1, 0, 0)
    assert [score for _, score in found] == pytest.approx([score for _, score in expected])
    assert dict(found) == pytest.approx(dict(expected))
    assert [score for _, score in search(table, 1, 0, 0, top=2)] == pytest.approx([s for _, s in expected[:2]])


def test_the_nearest_of_many_are_found(
    dynamodb: Any, make_table: Callable[..., str], search: Callable[..., Any]
) -> None:
    table = make_table(VectorIndexes=[index(64, "EUCLIDEAN", "KEYS_ONLY")])
    chance = random.Random(7)
    rows = {str(n): [chance.uniform(-1, 1) for _ in range(64)] for n in range(1100)}
    requests = [{"PutRequest": {"Item": {"id": {"S": id}, "v": vector(*row)}}} for id, row in rows.items()]
    for first in range(0, len(requests), 25):
        dynamodb.batch_write_item(RequestItems={table: requests[first : first + 25]})
    wanted = [chance.uniform(-1, 1) for _ in range(64)]
    nearest = sorted(rows, key=lambda id: math.dist(rows[id], wanted))[:20]
    assert [id for id, _ in search(table, *wanted, top=20)] == nearest


def test_a_partition_and_filters(dynamodb: Any, make_table: Callable[..., str], search: Callable[..., Any]) -> None:
    schema = {"shop": "HASH", "brand": "INLINE_FILTER", "state": "INLINE_FILTER"}
    table = make_table(more=defined(*schema), VectorIndexes=[index(2, schema=schema, projection="KEYS_ONLY")])
    put(dynamodb, table, "a", 1, 0, shop="x", brand="b1", state="new")
    put(dynamodb, table, "b", 1, 1, shop="x", brand="b2")
    put(dynamodb, table, "c", 0, 1, shop="y", brand="b1")
    put(dynamodb, table, "d", 1, 0, brand="b1")

    def ids(condition: str, **values: str) -> list[str]:
        given = {f":{name}": {"S": value} for name, value in values.items()}
        options = {"SearchConditionExpression": condition, "ExpressionAttributeValues": given}
        if "#s" in condition:
            options["ExpressionAttributeNames"] = {"#s": "state"}
        return [id for id, _ in search(table, 1, 0, **options)]

    assert ids("shop = :s", s="x") == ["a", "b"]
    assert ids("shop = :s", s="z") == []
    assert ids("brand = :b AND shop = :s", b="b2", s="x") == ["b"]
    assert ids(":s = shop AND brand = :b AND #s = :n", b="b1", s="x", n="new") == ["a"]
    dynamodb.update_item(
        TableName=table,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET shop = :y",
        ExpressionAttributeValues={":y": {"S": "y"}},
    )
    assert ids("shop = :s", s="x") == ["b"]
    assert ids("shop = :s", s="y") == ["a", "c"]
    dynamodb.update_item(TableName=table, Key={"id": {"S": "a"}}, UpdateExpression="REMOVE shop")
    assert ids("shop = :s", s="y") == ["c"]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (None, "SearchConditionExpression must be provided when SearchSchema has a HASH key"),
        (
            "shop > :x",
            "Invalid SearchConditionExpression: Invalid comparator used in SearchConditionExpression",
        ),
        (
            "shop = :x OR brand = :x",
            "Invalid SearchConditionExpression: Invalid comparator used in SearchConditionExpression",
        ),
        (
            "begins_with(shop, :x)",
            "Invalid SearchConditionExpression: Invalid comparator used in SearchConditionExpression",
        ),
        ("brand = :x", "Invalid SearchConditionExpression: the condition lacks the HASH key of SearchSchema: shop"),
        (
            "shop = :x AND colour = :x",
            "SearchConditionExpression must not contain any attributes that is not in SearchSchema. Invalid attribute: colour",
        ),
    ],
)
def test_wrong_conditions_are_refused(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str], condition: str | None, reason: str
) -> None:
    schema = {"shop": "HASH", "brand": "INLINE_FILTER"}
    table = make_table(more=defined(*schema), VectorIndexes=[index(2, schema=schema)])
    options: dict[str, Any] = {}
    if condition is not None:
        values = {":x": {"S": "x"}}
        options = {"SearchConditionExpression": condition, "ExpressionAttributeValues": values}
    asked = {"TableName": table, "IndexName": INDEX, "SearchVector": [{"N": "1"}, {"N": "2"}], "TopK": 1}
    assert refused(dynamodb.search_vectors, **asked, **options) == f"ValidationException: {reason}"


def test_wrong_searches_are_refused(dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]) -> None:
    table = make_table(VectorIndexes=[index(2)])

    def why(**changes: Any) -> str:
        asked = {"TableName": table, "IndexName": INDEX, "SearchVector": [{"N": "1"}, {"N": "2"}], "TopK": 1}
        return refused(dynamodb.search_vectors, **{**asked, **changes})

    assert why(SearchVector=[{"N": "1"}]).endswith(
        "Input search vector dimension 1 does not match vector index dimension 2"
    )
    assert why(TopK=101).endswith(
        "Provided TopK value '101' is out of valid range. The value must be between 1 and 100 inclusive"
    )
    assert why(IndexName="other").endswith("The table does not have the specified index: other")
    for wrong in ({"S": "1"}, {"L": [{"N": "1"}]}, {"N": "1e39"}):
        assert why(SearchVector=[wrong, {"N": "1"}]) == (
            "ValidationException: Search vector contains invalid values. "
            "All values in the search vector must be a 32-bit floating-point number attribute"
        )
    assert why(TableName="nothing").startswith("ResourceNotFoundException")
    for call, kind in ((dynamodb.query, "Query"), (dynamodb.scan, "Scan")):
        asked: dict[str, Any] = {"TableName": table, "IndexName": INDEX}
        if kind == "Query":
            values = {":i": {"S": "i"}}
            asked |= {"KeyConditionExpression": "id = :i", "ExpressionAttributeValues": values}
        assert refused(call, **asked).endswith(f"{kind} operation not supported on this index type")


def test_what_a_search_shows(dynamodb: Any, make_table: Callable[..., str]) -> None:
    included = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]}
    table = make_table(VectorIndexes=[index(2, projection=included)])
    put(dynamodb, table, "a", 0.1, -2.5e10, title="t", colour="o")
    asked = {"TableName": table, "IndexName": INDEX, "SearchVector": [{"N": "1"}, {"N": "2"}], "TopK": 1}
    (found,) = dynamodb.search_vectors(**asked)["SearchResults"]
    assert found["Item"] == {"id": {"S": "a"}, "title": {"S": "t"}}
    answer = dynamodb.search_vectors(**asked, ProjectionExpression="v, colour, id", ReturnConsumedCapacity="TOTAL")
    assert answer["SearchResults"][0]["Item"] == {"id": {"S": "a"}, "v": vector(0.1, -25000000000)}
    assert answer["ConsumedCapacity"] == {"VectorSearchRequestBytes": 1024.0}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (vector(1, 2, 3), "Invalid size for parameter v, Expected: 2, Actual: 3. IndexName: near"),
        ({"S": "x"}, "Type mismatch for Index Key v Expected: L Actual: S IndexName: near"),
        ({"L": [{"N": "1"}, {"S": "2"}]}, "Type mismatch for Index Key v Expected: N Actual: S IndexName: near"),
        ({"L": [{"N": "1"}, {"N": "1e60"}]}, "A number in v is too large for 32 bits. IndexName: near"),
    ],
)
def test_items_with_wrong_vectors_are_refused(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str], value: Any, reason: str
) -> None:
    table = make_table(VectorIndexes=[index(2)])
    item = {"id": {"S": "a"}, "v": value}
    told = f"One or more parameter values were invalid: {reason}"
    assert refused(dynamodb.put_item, TableName=table, Item=item) == f"ValidationException: {told}"
    key = {"id": {"S": "a"}}
    update = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": value}}
    assert refused(dynamodb.update_item, TableName=table, Key=key, **update).endswith(told)
    assert refused(dynamodb.batch_write_item, RequestItems={table: [{"PutRequest": {"Item": item}}]}).endswith(told)
    put_alone = [{"Put": {"TableName": table, "Item": item}}]
    assert refused(dynamodb.transact_write_items, TransactItems=put_alone).endswith("[ValidationError]")
    assert dynamodb.scan(TableName=table)["Count"] == 0


def test_an_index_is_added_filled_and_removed(
    dynamodb: Any, make_table: Callable[..., str], search: Callable[..., Any], refused: Callable[..., str]
) -> None:
    table = make_table()
    for at in range(450):
        if at % 150 == 0:
            dynamodb.put_item(TableName=table, Item={"id": {"S": f"w{at}"}, "v": {"S": "no vector"}})
        put(dynamodb, table, str(at), at, 1)
    create = {"Create": index(2, schema={"shop": "INLINE_FILTER"})}
    update = {"TableName": table, "VectorIndexUpdates": [create]}
    assert "One element in SearchSchema is not defined" in refused(dynamodb.update_table, **update)
    assert "Only 1 online index" in refused(dynamodb.update_table, **{**update, "VectorIndexUpdates": [create, create]})
    shown = dynamodb.update_table(**update, AttributeDefinitions=defined("shop"))["TableDescription"]
    assert shown["TableStatus"] == "UPDATING"
    dynamodb.get_waiter("table_exists").wait(TableName=table)
    described = dynamodb.describe_table(TableName=table)["Table"]
    (near,) = described["VectorIndexes"]
    assert near["IndexStatus"] == "ACTIVE"
    assert near["ItemCount"] == 450
    assert near["IndexArn"] == f"{described['TableArn']}/index/{INDEX}"
    assert near["SearchSchema"] == [{"AttributeName": "shop", "SearchSchemaElementType": "INLINE_FILTER"}]
    assert [id for id, _ in search(table, 0, 1, top=3)] == ["0", "1", "2"]
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "0"}})
    assert [id for id, _ in search(table, 0, 1, top=2)] == ["1", "2"]
    gone = dynamodb.update_table(TableName=table, VectorIndexUpdates=[{"Delete": {"IndexName": INDEX}}])
    assert gone["TableDescription"]["VectorIndexes"][0]["IndexStatus"] == "DELETING"
    described = dynamodb.describe_table(TableName=table)["Table"]
    assert "VectorIndexes" not in described
    assert [each["AttributeName"] for each in described["AttributeDefinitions"]] == ["id"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"VectorIndexes": [index(schema={"shop": "HASH"})]},
            "One element in SearchSchema is not defined in attribute definitions",
        ),
        ({"VectorIndexes": [index(4097)]}, "Dimensions must be between 1 and 4096 inclusive. IndexName: near"),
        (
            {
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
                "VectorIndexes": [index()],
            },
            "Vector indexes need BillingMode PAY_PER_REQUEST. IndexName: near",
        ),
        (
            {"VectorIndexes": [index(), index(4, IndexName="far")]},
            "All vector indexes on v must have the same Dimensions. IndexName: far",
        ),
        ({"VectorIndexes": [index(), index()]}, "Duplicate index name: near"),
        (
            {"VectorIndexes": [index(IndexName=f"i-{n}") for n in range(6)]},
            "VectorIndex count exceeds the per-table limit of 5",
        ),
        (
            {"VectorIndexes": [index(projection="INCLUDE")]},
            "ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        ),
    ],
)
def test_wrong_indexes_are_refused(
    make_table: Callable[..., str], refused: Callable[..., str], options: dict[str, Any], reason: str
) -> None:
    told = f"ValidationException: One or more parameter values were invalid: {reason}"
    assert refused(make_table, **options) == told


def test_writes_tell_what_they_took_of_the_index(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table(VectorIndexes=[index(512, projection="KEYS_ONLY")])
    item = {"id": {"S": "a"}, "v": vector(*range(512)), "x": {"S": "x"}}
    answer = dynamodb.put_item(TableName=table, Item=item, ReturnConsumedCapacity="INDEXES")
    assert answer["ConsumedCapacity"]["VectorIndexes"] == {INDEX: {"VectorWriteRequestBytes": 4.0 * 512 + 1 + 3}}
    item["x"] = {"S": "y"}
    answer = dynamodb.put_item(TableName=table, Item=item, ReturnConsumedCapacity="INDEXES")
    assert "VectorIndexes" not in answer["ConsumedCapacity"]
    others = [{**item, "id": {"S": id}} for id in ("b", "c")]
    puts = [{"PutRequest": {"Item": each}} for each in others]
    (told,) = dynamodb.batch_write_item(RequestItems={table: puts}, ReturnConsumedCapacity="INDEXES")[
        "ConsumedCapacity"
    ]
    assert told["VectorIndexes"] == {INDEX: {"VectorWriteRequestBytes": 2 * 2052.0}}
    deletes = [{"Delete": {"TableName": table, "Key": {"id": {"S": id}}}} for id in ("a", "b", "c")]
    (told,) = dynamodb.transact_write_items(TransactItems=deletes, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert told["VectorIndexes"] == {INDEX: {"VectorWriteRequestBytes": 3 * 2052.0}}


def test_a_restored_table_has_its_vector_indexes(
    dynamodb: Any, make_table: Callable[..., str], search: Callable[..., Any]
) -> None:
    table = make_table(VectorIndexes=[index(2)])
    put(dynamodb, table, "a", 1, 2)
    arn = dynamodb.create_backup(TableName=table, BackupName="backup")["BackupDetails"]["BackupArn"]

    def details() -> Any:
        return dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]

    eventually(lambda: details()["BackupDetails"]["BackupStatus"] == "AVAILABLE")
    (told,) = details()["SourceTableFeatureDetails"]["VectorIndexes"]
    assert told["Dimensions"] == 2
    dynamodb.restore_table_from_backup(TargetTableName=f"{table}-again", BackupArn=arn)
    dynamodb.get_waiter("table_exists").wait(TableName=f"{table}-again", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert search(f"{table}-again", 1, 2) == [("a", pytest.approx(0.0))]
