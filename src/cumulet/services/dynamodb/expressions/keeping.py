"""What is kept of texts that were read: bounded, so that nobody fills a node's memory with expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

KEPT = 1024
"""Texts, each with the names that go with it, of which the result is kept."""
_MOST_NAMES = 64
_MOST_LETTERS = 8192

Names = tuple[tuple[str, str], ...]
"""ExpressionAttributeNames, so that it can be looked up."""
T = TypeVar("T")


def recalled(function: Callable[..., T], names: Names, *others: str) -> T:
    """`function(*others, names)`, one with an lru_cache; its result is not kept if the names are large."""
    if names and (len(names) > _MOST_NAMES or sum([len(name) for _, name in names]) > _MOST_LETTERS):
        whole: Any = function
        return whole.__wrapped__(*others, names)  # type: ignore[no-any-return]  # what lru_cache calls the function
    return function(*others, names)


def few(keys: tuple[str, ...]) -> bool:
    """Whether so few keys were given that what is known of them may be kept."""
    return len(keys) <= _MOST_NAMES
