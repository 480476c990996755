"""`cumulet run`: start a state machine, and watch it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from cumulet.cli.api_call import Caller, with_caller_options
from cumulet.cli.errors import FunctionFailed
from cumulet.cli.invoke import read_payload
from cumulet.cli.node import data_option, find_node
from cumulet.cli.output import data as print_data
from cumulet.cli.output import data_json, say
from cumulet.cli.workflows.service import Machine, Workflows, is_file
from cumulet.cli.workflows.view import View, as_json, duration, problem


@dataclass(frozen=True)
class _How:
    """The options of a run."""

    payload: str
    follow: bool
    name: str | None
    show_data: bool
    type: str
    role: str | None
    json: bool


@click.command()
@click.argument("machine", metavar="MACHINE|FILE")
@data_option
@with_caller_options
@click.option("-i", "--input", "payload", default="{}", help="JSON text, @file, or - for standard input.")
@click.option("-f", "--follow", is_flag=True, help="Show the states as they run, and wait for the output.")
@click.option("--name", help="The execution's name.  [default: one of its own]")
@click.option("--show-data", is_flag=True, help="With --follow: the input and output of every state.")
@click.option(
    "--type", "type", type=click.Choice(["STANDARD", "EXPRESS"]), default="STANDARD", help="Of a FILE's machine."
)
@click.option("--role", help="The role of a FILE's machine, by ARN.")
@click.option("--json", "json", is_flag=True, help="One JSON object: output, error, and what every state did.")
def run(machine: str, data: Path | None, account: str | None, region: str, **options: Any) -> None:
    """Start an execution of MACHINE, a name or an ARN, or of the definition in a FILE, whose machine lasts as long as the run.

    States go to stderr, the output to stdout. Exit code 4 when the execution failed. `MACHINE#CASE` runs a test case of the mock
    configuration.
    """
    how = _How(**options)
    workflows = Workflows(Caller.from_options(find_node(data), account, region))
    if is_file(machine):
        with workflows.made(Path(machine), how.type, how.role) as made:
            _run(workflows, made, made.arn, replace(how, follow=True))
        return
    plain, _, case = machine.partition("#")
    found = workflows.machine(plain)
    _run(workflows, found, f"{found.arn}#{case}" if case else found.arn, how)


def _run(workflows: Workflows, machine: Machine, arn: str, how: _How) -> None:
    request = {"stateMachineArn": arn, "input": read_payload(how.payload).decode()}
    if how.name:
        request["name"] = how.name
    if machine.type == "EXPRESS" and how.follow:
        _express(workflows, request, json_=how.json)
        return
    execution = workflows.call("StartExecution", **request)["executionArn"]
    if how.follow:
        watch(workflows, execution, show_data=how.show_data, json_=how.json)
    elif how.json:
        data_json({"executionArn": execution})
    else:
        print_data(execution)


def watch(workflows: Workflows, execution: str, *, show_data: bool, json_: bool) -> None:
    """Show an execution until it ends; raises FunctionFailed when it did not succeed."""
    view = View(data=show_data)
    run = None
    try:
        for run in workflows.follow(execution):
            if not json_:
                view.update(run)
    except KeyboardInterrupt:
        say(f"\nIt goes on: cumulet aws stepfunctions describe-execution --execution-arn {execution}")
        raise click.Abort from None
    assert run is not None
    if json_:
        data_json(as_json(execution, run))
    elif run.output is not None:
        print_data(run.output)
    if run.status != "SUCCEEDED":
        raise FunctionFailed(f"The execution {run.status}: {problem(run.error, run.cause)}.".replace(": .", "."))


def _express(workflows: Workflows, request: dict[str, Any], *, json_: bool) -> None:
    """Express executions keep no history: there is their end alone."""
    ended = workflows.call("StartSyncExecution", **request)
    if json_:
        data_json({**ended, "output": json.loads(ended["output"]) if "output" in ended else None})
    else:
        say(f"{ended['status']} in {duration(ended['stopDate'] - ended['startDate'])}")
        if "output" in ended:
            print_data(ended["output"])
    if ended["status"] != "SUCCEEDED":
        raise FunctionFailed(
            f"The execution {ended['status']}: {problem(ended.get('error', ''), ended.get('cause', ''))}."
        )
