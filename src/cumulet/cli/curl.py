"""`cumulet curl`: call an AWS-style address at the node."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click

from cumulet.cli.errors import CliError
from cumulet.cli.node import RunningNode, data_option, find_node


@click.command(context_settings={"ignore_unknown_options": True})
@data_option
@click.argument("arguments", metavar="URL [ARGUMENTS]...", nargs=-1, required=True, type=click.UNPROCESSED)
def curl(data: Path | None, arguments: tuple[str, ...]) -> int:
    """Run curl for URL, whose host is one of AWS's or a custom domain, against the node. ARGUMENTS are curl's.

    Such as: cumulet curl https://abc1234567.execute-api.eu-west-1.amazonaws.com/dev/pets -X POST -d @pet.json
    """
    place = url_among(arguments)
    url, arguments = arguments[place], (*arguments[:place], *arguments[place + 1 :])
    command = ["curl", "--silent", "--show-error", *connection(find_node(data), url), *arguments]
    try:
        return subprocess.run(command, check=False).returncode  # noqa: S603  what the user asks to run
    except FileNotFoundError as error:
        raise CliError("curl is not installed: install it, or print the addresses with `cumulet urls`.") from error


def url_among(arguments: Sequence[str]) -> int:
    """The position of the URL: the first that has a scheme, else the first argument, unless that is an option of curl's."""
    places = [place for place, argument in enumerate(arguments) if argument.startswith(("https://", "http://"))]
    if not places and arguments[0].startswith("-"):
        raise click.UsageError("There is no URL that begins with https:// or http://.")
    return places[0] if places else 0


def connection(node: RunningNode, url: str) -> list[str]:
    """curl's arguments for a URL whose host means this node: the node's address, with the URL's host as the Host header.

    By https it is the name that TLS is asked for, too.
    """
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if not parts.hostname:
        raise CliError(f"{url} has no host: name an address such as https://ID.execute-api.REGION.amazonaws.com/STAGE.")
    path = parts.path or "/"
    if parts.query:
        path += f"?{parts.query}"
    host = ["--header", f"Host: {parts.hostname}", "--path-as-is"]
    scheme, _, place = node.endpoint.partition("://")
    if scheme == "http":
        return [f"{node.endpoint}{path}", *host]
    # The handshake is for the name too: it chooses the certificate, and whether the client needs one.
    port = place.rpartition(":")[2]
    found = [f"https://{parts.hostname}:{port}{path}", *host, "--connect-to", f"{parts.hostname}:{port}:{place}"]
    return [*found, "--cacert", str(node.certificate)] if node.certificate is not None else found
