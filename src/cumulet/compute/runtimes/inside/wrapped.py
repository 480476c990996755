"""The Python runtime in a process that a wrapper script started: as it, but for the environment and how it begins.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

from cumulet.compute.runtimes.inside import command, python


def main(config: dict[str, Any]) -> None:
    """In the interpreter that the script started: serve the function with the environment that the script left."""
    del config
    channel = socket.socket(fileno=command.CHANNEL)
    channel.set_inheritable(False)
    with os.fdopen(command.ORDERS, "rb") as orders:
        assignment = json.loads(orders.read())
    sys.path[:] = [path for path in sys.path[1:] if not path.endswith(("site-packages", "dist-packages"))]
    assignment["environment"] = dict(os.environ)
    assignment["handler"] = os.environ.get("_HANDLER") or assignment["handler"]
    python.serve_assigned(assignment, channel)
