"""What was answered is there after a `kill -9`, in the table and in its indexes, and transactions are whole."""

import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

ACCOUNT = "111122223333"
STARTING_BALANCE = 1000


def make_tables(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName="things",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "kind")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-kind",
                "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.create_table(
        TableName="accounts",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for name in ("a", "b"):
        dynamodb.put_item(TableName="accounts", Item={"id": {"S": name}, "n": {"N": str(STARTING_BALANCE)}})


def move(name: str, amount: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": "accounts",
            "Key": {"id": {"S": name}},
            "UpdateExpression": "ADD n :n",
            "ExpressionAttributeValues": {":n": {"N": amount}},
        }
    }


def test_what_was_answered_is_there(start_node: Callable[..., Any]) -> None:
    node = start_node()
    make_tables(node.client("dynamodb", ACCOUNT))
    answered: list[set[str]] = [set(), set(), set()]
    moved: list[int] = []
    enough = threading.Event()

    def write(worker: int) -> None:
        client = node.client("dynamodb", ACCOUNT)
        for number in range(100_000):
            name = f"{worker}-{number}"
            try:
                client.put_item(TableName="things", Item={"id": {"S": name}, "kind": {"S": f"{worker}"}})
                answered[worker].add(name)
                if worker == 0:
                    client.transact_write_items(TransactItems=[move("a", "-1"), move("b", "1")])
                    moved.append(number)
            except (BotoCoreError, ClientError):
                return
            if sum(map(len, answered)) > 300:
                enough.set()

    workers = [threading.Thread(target=write, args=(worker,)) for worker in range(3)]
    for worker in workers:
        worker.start()
    assert enough.wait(60)
    node.kill()
    for worker in workers:
        worker.join(60)
    node.restart()
    dynamodb = node.client("dynamodb", ACCOUNT)
    pages = dynamodb.get_paginator("scan").paginate(TableName="things")
    kept = {item["id"]["S"] for page in pages for item in page["Items"]}
    assert set().union(*answered) <= kept
    assert len(kept) <= sum(map(len, answered)) + 3  # one of each worker may not have been answered
    pages = dynamodb.get_paginator("scan").paginate(TableName="things", IndexName="by-kind")
    assert {item["id"]["S"] for page in pages for item in page["Items"]} == kept
    balances = {item["id"]["S"]: int(item["n"]["N"]) for item in dynamodb.scan(TableName="accounts")["Items"]}
    assert sum(balances.values()) == 2 * STARTING_BALANCE
    assert balances["b"] - STARTING_BALANCE in (len(moved), len(moved) + 1)
    node.stop()
