"""What empties a queue, with a queue in memory: throttles, limits on how many at once, what is counted."""

import asyncio
import functools
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from cumulet.api.lambda_ import RecursiveInvocationException, TooManyRequestsException
from cumulet.compute import Outcome
from cumulet.kernel.clock import MovableClock
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.sources.calls import Answer
from cumulet.services.lambda_.sources.port import Item
from cumulet.services.lambda_.sources.queue_poller import Pace, QueuePoller

VISIBILITY = 30.0


class Line:
    """A queue in memory."""

    def __init__(self, clock: MovableClock) -> None:
        self._clock = clock
        self._waiting: list[str] = []
        self._more = asyncio.Event()
        self.emptied = asyncio.Event()
        self.expected = 8
        self.removed: list[str] = []

    def put(self, *ids: str) -> None:
        self._waiting += ids
        self._more.set()

    async def receive(self, limit: int, patience: int) -> Sequence[Item]:
        while not self._waiting and patience:
            self._more.clear()
            await self._more.wait()
        taken, self._waiting = self._waiting[:limit], self._waiting[limit:]
        until = self._clock.now() + VISIBILITY
        return [Item(id=id, record=json.dumps(id).encode(), until=until, handle=id) for id in taken]

    async def remove(self, items: Sequence[Item]) -> None:
        self.removed += [item.id for item in items]
        if len(self.removed) == self.expected:
            self.emptied.set()

    async def give_back(self, items: Sequence[Item]) -> None:
        self._waiting = [item.id for item in items] + self._waiting

    def view(self, item: Item) -> Any:
        return item.id


