"""Which worker a mapping needs."""

import functools

from cumulet.services.lambda_.sources.calls import Invoker
from cumulet.services.lambda_.sources.filters import compile_filters
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.sources.operations import check_tagged
from cumulet.services.lambda_.sources.queue_poller import Pace, QueuePoller
from cumulet.services.lambda_.sources.roster import Hire, Roster, Worker
from cumulet.services.lambda_.sources.sqs import SqsSource
from cumulet.services.lambda_.sources.store import MappingStore
from cumulet.services.lambda_.state import Lambda

_PER_POLLER = 10
"""Invocations at once of one provisioned poller.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html#invocation-eventsourcemapping-provisioned-mode"""


def hiring(lambda_: Lambda) -> Hire:
    """What makes the workers of this node."""
    return functools.partial(_hire, lambda_)


def roster(lambda_: Lambda) -> Roster:
    """The service's mappings; `start` it once the store can be read."""
    lambda_.tags.kinds["event-source-mapping"] = functools.partial(check_tagged, lambda_)
    found = Roster(MappingStore(lambda_.db, lambda_.tags), lambda_.clock, lambda_.tasks)
    found.hire = hiring(lambda_)
    return found


def _hire(lambda_: Lambda, mapping: Mapping) -> Worker:
    invoker = Invoker(lambda_, mapping)
    return QueuePoller(
        SqsSource(mapping, lambda_.calls, lambda_.clock, invoker.as_role),
        invoker,
        queue_pace(mapping),
        wanted=compile_filters(mapping.configuration.filter_criteria),
        note=functools.partial(lambda_.sources.note, mapping.uuid),
        clock=lambda_.clock,
        tasks=lambda_.tasks,
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
    )
