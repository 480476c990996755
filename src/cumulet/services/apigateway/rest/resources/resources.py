"""Resources: the tree of an API's paths."""

from __future__ import annotations

import re

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, conflict, limit_exceeded, not_found
from cumulet.services.apigateway.rest.apis.fresh import part_id
from cumulet.services.apigateway.rest.lookup import need_api, need_resource
from cumulet.services.apigateway.rest.pages import page
from cumulet.services.apigateway.rest.parts import RESOURCE
from cumulet.services.apigateway.rest.patch import Rules, value
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Transaction

_PART = re.compile(r"\{[\w.:-]+\+?\}|[a-zA-Z0-9._:$-]+")
_RULES = Rules({"/parentId": value("parent_id"), "/pathPart": value("path_part")}, listing=True)
_METHODS = "methods"


async def create_resource(gateway: ApiGateway, call: Call, request: api.CreateResourceRequest) -> api.Resource:
    api_id, part = request.rest_api_id, request.path_part
    if not _PART.fullmatch(part):
        raise bad_request(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning "
            "and the end."
        )
    async with gateway.db.transaction() as tx:
        parent = await need_resource(gateway, call, api_id, request.parent_id, tx)
        if await gateway.rest.parts.count(api_id, RESOURCE, tx) > gateway.limits.resources:
            raise limit_exceeded(
                "Maximum number of resources for this API has been reached. Please contact AWS if you need more."
            )
        resource = api.Resource(id=part_id(), parent_id=parent.id, path_part=part, path=_path(parent, part))
        await _check_place(gateway, tx, api_id, parent, resource)
        await gateway.rest.parts.put(tx, api_id, RESOURCE, resource.id or "", resource)
    return resource


async def get_resource(gateway: ApiGateway, call: Call, request: api.GetResourceRequest) -> api.Resource:
    resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id)
    return _shown(resource, request.embed)


async def get_resources(gateway: ApiGateway, call: Call, request: api.GetResourcesRequest) -> api.Resources:
    await need_api(gateway, call, request.rest_api_id)
    found, position = await page(
        lambda after, limit: gateway.rest.parts.list(request.rest_api_id, RESOURCE, after, limit),
        lambda resource: resource.path,
        request.position,
        request.limit,
    )
    return api.Resources(items=[_shown(resource, request.embed) for resource in found], position=position)


async def update_resource(gateway: ApiGateway, call: Call, request: api.UpdateResourceRequest) -> api.Resource:
    api_id = request.rest_api_id
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, api_id, request.resource_id, tx)
        before = resource.parent_id, resource.path_part
        is_root = resource.parent_id is None
        for step in _RULES.apply(resource, request.patch_operations):
            if is_root:
                raise bad_request(f"Root resource cannot update its {step.names[0]}.")
        if (resource.parent_id, resource.path_part) != before:
            parent = await need_resource(gateway, call, api_id, resource.parent_id or "", tx)
            if not _PART.fullmatch(resource.path_part or ""):
                raise bad_request(f"Invalid path part specified: {resource.path_part}")
            await _check_no_cycle(gateway, tx, api_id, resource, parent)
            await _check_place(gateway, tx, api_id, parent, resource)
            resource.path = _path(parent, resource.path_part or "")
            await gateway.rest.parts.put(tx, api_id, RESOURCE, resource.id or "", resource)
            await _move_children(gateway, tx, api_id, resource)
    return _shown(resource, None)


async def delete_resource(gateway: ApiGateway, call: Call, request: api.DeleteResourceRequest) -> None:
    """With all that is below it."""
    api_id = request.rest_api_id
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, api_id, request.resource_id, tx)
        if resource.parent_id is None:
            raise bad_request("Root resource cannot be deleted.")
        waiting = [request.resource_id]
        while waiting:
            id = waiting.pop()
            waiting += [child for child, _ in await gateway.rest.parts.names(api_id, RESOURCE, id, "", tx)]
            await gateway.rest.parts.delete(tx, api_id, RESOURCE, id)


def _shown(resource: api.Resource, embed: list[str] | None) -> api.Resource:
    """Methods by name alone, unless they are asked for."""
    if not resource.resource_methods:
        return resource if resource.resource_methods is None else replace(resource, resource_methods=None)
    if embed and _METHODS in embed:
        return resource
    return replace(resource, resource_methods={name: api.Method() for name in resource.resource_methods})


def _path(parent: api.Resource, part: str) -> str:
    return f"{'' if parent.parent_id is None else parent.path}/{part}"


async def _check_place(
    gateway: ApiGateway, tx: Transaction, api_id: str, parent: api.Resource, resource: api.Resource
) -> None:
    """Raises BadRequestException or ConflictException when a resource of this name cannot be below this parent."""
    part = resource.path_part or ""
    if (parent.path_part or "").endswith("+}"):
        raise bad_request(f"Cannot create a child of a resource with a greedy path variable: {parent.path_part}")
    same = await gateway.rest.parts.named(api_id, RESOURCE, parent.id or "", part, tx)
    if same not in (None, resource.id):
        raise conflict(f"Another resource with the same parent already has this name: {part}")
    if part.startswith("{"):
        for id, name in await gateway.rest.parts.names(api_id, RESOURCE, parent.id or "", "{", tx):
            if id != resource.id:
                raise bad_request(
                    f"A sibling ({name}) of this resource already has a variable path part -- only one is allowed"
                )


async def _check_no_cycle(
    gateway: ApiGateway, tx: Transaction, api_id: str, resource: api.Resource, parent: api.Resource
) -> None:
    above: api.Resource | None = parent
    while above is not None:
        if above.id == resource.id:
            raise bad_request("Resources cannot be cyclical.")
        if above.parent_id is None:
            return
        above = await gateway.rest.parts.get(api_id, RESOURCE, above.parent_id, tx)
    raise not_found("Invalid Resource identifier specified")


async def _move_children(gateway: ApiGateway, tx: Transaction, api_id: str, moved: api.Resource) -> None:
    """The paths of what is below follow."""
    waiting = [moved]
    while waiting:
        parent = waiting.pop()
        for id, part in await gateway.rest.parts.names(api_id, RESOURCE, parent.id or "", "", tx):
            child = await gateway.rest.parts.get(api_id, RESOURCE, id, tx)
            if child is not None:
                child.path = _path(parent, part)
                await gateway.rest.parts.put(tx, api_id, RESOURCE, id, child)
                waiting.append(child)
