"""`cumulet up`: a node in the foreground, or detached."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cumulet import __version__
from cumulet.cli.errors import CliError, WrongSettings
from cumulet.cli.node import announced, wait_until
from cumulet.cli.output import say, table

if TYPE_CHECKING:
    from cumulet.kernel.config import Config

LOG_FILE = "node.log"
_START_PATIENCE = 30.0


@click.command()
@click.option("-d", "--detach", is_flag=True, help="Run in the background; return once the node is ready.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Where everything is kept.")
@click.option("--host", help="Address to bind.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to bind; 0 takes a free one.  [default: 4566]")
@click.option("--unix-socket", type=click.Path(path_type=Path), help="Also listen on this socket.")
@click.option("--tls", is_flag=True, default=None, help="Serve HTTPS with a certificate made for this node.")
@click.option("--iam", type=click.Choice(["off", "audit", "enforce"]), help="What permissions do.  [default: audit]")
@click.option(
    "--isolation",
    type=click.Choice(["auto", "full", "rootless", "process"]),
    help="The least isolation of functions that is accepted.  [default: auto]",
)
@click.option("--region", help="Region of calls that name none.  [default: us-east-1]")
@click.option("--account", help="Account of the access key `test`.  [default: 000000000000]")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="[default: warning]")
@click.option("--idle-timeout", type=float, help="Seconds an idle environment is kept.  [default: 300]")
@click.option(
    "--install-runtimes",
    is_flag=True,
    default=None,
    help="Install runtimes that functions want and this machine lacks.",
)
@click.option("--internal-ports", help="Ports of this machine that functions may reach: 5432,6379.")
@click.option(
    "--limit", "limits", multiple=True, help="A quota other than AWS's: lambda.timeout=1200. May be repeated."
)
@click.option(
    "--limits-file", type=click.Path(dir_okay=False, path_type=Path), help="Quotas in TOML, a table a service."
)
@click.option(
    "--mocks",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A mock configuration of Step Functions (MockConfigFile.json): MACHINE#CASE runs a test case of it.",
)
def up(detach: bool, **options: Any) -> None:
    """Start a node. Ctrl-C, or `cumulet down`, ends it.

    Every option can also be set in the environment: CUMULET_PORT, CUMULET_DATA, ...
    """
    from cumulet.kernel.config import ConfigError, load

    options["limits"] = options["limits"] or None
    if options["limits_file"] is not None:
        options["limits_file"] = str(options["limits_file"].absolute())
    if options["mocks"] is not None:
        options["mocks"] = str(options["mocks"].absolute())
    if options["unix_socket"] is not None:
        options["unix_socket"] = str(options["unix_socket"])
    try:
        config = load(options)
    except ConfigError as error:
        raise WrongSettings(str(error)) from None
    if detach:
        start_detached(config, sys.argv[1:])
    else:
        _run(config)


def start_detached(config: "Config", arguments: list[str]) -> None:
    """Start the same command in a process of its own, and return once it is ready. Raises CliError."""
    arguments = [argument for argument in arguments if argument not in ("-d", "--detach")]
    try:
        config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = (config.data / LOG_FILE).open("w")
    except OSError as error:
        raise CliError(
            f"The data folder {config.data} cannot be written ({error.strerror}): choose another with --data."
        ) from None
    with log:
        process = subprocess.Popen(  # noqa: S603  this very program
            [sys.executable, "-m", "cumulet", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    ready = wait_until(lambda: process.poll() is not None or _is_ready(config.data, process.pid), _START_PATIENCE)
    text = (config.data / LOG_FILE).read_text(errors="replace").strip()
    if process.poll() is not None:
        click.echo(text, err=True)
        raise SystemExit(process.returncode or CliError.exit_code)
    if not ready:
        raise CliError(f"The node did not become ready within {_START_PATIENCE:.0f} s: see {config.data / LOG_FILE}.")
    say(text)


def _is_ready(data: Path, pid: int) -> bool:
    node = announced(data)
    return node is not None and node.pid == pid and "Ready." in (data / LOG_FILE).read_text(errors="replace")


def _run(config: "Config") -> None:
    import logging

    import uvloop

    from cumulet.kernel.config import ConfigError, NotToBeHad
    from cumulet.kernel.memory import keep_freed_memory

    keep_freed_memory()
    logging.basicConfig(level=config.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        uvloop.run(_serve(config))
    except NotToBeHad as error:
        raise CliError(_with_holder(str(error), error.__cause__, config.port)) from None
    except ConfigError as error:
        raise WrongSettings(str(error)) from None


def _with_holder(message: str, cause: BaseException | None, port: int) -> str:
    if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
        from cumulet.cli.ports import holder

        found = holder(port)
        if found is not None:
            return f"{message} It is held by process {found}."
    return message


async def _serve(config: "Config") -> None:
    from cumulet.app import Node

    node = Node(config)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    await node.start()
    try:
        status = await node.status()
        check_isolation(config, status["isolation"])
        _introduce(status)
        await ended.wait()
        # A second signal does not wait for running calls.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, os._exit, 128 + number)
    finally:
        await node.stop()


def _introduce(status: dict[str, Any]) -> None:
    say(f"{click.style('Cumulet', bold=True)} {__version__}")
    for line in introduction(status):
        say(line)
    say("Ready.")


def introduction(status: dict[str, Any]) -> list[str]:
    """What a user wants to know of a node that has just started; `status` is `/_cumulet/status`."""
    runtimes = ", ".join(sorted(status["runtimes"])) or "none found: see `cumulet doctor`"
    folder = "" if status["data"] == default_folder() else f" --data {status['data']}"
    return table(
        [
            ("data", status["data"]),
            ("isolation", isolation(status["isolation"])),
            ("runtimes", runtimes),
            ("permissions", PERMISSIONS[status["iam"]]),
            ("endpoint", click.style(status["endpoint"], fg="cyan")),
            ("next", f'eval "$(cumulet env{folder})"   then any AWS tool: aws s3 ls'),
        ]
    )


PERMISSIONS = {
    "off": "off: every call is allowed",
    "audit": "audit: every call is allowed, those that no policy allows are recorded",
    "enforce": "enforce: calls that no policy allows are refused",
}


_LEVELS = ("process", "rootless", "full")


def check_isolation(config: "Config", level: dict[str, Any]) -> None:
    """Raises CliError when functions would be isolated less than was asked for.

    Where permissions are enforced, functions of others may run: they need a sandbox unless somebody says otherwise.
    """
    least, why = str(config.isolation), f"--isolation {config.isolation}"
    if least == "auto":
        least, why = ("rootless", "--iam enforce") if config.iam == "enforce" else ("process", "")
    if _LEVELS.index(level["name"]) < _LEVELS.index(least):
        advice = " ".join(level["advice"]) or "See `cumulet doctor`."
        raise CliError(
            f"This machine gives functions the isolation `{level['name']}`, less than {why} asks for. {advice}"
        )


def isolation(level: dict[str, Any]) -> str:
    """The level, and in a few words why it is not full."""
    missing = [f"{ability} ({reason})" for ability, reason in level["abilities"].items() if reason]
    if level["name"] == "full" or not missing:
        return f"{level['name']}: {level['meaning']}"
    more = f" and {len(missing) - 1} more, see `cumulet doctor`" if missing[1:] else ""
    return f"{level['name']}: {level['meaning']}; missing: {missing[0]}{more}"


def default_folder() -> str:
    """The data folder when nobody names one."""
    from cumulet.kernel.config import load

    return str(load({}, {}).data)
