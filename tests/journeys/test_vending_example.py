"""The vending machine: coins, change, a shelf that gets empty, and a node that dies between two coins."""

import json
from typing import Any

from tests.journeys.examples import ACCOUNT, deploy


class Machine:
    """The deployed machine, and a customer in front of it."""

    def __init__(self, node: Any) -> None:
        self.node = node
        self.arns = json.loads(deploy(node, "vending-machine"))

    @property
    def states(self) -> Any:
        return self.node.client("stepfunctions", ACCOUNT)

    def press(self, item: str) -> str:
        arn = self.arns["machine"]
        return str(self.states.start_execution(stateMachineArn=arn, input=json.dumps({"item": item}))["executionArn"])

    def insert(self, coin: int) -> int:
        """Put a coin in; gives what was missing before."""
        task = self.states.get_activity_task(activityArn=self.arns["slot"])
        self.states.send_task_success(taskToken=task["taskToken"], output=json.dumps({"coin": coin}))
        return int(json.loads(task["input"])["missing"])

    def outcome(self, execution: str) -> Any:
        while (found := self.states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            pass
        return json.loads(found["output"]) if "output" in found else found["error"]


def test_items_are_sold_until_there_are_none(strict: Any) -> None:
    machine = Machine(strict)
    for _ in range(2):
        sale = machine.press("cola")
        assert [machine.insert(coin) for coin in (100, 20, 50)] == [150, 50, 30]
        assert machine.outcome(sale) == {"item": "cola", "change": 20}
    assert machine.outcome(machine.press("cola")) == "SoldOut"
    assert machine.outcome(machine.press("beer")) == "NoSuchItem"


def test_who_waits_too_long_has_the_coins_back(strict: Any) -> None:
    machine = Machine(strict)
    sale = machine.press("water")
    machine.insert(50)
    machine.states.get_activity_task(activityArn=machine.arns["slot"])
    strict.post("/_cumulet/clock", {"advance": 61})
    assert machine.outcome(sale) == {"item": None, "change": 50}
    left = strict.client("dynamodb", ACCOUNT).get_item(TableName="Shelf", Key={"item": {"S": "water"}})["Item"]["left"]
    assert left == {"N": "10"}


def test_coins_survive_the_node(strict: Any) -> None:
    machine = Machine(strict)
    sale = machine.press("water")
    assert machine.insert(50) == 80
    strict.kill()
    strict.start()
    assert machine.insert(50) == 30
    assert machine.outcome(sale) == {"item": "water", "change": 20}
