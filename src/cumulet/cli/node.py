"""Finding the node that a command is about."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from cumulet.cli.errors import CliError, NoNode, WrongSettings

if TYPE_CHECKING:  # `cumulet up` starts sooner without it
    import http.client

CERTIFICATE = "tls.crt"
_PATIENCE = 10.0

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The node's data folder (also CUMULET_DATA).",
)


@dataclass(frozen=True)
class RunningNode:
    """A node as its data folder announces it. `pid` is 0 and `data` None when only its address is known."""

    endpoint: str
    pid: int = 0
    data: Path | None = None

    @property
    def certificate(self) -> Path | None:
        """The certificate that clients of a node with TLS must trust."""
        if self.data is None or not self.endpoint.startswith("https:"):
            return None
        return self.data / CERTIFICATE

    def connect(self, timeout: float = _PATIENCE) -> "http.client.HTTPConnection":
        """A connection to the node's endpoint."""
        import http.client
        import ssl

        address = urlsplit(self.endpoint)
        host = address.hostname or "127.0.0.1"
        if address.scheme != "https":
            return http.client.HTTPConnection(host, address.port, timeout=timeout)
        trusted = self.certificate if self.certificate is not None and self.certificate.exists() else None
        context = ssl.create_default_context(cafile=trusted)
        return http.client.HTTPSConnection(host, address.port, timeout=timeout, context=context)

    def page(self, path: str, body: Any = None, timeout: float = _PATIENCE) -> Any:
        """One of the node's own pages (`/_cumulet/...`), as decoded JSON. Raises CliError when it does not answer."""
        import http.client

        connection = self.connect(timeout)
        try:
            if body is None:
                connection.request("GET", path)
            else:
                connection.request("POST", path, json.dumps(body))
            answer = connection.getresponse()
            if answer.status >= 500:  # in words for people, not in JSON
                raise CliError(f"The node at {self.endpoint} failed: {answer.read(300).decode(errors='replace')}.")
            value = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoNode.silent(self.endpoint, error) from error
        finally:
            connection.close()
        if answer.status != 200:
            raise CliError(str(value.get("message", value)))
        return value

    def answers(self) -> bool:
        """Whether it serves calls."""
        try:
            self.page("/_cumulet/health", timeout=2.0)
        except CliError:
            return False
        return True


def data_folder(data: Path | None) -> Path:
    """The folder that is meant: the option, the environment, or the default."""
    from cumulet.kernel.config import ConfigError, load

    try:
        return load({"data": data, "host": "127.0.0.1"}).data
    except ConfigError as error:
        raise WrongSettings(str(error)) from None


def announced(folder: Path) -> RunningNode | None:
    """The node that the folder says is running, if its process lives."""
    try:
        found = json.loads((folder / "node.json").read_text())
        node = RunningNode(found["endpoint"], found["pid"], folder)
    except (OSError, ValueError, KeyError):
        return None
    return node if is_running(node.pid) else None


def is_running(pid: int) -> bool:
    """Whether the process is there and has not ended; one whose parent never asked for its end does not count."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    except OSError:
        return True  # no /proc here


def named_node(data: Path | None) -> RunningNode | None:
    """The node that CUMULET_ENDPOINT names, unless a folder is named. Raises WrongSettings when that is no address."""
    address = os.environ.get("CUMULET_ENDPOINT")
    if not address or data is not None:
        return None
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongSettings(f"CUMULET_ENDPOINT is {address!r}: it takes an address such as http://127.0.0.1:4566.")
    return RunningNode(address.rstrip("/"))


def find_node(data: Path | None) -> RunningNode:
    """The running node. With CUMULET_ENDPOINT set, and no folder named, the node at that address. Raises CliError."""
    named = named_node(data)
    if named is not None:
        return named
    folder = data_folder(data)
    node = announced(folder)
    if node is None:
        raise NoNode.on(folder)
    return node


def wait_until(condition: Callable[[], bool], patience: float, every: float = 0.05) -> bool:
    """Look until `condition` holds or `patience` seconds are over; tells which."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(every)
    return True
