"""`cumulet debug`: a port for a debugger of a function, open as long as the command runs; a step debugger for executions."""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from cumulet.cli.api_call import Caller, with_caller_options
from cumulet.cli.node import RunningNode, data_option, find_node
from cumulet.cli.output import data_json, say

_EVERY = 5.0
_LAUNCH: dict[str, dict[str, Any]] = {
    "python": {
        "name": "Cumulet",
        "type": "debugpy",
        "request": "attach",
        "pathMappings": [{"localRoot": "${workspaceFolder}", "remoteRoot": "/var/task"}],
    },
    "nodejs": {
        "name": "Cumulet",
        "type": "node",
        "request": "attach",
        "localRoot": "${workspaceFolder}",
        "remoteRoot": "/var/task",
    },
}


@click.command()
@click.argument("function", metavar="FUNCTION|MACHINE|EXECUTION")
@data_option
@with_caller_options
@click.option(
    "--port", type=click.IntRange(0, 65535), help="On 127.0.0.1.  [default: 5678 for Python, 9229 for Node.js]"
)
@click.option("--json", "as_json", is_flag=True, help="Print a launch configuration for VS Code alone.")
@click.option("-b", "--break", "breaks", multiple=True, help="Stop before this state alone. May be repeated.")
@click.option(
    "-i", "--input", "payload", default="{}", help="A MACHINE's input: JSON text, @file, or - for standard input."
)
def debug(function: str, data: Path | None, account: str | None, region: str, **options: Any) -> None:
    """Open FUNCTION to a debugger, until Ctrl-C; or go through an execution state by state.

    The function waits for the debugger before it is loaded, its timeout does not run, and its environment is not frozen
    between invocations. Python functions speak debugpy's protocol, Node.js functions the inspector's.

    An EXECUTION (an ARN), or a new one of MACHINE (an ARN, or `machine:NAME`), stops before each state, or before those of --break:
    look at its input and variables, change them, and go on.
    """
    node = find_node(data)
    caller = Caller.from_options(node, account, region)
    if function.startswith("machine:") or ":states:" in function:
        _states(node, caller, function.removeprefix("machine:"), list(options["breaks"]), options["payload"])
        return
    _function(node, caller, function, options["port"], as_json=options["as_json"])


def _states(node: RunningNode, caller: Caller, target: str, breaks: list[str], payload: str) -> None:
    """Go through an execution."""
    from cumulet.cli.invoke import read_payload
    from cumulet.cli.workflows import debugger
    from cumulet.cli.workflows.service import Workflows, is_execution

    workflows = Workflows(caller)
    if is_execution(target):
        session = debugger.Debugger(node, workflows, target, breaks)
        session.attach()
    else:
        machine = workflows.machine(target)
        execution = debugger.execution_of(machine)
        session = debugger.Debugger(node, workflows, execution, breaks)
        session.attach()
        debugger.begin(workflows, machine, execution, read_payload(payload).decode())
    session.talk()


def _function(node: RunningNode, caller: Caller, function: str, port: int | None, *, as_json: bool) -> None:
    """Keep a port open."""
    path = f"/2015-03-31/functions/{quote(function, safe='')}/configuration"
    arn = json.loads(caller.send("lambda", path, b"", {}, method="GET").body)["FunctionArn"]
    wanted: dict[str, Any] = {"function": arn} if port is None else {"function": arn, "port": port}
    opened = node.page("/_cumulet/debug", wanted)
    host, number, family = opened["host"], opened["port"], opened["family"]
    launch = dict(_LAUNCH[family])
    if family == "python":
        launch["connect"] = {"host": host, "port": number}
    else:
        launch |= {"address": host, "port": number}
    if not as_json:
        say(f"{function} waits for a debugger at {host}:{number}. In .vscode/launch.json:")
    data_json(launch)
    say("Ctrl-C ends it.")
    try:
        while True:
            time.sleep(_EVERY)
            node.page("/_cumulet/debug", wanted)
    except KeyboardInterrupt:
        say("The function runs as before.")
    finally:
        node.page("/_cumulet/debugged", {"function": arn})
