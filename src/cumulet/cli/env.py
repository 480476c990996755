"""`cumulet env`: the variables that point AWS tools at the node."""

import os
import shlex
import sys
from pathlib import Path

import click

from cumulet.cli.node import RunningNode, data_option, find_node
from cumulet.cli.output import data, data_json, say

account_option = click.option(
    "--account",
    default="000000000000",
    show_default=True,
    metavar="TWELVE_DIGITS",
    callback=lambda _context, _option, value: _checked_account(value),
    help="Act as the root of this account.",
)
region_option = click.option("--region", default="us-east-1", show_default=True, help="The region to use.")


def _checked_account(value: str) -> str:
    if not (value.isascii() and value.isdigit() and len(value) == 12):
        raise click.BadParameter(f"{value!r} is not an account: it takes twelve digits.")
    return value


def variables(node: RunningNode, account: str, region: str) -> dict[str, str]:
    """What the AWS CLI and every SDK read."""
    found = {
        "AWS_ENDPOINT_URL": node.endpoint,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "cumulet",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    if node.certificate is not None:
        found["AWS_CA_BUNDLE"] = str(node.certificate)
    return found


@click.command()
@data_option
@account_option
@region_option
@click.option("--shell", type=click.Choice(["sh", "fish", "powershell"]), help="[default: by $SHELL]")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
def env(data: Path | None, account: str, region: str, shell: str | None, as_json: bool) -> None:
    """Print the variables that point AWS tools at the node.

    Use it as: eval "$(cumulet env)"
    """
    found = variables(find_node(data), account, region)
    if as_json:
        data_json(found)
        return
    shell = shell or ("fish" if os.environ.get("SHELL", "").endswith("fish") else "sh")
    for name, value in found.items():
        _print(name, value, shell)
    if sys.stdout.isatty():
        say('# To use them here: eval "$(cumulet env)"')


def _print(name: str, value: str, shell: str) -> None:
    if shell == "fish":
        data(f"set -gx {name} {shlex.quote(value)};")
    elif shell == "powershell":
        quoted = value.replace("'", "''")
        data(f"$Env:{name} = '{quoted}'")
    else:
        data(f"export {name}={shlex.quote(value)}")
