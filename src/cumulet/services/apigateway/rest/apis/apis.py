"""Operations on REST APIs as a whole."""

from __future__ import annotations

import math

import msgspec
from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.errors import bad_request, conflict, limit_exceeded, not_found
from cumulet.services.apigateway.http.store import ApiStore as HttpApiStore
from cumulet.services.apigateway.ids import custom_id
from cumulet.services.apigateway.rest.apis import fresh, rules
from cumulet.services.apigateway.rest.apis.policies import stored_policy
from cumulet.services.apigateway.rest.definition import Definition
from cumulet.services.apigateway.rest.pages import page
from cumulet.services.apigateway.state import ApiGateway
from cumulet.services.apigateway.tags import check_tags
from cumulet.storage.database import Transaction


async def create_rest_api(gateway: ApiGateway, call: Call, request: api.CreateRestApiRequest) -> api.RestApi:
    if not request.name:
        raise bad_request("API name must be non-empty")
    if request.description == "":
        raise bad_request("Description cannot be an empty string")
    check_tags(request.tags, gateway.limits)
    rest_api = api.RestApi(
        id=custom_id(request.tags) or short_id(),
        name=request.name,
        description=request.description,
        version=request.version,
        created_date=float(math.floor(gateway.clock.now())),
        binary_media_types=request.binary_media_types or None,
        minimum_compression_size=rules.compression(request.minimum_compression_size),
        api_key_source=request.api_key_source or "HEADER",
        endpoint_configuration=rules.endpoint(request.endpoint_configuration),
        tags=request.tags or None,
        disable_execute_api_endpoint=bool(request.disable_execute_api_endpoint),
        root_resource_id=short_id(),
        security_policy=request.security_policy,
        endpoint_access_mode=request.endpoint_access_mode,
    )
    rules.check(rest_api)
    if request.policy:
        rest_api.policy = stored_policy(request.policy, call, rest_api.id or "", gateway.limits)
    definition = fresh.fresh(rest_api)
    if request.clone_from:
        definition = await _clone(gateway, call, request.clone_from, rest_api)
    async with gateway.db.transaction() as tx:
        await add(gateway, call, tx, definition)
    return listed(definition.api)


async def add(gateway: ApiGateway, call: Call, tx: Transaction, definition: Definition) -> None:
    """Store a new API with all its parts. Raises LimitExceededException, and ConflictException for an id that is taken."""
    types = (definition.api.endpoint_configuration.types if definition.api.endpoint_configuration else None) or [""]
    limits = gateway.limits
    most = {"EDGE": limits.edge_apis, "PRIVATE": limits.private_apis}.get(types[0], limits.regional_apis)
    if await gateway.rest.apis.count(call.account, call.region, tx) >= most:
        raise limit_exceeded(
            "Maximum number of APIs for this account has been reached. Please contact AWS if you need more."
        )
    api_id = definition.api.id or ""
    if await gateway.rest.apis.find(api_id, tx) is not None or await HttpApiStore(gateway.db).find(api_id, tx):
        raise conflict(f"Another API has the id {api_id}.")
    await gateway.rest.apis.add(tx, call.account, call.region, definition.api)
    await gateway.rest.parts.replace(tx, definition)


async def get_rest_api(gateway: ApiGateway, call: Call, request: api.GetRestApiRequest) -> api.RestApi:
    return shown(await gateway.rest_api(call, request.rest_api_id))


async def get_rest_apis(gateway: ApiGateway, call: Call, request: api.GetRestApisRequest) -> api.RestApis:
    found, position = await page(
        lambda after, limit: gateway.rest.apis.list(call.account, call.region, after, limit),
        lambda rest_api: rest_api.id,
        request.position,
        request.limit,
    )
    return api.RestApis(items=[listed(rest_api) for rest_api in found], position=position)


async def update_rest_api(gateway: ApiGateway, call: Call, request: api.UpdateRestApiRequest) -> api.RestApi:
    async with gateway.db.transaction() as tx:
        rest_api = await gateway.rest_api(call, request.rest_api_id, tx)
        before = rest_api.policy
        rules.RULES.apply(rest_api, request.patch_operations)
        rules.check(rest_api)
        if rest_api.policy and rest_api.policy != before:
            rest_api.policy = stored_policy(rest_api.policy, call, request.rest_api_id, gateway.limits)
        await gateway.rest.apis.put(tx, rest_api)
        gateway.rest.changed(tx, request.rest_api_id)  # its security policy counts at once
    return shown(rest_api)


async def delete_rest_api(gateway: ApiGateway, call: Call, request: api.DeleteRestApiRequest) -> None:
    api_id = request.rest_api_id
    async with gateway.db.transaction() as tx:
        await gateway.rest_api(call, api_id, tx)
        for clean in gateway.cleaners:
            await clean(tx, call.account, call.region, api_id)
        for stage in await gateway.rest.stages.list(api_id, tx):
            gateway.rest.gone(tx, api_id, stage.stage_name or "")
        await gateway.rest.stages.delete(tx, api_id)
        await gateway.rest.deployments.delete(tx, api_id)
        await gateway.rest.parts.clear(tx, api_id)
        await gateway.rest.apis.delete(tx, api_id)
        gateway.rest.changed(tx, api_id)


def shown(rest_api: api.RestApi) -> api.RestApi:
    """An API as all answers but those to its creation and to lists show it: with tags, if only none."""
    return replace(listed(rest_api), tags=rest_api.tags or {})


def listed(rest_api: api.RestApi) -> api.RestApi:
    """An API as answers show it: its policy is escaped once more than other texts, as AWS does and its tools expect."""
    if rest_api.policy is None:
        return rest_api
    return replace(rest_api, policy=msgspec.json.encode(rest_api.policy).decode()[1:-1].replace("/", "\\/"))


async def _clone(gateway: ApiGateway, call: Call, source_id: str, rest_api: api.RestApi) -> Definition:
    """Another API's parts in a new one, under ids of their own."""
    owned = await gateway.rest.apis.find(source_id)
    if owned is None or (owned.account, owned.region) != (call.account, call.region):
        raise not_found(f"Invalid API identifier specified {call.account}:{source_id}")
    source = await gateway.rest.parts.definition(owned.api)
    new = {id: fresh.part_id() for id in source.resources}
    new[owned.api.root_resource_id or ""] = rest_api.root_resource_id or ""
    for field in ("description", "version", "policy", "binary_media_types", "minimum_compression_size"):
        if getattr(rest_api, field) is None:
            setattr(rest_api, field, getattr(owned.api, field))
    source.api = rest_api
    source.resources = {
        new[id]: replace(resource, id=new[id], parent_id=new.get(resource.parent_id or ""))
        for id, resource in source.resources.items()
    }
    return source
