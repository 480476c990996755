"""What is held of records that are pushed, without a node."""

import asyncio
from collections.abc import AsyncIterator

from cumulet.api import kinesis as api
from cumulet.services.lambda_.sources.fanout import _Pushed


def test_large_records_wait_for_their_reader() -> None:
    """A subscription gives no more than some megabytes before somebody reads."""
    sent = 0

    async def events() -> AsyncIterator[api.SubscribeToShardEventStream]:
        nonlocal sent
        for number in range(1, 21):
            sent = number
            record = api.Record(sequence_number=str(number), data=bytes(1 << 20), partition_key="k")
            event = api.SubscribeToShardEvent(
                records=[record], continuation_sequence_number=str(number), millis_behind_latest=0
            )
            yield api.SubscribeToShardEventStream(subscribe_to_shard_event=event)

    async def follow() -> list[str]:
        pushed = _Pushed(None)
        taken: list[str] = []
        following = asyncio.ensure_future(pushed.follow(events()))
        while not pushed.over or pushed.records:
            await pushed.more.wait()
            for _ in range(100):
                await asyncio.sleep(0)
            assert sent <= len(taken) + 5
            taken += [each.sequence_number for each in pushed.take(2)]
            if pushed.records or pushed.over:
                pushed.more.set()
        await following
        return taken

    assert asyncio.run(follow()) == [str(number) for number in range(1, 21)]
