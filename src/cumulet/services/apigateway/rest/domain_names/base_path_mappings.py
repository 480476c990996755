"""Base path mappings: which stage answers below a path of a custom domain."""

from __future__ import annotations

import re

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.domains.store import Domain, Mapping
from cumulet.services.apigateway.errors import bad_request, conflict, limit_exceeded, not_found
from cumulet.services.apigateway.rest.apis.fresh import part_id
from cumulet.services.apigateway.rest.domain_names.domain_names import need_domain
from cumulet.services.apigateway.rest.pages import cut
from cumulet.services.apigateway.rest.patch import Rules, value
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Transaction

NONE = "(none)"
"""How the empty base path is written."""
_PATH = re.compile(r"[A-Za-z0-9$_.+!*'()\-~]+")
_RULES = Rules(
    {
        "/basePath": value("base_path"),
        "/restapiId": value("rest_api_id"),
        "/stage": value("stage", lambda step: step.value or None, ("replace", "remove")),
    },
    listing=True,
)


async def create_base_path_mapping(
    gateway: ApiGateway, call: Call, request: api.CreateBasePathMappingRequest
) -> api.BasePathMapping:
    path = _stored(request.base_path)
    mapping = Mapping(path, part_id(), request.rest_api_id, request.stage or "")
    async with gateway.db.transaction() as tx:
        domain = await need_domain(gateway, call, request.domain_name, request.domain_name_id, tx)
        mappings = await gateway.domains.store.mappings(domain.key, tx)
        if any(other.path == path for other in mappings):
            raise conflict("Base path already exists for this domain name")
        if len(mappings) >= gateway.limits.mappings:
            raise limit_exceeded("Maximum number of base path mappings for this domain name has been reached.")
        await _check(gateway, call, tx, mapping)
        await gateway.domains.store.put_mapping(tx, domain.key, mapping)
        gateway.domains.changed(tx)
    return _shown(mapping)


async def get_base_path_mapping(
    gateway: ApiGateway, call: Call, request: api.GetBasePathMappingRequest
) -> api.BasePathMapping:
    _, mapping = await _need(gateway, call, request.domain_name, request.domain_name_id, request.base_path)
    return _shown(mapping)


async def get_base_path_mappings(
    gateway: ApiGateway, call: Call, request: api.GetBasePathMappingsRequest
) -> api.BasePathMappings:
    domain = await need_domain(gateway, call, request.domain_name, request.domain_name_id)
    mappings = [_shown(mapping) for mapping in await gateway.domains.store.mappings(domain.key)]
    found, position = cut(mappings, lambda mapping: mapping.base_path, request.position, request.limit)
    return api.BasePathMappings(items=found, position=position)


async def update_base_path_mapping(
    gateway: ApiGateway, call: Call, request: api.UpdateBasePathMappingRequest
) -> api.BasePathMapping:
    async with gateway.db.transaction() as tx:
        domain, before = await _need(gateway, call, request.domain_name, request.domain_name_id, request.base_path, tx)
        shown = _shown(before)
        _RULES.apply(shown, request.patch_operations)
        path = _stored(shown.base_path)
        mapping = replace(before, path=path, api=shown.rest_api_id or "", stage=shown.stage or "")
        await _check(gateway, call, tx, mapping)
        if path != before.path:
            mappings = await gateway.domains.store.mappings(domain.key, tx)
            if any(other.path == path for other in mappings):
                raise conflict("Base path already exists for this domain name")
            await gateway.domains.store.delete_mapping(tx, domain.key, before.path)
        await gateway.domains.store.put_mapping(tx, domain.key, mapping)
        gateway.domains.changed(tx)
    return _shown(mapping)


async def delete_base_path_mapping(gateway: ApiGateway, call: Call, request: api.DeleteBasePathMappingRequest) -> None:
    async with gateway.db.transaction() as tx:
        domain, mapping = await _need(gateway, call, request.domain_name, request.domain_name_id, request.base_path, tx)
        await gateway.domains.store.delete_mapping(tx, domain.key, mapping.path)
        gateway.domains.changed(tx)


async def _check(gateway: ApiGateway, call: Call, tx: Transaction, mapping: Mapping) -> None:
    if not await gateway.rest.apis.owned(call.account, call.region, mapping.api, tx):
        raise bad_request("Invalid REST API identifier specified")
    if mapping.stage and await gateway.rest.stages.get(mapping.api, mapping.stage, tx) is None:
        raise bad_request("Invalid stage identifier specified")


async def _need(
    gateway: ApiGateway, call: Call, name: str, id: str | None, base_path: str, within: Transaction | None = None
) -> tuple[Domain, Mapping]:
    domain = await need_domain(gateway, call, name, id, within)
    path = "" if base_path == NONE else base_path
    for mapping in await gateway.domains.store.mappings(domain.key, within):
        if mapping.path == path:
            return domain, mapping
    raise not_found("Invalid base path mapping identifier specified")


def _stored(base_path: str | None) -> str:
    if not base_path or base_path == NONE:
        return ""
    if "/" in base_path:
        raise bad_request(
            "API Gateway V1 doesn't support the slash character (/) in base path mappings. To create a multi-level base path "
            "mapping, use API Gateway V2."
        )
    if not _PATH.fullmatch(base_path):
        raise bad_request(f"Invalid base path specified: {base_path}")
    return base_path


def _shown(mapping: Mapping) -> api.BasePathMapping:
    return api.BasePathMapping(base_path=mapping.path or NONE, rest_api_id=mapping.api, stage=mapping.stage or None)
