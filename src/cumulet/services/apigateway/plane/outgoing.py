"""Requests that APIs send to HTTP integrations.

https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
"""

import re

from msgspec import Struct

from cumulet.kernel.web import Client, WebAnswer, WebRequest

_URL = re.compile(r"https?://[^/?#\s@\\]+(?:[/?][^#\s]*)?", re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS = re.compile(r"[\r\n\0]")
HOPS = frozenset(
    {
        "connection",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
    }
)
"""Headers, in small letters, that are of one connection: they are never passed on, in neither direction."""


class BadUrl(Exception):
    """The integration's URI, with its variables filled in, is no http(s) address."""


class TimedOut(Exception):
    """The integration did not answer in time: 504."""


class Unreachable(Exception):
    """Nothing answers there, or what it says is no HTTP."""


class Outgoing(Struct, kw_only=True):
    """One request to an integration. `seconds` is the time there is; `verify`: its certificate must be good.

    `stream`: the answer's body is given in pieces, and only its head must come in time. `certificate` is a client certificate
    and its key (PEM, both in one text), for backends that ask for one. `host` is the header's, `server_name` what the server's
    certificate is for, where the URL does not say so.
    """

    method: str
    url: str
    lines: list[tuple[str, str]] = []
    content: bytes = b""
    seconds: float = 29.0
    stream: bool = False
    verify: bool = True
    certificate: str = ""
    host: str = ""
    server_name: str = ""


async def send(client: Client, outgoing: Outgoing, *, every_header: bool = False) -> WebAnswer:
    """The integration's answer, headers as it sent them but for those of its connection, unless `every_header` is wanted.

    Raises BadUrl, TimedOut and Unreachable.
    """
    if not is_url(outgoing.url):
        raise BadUrl(outgoing.url)
    lines = sendable(outgoing.lines)
    if outgoing.host:
        lines.append(("Host", outgoing.host))
    request = WebRequest(method=outgoing.method, path="", lines=lines, content=outgoing.content)
    try:
        answer = await client.send(
            outgoing.url,
            request,
            seconds=outgoing.seconds,
            stream=outgoing.stream,
            verify=outgoing.verify,
            certificate=outgoing.certificate,
            server_name=outgoing.server_name,
        )
    except TimeoutError as error:
        raise TimedOut(outgoing.url) from error
    except (OSError, ValueError) as error:
        raise Unreachable(str(error)) from error
    if not every_header:
        answer.headers = [line for line in answer.headers if line[0].lower() not in HOPS]
    return answer


def is_url(text: str) -> bool:
    """Whether requests can be sent there."""
    return _URL.fullmatch(text) is not None


def sendable(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers that can be passed on: those that are of one connection, or would become more than one line, are left out."""
    return [
        (name, value)
        for name, value in lines
        if name.lower() not in HOPS and _TOKEN.fullmatch(name) and not _BREAKS.search(value)
    ]
