"""Answers that are read while they are written, at the pace and for the time that API Gateway gives them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

from msgspec import Struct


class Pace(Struct, frozen=True, kw_only=True):
    """Bytes that pass at once, and in each second from then on; seconds for all of it, and between two pieces."""

    burst: int
    rate: int
    life: float
    idle: float


class TooSlow(Exception):
    """The stream took too long, as a whole or for its next piece: it ends before its end."""


async def paced(pieces: AsyncIterable[bytes], pace: Pace) -> AsyncIterator[bytes]:
    """The pieces, none sooner than the pace allows. Raises TooSlow."""
    loop = asyncio.get_running_loop()
    end = loop.time() + pace.life
    source = aiter(pieces)
    sent, ahead_since = 0, 0.0
    try:
        while True:
            try:
                async with asyncio.timeout_at(min(end, loop.time() + pace.idle)):
                    piece = await anext(source)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise TooSlow("a streamed answer was cut off: its integration said nothing more in time") from None
            yield piece
            sent += len(piece)
            if (over := sent - pace.burst) > 0:
                now = loop.time()
                ahead_since = ahead_since or now
                await asyncio.sleep(max(0.0, ahead_since + over / pace.rate - now))
    finally:
        if (close := getattr(source, "aclose", None)) is not None:
            await close()
