"""Documentation: parts that describe places in an API, and versions of all of them."""

from __future__ import annotations

import math

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, conflict, limit_exceeded, not_found
from cumulet.services.apigateway.rest.apis.fresh import part_id
from cumulet.services.apigateway.rest.json_text import document
from cumulet.services.apigateway.rest.lookup import need_api
from cumulet.services.apigateway.rest.pages import cut, page
from cumulet.services.apigateway.rest.parts import AUTHORIZER, DOCUMENTATION, MODEL, RESOURCE
from cumulet.services.apigateway.rest.patch import Rules, value
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Transaction

_RULES = Rules({"/properties": value("properties")}, listing=True)
_VERSION_RULES = Rules({"/description": value("description")}, listing=True)


async def create_documentation_part(
    gateway: ApiGateway, call: Call, request: api.CreateDocumentationPartRequest
) -> api.DocumentationPart:
    part = api.DocumentationPart(id=part_id(), location=request.location, properties=request.properties)
    async with gateway.db.transaction() as tx:
        await need_api(gateway, call, request.rest_api_id, tx)
        _check_properties(request.properties)
        if (
            await gateway.rest.parts.named(request.rest_api_id, DOCUMENTATION, *DOCUMENTATION.unique(part), tx)
            is not None
        ):
            raise conflict("Documentation part already exists for the specified location")
        count = await gateway.rest.parts.count(request.rest_api_id, DOCUMENTATION, tx)
        if count >= gateway.limits.documentation_parts:
            raise limit_exceeded(
                "Maximum number of documentation parts for this API has been reached. Please contact AWS if you need more."
            )
        await gateway.rest.parts.put(tx, request.rest_api_id, DOCUMENTATION, part.id or "", part)
    return part


async def get_documentation_part(
    gateway: ApiGateway, call: Call, request: api.GetDocumentationPartRequest
) -> api.DocumentationPart:
    return await _need_part(gateway, call, request.rest_api_id, request.documentation_part_id)


async def get_documentation_parts(
    gateway: ApiGateway, call: Call, request: api.GetDocumentationPartsRequest
) -> api.DocumentationParts:
    api_id = request.rest_api_id
    await need_api(gateway, call, api_id)
    parts = await gateway.rest.parts.list(api_id, DOCUMENTATION)
    if request.location_status == "UNDOCUMENTED":
        parts = await _undocumented(gateway, api_id, parts)
    parts = sorted((part for part in parts if _wanted(part, request)), key=_order)
    found, position = cut(parts, _order, request.position, request.limit)
    return api.DocumentationParts(items=found, position=position)


async def update_documentation_part(
    gateway: ApiGateway, call: Call, request: api.UpdateDocumentationPartRequest
) -> api.DocumentationPart:
    async with gateway.db.transaction() as tx:
        part = await _need_part(gateway, call, request.rest_api_id, request.documentation_part_id, tx)
        _RULES.apply(part, request.patch_operations)
        _check_properties(part.properties)
        await gateway.rest.parts.put(tx, request.rest_api_id, DOCUMENTATION, request.documentation_part_id, part)
    return part


async def delete_documentation_part(
    gateway: ApiGateway, call: Call, request: api.DeleteDocumentationPartRequest
) -> None:
    async with gateway.db.transaction() as tx:
        await need_api(gateway, call, request.rest_api_id, tx)
        if not await gateway.rest.parts.delete(tx, request.rest_api_id, DOCUMENTATION, request.documentation_part_id):
            raise not_found("Invalid Documentation part identifier specified")


async def create_documentation_version(
    gateway: ApiGateway, call: Call, request: api.CreateDocumentationVersionRequest
) -> api.DocumentationVersion:
    api_id = request.rest_api_id
    version = api.DocumentationVersion(
        version=request.documentation_version,
        created_date=float(math.floor(gateway.clock.now())),
        description=request.description,
    )
    async with gateway.db.transaction() as tx:
        await need_api(gateway, call, api_id, tx)
        if not request.documentation_version:
            raise bad_request("Documentation version cannot be blank")
        if await gateway.rest.documentation.get(api_id, request.documentation_version, tx) is not None:
            raise conflict("Documentation version already exists for this API")
        parts = await gateway.rest.parts.list(api_id, DOCUMENTATION, within=tx)
        if not parts:
            raise bad_request("Documentation version cannot be created without documentation parts")
        await gateway.rest.documentation.add(tx, api_id, version, parts)
        if request.stage_name:
            stage = await gateway.rest.stages.get(api_id, request.stage_name, tx)
            if stage is None:
                raise not_found("Invalid stage identifier specified")
            stage.documentation_version = request.documentation_version
            await gateway.rest.stages.put(tx, api_id, stage)
            gateway.rest.changed(tx, api_id)
    return version


