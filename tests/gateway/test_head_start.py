"""What a coroutine does before it first waits is done at once; the rest goes on as if it had been awaited from the start."""

import asyncio
from collections.abc import AsyncIterator
from types import CoroutineType
from typing import Any

import pytest

from cumulet.gateway.head_start import run_ahead


def test_a_coroutine_that_never_waits_gives_its_result_or_its_error() -> None:
    async def give() -> str:
        return "given"

    async def fail() -> None:
        raise KeyError("why")

    assert run_ahead(give()) == "given"
    with pytest.raises(KeyError, match="why"):
        run_ahead(fail())


def test_what_waits_goes_on_through_all_its_waits() -> None:
    async def main() -> None:
        steps: list[str] = []
        gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def numbers() -> AsyncIterator[int]:
            for number in range(3):
                await asyncio.sleep(0)
                yield number

        async def work() -> list[int]:
            steps.append("begun")
            steps.append(await gate)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):  # it has a task by now
                    await asyncio.sleep(60)
            return [number async for number in numbers()]

        rest = run_ahead(work())
        assert isinstance(rest, CoroutineType)
        assert steps == ["begun"]
        asyncio.get_running_loop().call_soon(gate.set_result, "went on")
        assert await rest == [0, 1, 2]
        assert steps == ["begun", "went on"]

    asyncio.run(main())


def test_a_failure_of_what_it_waits_for_is_its_own_to_catch() -> None:
    async def main() -> None:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def work() -> str:
            try:
                await gate
            except ValueError as error:
                return f"caught {error}"
            return "missed"

        rest = run_ahead(work())
        gate.set_exception(ValueError("it"))
        assert await rest == "caught it"

    asyncio.run(main())


def test_several_may_wait_for_the_same_future() -> None:
    async def main() -> None:
        gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def work() -> str:
            return await gate

        ahead = [run_ahead(work()) for _ in range(2)]
        tasks = [asyncio.ensure_future(each) for each in (work(), *ahead)]
        await asyncio.sleep(0)
        late = run_ahead(work())
        gate.set_result("open")
        assert await asyncio.gather(*tasks, late) == ["open"] * 4

    asyncio.run(main())


def test_a_cancelled_task_cancels_what_it_waits_for() -> None:
    async def main() -> None:
        ended: list[str] = []

        async def work() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0)
                ended.append("cleaned")

        for turns in (0, 1):
            task = asyncio.get_running_loop().create_task(run_ahead(work()))
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns:
                task.cancel()
            else:  # as a connection does that goes away before the task begins
                asyncio.get_running_loop().call_soon(task.cancel)
            with pytest.raises(asyncio.CancelledError):
                await task
        assert ended == ["cleaned", "cleaned"]

    asyncio.run(main())


def test_what_is_dropped_before_it_goes_on_is_closed() -> None:
    closed: list[str] = []

    async def work() -> None:
        try:
            await _never()
        finally:
            closed.append("closed")

    rest = run_ahead(work())
    rest.send(None)
    rest.close()
    assert closed == ["closed"]


async def _never() -> None:
    class Never:
        def __await__(self) -> Any:
            yield None

    await Never()
