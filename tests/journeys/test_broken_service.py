"""Services begin with the node if they may have something to go on with; one whose records cannot be read hinders none of them."""

import time
from collections.abc import Callable
from typing import Any


def test_the_others_start(start_node: Callable[..., Any]) -> None:
    node = start_node()
    used = {"dynamodb", "lambda", "logs", "sqs", "stepfunctions"}
    node.client("stepfunctions", "123456789012").list_state_machines()
    node.client("dynamodb", "123456789012").list_tables()
    node.client("sqs", "123456789012").list_queues()
    _wait_until_running(node, used)
    node.stop()
    broken = "logs"
    for file in (node.data / "records").glob(f"{broken}.db*"):
        file.unlink()
    (node.data / "records" / f"{broken}.db").write_bytes(b"no database" * 1000)
    node.start()
    states = _wait_until_running(node, used - {broken})
    assert states[broken] == "available"
    assert states["kms"] == "available"  # nobody has ever called it


def _wait_until_running(node: Any, services: set[str]) -> dict[str, str]:
    deadline = time.monotonic() + 60
    while True:
        states: dict[str, str] = node.get(node.endpoint + "/_cumulet/health")["services"]
        if all(states[name] == "running" for name in services):
            return states
        assert time.monotonic() < deadline, states
        time.sleep(0.05)
