"""What was answered is there after a `kill -9`, in order, whatever was done to shards meanwhile."""

import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tests.services.kinesis.conftest import WHOLE, shards

ACCOUNT = "111122223333"
_WRITERS = 3


class Load:
    """Writers, each with a key of its own, beside one who changes the number of shards; until the node is gone."""

    def __init__(self) -> None:
        self.answered: dict[bytes, int] = {}
        """The sequence number by what was written: the writer's number and a count."""
        self._counts = [0] * _WRITERS

    def run(self, node: Any, puts: int) -> None:
        """Returns once the node, which is killed after that many answers, is."""
        done = threading.Semaphore(0)
        writers = [(self._write, (each, done)) for each in range(_WRITERS)]
        threads = [
            threading.Thread(target=_until_refused, args=(work, node.client("kinesis", ACCOUNT), *more))
            for work, more in [*writers, (_reshape, ())]
        ]
        for thread in threads:
            thread.start()
        for _ in range(puts):
            assert done.acquire(timeout=60)
        node.kill()
        for thread in threads:
            thread.join(60)

    def _write(self, kinesis: Any, worker: int, done: threading.Semaphore) -> None:
        self._counts[worker] += 1
        text = b"%d-%d" % (worker, self._counts[worker])
        put = kinesis.put_record(StreamName="s", Data=text, PartitionKey=f"{worker}")
        self.answered[text] = int(put["SequenceNumber"])
        done.release()


def _reshape(kinesis: Any) -> None:
    for count in (3, 2):
        kinesis.update_shard_count(StreamName="s", TargetShardCount=count, ScalingType="UNIFORM_SCALING")


def _until_refused(work: Callable[..., None], *given: Any) -> None:
    try:
        while True:
            work(*given)
    except (BotoCoreError, ClientError):
        return


def everything(kinesis: Any) -> list[Any]:
    """All records of the stream, shard by shard."""
    found: list[Any] = []
    for shard in shards(kinesis, "s"):
        wanted = {"ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        place = kinesis.get_shard_iterator(StreamName="s", **wanted)["ShardIterator"]
        while place:
            answer = kinesis.get_records(ShardIterator=place)
            found += answer["Records"]
            place = answer.get("NextShardIterator") if answer["Records"] else None
    return found


def test_what_was_answered_is_there(start_node: Callable[..., Any]) -> None:
    node, load = start_node(), Load()
    node.client("kinesis", ACCOUNT).create_stream(StreamName="s", ShardCount=2)
    for _ in range(2):
        load.run(node, puts=60)
        node.start()
    kinesis = node.client("kinesis", ACCOUNT)
    found = everything(kinesis)
    places = {record["Data"]: int(record["SequenceNumber"]) for record in found}
    assert len(places) == len(found)
    assert {text: places.get(text) for text in load.answered} == load.answered
    for worker in range(_WRITERS):
        mine = [text for text in sorted(load.answered, key=load.answered.__getitem__) if text[:1] == b"%d" % worker]
        assert mine == sorted(mine, key=lambda text: int(text[2:]))
    ring = sorted(
        (int(each["HashKeyRange"]["StartingHashKey"]), int(each["HashKeyRange"]["EndingHashKey"]))
        for each in shards(kinesis, "s", ShardFilter={"Type": "AT_LATEST"})
    )
    assert [start for start, _ in ring] == [0, *(end + 1 for _, end in ring[:-1])]
    assert ring[-1][1] == WHOLE - 1
    last = kinesis.put_record(StreamName="s", Data=b"last", PartitionKey="0")
    assert all(int(last["SequenceNumber"]) > number for text, number in load.answered.items() if text[:1] == b"0")
