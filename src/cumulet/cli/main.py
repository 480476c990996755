"""The `cumulet` command: a table of commands whose modules are imported when they are used."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from cumulet import __version__
from cumulet.cli.output import say

_INTERRUPTED = 130

COMMANDS = {
    "up": ("cumulet.cli.up", "Start a node."),
    "down": ("cumulet.cli.lifecycle", "Stop the node."),
    "status": ("cumulet.cli.lifecycle", "Show the node: address, isolation, runtimes, calls."),
    "wait": ("cumulet.cli.lifecycle", "Wait until the node answers."),
    "reset": ("cumulet.cli.reset", "Delete everything the node holds."),
    "doctor": ("cumulet.cli.doctor", "Check what this machine can do, and what is missing."),
    "runtimes": ("cumulet.cli.runtimes", "Show, install and remove what runs functions."),
    "env": ("cumulet.cli.env", "Print the variables that point AWS tools at the node."),
    "profile": ("cumulet.cli.profile", "Write an AWS profile `cumulet` for the node."),
    "aws": ("cumulet.cli.aws", "Run the AWS CLI against the node."),
    "invoke": ("cumulet.cli.invoke", "Invoke a function and print its result."),
    "run": ("cumulet.cli.run", "Start a state machine, and watch it."),
    "test": ("cumulet.cli.test", "Run the test cases of a mock configuration of state machines."),
    "workflow": ("cumulet.cli.workflow", "Draw a state machine, and what a run of it did."),
    "dev": ("cumulet.cli.dev", "Deploy a folder as a function, again whenever a file is saved."),
    "debug": ("cumulet.cli.debug", "Open a function to a debugger, with its timeouts paused."),
    "logs": ("cumulet.cli.logs", "Print the log of a function or of a log group."),
    "urls": ("cumulet.cli.urls", "Print the addresses of APIs and functions."),
    "curl": ("cumulet.cli.curl", "Run curl against the node for an address of AWS's form."),
    "sdk": ("cumulet.cli.sdk", "Write a client of a REST API."),
    "cost": ("cumulet.cli.cost", "Show what functions used, and its price on AWS."),
}


class Commands(click.Group):
    """Help and completion come from the table; only the command that runs is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:  # type: ignore[override]  # one way to call it
        """Runs the command; every failure is one line on stderr and an exit code."""
        extra.pop("standalone_mode", None)
        try:
            result = super().main(args, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else "cumulet"
            say(f"Error: {error.format_message()} See `{command} --help`.")
            sys.exit(error.exit_code)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            say("Stopped.")
            sys.exit(_INTERRUPTED)
        sys.exit(result if isinstance(result, int) else 0)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _settings() -> dict[str, Any]:
    settings: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
    if os.environ.get("NO_COLOR"):
        settings["color"] = False
    return settings


@click.group(cls=Commands, context_settings=_settings())
@click.version_option(__version__, prog_name="cumulet", message="%(prog)s %(version)s")
def main() -> None:
    """A serverless cloud of your own: AWS Lambda, API Gateway, Step Functions and the services around them, really run, at one endpoint.

    Exit codes: 0 done, 1 it could not be done, 2 wrong usage, 3 no node is running, 4 the function failed.
    """
