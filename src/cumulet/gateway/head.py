"""The head of an answer, as bytes."""

import email.utils
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus

# What frames the message is the connection's to say.
_FRAMING = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
_OWN = {"date", "server"}


@lru_cache(1024)
def _kind(name: str) -> str:
    """What to do with a header: "" to send it, its lower-case name when it is one of ours, "drop" when it frames."""
    key = name.lower()
    return "drop" if key in _FRAMING else key if key in _OWN else ""


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
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._line = f"Date: {email.utils.formatdate(usegmt=True)}\r\n"
        return self._line


def more_lines(headers: Iterable[tuple[str, str]]) -> str:
    """Lines for `framing`, of headers that may come several times; without those that frame or are ours.

    Raises ValueError when one would break out of its line.
    """
    lines = [f"{name}: {value}\r\n" for name, value in headers if not _kind(name)]
    text = "".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        raise ValueError("a header of the answer holds a line break")
    return text


def encode_head(status: int, headers: Mapping[str, str], framing: str, date: str) -> bytes:
    """Status line, headers with the casing given, `framing` (whole lines), then `date` and Server unless the headers have them.

    Raises ValueError when a header would break out of its line.
    """
    server = "Server: cumulet\r\n"
    lines = [_status_line(status)]
    for name, value in headers.items():
        if kind := _kind(name):
            if kind == "drop":
                continue
            if kind == "date":
                date = ""
            else:
                server = ""
        lines.append(f"{name}: {value}\r\n")
    breaks = len(lines) + 1 + framing.count("\n") + bool(date) + bool(server)
    text = f"{''.join(lines)}{framing}{date}{server}\r\n"
    if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
        raise ValueError("a header of the answer holds a line break or a NUL")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
