"""`cumulet reset`: an empty data folder."""

import shutil
from pathlib import Path

import click

from cumulet.cli.errors import CliError
from cumulet.cli.lifecycle import stop
from cumulet.cli.node import announced, data_folder, data_option
from cumulet.cli.output import say


@click.command()
@data_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def reset(data: Path | None, yes: bool) -> None:
    """Delete everything the node holds: buckets, queues, functions, users, logs. A running node is stopped first."""
    folder = data_folder(data)
    if not (folder / "lock").is_file():
        # Only a folder that a node has used is emptied: --data may be a slip of the hand.
        raise CliError(f"{folder} is not a data folder of Cumulet: nothing was deleted.")
    node = announced(folder)
    running = f" The node at {node.endpoint} is stopped first." if node else ""
    if not yes:
        click.confirm(f"Delete everything in {folder}?{running}", abort=True, err=True)
    if node is not None:
        stop(node)
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    say(f"Deleted everything in {folder}.{' Start again with `cumulet up`.' if node else ''}")
