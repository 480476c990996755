"""The order processing example: totals are what adding up the file gives, whatever comes twice and whenever the node is killed."""

import csv
import io
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.journeys.examples import ACCOUNT, EXAMPLES, deploy

HEAD = "transaction,customer,name,day,amount"
SAMPLE = (EXAMPLES / "orders" / "transactions.csv").read_text()


def wait_for(found: Callable[[], Any]) -> Any:
    """What `found` gives once it is true."""
    end = time.monotonic() + 150
    while not (value := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return value


def drop(node: Any, name: str, text: str) -> None:
    node.client("s3", ACCOUNT).put_object(Bucket="transactions", Key=f"incoming/{name}", Body=text)


def report(node: Any, name: str) -> Any:
    """What the function says of the file, once it has."""
    s3, key = node.client("s3", ACCOUNT), f"reports/{name}.json"
    wait_for(lambda: s3.list_objects_v2(Bucket="transactions", Prefix=key).get("Contents"))
    return json.loads(s3.get_object(Bucket="transactions", Key=key)["Body"].read())


def totals(node: Any) -> dict[str, tuple[Decimal, int]]:
    items = node.client("dynamodb", ACCOUNT).get_paginator("scan").paginate(TableName="Totals").build_full_result()
    return {one["total"]["S"]: (Decimal(one["amount"]["N"]), int(one["transactions"]["N"])) for one in items["Items"]}


def added_up(*lines: str) -> dict[str, tuple[Decimal, int]]:
    """The totals of these lines of CSV."""
    sums: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for _, customer, _, day, amount in csv.reader(lines):
        for total in ("all", f"customer#{customer}", f"day#{day}"):
            sums[total] += Decimal(amount)  # type: ignore[assignment]  # a Counter adds any numbers
            numbers[total] += 1
    return {total: (Decimal(sums[total]), numbers[total]) for total in numbers}


def many(count: int) -> list[str]:
    """Lines without mistakes; the same at every run."""
    rng = random.Random(count)
    return [
        f"M{n},C{rng.randrange(7)},Name,2026-04-{rng.randrange(1, 6):02},{rng.randrange(-5000, 90000) / 100:.2f}"
        for n in range(count)
    ]


def test_a_file_is_booked_and_added_up(strict: Any) -> None:
    deploy(strict, "orders")
    drop(strict, "day one.csv", SAMPLE)
    rows = SAMPLE.splitlines()
    first = report(strict, "day one.csv")
    assert (first["booked"], first["repeated"]) == (6, 1)
    assert [(one["line"], one["why"]) for one in first["rejected"]] == [
        (6, "'twelve' is no amount"),
        (9, "2 columns instead of 5"),
    ]
    good = [row for number, row in enumerate(rows, 1) if number not in {1, 6, 8, 9}]
    wait_for(lambda: totals(strict).get("all", (0, 0))[1] >= len(good))
    assert totals(strict) == added_up(*good)

    again = "T1001,C9,Eve,2026-03-02,1000000"
    last = "T2000,C1,Ann Lee,2026-03-05,7"
    drop(strict, "again.csv", "\n".join([*rows, again, last]))
    second = report(strict, "again.csv")
    assert (second["booked"], second["repeated"]) == (1, 7)
    assert second["rejected"][-1]["why"] == "transaction T1001 is booked with other content"
    expected = added_up(*good, last)
    wait_for(lambda: totals(strict).get("day#2026-03-05"))
    assert totals(strict) == expected

    customers = strict.client("dynamodb", ACCOUNT).scan(TableName="Customers")["Items"]
    found = {one["customer"]["S"]: (one["name"]["S"], int(one["transactions"]["N"])) for one in customers}
    assert found == {"C1": ("Ann Lee", 3), "C2": ("Ben Ode", 2), "C3": ("Roe, Cy", 2)}
    assert told_again(strict) == {"batchItemFailures": []}
    assert totals(strict) == expected


def told_again(node: Any) -> Any:
    """What the second function says when a stream record comes that it had before."""
    key = {"transaction": {"S": "T1004"}}
    item = node.client("dynamodb", ACCOUNT).get_item(TableName="Transactions", Key=key)["Item"]
    assert item.pop("counted") == {"BOOL": True}
    event = {"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": "1"}}]}
    answer = node.client("lambda", ACCOUNT).invoke(FunctionName="total", Payload=json.dumps(event))
    return json.load(io.BytesIO(answer["Payload"].read()))


def test_a_killed_node_goes_on_where_it_was(strict: Any) -> None:
    deploy(strict, "orders")
    lines = many(300)
    drop(strict, "many.csv", "\n".join([HEAD, *lines]))
    wait_for(lambda: totals(strict).get("all", (0, 0))[1] >= 20)
    strict.kill()
    strict.start()
    wait_for(lambda: totals(strict).get("all", (0, 0))[1] >= len(lines))
    assert totals(strict) == added_up(*lines)
    result = report(strict, "many.csv")
    assert result["booked"] + result["repeated"] == len(lines)
