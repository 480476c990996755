"""What a mapping of a self-managed Kafka cluster may be, in AWS's words where they are known."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.errors import AwsError, NotImplementedHere
from cumulet.services.lambda_.errors import conflict, invalid
from cumulet.services.lambda_.sources.mapping import NOTHING_YET, Mapping

TOPIC = "kafka://"
"""Begins a failure destination that is a topic of the same cluster."""
SERVERS = "KAFKA_BOOTSTRAP_SERVERS"
_NETWORK = frozenset({"VPC_SUBNET", "VPC_SECURITY_GROUP"})
_POLLERS = 2000
_GROUP = 100
_TOPIC = re.compile(r"[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,248}")
_UNCOUNTED = frozenset({"ErrorCount", "KafkaMetrics"})


class Topic(Struct, frozen=True):
    """What a mapping reads: a topic of the cluster that these servers lead to, as a member of a group."""

    servers: tuple[str, ...]
    name: str
    group: str


def topic_of(configuration: api.EventSourceMappingConfiguration) -> Topic:
    source, config = configuration.self_managed_event_source, configuration.self_managed_kafka_event_source_config
    assert source is not None
    return Topic(
        servers=tuple((source.endpoints or {}).get(SERVERS) or ()),
        name=(configuration.topics or [""])[0],
        group=(config.consumer_group_id if config else None) or "",
    )


def check_request(request: api.CreateEventSourceMappingRequest, now: float) -> None:
    """Raises InvalidParameterValueException."""
    if request.event_source_arn:
        raise invalid("EventSourceArn and SelfManagedEventSource are mutually exclusive.")
    if request.source_access_configurations is None:
        raise invalid("Required 'sourceAccessConfigurations' parameter is missing.")
    source = request.self_managed_event_source
    if source is None or not (source.endpoints or {}).get(SERVERS):
        raise invalid(f"Required '{SERVERS}' endpoints are missing.")
    if not request.topics:
        raise invalid("Required 'topics' parameter is missing.")
    if request.queues:
        raise invalid("Queues are not supported for KAFKA event sources.")
    moment = request.starting_position_timestamp
    if moment is not None and moment > now:
        raise invalid("StartingPositionTimestamp cannot be in the future.")


def check_here(configuration: api.EventSourceMappingConfiguration) -> None:
    """Raises NotImplementedHere for what this node cannot do for a cluster."""
    for access in configuration.source_access_configurations or ():
        if access.type not in _NETWORK:
            raise _missing(f"{access.type} needs Secrets Manager or tokens of AWS's: it")
    config = configuration.self_managed_kafka_event_source_config
    if config is not None and config.consumption_mode == "Queue":
        raise _missing("ConsumptionMode Queue")
    if config is not None and config.schema_registry_config is not None:
        raise _missing("SchemaRegistryConfig")
    if configuration.logging_config is not None:
        raise _missing("LoggingConfig")
    for metric in (configuration.metrics_config.metrics if configuration.metrics_config else None) or ():
        if metric in _UNCOUNTED:
            raise _missing(f"The metric {metric}")


def check_values(configuration: api.EventSourceMappingConfiguration) -> None:
    """The rules between the values; raises InvalidParameterValueException."""
    pollers = configuration.provisioned_poller_config
    if pollers is not None and not 1 <= (pollers.maximum_pollers or 1) <= _POLLERS:
        raise invalid(f"MaximumPollers must be between 1 and {_POLLERS} for KAFKA event sources.")
    target = failure_topic(configuration)
    if target is None:
        return
    if pollers is None:
        raise invalid("A Kafka topic as OnFailure destination needs ProvisionedPollerConfig.")
    if not _TOPIC.fullmatch(target):
        raise invalid(f"The destination {TOPIC}{target} names no topic.")
    if target in (configuration.topics or ()):
        raise invalid("The topic of the OnFailure destination cannot be one that the event source mapping reads.")


def failure_topic(configuration: api.EventSourceMappingConfiguration) -> str | None:
    """The topic that gets what is given up; None when another destination or none does."""
    config = configuration.destination_config
    target = (config.on_failure.destination if config and config.on_failure else None) or ""
    return target.removeprefix(TOPIC) if target.startswith(TOPIC) else None


def defaults(configuration: api.EventSourceMappingConfiguration) -> api.EventSourceMappingConfiguration:
    """The configuration with what AWS shows for members that were not given. A mapping's group is its UUID."""
    config = configuration.self_managed_kafka_event_source_config or api.SelfManagedKafkaEventSourceConfig()
    pollers = configuration.provisioned_poller_config
    if pollers is not None:
        pollers = replace(
            pollers, minimum_pollers=pollers.minimum_pollers or 1, maximum_pollers=pollers.maximum_pollers or 200
        )
    return replace(
        configuration,
        batch_size=configuration.batch_size or 100,
        starting_position=configuration.starting_position or "TRIM_HORIZON",
        last_processing_result=configuration.last_processing_result or NOTHING_YET,
        self_managed_kafka_event_source_config=replace(
            config, consumer_group_id=config.consumer_group_id or configuration.uuid
        ),
        provisioned_poller_config=pollers,
    )


