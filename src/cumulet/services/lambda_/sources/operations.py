"""Operations on event source mappings."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.errors import conflict, invalid, not_found
from cumulet.services.lambda_.markers import decode_marker, encode_marker
from cumulet.services.lambda_.names import Reference, refer
from cumulet.services.lambda_.sources import dynamodb, rules, sqs
from cumulet.services.lambda_.sources.calls import Invoker
from cumulet.services.lambda_.sources.kafka import rules as kafka
from cumulet.services.lambda_.sources.kinds import KAFKA_OWN, Kind, kind_of_mapping
from cumulet.services.lambda_.sources.mapping import STREAM_USER, USER, Mapping
from cumulet.services.lambda_.sources.store import Wanted
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.tags import check_tags
from cumulet.storage.database import Transaction

_PAGE = 100
_COMMON = (
    "batch_size",
    "maximum_batching_window_in_seconds",
    "parallelization_factor",
    "metrics_config",
    "logging_config",
    "maximum_record_age_in_seconds",
    "bisect_batch_on_function_error",
    "maximum_retry_attempts",
    "tumbling_window_in_seconds",
    "function_response_types",
    "destination_config",
    "source_access_configurations",
    "self_managed_kafka_event_source_config",
)
"""Members that a request sets just by naming them."""
_CLEARABLE = ("filter_criteria", "scaling_config", "provisioned_poller_config")
"""Members that an empty structure takes away."""


async def create_event_source_mapping(
    lambda_: Lambda, call: Call, request: api.CreateEventSourceMappingRequest
) -> api.EventSourceMappingConfiguration:
    kind = rules.find_kind(request, call.region, lambda_.clock.now())
    rules.check_position(kind, request)
    rules.check_members(kind, request)
    uuid = new_id()
    enabled = request.enabled is not False
    configuration = api.EventSourceMappingConfiguration(
        uuid=uuid,
        event_source_arn=request.event_source_arn,
        self_managed_event_source=request.self_managed_event_source,
        topics=request.topics,
        starting_position=request.starting_position,
        starting_position_timestamp=request.starting_position_timestamp,
        last_modified=lambda_.clock.now(),
        state="Creating" if enabled else "Disabled",
        state_transition_reason=STREAM_USER if kind.ordered else USER,
        event_source_mapping_arn=f"arn:aws:lambda:{call.region}:{call.account}:event-source-mapping:{uuid}",
    )
    configuration = rules.defaults(kind, _merged(configuration, request))
    rules.check_values(kind, configuration)
    check_tags(request.tags or {}, lambda_.limits)
    reference = await _function(lambda_, call, request.function_name)
    mapping = _pointed(
        Mapping(
            account=call.account,
            region=call.region,
            name=reference.key.name,
            configuration=configuration,
            wanted=enabled,
            since=lambda_.clock.now(),
        ),
        reference,
    )
    rules.check_here(kind, configuration)
    await _check_source(lambda_, mapping)
    await _keep(lambda_, kind, mapping, request.tags)
    if enabled:
        lambda_.sources.settle(mapping)
    return mapping.answer()


async def update_event_source_mapping(
    lambda_: Lambda, call: Call, request: api.UpdateEventSourceMappingRequest
) -> api.EventSourceMappingConfiguration:
    old = await _free(lambda_, call, request.uuid, "update")
    kind = kind_of_mapping(old.configuration)
    rules.check_members(kind, request)
    if kind is KAFKA_OWN:
        kafka.check_update(old, request)
    wanted = old.wanted if request.enabled is None else request.enabled
    state = "Updating" if wanted == old.wanted else "Enabling" if wanted else "Disabling"
    configuration = replace(
        _merged(old.configuration, request),
        state=state,
        state_transition_reason=STREAM_USER if kind.ordered else USER,
        last_modified=lambda_.clock.now(),
    )
    if kind is KAFKA_OWN:
        configuration = kafka.keep_group(kafka.defaults(configuration), old)
    rules.check_values(kind, configuration)
    rules.check_here(kind, configuration)
    mapping = replace(old, configuration=configuration, wanted=wanted)
    if request.function_name:
        mapping = _pointed(mapping, await _function(lambda_, call, request.function_name))
    if wanted:
        await _check_source(lambda_, mapping)
    await _keep(lambda_, kind, mapping)
    lambda_.sources.settle(mapping)
    return mapping.answer()


async def get_event_source_mapping(
    lambda_: Lambda, call: Call, request: api.GetEventSourceMappingRequest
) -> api.EventSourceMappingConfiguration:
    mapping = await _find(lambda_, call, request.uuid)
    return mapping.answer(lambda_.sources.problem(mapping.uuid))


async def list_event_source_mappings(
    lambda_: Lambda, call: Call, request: api.ListEventSourceMappingsRequest
) -> api.ListEventSourceMappingsResponse:
    function = None
    if request.function_name:
        reference = refer(call, request.function_name)
        function = (reference.key.name, reference.qualifier)
    limit = min(request.max_items or _PAGE, _PAGE)
    wanted = Wanted(call.account, call.region, function, request.event_source_arn or None)
    found = await lambda_.sources.store.page(wanted, decode_marker(request.marker), limit + 1)
    answer = api.ListEventSourceMappingsResponse(
        event_source_mappings=[mapping.answer(lambda_.sources.problem(mapping.uuid)) for mapping in found[:limit]]
    )
    if len(found) > limit:
        answer.next_marker = encode_marker(found[limit - 1].uuid)
    return answer


async def delete_event_source_mapping(
    lambda_: Lambda, call: Call, request: api.DeleteEventSourceMappingRequest
) -> api.EventSourceMappingConfiguration:
    mapping = await _free(lambda_, call, request.uuid, "delete")
    mapping = replace(mapping.changed(state="Deleting"), wanted=False)
    await lambda_.sources.store.put(mapping)
    lambda_.sources.settle(mapping)
    return mapping.answer()


async def check_tagged(lambda_: Lambda, call: Call, arn: str, within: Transaction | None) -> None:
    """Raises ResourceNotFoundException when the ARN is of no mapping of the caller's."""
    mapping = await lambda_.sources.store.get(arn.rpartition(":")[2], within)
    if mapping is None or mapping.arn != arn or (mapping.account, mapping.region) != (call.account, call.region):
        raise not_found(f"Event source mapping not found: {arn}")


