"""Tables that refuse what is beyond their throughput, on a node that was asked to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.conftest import NodeProcess

ACCOUNT = "555555555501"
BIG = {"S": "x" * 390_000}
"""What takes as much as a table with one unit gets in minutes: it is behind for longer than a test lasts, on any machine."""

LIMITS = (
    "dynamodb.throttling=1,dynamodb.burst_seconds=2,dynamodb.partition_read_units=1,dynamodb.partition_write_units=1"
)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    folder: Path = tmp_path_factory.mktemp("throughput")
    node = NodeProcess(folder / "data", "--limit", LIMITS)
    yield node
    node.stop()


@pytest.fixture
def dynamodb(strict: NodeProcess) -> Any:
    return strict.client("dynamodb", ACCOUNT, config=Config(retries={"total_max_attempts": 1}))


def create(dynamodb: Any, name: str, read: int = 1, write: int = 1, **members: Any) -> str:
    answer = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}]
        + [{"AttributeName": "other", "AttributeType": "S"}] * bool(members),
        ProvisionedThroughput={"ReadCapacityUnits": read, "WriteCapacityUnits": write},
        **members,
    )
    return str(answer["TableDescription"]["TableArn"])


def refused(run: Callable[[], Any]) -> Any:
    """What the first refused call answers; there must be one within the first hundred."""
    with pytest.raises(ClientError) as caught:
        for _ in range(100):
            run()
    return caught.value.response


def wait(strict: NodeProcess, seconds: float) -> None:
    strict.post("/_cumulet/clock", {"advance": seconds})


def test_writes_beyond_the_throughput(strict: NodeProcess, dynamodb: Any) -> None:
    arn = create(dynamodb, "writes")
    answer = refused(lambda: dynamodb.put_item(TableName="writes", Item={"id": {"S": "a"}, "data": BIG}))
    assert answer["Error"]["Code"] == "ProvisionedThroughputExceededException"
    assert answer["Error"]["Message"].startswith("The level of configured provisioned throughput for the table was")
    assert answer["ThrottlingReasons"] == [{"reason": "TableWriteProvisionedThroughputExceeded", "resource": arn}]
    wait(strict, 1_000)
    dynamodb.update_item(TableName="writes", Key={"id": {"S": "b"}})
    assert dynamodb.get_item(TableName="writes", Key={"id": {"S": "b"}})["Item"] == {"id": {"S": "b"}}


def test_reads_pay_for_their_size(strict: NodeProcess, dynamodb: Any) -> None:
    create(dynamodb, "reads", write=2_000)
    for number in range(2):
        dynamodb.put_item(TableName="reads", Item={"id": {"S": str(number)}, "data": BIG})
    assert dynamodb.scan(TableName="reads")["Count"] == 2  # 95 units
    with pytest.raises(ClientError) as caught:
        dynamodb.scan(TableName="reads", ConsistentRead=True)
    assert caught.value.response["ThrottlingReasons"][0]["reason"] == "TableReadProvisionedThroughputExceeded"
    refused(lambda: dynamodb.get_item(TableName="reads", Key={"id": {"S": "1"}}, ConsistentRead=True))
    wait(strict, 1_000)
    assert dynamodb.get_item(TableName="reads", Key={"id": {"S": "1"}})["Item"]["data"] == BIG


def test_an_index_holds_writes_back(dynamodb: Any) -> None:
    create(
        dynamodb,
        "indexed",
        write=2_000,
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-other",
                "KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
            }
        ],
    )
    numbers = iter(range(1000))
    item = {"other": {"S": "o"}, "data": BIG}
    answer = refused(lambda: dynamodb.put_item(TableName="indexed", Item={"id": {"S": str(next(numbers))}, **item}))
    assert answer["ThrottlingReasons"][0]["reason"] == "IndexWriteProvisionedThroughputExceeded"
    assert answer["ThrottlingReasons"][0]["resource"].endswith("table/indexed/index/by-other")
    assert "global secondary indexes" in answer["Error"]["Message"]


def test_batches_give_back_what_is_too_much(strict: NodeProcess, dynamodb: Any) -> None:
    create(dynamodb, "full", write=1)
    create(dynamodb, "empty", write=1)
    refused(lambda: dynamodb.put_item(TableName="full", Item={"id": {"S": "a"}, "data": BIG}))
    put = [{"PutRequest": {"Item": {"id": {"S": "b"}}}}]
    answer = dynamodb.batch_write_item(RequestItems={"full": put, "empty": put})
    assert answer["UnprocessedItems"] == {"full": put}
    refused(lambda: dynamodb.batch_write_item(RequestItems={"full": put}))
    refused(lambda: dynamodb.get_item(TableName="full", Key={"id": {"S": "a"}}, ConsistentRead=True))
    keys = [{"id": {"S": "b"}}]
    answer = dynamodb.batch_get_item(RequestItems={"full": {"Keys": keys}, "empty": {"Keys": keys}})
    assert answer["UnprocessedKeys"]["full"]["Keys"] == keys
    assert answer["Responses"]["empty"] == [{"id": {"S": "b"}}]
    refused(lambda: dynamodb.batch_get_item(RequestItems={"full": {"Keys": keys}}))


def test_transactions_are_cancelled(dynamodb: Any) -> None:
    create(dynamodb, "transacted")
    put = {"Put": {"TableName": "transacted", "Item": {"id": {"S": "a"}, "data": BIG}}}
    answer = refused(lambda: dynamodb.transact_write_items(TransactItems=[put]))
    assert answer["Error"]["Code"] == "TransactionCanceledException"
    assert answer["CancellationReasons"][0]["Code"] == "ProvisionedThroughputExceeded"


def test_the_most_of_a_table_paid_by_request(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName="most",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        OnDemandThroughput={"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 1},
    )
    answer = refused(lambda: dynamodb.put_item(TableName="most", Item={"id": {"S": "a"}, "data": BIG}))
    assert answer["Error"]["Code"] == "ThrottlingException"
    assert answer["throttlingReasons"][0]["reason"] == "TableWriteMaxOnDemandThroughputExceeded"
    for number in range(20):
        dynamodb.get_item(TableName="most", Key={"id": {"S": f"other-{number}"}})


def test_a_key_that_is_too_hot(strict: NodeProcess, dynamodb: Any) -> None:
    kinds = {"id": "HASH", "at": "RANGE"}
    arn = dynamodb.create_table(
        TableName="hot",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in kinds.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "at", "kind")],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-kind",
                "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )["TableDescription"]["TableArn"]

    def item(id: str, at: str, **more: str) -> dict[str, Any]:
        return {name: {"S": value} for name, value in {"id": id, "at": at, **more}.items()}

    def put(**key: str) -> Any:
        return dynamodb.put_item(TableName="hot", Item=item(**key) | {"data": BIG})

    def reason(run: Callable[[], Any]) -> tuple[str, str]:
        answer = refused(run)
        [found] = answer["throttlingReasons"]
        assert answer["Error"]["Code"] == "ThrottlingException"
        assert found["resource"] == (f"{arn}/index/by-kind" if found["reason"].startswith("Index") else arn)
        return found["reason"], answer["Error"]["Message"].split(".")[0]

    table = "Throughput exceeds the current capacity of your table or index"
    put(id="a", at="1")
    assert reason(lambda: put(id="a", at="2")) == ("TableWriteKeyRangeThroughputExceeded", table)
    writes = [{"PutRequest": {"Item": item(id, "3")}} for id in ("a", "b")]
    answer = dynamodb.batch_write_item(RequestItems={"hot": writes})
    assert answer["UnprocessedItems"] == {"hot": writes[:1]}
    transacted = [{"Put": {"TableName": "hot", "Item": item("a", "4")}}]
    cancelled = refused(lambda: dynamodb.transact_write_items(TransactItems=transacted))
    assert cancelled["CancellationReasons"][0]["Code"] == "ThrottlingError"

    index = "Throughput exceeds the current capacity for one or more global secondary indexes"
    put(id="c", at="1", kind="x")
    assert reason(lambda: put(id="d", at="1", kind="x")) == ("IndexWriteKeyRangeThroughputExceeded", index)
    assert "Item" not in dynamodb.get_item(TableName="hot", Key=item("d", "1"))
    dynamodb.put_item(TableName="hot", Item=item("d", "1", kind="y"))

    def query(**members: Any) -> Any:
        name, value = members.pop("key")
        return dynamodb.query(
            TableName="hot",
            KeyConditionExpression="#k = :v",
            ExpressionAttributeNames={"#k": name},
            ExpressionAttributeValues={":v": {"S": value}},
            **members,
        )

    assert query(key=("id", "a"))["Count"] == 1
    assert reason(lambda: query(key=("id", "a"))) == ("TableReadKeyRangeThroughputExceeded", table)
    assert reason(lambda: dynamodb.get_item(TableName="hot", Key=item("a", "1")))[0].startswith("TableRead")
    keys = [item(id, "1") for id in ("a", "c")]
    assert dynamodb.batch_get_item(RequestItems={"hot": {"Keys": keys}})["UnprocessedKeys"]["hot"]["Keys"] == keys[:1]
    assert query(key=("kind", "x"), IndexName="by-kind")["Count"] == 1
    run = reason(lambda: query(key=("kind", "x"), IndexName="by-kind"))
    assert run == ("IndexReadKeyRangeThroughputExceeded", index)
    assert dynamodb.scan(TableName="hot")["Count"] == 4
    wait(strict, 1_000)
    put(id="a", at="5", kind="x")
    assert query(key=("id", "a"))["Count"] == 2


def test_a_key_that_is_too_hot_in_a_table_with_provisioned_throughput(dynamodb: Any) -> None:
    arn = create(dynamodb, "provisioned", read=5_000, write=5_000)
    answer = refused(lambda: dynamodb.put_item(TableName="provisioned", Item={"id": {"S": "a"}, "data": BIG}))
    assert answer["Error"]["Code"] == "ProvisionedThroughputExceededException"
    assert answer["ThrottlingReasons"] == [{"reason": "TableWriteKeyRangeThroughputExceeded", "resource": arn}]
