"""Who waits for a stream's shards to be changed, and goes away, leaves those that wait with it as they were."""

import asyncio
from typing import Any, cast

from cumulet.services.kinesis.directory import Directory, Opened
from cumulet.services.kinesis.model import StreamKey


class _Directory(Directory):
    def __init__(self, opened: Opened) -> None:
        self._one = opened

    async def find(self, key: StreamKey) -> Opened:
        return self._one


def test_a_writer_that_goes_away_while_shards_change_does_not_stop_others() -> None:
    async def main() -> None:
        opened = Opened(cast(Any, None), [], {})
        directory = _Directory(opened)
        key = cast(StreamKey, None)
        async with opened.reshaping():
            gone, stays = (asyncio.ensure_future(directory.writable(key)) for _ in range(2))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.wait({gone})
        assert await stays is opened
        assert await directory.writable(key) is opened
        async with opened.reshaping():
            pass

    asyncio.run(main())
