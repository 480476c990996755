"""Operations on event invoke configurations: how often, how long and where to, for asynchronous invocations."""

from __future__ import annotations

from msgspec import Struct, json
from msgspec.structs import replace

from cumulet import delivery
from cumulet.api import lambda_ as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.services.lambda_.errors import invalid, not_found
from cumulet.services.lambda_.markers import decode_marker, encode_marker
from cumulet.services.lambda_.names import LATEST, FunctionKey, Reference, refer
from cumulet.services.lambda_.state import Lambda

_KIND = "event-invoke-config"
_PAGE = 50
_SERVICES = frozenset({"sqs", "sns", "lambda", "events", "s3"})


class EventConfig(Struct, frozen=True, kw_only=True):
    """What a version or alias says of its asynchronous invocations; None where it says nothing."""

    attempts: int | None = None
    age: int | None = None
    on_success: str | None = None
    on_failure: str | None = None
    changed: float = 0.0

    def answer(self, arn: str) -> api.FunctionEventInvokeConfig:
        return api.FunctionEventInvokeConfig(
            last_modified=self.changed,
            function_arn=arn,
            maximum_retry_attempts=self.attempts,
            maximum_event_age_in_seconds=self.age,
            destination_config=api.DestinationConfig(
                on_success=api.OnSuccess(destination=self.on_success),
                on_failure=api.OnFailure(destination=self.on_failure),
            ),
        )


async def put_function_event_invoke_config(
    lambda_: Lambda, call: Call, request: api.PutFunctionEventInvokeConfigRequest
) -> api.FunctionEventInvokeConfig:
    return await _change(lambda_, call, request, EventConfig())


async def update_function_event_invoke_config(
    lambda_: Lambda, call: Call, request: api.UpdateFunctionEventInvokeConfigRequest
) -> api.FunctionEventInvokeConfig:
    reference = refer(call, request.function_name, request.qualifier)
    if await lambda_.store.function(reference.key) is None:
        raise _no_function()
    return await _change(lambda_, call, request, await _find(lambda_, reference))


async def get_function_event_invoke_config(
    lambda_: Lambda, call: Call, request: api.GetFunctionEventInvokeConfigRequest
) -> api.FunctionEventInvokeConfig:
    reference = refer(call, request.function_name, request.qualifier)
    return (await _find(lambda_, reference)).answer(_arn(reference))


async def delete_function_event_invoke_config(
    lambda_: Lambda, call: Call, request: api.DeleteFunctionEventInvokeConfigRequest
) -> None:
    reference = refer(call, request.function_name, request.qualifier)
    async with lambda_.change(reference.key) as tx:
        if not await lambda_.store.delete_setting(tx, _KIND, reference.key, _place(reference)):
            raise _none(reference)


async def list_function_event_invoke_configs(
    lambda_: Lambda, call: Call, request: api.ListFunctionEventInvokeConfigsRequest
) -> api.ListFunctionEventInvokeConfigsResponse:
    key = refer(call, request.function_name).key
    if await lambda_.store.function(key) is None:
        raise _no_function()
    limit = min(request.max_items or _PAGE, _PAGE)
    found = await lambda_.store.settings(_KIND, key, decode_marker(request.marker), limit + 1)
    answer = api.ListFunctionEventInvokeConfigsResponse(
        function_event_invoke_configs=[
            json.decode(document, type=EventConfig).answer(f"{key.arn}:{place}") for place, document in found[:limit]
        ]
    )
    if len(found) > limit:
        answer.next_marker = encode_marker(found[limit - 1][0])
    return answer


async def event_config(lambda_: Lambda, reference: Reference) -> EventConfig:
    """What holds for an asynchronous invocation; the defaults when nothing was set."""
    document = await lambda_.store.setting(_KIND, reference.key, _place(reference))
    return json.decode(document, type=EventConfig) if document else EventConfig()


async def _change(
    lambda_: Lambda,
    call: Call,
    request: api.PutFunctionEventInvokeConfigRequest | api.UpdateFunctionEventInvokeConfigRequest,
    old: EventConfig,
) -> api.FunctionEventInvokeConfig:
    reference = refer(call, request.function_name, request.qualifier)
    destinations = request.destination_config
    if request.maximum_retry_attempts is None and request.maximum_event_age_in_seconds is None and destinations is None:
        raise invalid("You must specify at least one of error handling or destination setting.")
    await _check_reference(lambda_, reference)
    changes: dict[str, object] = {"changed": float(int(lambda_.clock.now()))}
    if request.maximum_retry_attempts is not None:
        changes["attempts"] = request.maximum_retry_attempts
    if request.maximum_event_age_in_seconds is not None:
        changes["age"] = request.maximum_event_age_in_seconds
    if destinations is not None:
        await _check_destinations(lambda_, reference.key, destinations)
        if destinations.on_success is not None:
            changes["on_success"] = destinations.on_success.destination or None
        if destinations.on_failure is not None:
            changes["on_failure"] = destinations.on_failure.destination or None
    config = replace(old, **changes)
    async with lambda_.change(reference.key) as tx:
        if await lambda_.store.function(reference.key, tx) is None:
            raise _no_function()
        await lambda_.store.put_setting(tx, _KIND, reference.key, _place(reference), json.encode(config))
    return config.answer(_arn(reference))


async def _check_reference(lambda_: Lambda, reference: Reference) -> None:
    try:
        await lambda_.version(reference)
    except api.ResourceNotFoundException as error:
        raise _no_function() from error


def _no_function() -> api.ResourceNotFoundException:
    """What is said of a function, a version and an alias alike."""
    return not_found("The function doesn't exist.")


async def _check_destinations(lambda_: Lambda, key: FunctionKey, config: api.DestinationConfig) -> None:
    for destination in (
        config.on_success.destination if config.on_success else None,
        config.on_failure.destination if config.on_failure else None,
    ):
        if not destination:
            continue
        service = destination.split(":")[2] if destination.count(":") >= 5 else ""
        succeeded = config.on_success is not None and destination == config.on_success.destination
        if service not in _SERVICES or (service == "s3" and succeeded):
            raise invalid(f"The provided destination config {_shown(config)} is invalid.")
        delivery.check_target(destination)
        if service == "lambda":
            await _check_function(lambda_, key, destination)


async def _check_function(lambda_: Lambda, key: FunctionKey, destination: str) -> None:
    arn = Arn.parse(destination)
    name = arn.resource.removeprefix("function:").partition(":")[0]
    there = FunctionKey(arn.account, arn.region, name)
    if there == key:
        raise invalid("You can't specify the function as a destination for itself.")
    if await lambda_.store.function(there) is None:
        raise invalid(f"The destination ARN {destination} is invalid.")


def _shown(config: api.DestinationConfig) -> str:
    """The configuration as AWS's message prints it."""
    success = f"OnSuccess(destination={config.on_success.destination})" if config.on_success else "null"
    failure = f"OnFailure(destination={config.on_failure.destination})" if config.on_failure else "null"
    return f"DestinationConfig(onSuccess={success}, onFailure={failure})"


async def _find(lambda_: Lambda, reference: Reference) -> EventConfig:
    document = await lambda_.store.setting(_KIND, reference.key, _place(reference))
    if document is None:
        raise _none(reference)
    return json.decode(document, type=EventConfig)


def _none(reference: Reference) -> Exception:
    return not_found(f"The function {_arn(reference)} doesn't have an EventInvokeConfig")


def _arn(reference: Reference) -> str:
    return f"{reference.key.arn}:{_place(reference)}"


def _place(reference: Reference) -> str:
    return reference.qualifier or LATEST
