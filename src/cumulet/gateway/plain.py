"""Requests that come in one piece, in the plainest form that HTTP has: nearly all do, and need no parser.

What is taken here the parser takes the same, however it comes; whatever may not be is left to it.
"""

import re
from operator import methodcaller

from cumulet.gateway.header_names import names_of
from cumulet.kernel.streams import BytesStream
from cumulet.wire.http import HeaderLines, HttpRequest

NOTHING = BytesStream(b"")
_COMMONEST = b"POST / HTTP/1.1"
# Fragments are refused, and a whole URL names a host: both are the parser's.
_LINE = re.compile(r"(GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS) (/[!\"$->@-~]*+)(?:\?([!\"$-~]*+))? HTTP/1\.1")
_parted = methodcaller("partition", b": ")


def plain_request(data: bytes) -> HttpRequest | None:
    """The request that `data` is from its first byte to its last, its connection goes on after; None where there may be more to it."""
    head, end, content = data.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    if not end or not lines:
        return None
    names, colons, values = zip(*map(_parted, lines), strict=True)
    if b"" in colons:
        return None  # there is no name, or a value with it, which is not to be remembered
    known = names_of(names)
    if not known.plain:
        return None
    text = b"\n".join(values).decode("latin-1")
    headers = dict(zip(known.keys, text.split("\n"), strict=False))
    framed = f"\n{text}\n"
    if " \n" in framed or "\n " in framed or not text.replace("\n", "").isprintable() or text.count("\n") >= len(lines):
        return None  # blanks around a value, or other than visible characters in it
    if headers.get("content-length", "0") != str(len(content)):
        return None
    if known.lasting and headers["connection"] not in ("keep-alive", "Keep-Alive"):
        return None
    if line == _COMMONEST:
        method, path, query = "POST", "/", ""
    elif (found := _LINE.fullmatch(line.decode("latin-1"))) is not None:
        method, path, query = found.groups("")
    else:
        return None
    body = BytesStream(content) if content else NOTHING
    return HttpRequest(method, path, query, headers, body, content=content, lines=HeaderLines(names, values))
