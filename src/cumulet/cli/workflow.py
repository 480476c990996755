"""`cumulet workflow`: look at state machines."""

from pathlib import Path

import click

from cumulet.cli.api_call import Caller, with_caller_options
from cumulet.cli.errors import CliError
from cumulet.cli.node import data_option, find_node
from cumulet.cli.output import data as print_data
from cumulet.cli.output import say
from cumulet.cli.workflows.service import Workflows, definition_in, is_execution, is_file


@click.group()
def workflow() -> None:
    """Look at state machines."""


@workflow.command()
@click.argument("machine", metavar="MACHINE|FILE|EXECUTION")
@data_option
@with_caller_options
@click.option("--execution", help="Colour the states by what happened in this execution (an ARN).")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, not to stdout."
)
def graph(
    machine: str, data: Path | None, account: str | None, region: str, execution: str | None, output: Path | None
) -> None:
    """Draw a state machine as SVG: one of the node's, by name or ARN, or the definition in a FILE; or an EXECUTION of one.

    A FILE without --execution needs no node.
    """
    from cumulet.cli.workflows import diagram, svg  # the other commands need neither

    if is_execution(machine):
        machine, execution = "", machine
    if execution is None and is_file(machine):
        definition, visits = definition_in(Path(machine)), None
    else:
        workflows = Workflows(Caller.from_options(find_node(data), account, region))
        visits = None if execution is None else workflows.run_of(execution).by_state()
        if machine:
            definition = definition_in(Path(machine)) if is_file(machine) else workflows.machine(machine).definition
        else:
            found = workflows.call("DescribeStateMachineForExecution", executionArn=execution)
            definition = found["definition"]
    picture = svg.draw(diagram.read(definition), visits)
    if output is None:
        print_data(picture.rstrip("\n"))
        return
    try:
        output.write_text(picture)
    except OSError as error:
        raise CliError(f"{output} cannot be written ({error.strerror}).") from None
    say(f"Wrote {output}.")
