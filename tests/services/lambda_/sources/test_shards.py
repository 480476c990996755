"""What follows a stream, with a stream in memory: order, retries, splitting, ages, windows, checkpoints."""

import asyncio
import functools
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from cumulet.api.lambda_ import TooManyRequestsException
from cumulet.compute import Outcome
from cumulet.kernel.clock import MovableClock
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.sources.batches import Rules
from cumulet.services.lambda_.sources.calls import Answer
from cumulet.services.lambda_.sources.checkpoints import Checkpoint, Discard
from cumulet.services.lambda_.sources.port import Reading, Record, Shard, SourceGone
from cumulet.services.lambda_.sources.shard_poller import ShardPoller
from cumulet.services.lambda_.sources.shard_reader import ShardReader

ARN = "arn:aws:kinesis:us-east-1:111111111111:stream/s"
START = 1_700_000_000.0  # falls on the beginning of a window of ten seconds


class Stream:
    """A stream: shards of numbered records, which may be closed and followed by others."""

    def __init__(self, clock: MovableClock) -> None:
        self._clock = clock
        self._shards: dict[str, Shard] = {}
        self._records: dict[str, list[Record]] = {}
        self._closed: set[str] = set()
        self._more = asyncio.Event()
        self._count = 0
        self.gone = False

    def open(self, shard: str, *parents: str) -> None:
        self._shards[shard] = Shard(shard, parents)
        self._records[shard] = []

    def put(self, *values: int, shard: str = "a", key: str = "", arrival: float | None = None) -> None:
        for value in values:
            self._count += 1
            body = json.dumps({"value": value}).encode()
            when = self._clock.now() if arrival is None else arrival
            self._records[shard].append(Record(f"{self._count:08d}", when, key or str(value), body))
        self._more.set()

    def close(self, shard: str) -> None:
        self._closed.add(shard)
        self._more.set()

    async def shards(self) -> Sequence[Shard]:
        if self.gone:
            raise SourceGone("Stream not found")
        return list(self._shards.values())

    async def read(self, shard: str, after: str | None, limit: int) -> Reading:
        left = [record for record in self._records[shard] if after is None or record.sequence > after]
        found = left[:limit]
        position = found[-1].sequence if found else after
        return Reading(found, position, shard in self._closed and len(found) == len(left))

    async def wait(self, shard: str, patience: float) -> None:
        self._more.clear()
        await self._more.wait()

    def view(self, record: Record) -> Any:
        return json.loads(record.record)

    def batch_info(self, shard: str, records: Sequence[Record]) -> tuple[str, dict[str, Any]]:
        return "BatchInfo", {"shardId": shard, "batchSize": len(records)}


class Pages:
    """A ledger that outlives its pollers."""

    def __init__(self) -> None:
        self.checkpoints: dict[str, Checkpoint] = {}
        self.discards: list[tuple[list[int], str, int]] = []

    async def load(self) -> dict[str, Checkpoint]:
        return dict(self.checkpoints)

    async def save(self, shard: str, checkpoint: Checkpoint, discard: Discard | None = None) -> None:
        self.checkpoints[shard] = checkpoint
        if discard is not None:
            values = [json.loads(record.record)["value"] for record in discard.records]
            self.discards.append((values, discard.condition, discard.attempts))


