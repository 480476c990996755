"""Listing against the plain way of doing it: sort everything, then roll up."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from cumulet.services.s3.model import Stored, after_prefix
from cumulet.services.s3.walk import Page, Version, walk, walk_versions

keys = st.lists(st.text(alphabet="ab/\U0010ffff\ud7ff", min_size=1, max_size=5), unique=True, max_size=30)


def plain(all_keys: list[str], prefix: str, delimiter: str, after: str) -> list[str]:
    """Keys and common prefixes after `after`, in order."""
    found: list[str] = []
    for key in sorted(all_keys):
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            one = key if at < 0 else key[: at + len(delimiter)]
            if one > after and one not in found:
                found.append(one)
    return found


@given(keys, st.sampled_from(["", "a", "a/", "b"]), st.sampled_from(["", "/", "a"]), st.integers(1, 5))
def test_pages_hold_what_a_plain_listing_does(all_keys: list[str], prefix: str, delimiter: str, limit: int) -> None:
    async def fetch(start: str, end: str, count: int) -> list[str]:
        return sorted(key for key in all_keys if start <= key < end)[:count]

    async def pages() -> list[Page[str]]:
        found: list[Page[str]] = []
        after = ""
        while not found or found[-1].truncated:
            found.append(await walk(fetch, lambda key: key, prefix, delimiter, after, limit))
            after = found[-1].last
        return found

    found = asyncio.run(pages())
    assert all(len(page.items) + len(page.prefixes) <= limit for page in found)
    shown = [one for page in found for one in sorted([*page.items, *page.prefixes])]
    assert shown == plain(all_keys, prefix, delimiter, "")


@given(keys, st.integers(1, 6), st.sampled_from(["", "/"]))
def test_versions_of_a_key_stay_together(all_keys: list[str], each: int, delimiter: str) -> None:
    rows = [
        Version(Stored(1, key, order, "", 0, 0, "", 0.0, "", "", "", "", "", b""), order == each)
        for key in sorted(all_keys)
        for order in range(each, 0, -1)
    ]

    async def fetch(start: str, end: str, count: int) -> list[Version]:
        return [one for one in rows if start <= one.row.key < end][:count]

    page = asyncio.run(walk_versions(fetch, "", delimiter, "", 1000))
    expected = [one for one in rows if not (delimiter and delimiter in one.row.key)]
    assert page.items == expected
    assert page.prefixes == [one for one in plain(all_keys, "", delimiter, "") if delimiter and one.endswith(delimiter)]


@given(st.text(min_size=1), st.text())
def test_everything_that_starts_with_a_prefix_comes_before_what_follows_it(prefix: str, rest: str) -> None:
    following = after_prefix(prefix)
    if following is not None:
        assert (prefix + rest).encode() < following.encode()
        assert prefix.encode() < following.encode()
