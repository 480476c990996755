"""The head of an answer, as bytes."""

import asyncio
import email.utils
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus

# What frames the message is the connection's to say.
_FRAMING = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@lru_cache(1024)
def _lower(name: str) -> str:
    return name.lower()


@lru_cache(256)
def _status_line(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Status"
    return f"HTTP/1.1 {status} {phrase}\r\n"


class Dates:
    """The Date line, made once a second. Real time, whatever the node's clock shows: SDKs set theirs by it."""

    def __init__(self) -> None:
        self._second = -1
        self._line = ""

    def line(self) -> str:
        """The line for now."""
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second = second
            self._line = f"Date: {email.utils.formatdate(usegmt=True)}\r\n"
        return self._line


def encode_head(status: int, headers: Mapping[str, str], framing: str, date: str) -> bytes:
    """Status line, headers with the casing given, `framing` (whole lines), then `date` and Server unless the headers have them.

    Raises ValueError when a header would break out of its line.
    """
    lines = [_status_line(status)]
    server = "Server: cumulet\r\n"
    for name, value in headers.items():
        key = _lower(name)
        if key in _FRAMING:
            continue
        if key == "date":
            date = ""
        elif key == "server":
            server = ""
        lines.append(f"{name}: {value}\r\n")
    expected = len(lines) + 1 + framing.count("\n") + bool(date) + bool(server)
    text = "".join((*lines, framing, date, server, "\r\n"))
    if text.count("\n") != expected or text.count("\r") != expected or "\0" in text:
        raise ValueError("a header of the answer holds a line break or a NUL")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