class Function:
    """A function that does as `behave` says: it may raise what Lambda raises when a function is not run."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.behave: Callable[[list[str]], Any] = lambda ids: None
        self.gate: asyncio.Event | None = None

    async def invoke(self, payload: bytes, trace: str = "") -> Answer:
        ids = json.loads(payload)["Records"]
        self.calls.append(ids)
        answer = self.behave(ids)
        if self.gate is not None:
            await self.gate.wait()
        body = json.dumps(answer).encode()
        return Answer(Outcome(payload=body, environment_id="", cold=False, duration=0.0, max_memory=0), "1", "request")

    async def room(self, note: Callable[[str], None]) -> None:
        note("")


class World:
    def __init__(self) -> None:
        self.clock = MovableClock(lambda: 1_700_000_000.0)
        self.line = Line(self.clock)
        self.function = Function()
        self.counted: Counter[str] = Counter()
        self.said: list[str] = []
        self._tasks = Tasks()
        self._pollers: list[QueuePoller] = []

    def count(self, metric: str, value: int) -> None:
        self.counted[metric] += value

    async def start(self, pace: Pace, wanted: Callable[[Any], bool] | None = None) -> QueuePoller:
        poller = QueuePoller(
            *(self.line, self.function, pace),
            wanted=wanted,
            note=self.said.append,
            count=self.count,
            clock=self.clock,
            tasks=self._tasks,
        )
        poller.start()
        await self.rest()
        return poller

    async def rest(self, seconds: float = 0.0) -> None:
        """Let everything go on that can, then move time."""
        for _ in range(40):
            await asyncio.sleep(0)
        if seconds:
            await self.clock.advance(seconds)
            await self.rest()

    async def close(self) -> None:
        await self._tasks.close()


def played(story: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[World], None]:
    """A test that runs on a loop of its own."""

    @functools.wraps(story)
    def run(world: World) -> None:
        async def whole() -> None:
            try:
                await story(world)
            finally:
                await world.close()

        asyncio.run(whole())

    return run


@pytest.fixture
def world() -> World:
    return World()


@played
async def test_a_throttled_batch_is_kept_and_tried_again(world: World) -> None:
    def behave(ids: list[str]) -> None:
        if len(world.function.calls) < 5:
            raise TooManyRequestsException("Rate Exceeded.")

    world.function.behave = behave
    world.line.put("a")
    await world.start(Pace(size=10, window=0))
    assert world.line.removed == []
    await world.rest(5)
    assert world.function.calls == [["a"]] * 5
    assert world.line.removed == ["a"]


@played
async def test_a_full_queue_is_emptied_to_its_last_message(world: World) -> None:
    sent = [str(number) for number in range(57)]
    world.line.expected = len(sent)
    world.line.put(*sent)
    await world.start(Pace(size=10, window=0))
    async with asyncio.timeout(60):
        await world.line.emptied.wait()
    assert sorted(world.line.removed) == sorted(sent)
    assert all(len(ids) <= 10 for ids in world.function.calls)
    assert world.counted["DeletedEventCount"] == world.counted["InvokedEventCount"] == len(sent)


@played
async def test_batches_of_an_ordered_queue_are_received_one_by_one(world: World) -> None:
    asked: list[int] = []
    receive = world.line.receive

    async def noted(limit: int, patience: int) -> Sequence[Item]:
        asked.append(limit)
        return await receive(limit, patience)

    world.line.receive = noted  # type: ignore[method-assign]  # a spy
    world.line.expected = 30
    world.line.put(*(str(number) for number in range(30)))
    await world.start(Pace(size=10, window=0, ordered=True))
    async with asyncio.timeout(60):
        await world.line.emptied.wait()
    assert set(asked) == {10}


@played
async def test_it_is_let_go_before_others_may_see_it(world: World) -> None:
    def behave(ids: list[str]) -> None:
        raise TooManyRequestsException("Rate Exceeded.")

    world.function.behave = behave
    world.line.put("a")
    await world.start(Pace(size=10, window=0))
    await world.rest(VISIBILITY)
    tried = len(world.function.calls)
    await world.rest(VISIBILITY)
    assert tried == len(world.function.calls)
    assert world.line.removed == []


@played
async def test_what_will_never_run_is_not_tried_again(world: World) -> None:
    def behave(ids: list[str]) -> None:
        raise RecursiveInvocationException("in a loop")

    world.function.behave = behave
    world.line.put("a")
    await world.start(Pace(size=10, window=0))
    await world.rest(10)
    assert world.function.calls == [["a"]]
    assert world.said[-1] == "PROBLEM: in a loop"


@played
async def test_no_more_at_once_than_allowed(world: World) -> None:
    world.function.gate = asyncio.Event()
    world.line.put(*"abcdefgh")
    await world.start(Pace(size=1, window=0, first=5, most=3))
    assert len(world.function.calls) == 3
    world.function.gate.set()
    async with asyncio.timeout(60):
        await world.line.emptied.wait()  # in real time: removals from a full queue wait for each other
    assert sorted(world.line.removed) == list("abcdefgh")


@played
async def test_what_was_gathered_is_given_back_when_it_stops(world: World) -> None:
    world.line.put("a", "b")
    poller = await world.start(Pace(size=100, window=60))
    await poller.stop()
    await poller.drained()
    assert (world.function.calls, world.line.removed) == ([], [])
    assert world.line._waiting == ["a", "b"]


@played
async def test_records_are_counted(world: World) -> None:
    world.function.behave = lambda ids: {"batchItemFailures": [{"itemIdentifier": "c"}]}
    world.line.put("a", "b", "c", "x")
    await world.start(Pace(size=10, window=0, partial=True), wanted=lambda id: id != "x")
    await world.rest()
    assert world.line.removed == ["x", "a", "b"]
    assert world.counted == {
        "PolledEventCount": 4,
        "FilteredOutEventCount": 1,
        "InvokedEventCount": 3,
        "FailedInvokeEventCount": 1,
        "DeletedEventCount": 3,
    }


@played
async def test_as_much_is_received_ahead_as_a_slow_disk_takes(world: World) -> None:
    asked: list[int] = []
    receive = world.line.receive

    async def slow(limit: int, patience: int) -> Sequence[Item]:
        asked.append(limit)
        await asyncio.sleep(0.01)
        return await receive(limit, patience)

    world.line.receive = slow  # type: ignore[method-assign]  # a spy
    sent = [str(number) for number in range(3000)]
    world.line.expected = len(sent)
    world.line.put(*sent)
    await world.start(Pace(size=10, window=0))
    async with asyncio.timeout(60):
        await world.line.emptied.wait()
    assert sorted(world.line.removed) == sorted(sent)
    assert max(asked) == 400
    assert asked[0] == 10


@played
async def test_what_was_received_ahead_is_given_back_when_it_stops(world: World) -> None:
    gate = asyncio.Event()

    def behave(ids: list[str]) -> None:
        if len(world.function.calls) > 5:  # after some that were over in no time
            world.function.gate = gate

    world.function.behave = behave
    sent = [str(number) for number in range(300)]
    world.line.put(*sent)
    poller = await world.start(Pace(size=10, window=0, first=2, most=2))
    async with asyncio.timeout(60):
        while len(world.function.calls) < 7:
            await world.rest()
    await world.rest()
    begun = len(world.function.calls)
    assert 300 - len(world.line._waiting) > 10 * begun  # some is read ahead
    await poller.stop()
    gate.set()
    async with asyncio.timeout(60):
        await poller.drained()
    assert len(world.function.calls) == begun
    assert sorted(world.line._waiting + world.line.removed) == sorted(sent)


@played
async def test_of_messages_in_an_order_those_behind_are_given_back_when_it_stops(world: World) -> None:
    world.line.put("a", "b", "c")
    world.function.gate = asyncio.Event()
    poller = await world.start(Pace(size=10, window=0, ordered=True, payload=20))
    await poller.stop()
    world.function.gate.set()
    async with asyncio.timeout(60):
        await poller.drained()
    assert (world.function.calls, world.line.removed) == ([["a"]], ["a"])
    assert world.line._waiting == ["b", "c"]


@played
async def test_a_throttled_batch_is_given_back_when_it_stops(world: World) -> None:
    def behave(ids: list[str]) -> None:
        raise TooManyRequestsException("Rate Exceeded.")

    world.function.behave = behave
    world.line.put("a")
    poller = await world.start(Pace(size=10, window=0))
    await poller.stop()
    tried = len(world.function.calls)
    await world.rest(5)
    await poller.drained()
    assert (len(world.function.calls), world.line._waiting) == (tried, ["a"])


@played
async def test_messages_in_an_order_that_an_event_has_no_room_for_wait_for_those_before(world: World) -> None:
    world.line.put("a", "b")
    world.function.gate = asyncio.Event()
    await world.start(Pace(size=10, window=0, ordered=True, payload=20))
    assert world.function.calls == [["a"]]
    world.function.gate.set()
    await world.rest()
    assert world.function.calls == [["a"], ["b"]]
    assert world.line.removed == ["a", "b"]


@played
async def test_of_messages_in_an_order_none_overtakes_one_that_failed(world: World) -> None:
    world.function.behave = lambda ids: {"batchItemFailures": [{"itemIdentifier": "a"}]}
    world.line.put("a", "b")
    await world.start(Pace(size=10, window=0, partial=True, ordered=True, payload=20))
    await world.rest()
    assert world.function.calls == [["a"]]
    assert world.line.removed == []
