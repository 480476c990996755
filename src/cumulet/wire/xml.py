"""XML trees, read with expat and hardened: no document types (so no entities), bounded depth; written as text."""

import re

from msgspec import Struct

MAX_DEPTH = 100
MAX_NODES = 10_000  # a tenth of a second of the loop
# A start tag with its attributes, or a text; the longest that AWS takes is an SQL expression of 256 KB. The parser is a
# second over a tag of 6 MB, and nothing else runs meanwhile.
_LONGEST_RUN = 400_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")
_REFERENCES = {code: f"&#{code};" for code in (*range(9), *range(11, 32))} | {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
}
HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n'


class MalformedXml(ValueError):
    """Text that is no XML, or XML that no AWS client sends."""


class Node(Struct):
    """An element, its name without prefix or namespace."""

    name: str
    attributes: dict[str, str]
    children: list["Node"] = []
    text: str = ""

    def child(self, name: str) -> "Node | None":
        """The first child of that name."""
        return next((node for node in self.children if node.name == name), None)


class _Builder:
    def __init__(self, limit: int) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._left = limit

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._left -= 1
        if len(self._open) >= MAX_DEPTH or self._left < 0:
            raise MalformedXml("the document is nested too deeply or has too many elements")
        node = Node(name.rpartition(":")[2], attributes)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        self._open[-1].text += data

    def doctype(self, *_: object) -> None:
        raise MalformedXml("a document type is not allowed")


def parse(data: bytes, limit: int = MAX_NODES) -> Node:
    """The root of a document of at most `limit` elements. Raises MalformedXml."""
    if data.count(b"<") > 3 * limit or max(map(len, data.split(b"<"))) > _LONGEST_RUN:
        raise MalformedXml("the document has too many elements, or too long ones")
    from xml.parsers import expat  # noqa: PLC0415  loaded with the first document

    builder = _Builder(limit)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise MalformedXml(str(error)) from error
    if builder.root is None:
        raise MalformedXml("no element found")
    return builder.root


def text(value: str) -> str:
    """Text between tags, with references for what a parser would take for markup, change (a carriage return) or refuse.

    Quotes go as references too, as S3 writes its ETags. Control characters are written as AWS does, in XML 1.1's way.
    """
    if not value.isprintable() and _CONTROL.search(value) is not None:
        return value.translate(_REFERENCES)
    # To look for four characters takes less than a regex does, and to replace one (every ETag has quotes) than a translation.
    if "&" in value:
        value = value.replace("&", "&amp;")
    if "<" in value:
        value = value.replace("<", "&lt;")
    if ">" in value:
        value = value.replace(">", "&gt;")
    if '"' in value:
        value = value.replace('"', "&quot;")
    return value


def is_plain(value: str) -> bool:
    """Whether a text is written as it is."""
    return text(value) is value


def attribute(value: str) -> str:
    """Text between double quotes."""
    return text(value).replace("\n", "&#10;").replace("\t", "&#9;")


def element(name: str, value: str) -> str:
    """An element with text in it."""
    return f"<{name}>{text(value)}</{name}>"
