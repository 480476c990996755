"""A service whose records cannot be read: the others start, and go on with what they had to do."""

import time
from collections.abc import Callable
from typing import Any


def test_the_others_start(start_node: Callable[..., Any]) -> None:
    node = start_node()
    names = node.get(node.endpoint + "/_cumulet/health")["services"]
    broken = "logs"
    deadline = time.monotonic() + 60
    while "available" in node.get(node.endpoint + "/_cumulet/health")["services"].values():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    node.stop()
    for file in (node.data / "records").glob(f"{broken}.db*"):
        file.unlink()
    (node.data / "records" / f"{broken}.db").write_bytes(b"no database" * 1000)
    node.start()
    states: dict[str, str] = {}
    while {name for name, state in states.items() if state == "running"} != names.keys() - {broken}:
        assert time.monotonic() < deadline, states
        time.sleep(0.05)
        states = node.get(node.endpoint + "/_cumulet/health")["services"]
