"""Items in files, found while the file is read: JSON, JSON Lines and CSV. Pure; each is fed pieces of any size."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgspec

from cumulet.services.stepfunctions.asl import StatesError

READER_FAILED = "States.ItemReaderFailed"
_MOST_HEADER = 10 * 1024
_MOST_ITEM = 16 * 1024 * 1024
"""Bytes that one item, or one line, may have; what is longer is no such file."""
_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
_loads = msgspec.json.Decoder().decode

Item = tuple[Any, str | None]
"""A value, and its key where the items are those of an object."""


def failed(cause: str) -> StatesError:
    """`States.ItemReaderFailed`."""
    return StatesError(READER_FAILED, cause)


NOT_ITERABLE = "Attempting to map over non-iterable node."


class Format(Protocol):
    """Takes a file piece by piece."""

    def feed(self, piece: bytes) -> Iterator[Item]:
        """The items that end in this piece."""
        ...

    def end(self) -> Iterator[Item]:
        """What was left at the end of the file. Raises StatesError for a file that ends too early."""
        ...


class JsonLines:
    """One JSON value a line."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[Item]:
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        _check_size(self._rest)
        for line in lines:
            if line.strip():
                yield _value(line), None

    def end(self) -> Iterator[Item]:
        if self._rest.strip():
            yield _value(self._rest), None


class Csv:
    """Rows as objects by the names in the first row, or by names that are given."""

    def __init__(self, headers: Sequence[str] | None, delimiter: str = "COMMA") -> None:
        self._headers = headers
        self._order: list[int] = [] if headers is None else _order(headers)
        self._delimiter = _DELIMITERS.get(delimiter, ",")
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._rest = ""

    def feed(self, piece: bytes) -> Iterator[Item]:
        yield from self._rows(self._text(piece, final=False), final=False)

    def end(self) -> Iterator[Item]:
        yield from self._rows(self._text(b"", final=True), final=True)

    def _text(self, piece: bytes, *, final: bool) -> str:
        try:
            return self._decoder.decode(piece, final)
        except UnicodeDecodeError:
            raise failed("The CSV file is not encoded in UTF-8.") from None

    def _rows(self, text: str, *, final: bool) -> Iterator[Item]:
        import csv  # noqa: PLC0415  of all formats, this one alone needs it

        text = self._rest + text
        end = len(text) if final else _whole_rows(text)
        self._rest = text[end:]
        _check_size(self._rest)
        reader = csv.reader(io.StringIO(text[:end], newline=""), delimiter=self._delimiter)
        try:
            for row in reader:
                if row:
                    yield from self._row(row)
        except csv.Error as error:
            raise failed(f"The CSV file cannot be read: {error}.") from None

    def _row(self, row: list[str]) -> Iterator[Item]:
        headers = self._headers
        if headers is None:
            self._headers, self._order = row, _order(row)
            return
        row += [""] * (len(headers) - len(row))
        yield {headers[index]: row[index] for index in self._order}, None


def _whole_rows(text: str) -> int:
    """Where the last row ends that is all there: a line break within quotes ends none."""
    end = text.rfind("\n") + 1
    quotes = text.count('"', 0, end)
    while quotes % 2:
        before = text.rfind("\n", 0, text.rfind('"', 0, end)) + 1
        quotes -= text.count('"', before, end)
        end = before
    return end


def _order(headers: Sequence[str]) -> list[int]:
    """In which order a row's columns are told: that of a hash table of Java's. Raises StatesError for bad headers."""
    from cumulet.expressions.velocity.strings import hash_code  # noqa: PLC0415  few Maps read CSV, and it comes with much

    _check_headers(headers)
    size = 16
    while len(headers) > size * 3 // 4:
        size *= 2

    def place(index: int) -> int:
        code = hash_code(headers[index]) & 0xFFFFFFFF
        return (code ^ code >> 16) & (size - 1)

    return sorted(range(len(headers)), key=place)