def _merged(
    configuration: api.EventSourceMappingConfiguration,
    request: api.CreateEventSourceMappingRequest | api.UpdateEventSourceMappingRequest,
) -> api.EventSourceMappingConfiguration:
    """The configuration with what the request says."""
    members: dict[str, Any] = {}
    for member in _COMMON:
        if (value := getattr(request, member)) is not None:
            members[member] = value
    for member in _CLEARABLE:
        if (value := getattr(request, member)) is not None:
            members[member] = value if value != type(value)() else None
    filters = members.get("filter_criteria")
    if filters is not None and not filters.filters:
        members["filter_criteria"] = None
    return replace(configuration, **members)


async def _function(lambda_: Lambda, call: Call, name: str) -> Reference:
    """The function a request names; raises InvalidParameterValueException when there is none."""
    reference = refer(call, name)
    if reference.key.account != call.account:
        raise invalid("Function does not exist")
    try:
        await lambda_.version(reference)
    except api.ResourceNotFoundException as error:
        raise invalid("Function does not exist") from error
    return reference


def _pointed(mapping: Mapping, reference: Reference) -> Mapping:
    """The mapping, of another function."""
    mapping = replace(mapping, name=reference.key.name, qualifier=reference.qualifier or "")
    return mapping.changed(function_arn=reference.arn)


async def _check_source(lambda_: Lambda, mapping: Mapping) -> None:
    """Raises InvalidParameterValueException when the function cannot read it."""
    await lambda_.settled(mapping.reference.key)
    target = await lambda_.targets.find(mapping.reference)
    try:
        call = await Invoker.role_call(lambda_, mapping)
    except AwsError as error:
        raise invalid("The role defined for the function cannot be assumed by Lambda.") from error
    kind = kind_of_mapping(mapping.configuration)
    if kind is KAFKA_OWN:  # reached when it is read: what is wrong then is in LastProcessingResult, as on AWS
        return
    if kind.name == "dynamodb":
        await dynamodb.check_stream(lambda_.calls, call, mapping.source)
    elif kind.name == "kinesis":
        from cumulet.services.lambda_.sources import kinesis  # noqa: PLC0415  few nodes need it

        await kinesis.check_stream(lambda_.calls, call, mapping.source)
    else:
        await sqs.check_queue(lambda_.calls, call, mapping.source, target.timeout)


async def _keep(lambda_: Lambda, kind: Kind, mapping: Mapping, tags: dict[str, str] | None = None) -> None:
    """Store it; raises ResourceConflictException when its function reads from its source already."""
    async with lambda_.db.transaction() as tx:
        other = None
        if kind is KAFKA_OWN:
            others = await lambda_.sources.store.of_account(mapping.account, mapping.region, tx)
            if (error := kafka.twin(mapping, others)) is not None:
                raise error
            kafka.check_group(mapping, others)
        else:
            other = await lambda_.sources.store.same(mapping, tx)
        if other is not None:
            sentence = (
                f'An event source mapping with SQS arn (" {mapping.source} ") and function (" {mapping.name} ") already '
                if kind.name == "sqs"
                else f'The event source arn (" {mapping.source} ") and function (" {mapping.name} ") provided mapping '
                "already "
            )
            raise conflict(f"{sentence}exists. Please update or delete the existing mapping with UUID {other}")
        await lambda_.sources.store.put(mapping, tx)
        if tags:
            await lambda_.tags.put(tx, mapping.arn, tags)


async def _find(lambda_: Lambda, call: Call, uuid: str) -> Mapping:
    """Raises ResourceNotFoundException."""
    mapping = await lambda_.sources.store.get(uuid)
    if mapping is None or (mapping.account, mapping.region) != (call.account, call.region):
        raise _nothing()
    return mapping


async def _free(lambda_: Lambda, call: Call, uuid: str, what: str) -> Mapping:
    """One that may be changed now; raises ResourceInUseException while another change takes effect."""
    await _find(lambda_, call, uuid)
    if not await lambda_.sources.ready(uuid):
        raise api.ResourceInUseException(f"Cannot {what} the event source mapping because it is in use.")
    return await _find(lambda_, call, uuid)


def _nothing() -> api.ResourceNotFoundException:
    return not_found("The resource you requested does not exist.")
