"""`cumulet sdk`: a client of a REST API, as sources in a folder."""

import io
import zipfile
from pathlib import Path
from urllib.parse import quote, urlencode

import click

from cumulet.cli.api_call import Caller, with_caller_options
from cumulet.cli.errors import CliError
from cumulet.cli.node import data_option, find_node
from cumulet.cli.output import data as print_data

LANGUAGES = ("typescript", "python", "javascript", "java", "android", "swift", "objectivec", "ruby")
_DEFAULTS = {
    "java": {"service.name": "ApiClient", "java.package-name": "client"},
    "android": {"invokerPackage": "client"},
    "ruby": {"service.name": "ApiClient"},
}


@click.command()
@click.argument("api")
@click.argument("stage")
@click.option("--language", type=click.Choice(LANGUAGES), default="typescript", show_default=True)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    default=Path(),
    help="The folder to write into.",
    show_default=True,
)
@click.option("-p", "--parameter", "parameters", metavar="NAME=VALUE", multiple=True, help="A parameter of GetSdk.")
@data_option
@with_caller_options
def sdk(
    api: str,
    stage: str,
    language: str,
    target: Path,
    parameters: tuple[str, ...],
    data: Path | None,
    account: str | None,
    region: str,
) -> None:
    """Write a client of a deployed REST API."""
    chosen = dict(_DEFAULTS.get(language, {}))
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not equals:
            raise CliError(f"--parameter {parameter} has no value: write {parameter}=VALUE.")
        chosen[name] = value
    caller = Caller.from_options(find_node(data), account, region)
    path = f"/restapis/{quote(api, safe='')}/stages/{quote(stage, safe='')}/sdks/{language}"
    query = urlencode(sorted(chosen.items()), quote_via=quote)
    answer = caller.send("apigateway", path, b"", {}, query, method="GET")
    for place in _unpacked(answer.body, target):
        print_data(str(place))


def _unpacked(archive: bytes, target: Path) -> list[Path]:
    """Write an archive's files below a folder; gives where they are."""
    root = target.resolve()
    written = []
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        for name in found.namelist():
            place = (root / name).resolve()
            if not place.is_relative_to(root):
                raise CliError(f"The archive has a file outside of its folder: {name}.")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(found.read(name))
            written.append(target / name)
    return written
