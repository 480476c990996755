"""A runtime as a plain process, for machines that cannot make sandboxes. There is no isolation here."""

from __future__ import annotations

import os
import resource
import socket
import sys
from typing import Any

from cumulet.compute.linux import syscalls
from cumulet.compute.runtimes.inside import command, python

_LIMITS = ((resource.RLIMIT_NOFILE, 1024), (resource.RLIMIT_CORE, 0))


def main(config: dict[str, Any]) -> None:
    """Serve one function. `config`: orders, channel, log (descriptors), sdk (a folder or empty); or, instead of the
    last, runtime: `command` for a program."""
    syscalls.die_with_parent()
    orders, channel = socket.socket(fileno=config["orders"]), socket.socket(fileno=config["channel"])
    os.dup2(config["log"], 1)
    os.dup2(config["log"], 2)
    syscalls.close_all_but([0, 1, 2, orders.fileno(), channel.fileno()])
    for kept in (orders, channel):
        kept.set_inheritable(False)
    for limit, amount in _LIMITS:
        resource.setrlimit(limit, (amount, amount))
    if config.get("runtime") == "command":
        command.run(orders, channel, {})
        return
    sys.path[:] = [path for path in sys.path if not path.endswith(("site-packages", "dist-packages"))]
    if config["sdk"]:
        sys.path.append(config["sdk"])
    python.serve(orders, channel)
