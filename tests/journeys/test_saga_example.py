"""The order saga: whatever fails, stock and money are as if the order had never been; and the example's own test cases."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.journeys.examples import ACCOUNT, EXAMPLES, deploy

ORDER = {"sku": "book", "quantity": 2, "amount": 30, "to": "Rome"}


class Shop:
    """The deployed example."""

    def __init__(self, node: Any) -> None:
        self.node = node
        self.machine = deploy(node, "order-saga")

    @property
    def states(self) -> Any:
        return self.node.client("stepfunctions", ACCOUNT)

    def order(self, name: str, **changed: Any) -> str:
        text = json.dumps({"order": name, **ORDER, **changed})
        return str(self.states.start_execution(stateMachineArn=self.machine, name=name, input=text)["executionArn"])

    def outcome(self, execution: str) -> Any:
        while (found := self.states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            self.node.post("/_cumulet/clock", {"advance": 1})
        return json.loads(found["output"]) if "output" in found else found["error"]

    def states_of(self, execution: str) -> list[str]:
        events = self.states.get_execution_history(executionArn=execution)["events"]
        return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]

    def free(self) -> int:
        key = {"sku": {"S": "book"}}
        item = self.node.client("dynamodb", ACCOUNT).get_item(TableName="Stock", Key=key, ConsistentRead=True)["Item"]
        return int(item["pieces"]["N"])

    def payment(self, order: str) -> dict[str, Any]:
        found = self.node.client("dynamodb", ACCOUNT).get_item(TableName="Payments", Key={"order": {"S": order}})
        return {name: next(iter(value.values())) for name, value in found["Item"].items()}


def test_orders_are_shipped_or_undone(strict: Any) -> None:
    shop = Shop(strict)
    good = shop.order("good")
    assert shop.outcome(good) == {"order": "good", "payment": "P-good", "parcel": "S-good"}
    assert shop.states_of(good) == ["Reserve", "Charge", "Ship", "Shipped"]
    assert shop.free() == 8

    declined = shop.order("declined", amount=5000)
    assert shop.outcome(declined) == "Declined"
    assert shop.states_of(declined) == ["Reserve", "Charge", "Release", "Refuse"]
    assert shop.free() == 8

    moon = shop.order("moon", to="the moon")
    assert shop.outcome(moon) == "Unreachable"
    assert shop.states_of(moon) == ["Reserve", "Charge", "Ship", "Refund", "Release", "Refuse"]
    assert (shop.free(), shop.payment("moon")["state"]) == (8, "refunded")

    many = shop.order("many", quantity=100)
    assert shop.outcome(many) == "DynamoDB.ConditionalCheckFailedException"
    assert shop.states_of(many) == ["Reserve", "Refuse"]


def test_a_pause_before_a_retry_outlasts_the_node(strict: Any) -> None:
    shop = Shop(strict)
    busy = shop.order("busy-one")
    while not any(
        event["type"] == "TaskFailed" for event in shop.states.get_execution_history(executionArn=busy)["events"]
    ):
        pass
    strict.kill()
    strict.start()
    assert shop.outcome(busy)["payment"] == "P-busy-one"
    assert (shop.payment("busy-one")["tries"], shop.free()) == ("3", 8)


def test_the_examples_test_cases_pass(strict: Any) -> None:
    folder = EXAMPLES / "order-saga"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "cumulet", "test", folder / "MockConfigFile.json", "--data", strict.data),
            *("-d", f"order-saga={folder / 'machine.asl.json'}", "--account", ACCOUNT),
        ],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CUMULET_"))},
        timeout=60,
        check=False,
    )
    # The node enforces permissions, and there is no such role.
    assert done.returncode == 1
    assert "authorized to assume the provided role" in done.stderr
    Shop(strict)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "cumulet", "test", folder / "MockConfigFile.json"),
            *("--data", strict.data, "--account", ACCOUNT),
        ],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CUMULET_"))},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "3 passed, 0 failed.\n")
