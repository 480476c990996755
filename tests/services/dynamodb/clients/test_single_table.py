"""One table for a shop: customers, their orders and the lines of these under one key, an index that means several things.

PK and SK say what an item is; GSI1 holds orders by state and day, and products by category, side by side.
"""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Item = dict[str, Any]


class _Shop:
    """What the shop does with its table."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self.dynamodb, self.table = dynamodb, table

    def put(self, pk: str, sk: str, **more: Any) -> None:
        self.dynamodb.put_item(TableName=self.table, Item=item(pk, sk, **more))

    def query(self, pk: str, sk: str = "", index: str = "", **options: Any) -> list[Item]:
        """What has this partition key, and a sort key that begins so."""
        condition, values, names = "#pk = :pk", {":pk": {"S": pk}}, {"#pk": f"{index}PK"}
        if sk:
            condition += " AND begins_with(#sk, :sk)"
            values[":sk"], names["#sk"] = {"S": sk}, f"{index}SK"
        arguments = {
            "TableName": self.table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            **({"IndexName": index} if index else {}),
            **options,
        }
        return list(self.dynamodb.query(**arguments)["Items"])

    def order(self, customer: str, number: str, day: str, *lines: tuple[str, int]) -> None:
        """Everything or nothing: the customer exists, the order is new, and there is enough of every product."""
        head = item(f"C#{customer}", f"O#{number}", state="open", GSI1PK="O#open", GSI1SK=f"{day}#{number}")
        exists = {"TableName": self.table, "Key": item(f"C#{customer}", "PROFILE")}
        exists["ConditionExpression"] = "attribute_exists(PK)"
        new = {"TableName": self.table, "Item": head, "ConditionExpression": "attribute_not_exists(SK)"}
        actions: list[Item] = [{"ConditionCheck": exists}, {"Put": new}]
        for product, count in lines:
            line = item(f"C#{customer}", f"O#{number}#L#{product}", count=count)
            actions += [{"Put": {"TableName": self.table, "Item": line}}, {"Update": self._less(product, count)}]
        self.dynamodb.transact_write_items(TransactItems=actions)

    def _less(self, product: str, count: int) -> Item:
        return {
            "TableName": self.table,
            "Key": item(f"P#{product}", "PRODUCT"),
            "UpdateExpression": "SET stock = stock - :count",
            "ConditionExpression": "stock >= :count",
            "ExpressionAttributeValues": {":count": {"N": str(count)}},
        }

    def ship(self, customer: str, number: str, day: str) -> Item:
        """The order moves to another place in the index."""
        answer = self.dynamodb.update_item(
            TableName=self.table,
            Key=item(f"C#{customer}", f"O#{number}"),
            UpdateExpression="SET #state = :shipped, GSI1PK = :pk, GSI1SK = :sk",
            ConditionExpression="#state = :open",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":open": {"S": "open"},
                ":shipped": {"S": "shipped"},
                ":pk": {"S": "O#shipped"},
                ":sk": {"S": f"{day}#{number}"},
            },
            ReturnValues="ALL_NEW",
        )
        return dict(answer["Attributes"])

    def stock(self, product: str) -> int:
        answer = self.dynamodb.get_item(TableName=self.table, Key=item(f"P#{product}", "PRODUCT"))
        return int(answer["Item"]["stock"]["N"])


def item(pk: str, sk: str, **more: Any) -> Item:
    """An item as DynamoDB writes it."""
    values = {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in more.items()}
    return {"PK": {"S": pk}, "SK": {"S": sk}, **values}


def keys(items: list[Item]) -> list[str]:
    return [one["SK"]["S"] for one in items]


@pytest.fixture
def shop(dynamodb: Any, make_table: Callable[..., str]) -> _Shop:
    index = {
        "IndexName": "GSI1",
        "KeySchema": [
            {"AttributeName": "GSI1PK", "KeyType": "HASH"},
            {"AttributeName": "GSI1SK", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["state"]},
    }
    more = [{"AttributeName": name, "AttributeType": "S"} for name in ("GSI1PK", "GSI1SK")]
    shop = _Shop(dynamodb, make_table("PK", "SK", more=more, GlobalSecondaryIndexes=[index]))
    for customer in ("ann", "ben"):
        shop.put(f"C#{customer}", "PROFILE", name=customer.title())
    for product, category, stock in (("pen", "office", 10), ("ink", "office", 3), ("tea", "kitchen", 5)):
        shop.put(f"P#{product}", "PRODUCT", stock=stock, GSI1PK=f"K#{category}", GSI1SK=product)
    shop.order("ann", "001", "2026-03-01", ("pen", 4), ("tea", 1))
    shop.order("ann", "002", "2026-03-02", ("ink", 3))
    shop.order("ben", "003", "2026-03-01", ("pen", 1))
    return shop


def test_a_customer_and_everything_of_it_is_one_query(shop: _Shop) -> None:
    assert keys(shop.query("C#ann")) == ["O#001", "O#001#L#pen", "O#001#L#tea", "O#002", "O#002#L#ink", "PROFILE"]
    assert keys(shop.query("C#ann", "O#001")) == ["O#001", "O#001#L#pen", "O#001#L#tea"]
    assert keys(shop.query("C#ann", "O#001#L#")) == ["O#001#L#pen", "O#001#L#tea"]
    assert keys(shop.query("C#ann", "O#", ScanIndexForward=False, Limit=2)) == ["O#002#L#ink", "O#002"]
    heads = shop.query("C#ann", "O#", FilterExpression="attribute_exists(GSI1PK)")
    assert keys(heads) == ["O#001", "O#002"]


def test_an_index_means_several_things(shop: _Shop) -> None:
    assert keys(shop.query("O#open", index="GSI1")) == ["O#001", "O#003", "O#002"]
    assert keys(shop.query("O#open", "2026-03-02", index="GSI1")) == ["O#002"]
    products = shop.query("K#office", index="GSI1")
    assert [one["PK"]["S"] for one in products] == ["P#ink", "P#pen"]
    assert all("stock" not in one for one in products)
    everything = shop.dynamodb.scan(TableName=shop.table, IndexName="GSI1")
    assert everything["Count"] == 6


def test_an_order_that_is_shipped_moves_in_the_index(shop: _Shop) -> None:
    assert shop.ship("ann", "001", "2026-03-05")["state"] == {"S": "shipped"}
    assert keys(shop.query("O#open", index="GSI1")) == ["O#003", "O#002"]
    (shipped,) = shop.query("O#shipped", index="GSI1")
    assert shipped == item("C#ann", "O#001", state="shipped", GSI1PK="O#shipped", GSI1SK="2026-03-05#001")
    with pytest.raises(shop.dynamodb.exceptions.ConditionalCheckFailedException):
        shop.ship("ann", "001", "2026-03-06")


@pytest.mark.parametrize(
    ("customer", "number", "lines", "reasons"),
    [
        ("ben", "004", [("pen", 1), ("ink", 1)], ["None"] * 5 + ["ConditionalCheckFailed"]),
        ("eve", "004", [("pen", 1)], ["ConditionalCheckFailed", "None", "None", "None"]),
        ("ann", "001", [("pen", 1)], ["None", "ConditionalCheckFailed", "None", "None"]),
        ("ann", "004", [("cup", 1)], ["None", "None", "None", "ConditionalCheckFailed"]),
    ],
)
def test_orders_are_whole(
    shop: _Shop, customer: str, number: str, lines: list[tuple[str, int]], reasons: list[str]
) -> None:
    before = shop.dynamodb.scan(TableName=shop.table)["Items"]
    assert shop.stock("pen") == 5
    with pytest.raises(ClientError) as refused:
        shop.order(customer, number, "2026-03-09", *lines)
    assert refused.value.response["Error"]["Code"] == "TransactionCanceledException"
    assert [one["Code"] for one in refused.value.response["CancellationReasons"]] == reasons
    assert shop.dynamodb.scan(TableName=shop.table)["Items"] == before
