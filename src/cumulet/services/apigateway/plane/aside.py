"""Threads for what would hold the event loop: large documents, templates with much work, compression of large bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")
_MOST = 2
LARGE = 131_072
"""Bytes of a body from which on going through it belongs on a thread."""


@cache
def _threads() -> ThreadPoolExecutor:
    """Two of API Gateway's own, so that those which files and others wait for stay free."""
    return ThreadPoolExecutor(_MOST, "apis")


async def aside(work: Callable[[], T]) -> T:
    """Have something done on a thread; what it raises is raised."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), work)
