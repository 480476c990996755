"""The `cumulet` command."""

import asyncio
import signal
from typing import Any

import click

from cumulet import __version__
from cumulet.kernel.config import ConfigError, load


@click.group()
@click.version_option(__version__, prog_name="cumulet")
def main() -> None:
    """A serverless cloud of your own."""


@main.command()
@click.option("--data")
@click.option("--host")
@click.option("--port", type=int)
@click.option("--iam")
@click.option("--isolation")
def up(**options: Any) -> None:
    """Start a node."""
    try:
        config = load(options)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None

    async def run() -> None:
        from cumulet.app import Node

        node = Node(config)
        await node.start()
        click.echo(f"{node.endpoint}\nReady.", err=True)
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        await ended.wait()
        await node.stop()

    import uvloop

    try:
        uvloop.run(run())
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
