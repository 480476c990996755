"""Listing keys with a prefix and a delimiter: a range scan that seeks past each common prefix."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from msgspec import Struct

from cumulet.services.s3.model import Stored, after_prefix

LAST = "\U0010ffff" * 257
"""Sorts after every key: more of the highest character than the longest key has."""
_FIRST_BATCH = 32

Item = TypeVar("Item")


class Page(Struct, Generic[Item]):
    """What a listing found. `last` is the key or common prefix that it ended with."""

    items: list[Item]
    prefixes: list[str]
    truncated: bool
    last: str


Fetch = Callable[[str, str, int], Awaitable[list[Item]]]


async def walk(
    fetch: Fetch[Item], key_of: Callable[[Item], str], prefix: str, delimiter: str, after: str, limit: int
) -> Page[Item]:
    """Up to `limit` keys and common prefixes that come after `after`, in bytewise order.

    `fetch` gives items with start <= key < end in order, at most as many as asked. Keys within one common prefix are
    skipped by seeking, so a listing costs what it shows, not what lies below. `after` may itself be a common prefix.
    """
    page: Page[Item] = Page([], [], False, "")
    if limit <= 0:
        return page
    end = after_prefix(prefix) or LAST
    start = max(prefix, _next_start(after, prefix, delimiter))
    if not delimiter:
        items = await fetch(start, end, limit + 1)
        page.truncated = len(items) > limit
        page.items = items[:limit]
        page.last = key_of(page.items[-1]) if items else ""
        return page
    batch = _FIRST_BATCH
    while start < end:
        items = await fetch(start, end, batch)
        for item in items:
            key = key_of(item)
            if key < start:
                continue  # within a common prefix that was just skipped
            if len(page.items) + len(page.prefixes) == limit:
                page.truncated = True
                return page
            at = key.find(delimiter, len(prefix))
            if at >= 0:
                page.last = key[: at + len(delimiter)]
                page.prefixes.append(page.last)
                start = after_prefix(page.last) or LAST
            else:
                page.items.append(item)
                page.last = key
                start = key + "\x00"
        if len(items) < batch:
            break
        batch = min(2 * batch, limit + 1)
    return page


def _next_start(after: str, prefix: str, delimiter: str) -> str:
    """Where to begin so that `after`, or the whole common prefix that it is, is left behind."""
    if not after:
        return ""
    if delimiter and after.startswith(prefix):
        at = after.find(delimiter, len(prefix))
        if at >= 0 and at + len(delimiter) == len(after):
            return after_prefix(after) or LAST
    return after + "\x00"


class Version(Struct):
    """A version in a listing, and whether it is the latest of its key."""

    row: Stored
    latest: bool


async def walk_versions(fetch: Fetch[Version], prefix: str, delimiter: str, after: str, limit: int) -> Page[Version]:
    """Versions: one key comes once for each of them, newest first."""
    return await walk_repeated(fetch, lambda one: (one.row.key, (-one.row.order, "")), prefix, delimiter, after, limit)


Place = tuple[str, tuple[int, str]]


async def walk_repeated(
    fetch: Fetch[Item], place_of: Callable[[Item], Place], prefix: str, delimiter: str, after: str, limit: int
) -> Page[Item]:
    """As `walk`, where a key may come many times, ordered among themselves; a page may end within a key.

    `place_of` gives an item's key, and what orders it among the items of that key.
    """
    page: Page[Item] = Page([], [], False, "")
    if limit <= 0:
        return page
    end = after_prefix(prefix) or LAST
    start = max(prefix, _next_start(after, prefix, delimiter))
    batch = limit + 1
    seen: Place = ("", (0, ""))
    while start < end:
        items = await fetch(start, end, batch)
        for item in items:
            place = place_of(item)
            key = place[0]
            if key < start or (key == seen[0] and place <= seen):
                continue
            if len(page.items) + len(page.prefixes) == limit:
                page.truncated = True
                return page
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            if at >= 0:
                page.last = key[: at + len(delimiter)]
                page.prefixes.append(page.last)
                start = after_prefix(page.last) or LAST
            else:
                page.last, seen, start = key, place, key
                page.items.append(item)
        if len(items) < batch:
            break
        batch *= 2  # the next one starts with those items of the last key that were shown already
    return page
