"""Credentials for calls of HTTP endpoints, as EventBridge's connections give them to other parts of the platform.

They are asked for by `Calls`, as the operation RetrieveConnectionCredentials of `events`, which no client can reach: so the
permission of that name is looked at, `events:RetrieveConnectionCredentials` on the connection, as on AWS.
"""

import ipaddress
from urllib.parse import urlsplit

from msgspec import Struct

OPERATION = "RetrieveConnectionCredentials"


class Parameter(Struct, frozen=True):
    """A header, a query string parameter or a member of the body that every request gets. `secret`: not to be shown."""

    key: str
    value: str
    secret: bool = False


class HttpParameters(Struct, kw_only=True):
    """What is added to requests."""

    headers: list[Parameter] = []
    query: list[Parameter] = []
    body: list[Parameter] = []


class RetrieveConnectionCredentials(Struct, frozen=True, kw_only=True):
    """The request. `refused` is the `serial` of credentials that the endpoint did not take (401, 407): newer ones are wanted."""

    connection_arn: str
    refused: int = 0


class ConnectionCredentials(Struct, kw_only=True):
    """The answer: what to add to a request, authorization included. `renewable`: other ones may be had where these are refused."""

    parameters: HttpParameters
    serial: int
    renewable: bool


def is_safe(url: str) -> bool:
    """Whether credentials may be sent there: by HTTPS, or to servers of this machine, which are tried out without certificates."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _of_this_machine(host)))


def _of_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
