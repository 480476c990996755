"""Pages of rows for queries and scans: in order, up to a number of items or about a megabyte."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import Struct

from cumulet.services.dynamodb.expressions import KeyCondition
from cumulet.services.dynamodb.model import Index, Key, Table
from cumulet.services.dynamodb.rows import END, escaped, part_bytes, spread
from cumulet.services.dynamodb.values import key_bytes
from cumulet.storage.database import Database

PAGE_BYTES = 1 << 20
_ROWS = 64
"""Rows read at once: most pages are short, and a row may be 400 KB."""

Position = tuple[bytes, ...]
"""Where a row is in the order of its reading: (range) of a query, (hash, range) of a scan, and the item's address after
it where an index is read."""


Row = tuple[Any, ...]
"""As the database has it: its JSON, its size, and (where that was fetched from the table, else 0) the size of its item; then
its position."""
BODY, ITEM_SIZE = 0, 2


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


class Reading:
    """One page that is read: up to `limit` rows, beginning after a position."""

    def __init__(
        self, source: Source, what: Range, after: Position | None, limit: int, *, forward: bool = True
    ) -> None:
        self.source = source
        self.what = what
        self._after = after
        self._limit = limit
        self._forward = forward
        self._rows: list[Row] = []
        self._bytes = 0
        self._count = 0

    def at_once(self, db: Database) -> Page | None:
        """The page; None where the database has to be waited for."""
        while (found := db.read_at_once(*self._next())) is not None:
            if (page := self._take(found)) is not None:
                return page
        return None

    async def page(self, db: Database) -> Page:
        while (page := self._take(await db.read(*self._next()))) is None:
            pass
        return page

    def _next(self) -> tuple[str, list[Any]]:
        """The statement that reads the next rows, with its values."""
        self._count = min(self._limit - len(self._rows), _ROWS)
        sql, values = _statement(self.source, self.what, self._after, forward=self._forward)
        values.append(self._count)
        return sql, values

    def _take(self, found: list[Row]) -> Page | None:
        """The page, if these rows are its last."""
        self._bytes += sum([row[1] or row[2] for row in found])
        rows = self._rows + found if self._rows else found
        if self._bytes >= PAGE_BYTES:
            return _cut(rows)
        if len(rows) == self._limit or len(found) < self._count:
            return Page(rows, full=len(rows) == self._limit, bytes=self._bytes)
        self._rows = rows
        self._after = tuple(found[-1][3:])
        return None


def _cut(rows: list[Row]) -> Page:
    """A page that ends with the row that makes it a megabyte."""
    total = 0
    for count, row in enumerate(rows, 1):
        total += row[1] or row[2]
        if total >= PAGE_BYTES:
            return Page(rows[:count], full=True, bytes=total)
    return Page(rows, full=False, bytes=total)


def _statement(source: Source, what: Range, after: Position | None, *, forward: bool) -> tuple[str, list[Any]]:
    """The SQL of a page, and its values but the limit, which is the last one."""
    values: list[Any] = [source.table.id if source.index is None else source.index.id]
    low = None if after is not None and forward else what.low
    high = None if after is not None and not forward else what.high
    if what.hash is not None:
        values.append(what.hash)
    if low is not None:
        values.append(low[0])
    if high is not None:
        values.append(high[0])
    if after is not None:
        values.extend(after)
    if source.whole:
        values.append(source.table.id)
    bounds = ("" if low is None else ">=" if low[1] else ">", "" if high is None else "<=" if high[1] else "<")
    form = _Form(source.index is not None, source.whole, what.hash is not None, bounds, after is not None, forward)
    return _text(form), values


class _Form(NamedTuple):
    """What tells one statement from another: few, so that each is prepared once."""

    indexed: bool
    whole: bool
    keyed: bool
    bounds: tuple[str, str]
    """The operators of the lower and the upper bound, empty without one."""
    continued: bool
    forward: bool


@lru_cache(1024)
def _text(form: _Form) -> str:
    prefix = "e." if form.whole else ""
    key = ["range"] if form.keyed else ["hash", "range"]
    if form.indexed:
        key += ["item_hash", "item_range"]
    columns = [prefix + name for name in key]
    places = (f"${number}" for number in itertools.count(1))
    where = [f"{prefix}{'idx' if form.indexed else 'tbl'} = {next(places)}"]
    if form.keyed:
        where.append(f"{prefix}hash = {next(places)}")
    where += [f"{columns[0]} {operator} {next(places)}" for operator in form.bounds if operator]
    if form.continued:
        held = ", ".join([next(places) for _ in columns])
        where.append(f"({', '.join(columns)}) {'>' if form.forward else '<'} ({held})")
    order = ", ".join(columns if form.forward else [f"{column} DESC" for column in columns])
    taken = f"body, size, 0, {', '.join(columns)} FROM {'ddb_entry' if form.indexed else 'ddb_item'}"
    if form.whole:
        taken = (
            f"i.body, e.size, i.size, {', '.join(columns)} FROM ddb_entry e JOIN ddb_item i "
            f"ON i.tbl = {next(places)} AND i.hash = e.item_hash AND i.range = e.item_range"
        )
    return f"SELECT {taken} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT {next(places)}"


def matching(key: Key, wanted: KeyCondition) -> Range:
    """The rows of a table or index that a query's key condition is about."""
    hash_ = spread(part_bytes([key_bytes(value) for value in wanted.hash]))
    values = tuple([key_bytes(value) for value in wanted.range])
    if not key.more_ranges:
        return between(wanted.operator, values, hash_)
    before = b"".join([escaped(key_bytes(value)) + END for value in wanted.equal])
    return _between_several(before, wanted.operator, [escaped(value) for value in values], hash_)


def _between_several(before: bytes, operator: str, values: list[bytes], hash_: bytes) -> Range:
    """As `between`, where a sort key has several attributes, of which those in `before` are given."""
    if not operator:
        return Range(hash_)
    first, last = before + values[0], before + values[-1] + END
    if operator == "begins_with":
        return _prefixed(hash_, first, first)
    if operator in ("=", "BETWEEN"):
        return _prefixed(hash_, first + END, last)
    if operator in ("<", "<="):
        whole = _prefixed(hash_, before, last)
        return whole if operator == "<=" else Range(hash_, (before, True), (last, False))
    after = _after_prefix(last) if operator == ">" else last
    assert after is not None  # it ends with END
    high = _after_prefix(before)
    return Range(hash_, (after, True), (high, False) if high is not None else None)


def _prefixed(hash_: bytes, low: bytes, prefix: bytes) -> Range:
    """From `low` to the last that begins with a prefix."""
    after = _after_prefix(prefix)
    return Range(hash_, (low, True), (after, False) if after is not None else None)


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
