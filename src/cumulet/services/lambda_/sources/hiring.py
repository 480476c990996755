"""Which worker a mapping needs."""

from collections.abc import Callable
from functools import partial

from cumulet.kernel.arn import Arn
from cumulet.services.lambda_.sources.batches import FOREVER, Rules
from cumulet.services.lambda_.sources.calls import Invoker
from cumulet.services.lambda_.sources.checkpoints import StoredLedger
from cumulet.services.lambda_.sources.dynamodb import DynamoDbSource
from cumulet.services.lambda_.sources.filters import compile_filters
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.sources.operations import check_tagged
from cumulet.services.lambda_.sources.port import QueueSource, ShardSource
from cumulet.services.lambda_.sources.queue_poller import Pace, QueuePoller
from cumulet.services.lambda_.sources.roster import Hire, Roster, Worker
from cumulet.services.lambda_.sources.shard_poller import ShardPoller
from cumulet.services.lambda_.sources.shard_reader import ShardReader
from cumulet.services.lambda_.sources.sqs import SqsSource
from cumulet.services.lambda_.sources.store import MappingStore
from cumulet.services.lambda_.state import Lambda

_PER_POLLER = 10
"""Invocations at once of one provisioned poller.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html#invocation-eventsourcemapping-provisioned-mode"""


def hiring(lambda_: Lambda) -> Hire:
    """What makes the workers of this node."""
    return partial(_hire, lambda_)


def roster(lambda_: Lambda) -> Roster:
    """The service's mappings; `start` it once the store can be read."""
    lambda_.tags.kinds["event-source-mapping"] = partial(check_tagged, lambda_)
    found = Roster(MappingStore(lambda_.db, lambda_.tags), lambda_.clock, lambda_.tasks)
    found.hire = hiring(lambda_)
    return found


def _kinesis(lambda_: Lambda, mapping: Mapping, invoker: Invoker) -> ShardSource:
    from cumulet.services.lambda_.sources import fanout, kinesis  # noqa: PLC0415  few nodes need them

    if kinesis.stream_of(mapping.source) != mapping.source:
        return fanout.FanOutSource(mapping, lambda_.calls, lambda_.signals, invoker, lambda_.tasks)
    return kinesis.KinesisSource(mapping, lambda_.calls, lambda_.signals, invoker)


QUEUES: dict[str, Callable[[Lambda, Mapping, Invoker], QueueSource]] = {
    "sqs": lambda lambda_, mapping, invoker: SqsSource(mapping, lambda_.calls, lambda_.clock, invoker.as_role),
}
"""How a queue is opened, by the service in its ARN."""
STREAMS: dict[str, Callable[[Lambda, Mapping, Invoker], ShardSource]] = {
    "dynamodb": lambda lambda_, mapping, invoker: DynamoDbSource(
        mapping, lambda_.calls, lambda_.signals, invoker.as_role
    ),
    "kinesis": _kinesis,
}
"""The same for streams."""


def _hire(lambda_: Lambda, mapping: Mapping) -> Worker:
    invoker = Invoker(lambda_, mapping)
    if mapping.configuration.self_managed_event_source is not None:
        return _kafka_worker(lambda_, mapping, invoker)
    service = Arn.parse(mapping.source).service
    if service in STREAMS:
        return _stream_worker(lambda_, mapping, invoker, STREAMS[service](lambda_, mapping, invoker))
    return QueuePoller(
        QUEUES[service](lambda_, mapping, invoker),
        invoker,
        queue_pace(mapping),
        wanted=compile_filters(mapping.configuration.filter_criteria),
        note=partial(lambda_.sources.note, mapping.uuid),
        count=_counter(lambda_, mapping),
        clock=lambda_.clock,
        tasks=lambda_.tasks,
    )


def _counter(lambda_: Lambda, mapping: Mapping) -> Callable[[str, int], None]:
    """Keeps AWS's metrics of a mapping, if it has them (MetricsConfig), under its UUID."""
    config = mapping.configuration.metrics_config
    if config is None or "EventCount" not in (config.metrics or ()):
        return lambda metric, value: None
    return lambda_.metrics.series(mapping.reference.key, f"event-source-mapping:{mapping.uuid}").add


def _kafka_worker(lambda_: Lambda, mapping: Mapping, invoker: Invoker) -> Worker:
    from cumulet.services.lambda_.sources.kafka import worker  # noqa: PLC0415  few nodes need it

    note = partial(lambda_.sources.note, mapping.uuid)
    reader = partial(
        ShardReader,
        rules=worker.rules_of(mapping, stream_rules(mapping)),
        wanted=compile_filters(mapping.configuration.filter_criteria),
        note=note,
        count=_counter(lambda_, mapping),
        clock=lambda_.clock,
    )
    return worker.kafka_worker(lambda_, mapping, invoker, note, reader)


def _stream_worker(lambda_: Lambda, mapping: Mapping, invoker: Invoker, source: ShardSource) -> Worker:
    ledger = StoredLedger(lambda_, mapping, source)
    note = partial(lambda_.sources.note, mapping.uuid)
    reader = partial(
        ShardReader,
        source=source,
        source_arn=mapping.source,
        function=invoker,
        ledger=ledger,
        rules=stream_rules(mapping),
        wanted=compile_filters(mapping.configuration.filter_criteria),
        note=note,
        count=_counter(lambda_, mapping),
        clock=lambda_.clock,
    )
    return ShardPoller(source, ledger, reader, note=note, clock=lambda_.clock, tasks=lambda_.tasks)


def stream_rules(mapping: Mapping) -> Rules:
    """How a stream is worked off as its mapping says."""
    configuration = mapping.configuration
    retries, age = configuration.maximum_retry_attempts, configuration.maximum_record_age_in_seconds
    return Rules(
        size=configuration.batch_size or 1,
        window=configuration.maximum_batching_window_in_seconds or 0,
        factor=configuration.parallelization_factor or 1,
        partial=mapping.partial,
        bisect=bool(configuration.bisect_batch_on_function_error),
        retries=FOREVER if retries is None else retries,
        age=FOREVER if age is None else age,
        tumbling=configuration.tumbling_window_in_seconds or 0,
    )


def queue_pace(mapping: Mapping) -> Pace:
    """How a queue is worked off as its mapping says."""
    configuration = mapping.configuration
    scaling, pollers = configuration.scaling_config, configuration.provisioned_poller_config
    first, most = Pace.__struct_defaults__[:2]
    if scaling is not None and scaling.maximum_concurrency:
        most = scaling.maximum_concurrency
    if pollers is not None:
        first = (pollers.minimum_pollers or 2) * _PER_POLLER
        most = (pollers.maximum_pollers or 200) * _PER_POLLER
    return Pace(
        size=configuration.batch_size or 1,
        window=configuration.maximum_batching_window_in_seconds or 0,
        first=first,
        most=most,
        partial=mapping.partial,
        ordered=mapping.source.endswith(".fifo"),
    )