def keep_group(configuration: api.EventSourceMappingConfiguration, old: Mapping) -> api.EventSourceMappingConfiguration:
    """The configuration with the group that the mapping had: that cannot be changed, but may be left out."""
    before = old.configuration.self_managed_kafka_event_source_config
    config = configuration.self_managed_kafka_event_source_config
    assert before is not None
    assert config is not None
    config = replace(config, consumer_group_id=before.consumer_group_id, consumption_mode=before.consumption_mode)
    return replace(configuration, self_managed_kafka_event_source_config=config)


def check_update(old: Mapping, request: api.UpdateEventSourceMappingRequest) -> None:
    """Raises InvalidParameterValueException for what cannot be changed."""
    config = request.self_managed_kafka_event_source_config
    if config is None:
        return
    before = old.configuration.self_managed_kafka_event_source_config
    assert before is not None
    if config.consumer_group_id and config.consumer_group_id != before.consumer_group_id:
        raise invalid("ConsumerGroupId cannot be updated.")
    if (config.consumption_mode or "Stream") != (before.consumption_mode or "Stream"):
        raise invalid("ConsumptionMode cannot be updated.")


def twin(mapping: Mapping, others: Sequence[Mapping]) -> AwsError | None:
    """The error that another mapping reads the same topic for the same function; None when none does."""
    mine = topic_of(mapping.configuration)
    for other in others:
        if other.uuid == mapping.uuid or other.configuration.self_managed_event_source is None:
            continue
        theirs = topic_of(other.configuration)
        same = (other.name, other.qualifier, theirs.name) == (mapping.name, mapping.qualifier, mine.name)
        if same and set(theirs.servers) & set(mine.servers):
            return conflict(
                f'An event source mapping with event source ("{",".join(mine.servers)}"), function '
                f'("{mapping.reference.arn}"), topics ("{mine.name}") already exists. Please update or delete the '
                f"existing mapping with UUID {other.uuid}"
            )
    return None


def check_group(mapping: Mapping, others: Sequence[Mapping]) -> None:
    """Whether its poller group has room for it; raises InvalidParameterValueException. `others` are the account's."""
    pollers = mapping.configuration.provisioned_poller_config
    if pollers is None or not pollers.poller_group_name:
        return
    members = [
        config
        for other in others
        if other.uuid != mapping.uuid
        and (config := other.configuration.provisioned_poller_config) is not None
        and config.poller_group_name == pollers.poller_group_name
    ]
    if len(members) >= _GROUP:
        raise invalid(f"A poller group has {_GROUP} event source mappings at most.")
    if sum(each.maximum_pollers or 0 for each in (*members, pollers)) > _POLLERS:
        raise invalid(f"The MaximumPollers of a poller group's event source mappings are {_POLLERS} together at most.")


def _missing(what: str) -> NotImplementedHere:
    return NotImplementedHere(
        f"{what} is not implemented in Cumulet's Lambda for Apache Kafka yet. See docs/services/lambda.md."
    )
