"""What functions, filters and failure destinations see of Kafka's records.

https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html#smaa-sample-event
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.delivery.kafka.messages import Found
from cumulet.services.lambda_.model import iso
from cumulet.services.lambda_.sources.batches import Form
from cumulet.services.lambda_.sources.filters import opened
from cumulet.services.lambda_.sources.port import Record
from cumulet.services.lambda_.sources.responses import failed_items


class Failed(Struct):
    """A record as functions name it in batchItemFailures."""

    partition: str
    offset: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def shard_name(topic: str, partition: int) -> str:
    """A partition's name in events."""
    return f"{topic}-{partition}"


def record_of(found: Found) -> Record:
    """The record of one that was read. Its sequence is its offset."""
    return Record(str(found.offset), found.timestamp / 1000, "", found.shown)


def form(servers: Sequence[str]) -> Form:
    """Events and answers of a self-managed cluster."""
    return Form(event=event_maker(servers), failures=_failures)


def event_maker(servers: Sequence[str]) -> Callable[[str, Sequence[Record], dict[str, Any] | None], bytes]:
    """What makes the event of records of one partition."""
    head = b'{"eventSource":"SelfManagedKafka","bootstrapServers":' + _encode(",".join(servers)) + b',"records":{'

    def make(shard: str, records: Sequence[Record], _: dict[str, Any] | None = None) -> bytes:
        return head + _encode(shard) + b":[" + b",".join([record.record for record in records]) + b"]}}"

    return make


def view(record: Record) -> Any:
    """What filters look at: the record with its value and key decoded, opened where they are JSON.

    https://docs.aws.amazon.com/lambda/latest/dg/kafka-filtering.html
    """
    shown = _decode(record.record)
    for member in ("key", "value"):
        if member in shown:
            shown[member] = _text(shown[member])
    return shown


def batch_info(servers: Sequence[str], shard: str, records: Sequence[Record], size: int) -> dict[str, Any]:
    """What a failure destination is told of records that were given up; `size` is their event's, in bytes.

    https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html
    """
    first, last = records[0], records[-1]
    return {
        "batchSize": len(records),
        "bootstrapServers": ",".join(servers),
        "payloadSize": size,
        "recordsInfo": {
            shard: {
                "firstRecordOffset": first.sequence,
                "lastRecordOffset": last.sequence,
                "firstRecordTimestamp": moment(first),
                "lastRecordTimestamp": moment(last),
            }
        },
    }


def moment(record: Record) -> str:
    """When a record was made; one without a time of its own has 1970."""
    return iso(max(0.0, record.arrival))


def key_of(record: Record) -> bytes | None:
    """The key of a record; None when it has none."""
    key = _decode(record.record).get("key")
    return None if key is None else base64.b64decode(key)


def _failures(shard: str, answer: bytes) -> list[str] | None:
    """The offsets that an answer names as failed; one of another partition makes it an answer that cannot be understood.

    https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
    """

    def offset(identifier: Any) -> str | None:
        try:
            failed = msgspec.convert(identifier, Failed)
        except msgspec.ValidationError:
            return None
        return str(failed.offset) if failed.partition == shard else None

    return failed_items(answer, offset)


def _text(encoded: str) -> Any:
    """What base64 stands for; None when it is no text."""
    try:
        return opened(base64.b64decode(encoded).decode())
    except UnicodeDecodeError:
        return None
