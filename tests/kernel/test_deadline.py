"""Blocks that may wait for so long."""

import asyncio

import pytest

from cumulet.kernel.deadline import Deadline


def test_what_takes_longer_is_cancelled_and_told() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError), Deadline(0.01):
            await asyncio.sleep(30)
        await asyncio.sleep(0)  # the task itself goes on

    asyncio.run(main())


def test_what_is_in_time_is_left_alone() -> None:
    async def main() -> None:
        with Deadline(30):
            await asyncio.sleep(0)
        with Deadline(0.01):
            pass
        await asyncio.sleep(0.03)

    asyncio.run(main())


def test_errors_of_the_block_are_its_own() -> None:
    async def main() -> None:
        with pytest.raises(KeyError), Deadline(30):
            raise KeyError

    asyncio.run(main())


def test_a_cancellation_from_outside_stays_one() -> None:
    async def main() -> None:
        began = asyncio.Event()

        async def work() -> None:
            with Deadline(30):
                began.set()
                await asyncio.sleep(30)

        task = asyncio.ensure_future(work())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_one_within_another_ends_only_its_own_block() -> None:
    async def main() -> None:
        with Deadline(30):
            with pytest.raises(TimeoutError), Deadline(0.01):
                await asyncio.sleep(30)
            await asyncio.sleep(0)

    asyncio.run(main())
