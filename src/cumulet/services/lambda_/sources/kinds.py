"""The kinds of sources, by the service in their ARN: their defaults and limits.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

from __future__ import annotations

from msgspec import Struct

from cumulet.api.lambda_ import EventSourceMappingConfiguration


class Kind(Struct, frozen=True, kw_only=True):
    """`batch` is the default BatchSize and `most` the largest; `free` the largest without a batching window (0: any).

    `stream`: read in order from a position, with retries of its own. `ordered`: shards have checkpoints, bisecting, ages.
    `here`: this node has it; the others answer NotImplemented once AWS's own rules are kept.
    """

    name: str
    batch: int
    most: int
    free: int = 0
    stream: bool = False
    ordered: bool = False
    positions: frozenset[str] = frozenset()
    here: bool = False


_ANY = frozenset({"TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"})

SQS = Kind(name="sqs", batch=10, most=10_000, free=10, here=True)
SQS_FIFO = Kind(name="sqs", batch=10, most=10, free=10, here=True)
KINESIS = Kind(name="kinesis", batch=100, most=10_000, stream=True, ordered=True, positions=_ANY, here=True)
DYNAMODB = Kind(
    name="dynamodb",
    batch=100,
    most=10_000,
    stream=True,
    ordered=True,
    positions=frozenset({"TRIM_HORIZON", "LATEST"}),
    here=True,
)
KAFKA = Kind(name="kafka", batch=100, most=10_000, stream=True, positions=_ANY)
KAFKA_OWN = Kind(name="kafka", batch=100, most=10_000, stream=True, positions=_ANY, here=True)
"""A cluster of one's own, which has no ARN; the other is MSK's."""
MQ = Kind(name="mq", batch=100, most=10_000)
DOCUMENT_DB = Kind(name="rds", batch=100, most=10_000, stream=True, positions=_ANY)

_BY_SERVICE = {kind.name: kind for kind in (SQS, KINESIS, DYNAMODB, KAFKA, MQ, DOCUMENT_DB)}


def kind_of_mapping(configuration: EventSourceMappingConfiguration) -> Kind:
    """The kind of source of a mapping that is there."""
    if configuration.self_managed_event_source is not None:
        return KAFKA_OWN
    kind = kind_of(configuration.event_source_arn or "")
    assert kind is not None
    return kind


def kind_of(source: str) -> Kind | None:
    """The kind of the source with this ARN; None when it is none."""
    service = source.split(":")[2] if source.count(":") >= 5 else ""
    if service == "sqs" and source.endswith(".fifo"):
        return SQS_FIFO
    return _BY_SERVICE.get(service)
