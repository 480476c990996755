"""`cumulet doctor`: what this machine can do, and what to install for more."""

import asyncio
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from cumulet.cli.errors import CliError
from cumulet.cli.node import CERTIFICATE, announced, data_folder, data_option
from cumulet.cli.output import data_json


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
def doctor(data: Path | None, as_json: bool) -> None:
    """Check what this machine can do, and what is missing. Exit code 1 when a node could not run here."""
    folder = data_folder(data)
    found = {**_machine(folder), **asyncio.run(_compute(folder))}
    if as_json:
        data_json(found)
    else:
        _print(found)
    if found["problems"]:
        raise SystemExit(CliError.exit_code)


def _machine(folder: Path) -> dict[str, Any]:
    from cumulet.cli.aws import find_aws

    try:
        aws: str | None = find_aws()
    except CliError:
        aws = None
    node = announced(folder)
    problem = _unwritable(folder)
    return {
        "python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "user": "root" if os.geteuid() == 0 else f"uid {os.geteuid()}",
        "data": str(folder),
        "node": node.endpoint if node else None,
        "trust": str(folder / CERTIFICATE) if (folder / CERTIFICATE).exists() else None,
        "aws": aws,
        "problems": [problem] if problem else [],
    }


def _unwritable(folder: Path) -> str | None:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return None
    return f"The data folder {folder} cannot be written: choose another with --data."


async def _compute(data: Path) -> dict[str, Any]:
    """The isolation that can really be had: found out by making a sandbox, not by reading version numbers."""
    import msgspec

    from cumulet.compute import Compute, ComputeConfig, node_sdk_places

    with tempfile.TemporaryDirectory(prefix="cumulet-doctor-") as scratch:
        compute = Compute(
            ComputeConfig(
                folder=Path(scratch),
                name=f"cumulet-doctor-{os.getpid()}",
                endpoint_port=4566,
                node_sdk_path=node_sdk_places(data / "compute"),
            ),
            on_log=lambda _environment, _line: None,
            on_endpoint=lambda _environment, _socket: None,
        )
        await compute.start()
        try:
            level = await compute.level()
            sdk = compute.node_sdk()
            return {
                "isolation": msgspec.to_builtins(level),
                "runtimes": compute.runtimes(),
                "node_sdk": str(sdk) if sdk else None,
                "node_sdk_folder": str(node_sdk_places(data / "compute")[0].parent),
            }
        finally:
            await compute.stop()


def _print(found: dict[str, Any]) -> None:
    level = found["isolation"]
    _line(True, f"Python {found['python']} ({sys.executable})")
    _line(True, f"{found['kernel']}, {found['user']}")
    _line(level["name"] == "full", f"isolation: {level['name']}: {level['meaning']}")
    for name, reason in level["abilities"].items():
        _line(not reason, f"  {name}{': ' + reason if reason else ''}")
    for line in level["advice"]:
        click.echo(f"    {line}")
    for name, path in sorted(found["runtimes"].items()):
        _line(True, f"runtime {name} ({path})")
    for language, name in (("python", "Python 3.8 to 3.14"), ("nodejs", "Node.js 18 to 26, an even version")):
        if not any(runtime.startswith(language) for runtime in found["runtimes"]):
            _line(False, f"no {language} runtimes: install {name}, or see `cumulet runtimes install --help`")
    sdk = found["node_sdk"] or "not found: cumulet runtimes install aws-sdk-js"
    _line(found["node_sdk"] is not None, f"AWS SDK for JavaScript {sdk}")
    _line(found["aws"] is not None, f"AWS CLI {found['aws'] or 'is not installed: pip install awscli'}")
    _line(not found["problems"], "; ".join(found["problems"]) or f"data folder {found['data']}")
    click.echo(f"    node {found['node'] or 'not running'}")
    if found["trust"]:
        click.echo(
            f"    authorities of --tls: {found['trust']}; such as curl --cacert, AWS_CA_BUNDLE, NODE_EXTRA_CA_CERTS"
        )


def _line(good: bool, text: str) -> None:
    mark = click.style("ok", fg="green") if good else click.style("--", fg="yellow")
    click.echo(f" {mark} {text}")
