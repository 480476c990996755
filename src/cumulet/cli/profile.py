"""`cumulet profile`: an AWS profile for the node, in the user's own AWS files."""

import os
import re
from pathlib import Path

import click

from cumulet.cli.env import account_option, region_option, variables
from cumulet.cli.errors import CliError
from cumulet.cli.node import data_option, find_node
from cumulet.cli.output import data as print_data
from cumulet.cli.output import say

_SECTION = re.compile(r"^[ \t]*\[[ \t]*(.*?)[ \t]*\]", re.MULTILINE)


@click.command()
@data_option
@account_option
@region_option
@click.option("--name", default="cumulet", show_default=True, help="The profile's name.")
@click.option("--print", "only_print", is_flag=True, help="Print what would be written, and write nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def profile(data: Path | None, account: str, region: str, name: str, only_print: bool, yes: bool) -> None:
    """Write an AWS profile for the node; then: aws --profile cumulet s3 ls"""
    found = variables(find_node(data), account, region)
    keys = {
        "aws_access_key_id": found["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": found["AWS_SECRET_ACCESS_KEY"],
    }
    settings = {"region": region, "endpoint_url": found["AWS_ENDPOINT_URL"]}
    if "AWS_CA_BUNDLE" in found:
        settings["ca_bundle"] = found["AWS_CA_BUNDLE"]
    files = [
        (_file("AWS_CONFIG_FILE", "config"), "default" if name == "default" else f"profile {name}", settings),
        (_file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name, keys),
    ]
    for path, section, values in files:
        if only_print:
            print_data(f"# {path}\n{_render(section, values)}")
        elif yes or click.confirm(f"Write [{section}] to {path}?", err=True):
            _write(path, section, values)
            say(f"Wrote [{section}] to {path}.")


def _file(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / ".aws" / name).expanduser()


def _render(section: str, values: dict[str, str]) -> str:
    return f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def with_section(text: str, section: str, values: dict[str, str]) -> str:
    """The file's text with that section replaced, or added at its end; everything else as it was."""
    found = list(_SECTION.finditer(text))
    for number, match in enumerate(found):
        if match[1] == section:
            end = found[number + 1].start() if number + 1 < len(found) else len(text)
            rest = text[end:]
            return text[: match.start()] + _render(section, values) + ("\n" if rest else "") + rest
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return text + gap + _render(section, values)


def _write(path: Path, section: str, values: dict[str, str]) -> None:
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        before = path.read_text() if path.exists() else ""
        temporary = path.with_name(f"{path.name}.cumulet")
        temporary.touch(mode=0o600)
        temporary.write_text(with_section(before, section, values))
        temporary.replace(path)
    except OSError as error:
        raise CliError(f"{path} cannot be written ({error.strerror}): use --print and add it yourself.") from None
