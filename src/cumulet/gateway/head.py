"""The head of an answer, as bytes."""

import email.utils
import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from msgspec import Struct

# What frames the message is the connection's to say.
_FRAMING = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
_OWN = frozenset({"date", "server"})
_SERVER = "Server: cumulet\r\n"
_KEPT = 256
_LONGEST_KEPT = 4096
"""Characters of the names of a template: functions answer with whatever names they like."""


class _Template(Struct, frozen=True):
    """What heads of the same status and names of headers have in common: `text` takes the values."""

    text: str
    lines: int
    own: frozenset[str]  # those of `_OWN` among the names


_templates: dict[tuple[int, tuple[str, ...]], _Template] = {}


def _template(status: int, names: tuple[str, ...]) -> _Template:
    """A new template, which is kept unless it is long."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Status"
    lines = [f"HTTP/1.1 {status} {phrase}\r\n"]
    text = lines[0]
    for name in names:
        if name.lower() in _FRAMING:
            text += "%.0s"  # takes the value, and nothing of it
        else:
            text += name.replace("%", "%%") + ": %s\r\n"
            lines.append(name)
    _check(text, len(lines))
    made = _Template(text, len(lines), _OWN.intersection([name.lower() for name in names]))
    if sum(map(len, names)) <= _LONGEST_KEPT:
        if len(_templates) >= _KEPT:
            _templates.clear()
        _templates[status, names] = made
    return made


def _check(text: str, lines: int) -> None:
    if text.count("\n") != lines or text.count("\r") != lines or "\0" in text:
        raise ValueError("a header of the answer holds a line break or a NUL")


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
    """Lines for `framing`, of headers that may come several times; without those that frame.

    Raises ValueError when one would break out of its line.
    """
    lines = [f"{name}: {value}\r\n" for name, value in headers if name.lower() not in (_FRAMING | _OWN)]
    text = "".join(lines)
    _check(text, len(lines))
    return text


def encode_head(status: int, headers: Mapping[str, str], framing: str, date: str) -> bytes:
    """Status line, headers with the casing given, `framing` (whole lines), then `date` and Server unless the headers have them.

    Raises ValueError when a header would break out of its line.
    """
    names = tuple(headers)
    template = _templates.get((status, names)) or _template(status, names)
    text = template.text % tuple(headers.values())
    _check(text, template.lines)
    if template.own:
        text += (
            framing + ("" if "date" in template.own else date) + ("" if "server" in template.own else _SERVER) + "\r\n"
        )
    else:
        text += f"{framing}{date}{_SERVER}\r\n"
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
