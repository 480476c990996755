"""Pages of rows for queries and scans: in order, up to a number of items or about a megabyte."""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import Struct

from cumulet.services.dynamodb.model import Index, Table
from cumulet.storage.database import Database

PAGE_BYTES = 1 << 20
_FIRST, _NEXT = 64, 256
"""Rows read at once: most pages are short, and a row may be 400 KB."""

Position = tuple[bytes, ...]
"""Where a row is in the order of its reading: (range) of a query, (hash, range) of a scan, and the item's address after
it where an index is read."""


class Row(NamedTuple):
    body: bytes
    size: int
    item_size: int
    """Of the item in the table, where it was fetched from there; else 0."""


class Page(Struct):
    """Rows in order; `full` when the page ended before the rows did."""

    rows: list[Row]
    full: bool
    bytes: int
    """The size of what was read of the table or index."""


class Range(Struct, frozen=True):
    """What is read: the rows of a hash key (a query) or all (None, a scan) between bounds of the position's first part.

    `low` and `high` are bytes with whether they themselves are in; None for none.
    """

    hash: bytes | None
    low: tuple[bytes, bool] | None = None
    high: tuple[bytes, bool] | None = None


class Source(Struct, frozen=True):
    """Where rows come from. `whole`: entries of the index with their items from the table, for what is not projected."""

    table: Table
    index: Index | None = None
    whole: bool = False


async def read(
    db: Database, source: Source, what: Range, after: Position | None, limit: int, *, forward: bool = True
) -> Page:
    """One page, beginning after a position."""
    rows: list[Row] = []
    total = 0
    count = min(limit, _FIRST)
    while True:
        sql, values = _statement(source, what, after, forward=forward)
        found = await db.read(sql, (*values, count))
        for body, size, item_size, *position in found:
            rows.append(Row(body, size, item_size))
            total += size or item_size
            if len(rows) == limit or total >= PAGE_BYTES:
                return Page(rows, full=True, bytes=total)
            after = tuple(position)
        if len(found) < count:
            return Page(rows, full=False, bytes=total)
        count = min(limit - len(rows), _NEXT)


def _statement(source: Source, what: Range, after: Position | None, *, forward: bool) -> tuple[str, list[Any]]:
    """The SQL of a page, its values but the limit, which is the last one. Few texts, so that each is prepared once."""
    index = source.index
    values: list[Any] = [source.table.id if index is None else index.id]
    prefix = "e." if source.whole else ""
    key = ["range"] if what.hash is not None else ["hash", "range"]
    if index is not None:
        key += ["item_hash", "item_range"]
    columns = [prefix + name for name in key]
    where = [f"{prefix}{'tbl' if index is None else 'idx'} = $1"]

    def add(condition: str, *more: Any) -> None:
        places = [f"${len(values) + at}" for at in range(1, len(more) + 1)]
        values.extend(more)
        where.append(condition.format(*places))

    if what.hash is not None:
        add(f"{prefix}hash = {{}}", what.hash)
    if what.low is not None and not (after is not None and forward):
        add(f"{columns[0]} {'>=' if what.low[1] else '>'} {{}}", what.low[0])
    if what.high is not None and not (after is not None and not forward):
        add(f"{columns[0]} {'<=' if what.high[1] else '<'} {{}}", what.high[0])
    if after is not None:
        places = ", ".join(["{}"] * len(after))
        add(f"({', '.join(columns)}) {'>' if forward else '<'} ({places})", *after)
    order = ", ".join(columns if forward else [f"{column} DESC" for column in columns])
    if index is None:
        taken = f"body, size, 0, {', '.join(columns)} FROM ddb_item"
    elif not source.whole:
        taken = f"body, size, 0, {', '.join(columns)} FROM ddb_entry"
    else:
        values.append(source.table.id)
        taken = (
            f"i.body, e.size, i.size, {', '.join(columns)} FROM ddb_entry e JOIN ddb_item i "
            f"ON i.tbl = ${len(values)} AND i.hash = e.item_hash AND i.range = e.item_range"
        )
    conditions = " AND ".join(where)
    return f"SELECT {taken} WHERE {conditions} ORDER BY {order} LIMIT ${len(values) + 1}", values


def between(operator: str, values: tuple[bytes, ...], hash_: bytes) -> Range:
    """The rows of a hash key whose range key is as a condition says; all of them for no operator."""
    if not operator:
        return Range(hash_)
    first = values[0]
    if operator == "=":
        return Range(hash_, (first, True), (first, True))
    if operator == "BETWEEN":
        return Range(hash_, (first, True), (values[1], True))
    if operator == "begins_with":
        after = _after_prefix(first)
        return Range(hash_, (first, True), (after, False) if after is not None else None)
    bound = (first, operator in ("<=", ">="))
    return Range(hash_, None, bound) if operator[0] == "<" else Range(hash_, bound, None)


def _after_prefix(prefix: bytes) -> bytes | None:
    """The first bytes that sort after all that begin with a prefix; None when nothing does."""
    cut = prefix.rstrip(b"\xff")
    return cut[:-1] + bytes([cut[-1] + 1]) if cut else None


def segment(number: int, total: int) -> Range:
    """One of the even parts of a table or index: the bytes that spread the keys tell which rows are in it."""
    edges = [-(-(number + more << 32) // total) for more in (0, 1)]
    low = (edges[0].to_bytes(4, "big"), True) if edges[0] else None
    high = (edges[1].to_bytes(4, "big"), False) if edges[1] < 1 << 32 else None
    return Range(None, low, high)


def in_segment(what: Range, hash_: bytes) -> bool:
    """Whether the rows of a hash are in a segment."""
    return (what.low is None or hash_ >= what.low[0]) and (what.high is None or hash_ < what.high[0])
