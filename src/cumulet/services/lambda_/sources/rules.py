"""What a mapping may not be: the rules across its members, in AWS's words where they are known."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet import delivery
from cumulet.api import lambda_ as api
from cumulet.delivery.patterns import InvalidPattern, compile_pattern
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.sources.kafka import rules as kafka
from cumulet.services.lambda_.sources.kinds import KAFKA_OWN, KINESIS, SQS_FIFO, Kind, kind_of
from cumulet.services.lambda_.sources.mapping import NOTHING_YET

_FILTERS = 5
_SHARD_ONLY = (
    "parallelization_factor",
    "maximum_record_age_in_seconds",
    "bisect_batch_on_function_error",
    "maximum_retry_attempts",
    "tumbling_window_in_seconds",
)
_KAFKA = frozenset({"maximum_record_age_in_seconds", "bisect_batch_on_function_error", "maximum_retry_attempts"})
"""Those of them that Kafka has as well."""
_ELSEWHERE = (
    "logging_config",
    "topics",
    "queues",
    "source_access_configurations",
    "amazon_managed_kafka_event_source_config",
    "self_managed_kafka_event_source_config",
    "document_db_event_source_config",
)
"""Members that only Kafka, MQ or DocumentDB have."""
_WIRE = {"rds": "DocumentDB"}


def find_kind(request: api.CreateEventSourceMappingRequest, region: str, now: float) -> Kind:
    """Raises InvalidParameterValueException for what is no source."""
    if request.self_managed_event_source is not None:
        kafka.check_request(request, now)
        return KAFKA_OWN
    kind = kind_of(request.event_source_arn or "")
    if kind is None:
        raise invalid("Unrecognized event source.")
    there = (request.event_source_arn or "").split(":")[3]
    if there and there != region:
        raise invalid(f"The event source must be in the function's region ({region}), not in {there}.")
    if kind is KINESIS and (request.starting_position_timestamp or 0.0) > now:
        raise invalid("StartingPositionTimestamp cannot be in the future.")
    return kind


def check_here(kind: Kind, configuration: api.EventSourceMappingConfiguration) -> None:
    """Raises NotImplementedHere for a kind whose service this node does not have, and for what it cannot do of others."""
    if kind is KAFKA_OWN:
        kafka.check_here(configuration)
    if not kind.here:
        raise _missing(f"Reading from {_WIRE.get(kind.name, kind.name)}")


def check_position(kind: Kind, request: api.CreateEventSourceMappingRequest) -> None:
    """Where a stream is read from; raises InvalidParameterValueException."""
    position, moment = request.starting_position, request.starting_position_timestamp
    if not kind.stream:
        if position is not None:
            raise invalid(f"StartingPosition is not valid for {kind.name.upper()} event sources.")
        if moment is not None:
            raise invalid(f"StartingPositionTimestamp is not valid for {kind.name.upper()} event sources.")
        return
    if position is None and kind is KAFKA_OWN:
        position = "TRIM_HORIZON"
    if position is None:
        raise invalid(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null."
        )
    if position not in kind.positions:
        raise invalid(f"Unsupported starting position for arn type: {request.event_source_arn}")
    if (position == "AT_TIMESTAMP") != (moment is not None):
        raise invalid("StartingPositionTimestamp must be set when, and only when, StartingPosition is AT_TIMESTAMP.")


def check_members(
    kind: Kind, request: api.CreateEventSourceMappingRequest | api.UpdateEventSourceMappingRequest
) -> None:
    """Members that this kind does not have; raises InvalidParameterValueException or NotImplementedHere."""
    _check_destinations(kind, request.destination_config)
    name = kind.name.upper()
    foreign: tuple[str, ...] = () if kind.ordered else _SHARD_ONLY
    if kind.name == "kafka":
        foreign = tuple(member for member in foreign if member not in _KAFKA)
    if kind.name in {"sqs", "kinesis", "dynamodb"}:
        foreign += _ELSEWHERE
    for member in foreign:
        if getattr(request, member, None) is not None:
            raise invalid(f"{_wire_name(member)} is not supported for {name} event sources.")
    if request.scaling_config is not None and kind.name != "sqs":
        raise invalid("ScalingConfig is only supported for SQS event sources.")
    if request.provisioned_poller_config is not None and kind.name not in {"sqs", "kafka"}:
        raise invalid("ProvisionedPollerConfig is only supported for SQS and Kafka event sources.")
    if kind.name == "sqs" and request.provisioned_poller_config and request.provisioned_poller_config.poller_group_name:
        raise invalid("PollerGroupName is only supported for Kafka event sources.")
    if request.kms_key_arn:
        raise NotImplementedHere("KMSKeyArn needs KMS, which is not here yet. See docs/services/lambda.md.")


def _check_destinations(kind: Kind, config: api.DestinationConfig | None) -> None:
    if config is None:
        return
    success = config.on_success is not None and bool(config.on_success.destination)
    failure = config.on_failure is not None and bool(config.on_failure.destination)
    if success or (failure and not kind.stream):
        raise invalid("Unsupported DestinationConfig parameter for given event source mapping type.")


def check_values(kind: Kind, configuration: api.EventSourceMappingConfiguration) -> None:
    """The rules between the values of a whole configuration; raises InvalidParameterValueException."""
    size = configuration.batch_size or kind.batch
    window = configuration.maximum_batching_window_in_seconds or 0
    if kind is SQS_FIFO and window:
        raise invalid("Batching window is not supported for FIFO queues")
    if size > kind.most:
        raise invalid(f"Batch size must be less than or equal to {kind.most} for FIFO queues")
    if kind.free and size > kind.free and not window:
        raise invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
    age = configuration.maximum_record_age_in_seconds
    if age is not None and -1 < age < 60:
        raise invalid("MaximumRecordAgeInSeconds must be -1, or from 60 to 604800.")
    if configuration.tumbling_window_in_seconds and (configuration.parallelization_factor or 1) > 1:
        raise invalid("Tumbling windows are not supported with a ParallelizationFactor greater than 1.")
    _check_metrics(kind, configuration.metrics_config)
    _check_pollers(configuration)
    _check_filters(configuration.filter_criteria)
    destinations = configuration.destination_config
    failure = destinations.on_failure.destination if destinations and destinations.on_failure else None
    if failure and not (kind is KAFKA_OWN and failure.startswith(kafka.TOPIC)):
        delivery.check_target(failure)
    if kind is KAFKA_OWN:
        kafka.check_values(configuration)


def _check_metrics(kind: Kind, config: api.EventSourceMappingMetricsConfig | None) -> None:
    for metric in (config.metrics if config else None) or ():
        if metric != "EventCount" and kind.name != "kafka":
            raise invalid(f"Metric {metric} is not supported for {kind.name.upper()} event sources.")


def _check_pollers(configuration: api.EventSourceMappingConfiguration) -> None:
    pollers = configuration.provisioned_poller_config
    if pollers is None:
        return
    if configuration.scaling_config is not None:
        raise invalid("ProvisionedPollerConfig and ScalingConfig cannot be used together.")
    least, most = pollers.minimum_pollers, pollers.maximum_pollers
    if least is not None and most is not None and least > most:
        raise invalid("MinimumPollers must be less than or equal to MaximumPollers.")


def _check_filters(criteria: api.FilterCriteria | None) -> None:
    filters = (criteria.filters if criteria else None) or []
    if len(filters) > _FILTERS:
        raise invalid(f"Filters per event source mapping are limited to {_FILTERS}.")
    for each in filters:
        try:
            compile_pattern(each.pattern or "{}")
        except InvalidPattern as error:
            raise invalid("Invalid filter pattern definition.") from error


def defaults(kind: Kind, configuration: api.EventSourceMappingConfiguration) -> api.EventSourceMappingConfiguration:
    """The configuration with what AWS shows for members that were not given."""
    if kind is KAFKA_OWN:
        return kafka.defaults(configuration)
    members: dict[str, object] = {
        "batch_size": configuration.batch_size or kind.batch,
        "maximum_batching_window_in_seconds": configuration.maximum_batching_window_in_seconds or 0,
        "function_response_types": configuration.function_response_types or [],
    }
    if kind.ordered:
        members["last_processing_result"] = configuration.last_processing_result or NOTHING_YET
        members["destination_config"] = configuration.destination_config or api.DestinationConfig(
            on_failure=api.OnFailure()
        )
        for member, default in (
            ("maximum_record_age_in_seconds", -1),
            ("bisect_batch_on_function_error", False),
            ("maximum_retry_attempts", -1),
            ("tumbling_window_in_seconds", 0),
            ("parallelization_factor", 1),
        ):
            given = getattr(configuration, member)
            members[member] = default if given is None else given
    return replace(configuration, **members)


def _wire_name(member: str) -> str:
    return "".join(part.capitalize() for part in member.split("_"))


def _missing(what: str) -> NotImplementedHere:
    return NotImplementedHere(f"{what} is not implemented in Cumulet's Lambda yet. See docs/services/lambda.md.")
