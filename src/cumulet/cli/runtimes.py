"""`cumulet runtimes`: what runs functions here, and installing more."""

import os
import sys
from pathlib import Path

import click

from cumulet.cli.errors import CliError
from cumulet.cli.node import data_folder, data_option
from cumulet.cli.output import data as print_line
from cumulet.cli.output import data_json, say, table

json_option = click.option("--json", "as_json", is_flag=True, help="As a JSON object.")


@click.group()
def runtimes() -> None:
    """Show, install and remove what runs functions.

    A running node finds what was installed by itself. NAME is python3.N, nodejsNN.x, javaNN, java (AWS's client alone,
    beside a Java of this machine) or aws-sdk-js (what Node.js functions find on AWS).
    """


@runtimes.command("list")
@data_option
@json_option
def list_(data: Path | None, as_json: bool) -> None:
    """Show the runtimes of this machine, and what was installed for the node."""
    from cumulet.compute.runtimes import install

    folder = data_folder(data) / "compute"
    known = _known(folder)
    installed = {name: str(place) for name, place in install.installed(folder).items()}
    if as_json:
        data_json({"runtimes": known, "installed": installed})
        return
    for line in table(sorted(known.items())):
        print_line(line)
    if installed:
        print_line(f"Installed in {folder}:")
        for line in table(sorted(installed.items())):
            print_line(line)


@runtimes.command("install")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@data_option
@json_option
def install_(names: tuple[str, ...], data: Path | None, as_json: bool) -> None:
    """Install runtimes into the data folder, with the tools of their languages: uv or pip, npm, Maven."""
    from cumulet.compute.runtimes.install import NotInstalled, install

    folder = data_folder(data) / "compute"
    places: dict[str, str] = {}
    for name in names:
        try:
            places[name] = str(install(name, folder, os.environ.get("PATH", os.defpath), _tell))
        except NotInstalled as error:
            raise CliError(str(error)) from None
    _report(places, as_json, "Installed")


@runtimes.command("remove")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@data_option
@json_option
def remove_(names: tuple[str, ...], data: Path | None, as_json: bool) -> None:
    """Remove what `install` put into the data folder. Functions that are running keep what they have."""
    from cumulet.compute.runtimes.install import NotInstalled, remove

    folder = data_folder(data) / "compute"
    places: dict[str, str] = {}
    for name in names:
        try:
            place = remove(name, folder)
        except NotInstalled as error:
            raise CliError(str(error)) from None
        if place is None:
            raise CliError(f"{name} is not installed in {folder}: see `cumulet runtimes list`.")
        places[name] = str(place)
    _report(places, as_json, "Removed")


def _tell(text: str) -> None:
    say(f"Installing {text} ...")


def _report(places: dict[str, str], as_json: bool, what: str) -> None:
    if as_json:
        data_json(places)
    else:
        for name, place in places.items():
            say(f"{what} {name} ({place}).")


def _known(folder: Path) -> dict[str, str]:
    from cumulet.compute.runtimes import found, node
    from cumulet.kernel.config import load

    config = load({"host": "127.0.0.1"})
    places = found.Places(
        search_path=config.search_path,
        home=Path.home(),
        folder=folder,
        sdk_path=sys.path,
        node_sdk=node.sdk_folder(node.sdk_places(folder)),
        java_home=config.java_home,
    )
    return {name: runtime.path for name, runtime in found.find(places).items()}