def _check_headers(headers: Sequence[str]) -> None:
    if len(set(headers)) != len(headers):
        raise failed("CSV headers cannot contain duplicates.")
    if sum(len(header.encode()) for header in headers) > _MOST_HEADER:
        raise failed("CSV headers cannot exceed 10 KiB.")


class JsonArray:
    """The elements of an array, or the values of an object, at the top of a file."""

    def __init__(self) -> None:
        self._rest = b""
        self._kind = b""
        self._scan = 0
        self._depth = 0
        self._quoted = False
        self._closed = False

    def feed(self, piece: bytes) -> Iterator[Item]:
        self._rest += piece
        if not self._kind and not self._open():
            return
        for part in self._parts():
            yield from self._item(part)
        _check_size(self._rest)

    def end(self) -> Iterator[Item]:
        if not self._kind or not self._closed or self._rest.strip():
            raise failed(
                NOT_ITERABLE
                if not self._kind and _is_json(self._rest)
                else "The JSON file ends before its last item does."
            )
        yield from ()

    def _open(self) -> bool:
        """Read the bracket that all of it is in."""
        text = self._rest.removeprefix(codecs.BOM_UTF8).lstrip()
        if not text:
            return False
        if text[:1] not in (b"[", b"{"):
            _check_size(text)
            return False  # a value of its own, as the end of the file will tell
        self._kind = text[:1]
        self._rest = text[1:]
        return True

    def _parts(self) -> Iterator[bytes]:
        """Texts between the commas of the outermost level."""
        text, start = self._rest, 0
        for found in _MARKS.finditer(text, self._scan):
            if self._closed:
                break
            mark = found[0]
            if self._quoted:
                self._quoted = mark != b'"'
            elif mark == b'"':
                self._quoted = True
            elif mark in (b"[", b"{"):
                self._depth += 1
            elif mark == b"," and not self._depth:
                yield text[start : found.start()]
                start = found.end()
            elif mark in (b"]", b"}"):
                if not self._depth:
                    self._closed = True
                    yield text[start : found.start()]
                    start = found.end()
                else:
                    self._depth -= 1
        # A backslash at the end belongs to what is still to come, unless another takes it away.
        keep = (len(text) - len(text.rstrip(b"\\"))) % 2
        self._rest = text[start:]
        self._scan = max(0, len(self._rest) - keep)

    def _item(self, part: bytes) -> Iterator[Item]:
        if not part.strip():
            if self._closed:  # nothing behind the last comma: there was none, or the file is empty
                return
            raise failed("The JSON file cannot be read: a value is missing.")
        if self._kind == b"[":
            yield _value(part), None
            return
        for key, value in _value(b"{" + part + b"}").items():
            if not isinstance(value, list | dict):
                raise failed(NOT_ITERABLE)
            yield value, key


# Brackets, commas and quotes; a backslash takes the character behind it away.
_MARKS = re.compile(rb'\\.|["\[\]{},]', re.DOTALL)


def pointed(content: bytes, pointer: str) -> Iterator[Item]:
    """The items that a JSON pointer leads to (`/data/rows`) in a whole file."""
    node = _value(content)
    for name in pointer.split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        else:
            raise failed(f"The ItemsPointer {pointer} leads to nothing in the file.")
    if isinstance(node, dict):
        yield from ((value, key) for key, value in node.items())
    elif isinstance(node, list):
        yield from ((value, None) for value in node)
    else:
        raise failed(NOT_ITERABLE)


def _value(text: bytes) -> Any:
    try:
        return _loads(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise failed(f"The JSON file cannot be read: {error}.") from None


def _is_json(text: bytes) -> bool:
    try:
        _loads(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


def _check_size(rest: bytes | str) -> None:
    if len(rest) > _MOST_ITEM:
        raise failed(f"One item of the file has more than {_MOST_ITEM // 1_048_576} MB.")
