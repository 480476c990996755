"""How streams are read by iterators: each is used once, and asked for anew where reading goes on elsewhere or it has expired."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from msgspec import Struct

from cumulet.api.lambda_ import EventSourceMappingConfiguration
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.sources.iterated import IteratedStream
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.sources.port import Reading, Record, Shard, SourceGone
from cumulet.storage.local import LocalSignals

ARN = "arn:aws:numbers:eu-west-1:111122223333:stream/s"
LENGTH = 5


class Ask(Struct):
    place: int
    limit: int = 0


class Numbers:
    """A service with one shard of a few numbers; an iterator is a place and good for one use."""

    def __init__(self) -> None:
        self.operations: list[str] = []
        self.regions: set[str] = set()
        self.failures: list[AwsError] = []

    async def run(self, call: Call, service: str, operation: str, request: Struct) -> Any:
        assert service == "numbers"
        assert isinstance(request, Ask)
        self.operations.append(operation)
        self.regions.add(call.region)
        if operation == "GetRecords" and self.failures:
            raise self.failures.pop()
        return list(range(request.place, min(request.place + request.limit, LENGTH)))


class NumbersStream(IteratedStream):
    service: ClassVar[str] = "numbers"

    async def shards(self) -> Sequence[Shard]:
        return [Shard("0")]

    def view(self, record: Record) -> Any:
        return record.record

    def batch_info(self, shard: str, records: Sequence[Record]) -> tuple[str, dict[str, Any]]:
        return "Numbers", self._extent(shard, records, str)

    def _topic(self, shard: str) -> str:
        return f"numbers/{shard}"

    async def _iterator(self, shard: str, after: str | None) -> str:
        place = 0 if after is None else int(after) + 1
        await self._run("GetShardIterator", Ask(place))
        return str(place)

    async def _records(self, shard: str, iterator: str, limit: int) -> tuple[list[Record], str | None]:
        found = await self._run("GetRecords", Ask(int(iterator), limit))
        following = int(iterator) + len(found)
        records = [Record(str(number), float(number), "", b"") for number in found]
        return records, str(following) if following < LENGTH else None


def opened(numbers: Numbers, signals: LocalSignals) -> NumbersStream:
    configuration = EventSourceMappingConfiguration(uuid="u", event_source_arn=ARN, starting_position="TRIM_HORIZON")
    mapping = Mapping(account="111122223333", region="us-east-1", name="f", configuration=configuration)

    async def as_role() -> Call:
        return Call("111122223333", "us-east-1", Principal.root("111122223333"), "r")

    return NumbersStream(mapping, numbers, signals, as_role, ARN)


def sequences(reading: Reading) -> list[str]:
    return [record.sequence for record in reading.records]


def test_reading_goes_on_with_the_iterator_of_the_last_answer() -> None:
    async def story() -> None:
        numbers = Numbers()
        stream = opened(numbers, LocalSignals())
        first = await stream.read("0", None, 2)
        assert (sequences(first), first.position, first.ended) == (["0", "1"], "1", False)
        second = await stream.read("0", first.position, 9)
        assert (sequences(second), second.position, second.ended) == (["2", "3", "4"], "4", True)
        assert numbers.operations == ["GetShardIterator", "GetRecords", "GetRecords"]
        assert numbers.regions == {"eu-west-1"}  # the stream's, not the caller's
        assert sequences(await stream.read("0", "0", 1)) == ["1"]
        assert numbers.operations[3:] == ["GetShardIterator", "GetRecords"]

    asyncio.run(story())


def test_an_iterator_that_expired_is_asked_for_anew() -> None:
    async def story() -> None:
        numbers = Numbers()
        stream = opened(numbers, LocalSignals())
        await stream.read("0", None, 2)
        numbers.failures = [AwsError("too old", code="ExpiredIteratorException")]
        assert sequences(await stream.read("0", "1", 2)) == ["2", "3"]
        assert numbers.operations[2:] == ["GetRecords", "GetShardIterator", "GetRecords"]

    asyncio.run(story())


def test_a_refusal_says_that_the_source_is_gone_and_a_failure_passes() -> None:
    async def story() -> None:
        numbers = Numbers()
        stream = opened(numbers, LocalSignals())
        numbers.failures = [AwsError("no such stream", code="ResourceNotFoundException", status=400)]
        with pytest.raises(SourceGone, match="no such stream"):
            await stream.read("0", None, 1)
        numbers.failures = [AwsError("broken", status=500)]
        with pytest.raises(AwsError, match="broken"):
            await stream.read("0", None, 1)

    asyncio.run(story())


def test_a_signal_between_reading_and_waiting_is_not_missed() -> None:
    async def story() -> None:
        signals = LocalSignals()
        stream = opened(Numbers(), signals)
        await stream.read("0", None, 1)
        signals.publish("numbers/0")
        async with asyncio.timeout(60):
            await stream.wait("0", 600)

    asyncio.run(story())


def test_the_extent_of_a_batch() -> None:
    records = [Record("7", 1.5, "k", b""), Record("9", 2.5, "k", b"")]
    assert opened(Numbers(), LocalSignals()).batch_info("0", records)[1] == {
        "shardId": "0",
        "startSequenceNumber": "7",
        "endSequenceNumber": "9",
        "approximateArrivalOfFirstRecord": "1.5",
        "approximateArrivalOfLastRecord": "2.5",
        "batchSize": 2,
        "streamArn": ARN,
    }
