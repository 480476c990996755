"""Operations on endpoints: addresses, and which revisions answer there."""

from __future__ import annotations

import secrets

from msgspec.structs import replace

from cumulet.api import lambda_web as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.urls.operations import host_at
from cumulet.services.lambda_.web import checks
from cumulet.services.lambda_.web.errors import conflict, invalid, missing, over_quota
from cumulet.services.lambda_.web.model import ACTIVE, DISABLED, LATEST, Endpoint, Revision
from cumulet.services.lambda_.web.names import WebKey, checked, key_of, part_of
from cumulet.services.lambda_.web.state import Web, moved_on
from cumulet.storage.database import Transaction

_KIND = "endpoint"
_CONSONANTS, _SIGNS = "bcdfghjklmnpqrstvwxz", "0123456789bcdfghjklmnpqrstvwxz"


async def create_web_function_endpoint(
    web: Web, call: Call, request: api.CreateWebFunctionEndpointRequest
) -> api.CreateWebFunctionEndpointResponse:
    key = key_of(call, request.function_name)
    endpoint = made(web, key, request, request.revision_weights)
    async with web.change(key) as tx:
        await web.function(key, tx)
        endpoint = await add(web, tx, key, endpoint)
    shown = endpoint.answer(key, host_at(call.endpoint))
    return api.CreateWebFunctionEndpointResponse(**{name: getattr(shown, name) for name in shown.__struct_fields__})


async def get_web_function_endpoint(
    web: Web, call: Call, request: api.GetWebFunctionEndpointRequest
) -> api.GetWebFunctionEndpointResponse:
    key = key_of(call, request.function_name)
    await web.function(key)
    name = part_of(key, _KIND, request.endpoint_name)
    return _find(await web.store.endpoints(key), name).answer(key, host_at(call.endpoint))


async def list_web_function_endpoints(
    web: Web, call: Call, request: api.ListWebFunctionEndpointsRequest
) -> api.ListWebFunctionEndpointsResponse:
    key = key_of(call, request.function_name)
    await web.function(key)
    host = host_at(call.endpoint)
    found = checks.filtered(
        [endpoint.summary(key, host) for endpoint in await web.store.endpoints(key)],
        request.filters,
        {
            "authType": lambda one: one.auth_type,
            "autoDeploymentMode": lambda one: one.auto_deployment_mode,
            "endpointType": lambda one: one.endpoint_type,
            "state": lambda one: one.state,
            "updateStatus": lambda one: one.update_status,
        },
    )
    shown, token = checks.page(found, request.max_results, request.next_token, lambda one: one.endpoint_name)
    return api.ListWebFunctionEndpointsResponse(endpoints=shown, next_token=token)


async def update_web_function_endpoint(
    web: Web, call: Call, request: api.UpdateWebFunctionEndpointRequest
) -> api.UpdateWebFunctionEndpointResponse:
    key = key_of(call, request.function_name)
    name = part_of(key, _KIND, request.endpoint_name)
    async with web.change(key) as tx:
        await web.function(key, tx)
        old = _find(await web.store.endpoints(key, tx), name)
        revisions = await web.store.revisions(key, tx)
        endpoint = _changed(web, old, request, revisions)
        await web.store.put_endpoint(tx, key, endpoint)
    serving = {weight.revision_id for weight in endpoint.weights}
    web.retire([f"{old.id}.{one.revision_id}" for one in old.weights if one.revision_id not in serving])
    shown = endpoint.answer(key, host_at(call.endpoint))
    return api.UpdateWebFunctionEndpointResponse(**{name: getattr(shown, name) for name in shown.__struct_fields__})


async def delete_web_function_endpoint(web: Web, call: Call, request: api.DeleteWebFunctionEndpointRequest) -> None:
    key = key_of(call, request.function_name)
    name = part_of(key, _KIND, request.endpoint_name)
    async with web.change(key) as tx:
        await web.function(key, tx)
        endpoint = _find(await web.store.endpoints(key, tx), name)
        await web.store.delete_endpoint(tx, key, name)
    web.retire([f"{endpoint.id}."])


def made(
    web: Web,
    key: WebKey,
    config: api.EndpointConfig | api.CreateWebFunctionEndpointRequest,
    weights: list[api.RevisionWeight] | None = None,
) -> Endpoint:
    """An endpoint as a request describes it, which is Pending yet. Raises ValidationException."""
    mode = config.auto_deployment_mode or DISABLED
    checks.check_weights(mode, weights)
    now = web.clock.now()
    return Endpoint(
        name=checked(config.endpoint_name, "endpointName"),
        id="".join(secrets.choice(_CONSONANTS) for _ in range(16)),
        place="".join(secrets.choice(_SIGNS) for _ in range(3)),
        kind=config.endpoint_type,
        auth=config.auth_type,
        mode=mode,
        regions=checks.regions(key.region, config.endpoint_type, mode, config.regions),
        weights=weights or [],
        description=config.description,
        scaling=checks.check_scaling(config.scaling_config),
        throttle=checks.check_throttle(config.throttle_config),
        created=now,
        updated=now,
    )


async def add(web: Web, tx: Transaction, key: WebKey, endpoint: Endpoint) -> Endpoint:
    """Have it in the store, as far as its revisions let it come. Raises AWS's errors."""
    others = await web.store.endpoints(key, tx)
    if any(other.name == endpoint.name for other in others):
        raise conflict(f"The endpoint {endpoint.name} exists already.", _KIND, endpoint.name)
    if len(others) >= web.limits.endpoints:
        message = f"A web function can have {web.limits.endpoints} endpoints."
        raise over_quota(message, _KIND, endpoint.name)
    revisions = await web.store.revisions(key, tx)
    _check_revisions(endpoint.weights, revisions)
    endpoint = moved_on(endpoint, revisions, web.clock.now())
    await web.store.put_endpoint(tx, key, endpoint)
    return endpoint


def _changed(
    web: Web, old: Endpoint, request: api.UpdateWebFunctionEndpointRequest, revisions: list[Revision]
) -> Endpoint:
    """The endpoint with what the request names."""
    mode = request.auto_deployment_mode or old.mode
    checks.check_weights(mode, request.revision_weights)
    if mode == LATEST:
        checks.regions(old.regions[0], old.kind, mode, old.regions)
    _check_revisions(request.revision_weights or [], revisions)
    scaling, throttle = request.scaling_config, request.throttle_config
    changed = replace(
        old,
        description=old.description if request.description is None else request.description,
        auth=request.auth_type or old.auth,
        mode=mode,
        weights=request.revision_weights or old.weights,
        scaling=old.scaling if scaling is None else checks.check_scaling(scaling),
        throttle=old.throttle if throttle is None else checks.check_throttle(throttle),
        update_status="Successful",
        update_reason="The endpoint was updated.",
        updated=web.clock.now(),
    )
    if request.revision_weights:
        changed = replace(changed, state=ACTIVE, reason="The endpoint is active.")
    return moved_on(changed, revisions, web.clock.now())


def _check_revisions(weights: list[api.RevisionWeight], revisions: list[Revision]) -> None:
    """What is to serve must be there and ready."""
    states = {revision.id: revision.state for revision in revisions}
    for weight in weights:
        state = states.get(weight.revision_id)
        if state is None:
            raise missing("revision", weight.revision_id)
        if state != ACTIVE:
            raise invalid(f"The revision {weight.revision_id} is {state}: only an Active one can serve traffic.")


def _find(endpoints: list[Endpoint], name: str) -> Endpoint:
    found = next((endpoint for endpoint in endpoints if endpoint.name == name), None)
    if found is None:
        raise missing(_KIND, name)
    return found