async def get_documentation_version(
    gateway: ApiGateway, call: Call, request: api.GetDocumentationVersionRequest
) -> api.DocumentationVersion:
    return await _need_version(gateway, call, request.rest_api_id, request.documentation_version)


async def get_documentation_versions(
    gateway: ApiGateway, call: Call, request: api.GetDocumentationVersionsRequest
) -> api.DocumentationVersions:
    await need_api(gateway, call, request.rest_api_id)
    found, position = await page(
        lambda after, limit: gateway.rest.documentation.list(request.rest_api_id, after, limit),
        lambda version: version.version,
        request.position,
        request.limit,
    )
    return api.DocumentationVersions(items=found, position=position)


async def update_documentation_version(
    gateway: ApiGateway, call: Call, request: api.UpdateDocumentationVersionRequest
) -> api.DocumentationVersion:
    async with gateway.db.transaction() as tx:
        version = await _need_version(gateway, call, request.rest_api_id, request.documentation_version, tx)
        _VERSION_RULES.apply(version, request.patch_operations)
        await gateway.rest.documentation.put(tx, request.rest_api_id, version)
    return version


async def delete_documentation_version(
    gateway: ApiGateway, call: Call, request: api.DeleteDocumentationVersionRequest
) -> None:
    api_id, name = request.rest_api_id, request.documentation_version
    async with gateway.db.transaction() as tx:
        await _need_version(gateway, call, api_id, name, tx)
        for stage in await gateway.rest.stages.list(api_id, tx):
            if stage.documentation_version == name:
                raise conflict(
                    f"Active stages pointing to this documentation version must be moved or deleted: {stage.stage_name}"
                )
        await gateway.rest.documentation.delete(tx, api_id, name)


def _check_properties(properties: str | None) -> None:
    try:
        found = document(properties or "")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise bad_request("Documentation part properties must be a JSON object")


def _order(part: api.DocumentationPart) -> str:
    """Places that no part describes have no ids."""
    return part.id or DOCUMENTATION.unique(part)[1]


def _wanted(part: api.DocumentationPart, request: api.GetDocumentationPartsRequest) -> bool:
    location = part.location
    assert location is not None
    return (
        (not request.type or location.type == request.type)
        and (not request.name_query or request.name_query in (location.name or ""))
        and (not request.path or (location.path or "").startswith(request.path))
    )


async def _undocumented(
    gateway: ApiGateway, api_id: str, parts: list[api.DocumentationPart]
) -> list[api.DocumentationPart]:
    """Places of the API that no part describes, in the order of their kinds."""
    described = {DOCUMENTATION.unique(part) for part in parts}
    place = api.DocumentationPartLocation
    places = [place(type="API")]
    for resource in await gateway.rest.parts.list(api_id, RESOURCE):
        places.append(place(type="RESOURCE", path=resource.path))
        places += [place(type="METHOD", path=resource.path, method=verb) for verb in resource.resource_methods or ()]
    places += [place(type="MODEL", name=model.name) for model in await gateway.rest.parts.list(api_id, MODEL)]
    authorizers = await gateway.rest.parts.list(api_id, AUTHORIZER)
    places += [place(type="AUTHORIZER", name=authorizer.name) for authorizer in authorizers]
    blank = [api.DocumentationPart(location=each) for each in places]
    return [part for part in blank if DOCUMENTATION.unique(part) not in described]


async def _need_part(
    gateway: ApiGateway, call: Call, api_id: str, id: str, within: Transaction | None = None
) -> api.DocumentationPart:
    owned = await gateway.rest.apis.owned(call.account, call.region, api_id, within)
    part = await gateway.rest.parts.get(api_id, DOCUMENTATION, id, within) if owned else None
    if part is None:
        raise not_found("Invalid Documentation part identifier specified")
    return part


async def _need_version(
    gateway: ApiGateway, call: Call, api_id: str, name: str, within: Transaction | None = None
) -> api.DocumentationVersion:
    owned = await gateway.rest.apis.owned(call.account, call.region, api_id, within)
    version = await gateway.rest.documentation.get(api_id, name, within) if owned else None
    if version is None:
        raise not_found("Invalid Documentation version identifier specified")
    return version
