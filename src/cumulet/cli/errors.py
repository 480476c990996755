"""How a command fails: one line that says what and what to do, and an exit code that scripts can rely on.

0 done; 1 it could not be done; 2 wrong usage or settings; 3 there is no running node; 4 the function itself failed.
"""

from pathlib import Path

import click


class CliError(click.ClickException):
    """Ends the command with the message on stderr."""

    exit_code = 1


class WrongSettings(CliError):
    """An option or environment variable that cannot be."""

    exit_code = 2


class NoNode(CliError):
    """There is nothing to talk to."""

    exit_code = 3

    @classmethod
    def on(cls, data: Path) -> "NoNode":
        return cls(f"No node is running on {data}: start one with `cumulet up`, or name its folder with --data.")

    @classmethod
    def silent(cls, endpoint: str, error: Exception) -> "NoNode":
        return cls(
            f"The node at {endpoint} does not answer ({error}): start one with `cumulet up`, or see `cumulet status`."
        )


class FunctionFailed(CliError):
    """The function was invoked and answered with an error."""

    exit_code = 4
