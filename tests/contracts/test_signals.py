"""What every signal engine must do."""

import asyncio
from collections.abc import Callable

import pytest

from cumulet.storage.local import LocalSignals
from cumulet.storage.signals import Signals

ENGINES: dict[str, Callable[[], Signals]] = {"local": LocalSignals}


@pytest.fixture(params=ENGINES)
def signals(request: pytest.FixtureRequest) -> Signals:
    return ENGINES[request.param]()


def test_a_signal_reaches_those_who_wait_on_its_topic_alone(signals: Signals) -> None:
    async def scenario() -> None:
        waiters = [signals.waiter("a"), signals.waiter("a"), signals.waiter("b")]
        waits = [
            asyncio.ensure_future(waiter.wait(limit)) for waiter, limit in zip(waiters, (60, 60, 0.2), strict=True)
        ]
        await asyncio.sleep(0)
        signals.publish("a")
        assert await asyncio.gather(*waits) == [True, True, False]

    asyncio.run(scenario())


def test_a_signal_between_two_waits_is_remembered_once(signals: Signals) -> None:
    async def scenario() -> None:
        waiter = signals.waiter("a")
        signals.publish("a")
        signals.publish("a")
        assert await waiter.wait(60)
        assert not await waiter.wait(0.01)
        waiter.close()
        signals.publish("a")
        assert not await waiter.wait(0.01)

    asyncio.run(scenario())


def test_subscribers_get_the_payload_until_they_end(signals: Signals) -> None:
    async def scenario() -> None:
        got: list[bytes] = []
        end = signals.subscribe("a", got.append)
        signals.publish("a", b"1")
        await asyncio.sleep(0.01)
        end()
        end()
        signals.publish("a", b"2")
        await asyncio.sleep(0.01)
        assert got == [b"1"]

    asyncio.run(scenario())
