"""Commands about a node that runs: `down`, `status`, `wait`."""

import os
import signal
from pathlib import Path
from typing import Any

import click

from cumulet.cli.errors import CliError, NoNode
from cumulet.cli.node import (
    RunningNode,
    announced,
    data_folder,
    data_option,
    find_node,
    is_running,
    named_node,
    wait_until,
)
from cumulet.cli.output import data_json, say, table

_STOP_PATIENCE = 30.0


@click.command()
@data_option
def down(data: Path | None) -> None:
    """Stop the node. Running calls may end first; nothing that was accepted is lost."""
    folder = data_folder(data)
    node = announced(folder)
    if node is None:
        raise NoNode.on(folder)
    stop(node)
    say(f"Stopped the node at {node.endpoint}.")


def stop(node: RunningNode) -> None:
    """End the node's process and wait for it. Raises CliError."""
    assert node.data is not None
    folder = node.data
    if not node.answers() and not _locked(folder):
        raise NoNode.on(folder)  # its process id belongs to somebody else by now
    try:
        os.kill(node.pid, signal.SIGTERM)
    except PermissionError:
        raise CliError(f"Process {node.pid} belongs to another user: stop it as that user.") from None
    if not wait_until(lambda: not is_running(node.pid), _STOP_PATIENCE):
        raise CliError(
            f"Process {node.pid} did not end within {_STOP_PATIENCE:.0f} s: kill -9 {node.pid} loses nothing."
        )


def _locked(folder: Path) -> bool:
    import fcntl

    try:
        file = os.open(folder / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
def status(data: Path | None, as_json: bool) -> None:
    """Show the node: address, isolation, runtimes, environments, calls."""
    node = find_node(data)
    found = node.page("/_cumulet/status")
    if as_json:
        data_json(found)
        return
    for line in _lines(found):
        click.echo(line)


def _lines(found: dict[str, Any]) -> list[str]:
    from cumulet.cli.up import PERMISSIONS, isolation

    states: dict[str, int] = {}
    for environment in found["environments"]:
        states[environment["state"]] = states.get(environment["state"], 0) + 1
    calls = sum(row["count"] for row in found["calls"])
    failed = sum(row["count"] for row in found["calls"] if row["status"] >= 500)
    return table(
        [
            ("endpoint", found["endpoint"]),
            ("version", f"{found['version']} (process {found['pid']})"),
            ("data", found["data"]),
            ("isolation", isolation(found["isolation"])),
            ("runtimes", ", ".join(sorted(found["runtimes"])) or "none"),
            ("permissions", PERMISSIONS[found["iam"]]),
            ("environments", ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"),
            ("calls", f"{calls} answered, {failed} with a server error"),
        ]
    )


@click.command()
@data_option
@click.option("--timeout", type=float, default=60.0, show_default=True, help="Seconds to wait.")
def wait(data: Path | None, timeout: float) -> None:
    """Wait until the node answers; for scripts and CI."""
    named = named_node(data)
    folder = data_folder(data)

    def answers() -> bool:
        node = named or announced(folder)
        return node is not None and node.answers()

    if not wait_until(answers, timeout):
        place = f"at {named.endpoint}" if named else f"on {folder}"
        raise NoNode(f"No node {place} answered within {timeout:g} s: start one with `cumulet up`.")
