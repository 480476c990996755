"""The lines of files to import, and the items in them; nothing here waits or stores.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Format.html
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.backups.unpacking import Malformed, Unpacker
from cumulet.services.dynamodb.keys import check_item_keys
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.values import Item, check_item
from cumulet.services.dynamodb.vectors.entries import check as check_vectors

LONGEST = 4 * 1024 * 1024
"""Bytes of a line: an item has 400 KB, and JSON may need some more to say it."""


class _Line(Struct):
    item: dict[str, api.AttributeValue] = msgspec.field(name="Item")


class Lines:
    """Cuts pieces of a file, compressed or not, into lines without their ends."""

    def __init__(self, compression: str) -> None:
        self._unpacker = Unpacker(compression) if compression != "NONE" else None
        self._rest = bytearray()  # grows in place: a line may come in millions of small parts

    def feed(self, content: bytes) -> Iterator[list[bytes]]:
        """The lines that end within this piece, some at a time. Raises Malformed."""
        for part in (content,) if self._unpacker is None else self._unpacker.feed(content):
            first, *others = part.split(b"\n")
            self._rest += first
            lines = []
            if others:
                lines = [bytes(self._rest), *others[:-1]]
                self._rest = bytearray(others[-1])
            if len(self._rest) > LONGEST:
                raise Malformed(f"a line is longer than {LONGEST} bytes")
            yield [line.rstrip(b"\r") for line in lines]

    def end(self) -> list[bytes]:
        """The last line, if the file does not end with an end of line. Raises Malformed."""
        if self._unpacker is not None:
            self._unpacker.end()
        rest, self._rest = bytes(self._rest), bytearray()
        return [rest] if rest else []


class JsonReader:
    """Items of DynamoDB JSON: a line holds an object with the member Item."""

    headers = 0

    def __init__(self, table: Table) -> None:
        self._table = table
        self._decode = msgspec.json.Decoder(_Line).decode

    def read(self, line: bytes) -> Item | None:
        """The item of a line; None when there is none in it. Raises AwsError or ValueError for what is no item."""
        if not line.strip():
            return None
        item = self._decode(line).item
        check_item(item)
        check_item_keys(self._table, item)
        check_vectors(self._table, item)
        return item


class CsvReader:
    """Items of CSV: keys have their types, everything else is text. The header is the first line, unless it is given."""

    def __init__(self, table: Table, delimiter: str, header: list[str] | None) -> None:
        self._table = table
        self._delimiter = delimiter
        self._header = header
        self._open = ""
        self.headers = 1 if header is None else 0
        """Lines of each file before its first item."""

    def read(self, line: bytes) -> Item | None:
        """As `JsonReader.read`; a line within quotation marks goes on in the next."""
        text = self._open + line.decode()
        if text.count('"') % 2:
            if len(text) > LONGEST:
                raise Malformed("a quotation mark is not closed")
            self._open = text + "\n"
            return None
        self._open = ""
        if not text.strip():
            return None
        (fields,) = self._rows(text)
        if self._header is None:
            self._header = [name.strip() for name in fields]
            if len(set(self._header)) != len(self._header) or "" in self._header:
                raise Malformed("the header has no name for each column, or one twice")
            return None
        if len(fields) != len(self._header):
            raise ValueError(f"{len(fields)} columns instead of {len(self._header)}")
        item = {name: self._value(name, field) for name, field in zip(self._header, fields, strict=True)}
        check_item(item)
        check_item_keys(self._table, item)
        check_vectors(self._table, item)
        return item

    def _rows(self, text: str) -> list[list[str]]:
        try:
            return list(csv.reader(text.splitlines(keepends=True), delimiter=self._delimiter))
        except csv.Error as error:
            raise ValueError(str(error)) from error

    def _value(self, name: str, field: str) -> api.AttributeValue:
        kind = self._table.kinds.get(name, "S")
        if kind == "N":
            return api.AttributeValue(n=field)
        if kind == "B":
            return api.AttributeValue(b=msgspec.json.decode(f'"{field}"'.encode(), type=bytes))
        return api.AttributeValue(s=field)
