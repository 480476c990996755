"""Time to live: items go when the clock shows that they have expired."""

import time
from collections.abc import Callable
from typing import Any

from tests.services.dynamodb.streams.conftest import BOTH, Reader

Make = Callable[..., str]
Refused = Callable[..., str]
ON = {"Enabled": True, "AttributeName": "expires"}
OFF = {"Enabled": False, "AttributeName": "expires"}


def eventually(check: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 200
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def status(dynamodb: Any, table: str) -> str:
    return str(dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"])


def switch(dynamodb: Any, table: str, specification: dict[str, Any]) -> None:
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)
    eventually(lambda: status(dynamodb, table) in ("ENABLED", "DISABLED"))


def put(dynamodb: Any, table: str, id_: str, until: Any) -> None:
    dynamodb.put_item(TableName=table, Item={"id": {"S": id_}, "expires": until})


def held(dynamodb: Any, table: str, *ids: str) -> list[str]:
    return [each for each in ids if "Item" in dynamodb.get_item(TableName=table, Key={"id": {"S": each}})]


def now(node: Any) -> float:
    return float(node.get(node.endpoint + "/_cumulet/clock")["now"])


def test_items_go_when_they_expire(
    dynamodb: Any, make_table: Make, client: Callable[..., Any], node: Any, advance: Callable[[float], None]
) -> None:
    index = {
        "IndexName": "index",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    table = make_table(StreamSpecification=BOTH, GlobalSecondaryIndexes=[index])
    start = int(now(node))
    put(dynamodb, table, "before", {"N": str(start + 1000)})
    switch(dynamodb, table, ON)
    put(dynamodb, table, "soon", {"N": str(start + 1000)})
    put(dynamodb, table, "fraction", {"N": f"{start + 1000}.75"})
    put(dynamodb, table, "later", {"N": str(start + 100_000)})
    put(dynamodb, table, "text", {"S": str(start + 1000)})
    put(dynamodb, table, "ancient", {"N": str(start - 6 * 365 * 86_400)})
    put(dynamodb, table, "longer", {"N": str(start + 1000)})
    put(dynamodb, table, "longer", {"N": str(start + 100_000)})
    put(dynamodb, table, "forever", {"N": str(start + 1000)})
    dynamodb.update_item(TableName=table, Key={"id": {"S": "forever"}}, UpdateExpression="REMOVE expires")
    everything = ("before", "soon", "fraction", "later", "text", "ancient", "longer", "forever")
    assert held(dynamodb, table, *everything) == list(everything)
    advance(1030)
    eventually(lambda: not held(dynamodb, table, "before", "soon", "fraction"))
    assert held(dynamodb, table, *everything) == ["later", "text", "ancient", "longer", "forever"]
    removed = [
        each for each in Reader(dynamodb, client("dynamodbstreams"), table).all() if each["eventName"] == "REMOVE"
    ]
    assert {each["dynamodb"]["Keys"]["id"]["S"] for each in removed} == {"before", "soon", "fraction"}
    assert all(each["userIdentity"] == {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"} for each in removed)
    assert "expires" in removed[0]["dynamodb"]["OldImage"]


def test_without_it_nothing_expires(
    dynamodb: Any, make_table: Make, node: Any, advance: Callable[[float], None]
) -> None:
    table = make_table()
    switch(dynamodb, table, ON)
    put(dynamodb, table, "a", {"N": str(int(now(node)) + 1000)})
    switch(dynamodb, table, OFF)
    advance(1030)
    witness = make_table()
    switch(dynamodb, witness, ON)
    put(dynamodb, witness, "w", {"N": str(int(now(node)) - 5)})
    eventually(lambda: not held(dynamodb, witness, "w"))
    assert held(dynamodb, table, "a") == ["a"]


def test_settings_are_checked(dynamodb: Any, make_table: Make, refused: Refused) -> None:
    table = make_table()
    change = dynamodb.update_time_to_live
    assert dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"] == {"TimeToLiveStatus": "DISABLED"}
    assert refused(change, TableName=table, TimeToLiveSpecification=OFF) == (
        "ValidationException: TimeToLive is already disabled"
    )
    answer = change(TableName=table, TimeToLiveSpecification=ON)
    assert answer["TimeToLiveSpecification"] == ON
    eventually(lambda: status(dynamodb, table) == "ENABLED")
    assert dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"] == {
        "TimeToLiveStatus": "ENABLED",
        "AttributeName": "expires",
    }
    assert refused(change, TableName=table, TimeToLiveSpecification=ON) == (
        "ValidationException: TimeToLive is already enabled"
    )
    assert refused(change, TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "x"}) == (
        "ValidationException: TimeToLive is active on a different AttributeName: current AttributeName is expires"
    )
    assert "ResourceNotFoundException" in refused(change, TableName="missing", TimeToLiveSpecification=ON)