class Function:
    """A function: `behave` gets each event and gives the answer; what it raises is the function's error."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.behave: Callable[[Any], Any] = lambda event: None

    @property
    def batches(self) -> list[list[int]]:
        return [[record["value"] for record in event["Records"]] for event in self.events]

    async def invoke(self, payload: bytes, trace: str = "") -> Answer:
        event = json.loads(payload)
        self.events.append(event)
        error: Literal["handled"] | None = None
        answer = None
        try:
            answer = self.behave(event)
        except AssertionError:
            error = "handled"
        outcome = Outcome(
            payload=json.dumps(answer).encode(),
            environment_id="",
            cold=False,
            duration=0.0,
            max_memory=0,
            error=error,
        )
        return Answer(outcome, "$LATEST", "request")

    async def room(self, note: Callable[[str], None]) -> None:
        return


class World:
    """A stream, a function and what lies between them, on a clock that only the test moves."""

    def __init__(self) -> None:
        self.clock = MovableClock(lambda: START)
        self.stream = Stream(self.clock)
        self.stream.open("a")
        self.function = Function()
        self.pages = Pages()
        self.said: list[str] = []
        self.counted: Counter[str] = Counter()
        self._tasks = Tasks()

    @asynccontextmanager
    async def following(
        self, rules: Rules | None = None, wanted: Callable[[Any], bool] | None = None
    ) -> AsyncIterator[None]:
        def reader(shard: str, checkpoint: Checkpoint) -> ShardReader:
            return ShardReader(
                shard,
                checkpoint,
                source=self.stream,
                source_arn=ARN,
                function=self.function,
                ledger=self.pages,
                rules=rules or Rules(size=10),
                wanted=wanted,
                note=self.said.append,
                count=self.count,
                clock=self.clock,
            )

        poller = ShardPoller(
            self.stream, self.pages, reader, note=self.said.append, clock=self.clock, tasks=self._tasks
        )
        poller.start()
        await self.rest()
        try:
            yield
        finally:
            await poller.stop()
            await self._tasks.close()

    def count(self, metric: str, value: int) -> None:
        self.counted[metric] += value

    async def rest(self, seconds: float = 0.0) -> None:
        """Let everything go on that can, then move time."""
        for _ in range(60):
            await asyncio.sleep(0)
        if seconds:
            await self.clock.advance(seconds)
            await self.rest()


def played(story: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[World], None]:
    """A test that runs on a loop of its own."""

    @functools.wraps(story)
    def run(world: World) -> None:
        asyncio.run(story(world))

    return run


@pytest.fixture
def world() -> World:
    return World()


@played
async def test_records_come_in_order_and_once(world: World) -> None:
    world.stream.put(*range(25))
    async with world.following():
        world.stream.put(25)
        await world.rest()
    assert world.function.batches == [list(range(10)), list(range(10, 20)), list(range(20, 25)), [25]]
    assert world.said[-1] == "OK"


@played
async def test_it_goes_on_where_it_stopped(world: World) -> None:
    world.stream.put(1, 2)
    async with world.following():
        pass
    world.stream.put(3)
    async with world.following():
        pass
    assert world.function.batches == [[1, 2], [3]]


@played
async def test_a_batching_window_gathers(world: World) -> None:
    async with world.following(Rules(size=10, window=5)):
        world.stream.put(1)
        await world.rest(3)
        world.stream.put(2)
        await world.rest()
        assert world.function.batches == []
        await world.rest(3)
        assert world.function.batches == [[1, 2]]
        world.stream.put(*range(10))
        await world.rest()
    assert world.function.batches[1] == list(range(10))


@played
async def test_a_failed_batch_is_tried_until_it_succeeds_and_nothing_passes_it(world: World) -> None:
    def behave(event: Any) -> None:
        assert len(world.function.events) > 3

    world.function.behave = behave
    world.stream.put(1)
    async with world.following():
        world.stream.put(2)
        await world.rest(10)
    assert world.function.batches == [[1], [1], [1], [1], [2]]
    assert "PROBLEM: Function call failed" in world.said


@played
async def test_retries_end_and_what_is_given_up_is_told(world: World) -> None:
    def behave(event: Any) -> None:
        assert event["Records"][0]["value"] != 1

    world.function.behave = behave
    world.stream.put(1, 2)
    async with world.following(Rules(size=1, retries=2)):
        await world.rest(60)
    assert world.function.batches == [[1], [1], [1], [2]]
    assert world.pages.discards == [([1], "RetryAttemptsExhausted", 3)]


@played
async def test_bisecting_finds_the_bad_record(world: World) -> None:
    def behave(event: Any) -> None:
        assert all(record["value"] != 5 for record in event["Records"])

    world.function.behave = behave
    world.stream.put(*range(8))
    async with world.following(Rules(size=8, retries=0, bisect=True)):
        await world.rest(60)
    assert world.function.batches == [list(range(8)), [0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [4], [5], [6, 7]]
    assert world.pages.discards == [([5], "RetryAttemptsExhausted", 1)]
    assert world.counted == {
        "PolledEventCount": 8,
        "InvokedEventCount": 22,
        "FailedInvokeEventCount": 15,
        "DroppedEventCount": 1,
    }


@played
async def test_partial_answers_go_on_at_the_first_failure(world: World) -> None:
    answers = iter([{"batchItemFailures": [{"itemIdentifier": "00000003"}]}, {}])
    world.function.behave = lambda event: next(answers)
    world.stream.put(1, 2, 3, 4)
    async with world.following(Rules(size=10, partial=True)):
        assert world.pages.checkpoints["a"].position == "00000002"
        await world.rest(1)
    assert world.function.batches == [[1, 2, 3, 4], [3, 4]]


@played
async def test_old_records_are_given_up(world: World) -> None:
    world.stream.put(1, arrival=START - 100)
    world.stream.put(2)
    async with world.following(Rules(size=10, age=60)):
        pass
    assert world.function.batches == [[2]]
    assert world.pages.discards == [([1], "RecordAgeExceeded", 0)]


@played
async def test_a_throttle_costs_no_retry(world: World) -> None:
    def behave(event: Any) -> None:
        if len(world.function.events) < 4:
            raise TooManyRequestsException("Rate Exceeded.")

    world.function.behave = behave
    world.stream.put(1)
    async with world.following(Rules(size=1, retries=0)):
        await world.rest(10)
    assert world.function.batches == [[1]] * 4
    assert world.pages.discards == []


@played
async def test_what_filters_do_not_want_is_passed_over(world: World) -> None:
    world.stream.put(*range(6))
    async with world.following(wanted=lambda value: value["value"] % 2 == 0):
        pass
    assert world.function.batches == [[0, 2, 4]]
    assert world.pages.checkpoints["a"].position == "00000006"


@played
async def test_lanes_keep_the_order_of_each_key(world: World) -> None:
    for number in range(40):
        world.stream.put(number, key=f"k{number % 7}")
    async with world.following(Rules(size=4, factor=5)):
        await world.rest()
    seen = [value for batch in world.function.batches for value in batch]
    assert sorted(seen) == list(range(40))
    for key in range(7):
        assert [value for value in seen if value % 7 == key] == list(range(key, 40, 7))
    assert world.pages.checkpoints["a"].position == "00000040"


@played
async def test_children_wait_for_their_parents(world: World) -> None:
    world.stream.put(1, 2)
    world.stream.open("b", "a")
    world.stream.put(3, shard="b")
    async with world.following():
        await world.rest()
        assert world.function.batches == [[1, 2]]
        world.stream.close("a")
        await world.rest()
    assert world.function.batches == [[1, 2], [3]]
    assert world.pages.checkpoints["a"].ended


@played
async def test_a_stream_that_is_gone_is_named_and_looked_for_again(world: World) -> None:
    world.stream.gone = True
    world.stream.put(1)
    async with world.following():
        assert world.said == ["PROBLEM: Stream not found"]
        world.stream.gone = False
        await world.rest(1)
    assert world.function.batches == [[1]]


def counting(event: Any) -> Any:
    """Adds up what it gets, window by window."""
    return {"state": {"sum": event["state"].get("sum", 0) + sum(record["value"] for record in event["Records"])}}


@played
async def test_a_tumbling_window_carries_its_state_to_its_end(world: World) -> None:
    world.function.behave = counting
    rules = Rules(size=2, tumbling=10)
    world.stream.put(1, 2, 3)
    async with world.following(rules):
        pass
    async with world.following(rules):  # the state outlives what carries it
        world.stream.put(4)
        await world.rest(11)
    first, *_, last = world.function.events
    assert first["window"] == {"start": "2023-11-14T22:13:20Z", "end": "2023-11-14T22:13:30Z"}
    assert (first["state"], first["shardId"], first["eventSourceARN"]) == ({}, "a", ARN)
    assert [event["isFinalInvokeForWindow"] for event in world.function.events] == [False, False, False, True]
    assert (last["Records"], last["state"], last["isWindowTerminatedEarly"]) == ([], {"sum": 10}, False)


@played
async def test_records_of_the_next_window_end_the_one_before(world: World) -> None:
    world.function.behave = counting
    world.stream.put(1)
    world.stream.put(10, arrival=START + 12)
    async with world.following(Rules(size=10, tumbling=10)):
        await world.rest()
    assert world.function.batches == [[1], [], [10]]
    assert [event["state"] for event in world.function.events] == [{}, {"sum": 1}, {}]


@played
async def test_an_answer_without_state_fails_the_batch(world: World) -> None:
    answers: Iterator[Any] = iter([None, {"state": {}}])
    world.function.behave = lambda event: next(answers)
    world.stream.put(1)
    async with world.following(Rules(size=10, tumbling=10)):
        await world.rest(1)
    assert world.function.batches == [[1], [1]]


@played
async def test_a_state_that_grows_too_large_ends_its_window_early(world: World) -> None:
    world.function.behave = lambda event: {"state": {"x": "x" * 1_100_000}}
    world.stream.put(1)
    async with world.following(Rules(size=10, tumbling=10)):
        await world.rest()
    assert world.function.events[1]["isWindowTerminatedEarly"]
    assert world.function.events[1]["isFinalInvokeForWindow"]
    assert world.pages.checkpoints["a"].state == {}
