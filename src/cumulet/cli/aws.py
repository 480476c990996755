"""`cumulet aws`: the installed AWS CLI, pointed at the node."""

import os
import shutil
import sys
from pathlib import Path

import click

from cumulet.cli.env import variables
from cumulet.cli.errors import CliError
from cumulet.cli.node import find_node

_MISSING = "There is no AWS CLI: install it with `pip install awscli`, or from https://aws.amazon.com/cli."
# They would win over what is set here.
_IN_THE_WAY = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def aws(arguments: tuple[str, ...]) -> None:
    """Run the AWS CLI against the node: cumulet aws s3 ls

    The account is CUMULET_ACCOUNT (000000000000), the region AWS_REGION (us-east-1).
    """
    command = find_aws()
    environment = {name: value for name, value in os.environ.items() if name not in _IN_THE_WAY}
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    account = os.environ.get("CUMULET_ACCOUNT") or "000000000000"
    node = find_node(None)
    environment |= variables(node, account, region)
    # Version 1 goes to AWS's own SQS when it finds the address in the environment only.
    os.execve(command, [command, "--endpoint-url", node.endpoint, *arguments], environment)  # noqa: S606  the user's own command line


def find_aws() -> str:
    """The AWS CLI beside this Python, or on the path. Raises CliError."""
    beside = Path(sys.executable).with_name("aws")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("aws")
    if found is None:
        raise CliError(_MISSING)
    return found
