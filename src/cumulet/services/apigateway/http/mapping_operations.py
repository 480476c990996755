"""Operations on API mappings: which stage answers below a path of a custom domain. Paths may have several parts."""

from __future__ import annotations

import re

from msgspec.structs import replace

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.domains.store import Domain, Mapping
from cumulet.services.apigateway.http.domains import need
from cumulet.services.apigateway.http.errors import bad, conflict
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.services.apigateway.http.store import STAGE
from cumulet.storage.database import Transaction

_KEY = re.compile(r"[A-Za-z0-9$_.+!*'()\-~]+(?:/[A-Za-z0-9$_.+!*'()\-~]+)*")
_LONGEST = 300


async def create_api_mapping(
    http: HttpApis, call: Call, request: api.CreateApiMappingRequest
) -> api.CreateApiMappingResponse:
    mapping = Mapping(_path(request.api_mapping_key), short_id(6), request.api_id, request.stage)
    async with http.db.transaction() as tx:
        domain = await need(http, call, request.domain_name, tx)
        mappings = await http.domains.store.mappings(domain.key, tx)
        if any(other.path == mapping.path for other in mappings):
            raise conflict("ApiMapping key already exists for this domain name")
        if len(mappings) >= http.limits.mappings:
            raise bad("Maximum number of API mappings for this domain name has been reached.")
        await check_stage(http, call, tx, mapping.api, mapping.stage)
        await http.domains.store.put_mapping(tx, domain.key, mapping)
        http.domains.changed(tx)
    return api.CreateApiMappingResponse(**_members(mapping))


async def get_api_mapping(http: HttpApis, call: Call, request: api.GetApiMappingRequest) -> api.GetApiMappingResponse:
    _, mapping = await _need(http, call, request.domain_name, request.api_mapping_id)
    return api.GetApiMappingResponse(**_members(mapping))


async def get_api_mappings(
    http: HttpApis, call: Call, request: api.GetApiMappingsRequest
) -> api.GetApiMappingsResponse:
    domain = await need(http, call, request.domain_name)

    async def fetch(after: str, limit: int) -> list[Mapping]:
        mappings = sorted(await http.domains.store.mappings(domain.key), key=lambda mapping: mapping.id)
        return [mapping for mapping in mappings if mapping.id > after][:limit]

    items, token = await page(fetch, lambda mapping: mapping.id, request.max_results, request.next_token)
    return api.GetApiMappingsResponse(
        items=[api.ApiMapping(**_members(mapping)) for mapping in items], next_token=token
    )


async def update_api_mapping(
    http: HttpApis, call: Call, request: api.UpdateApiMappingRequest
) -> api.UpdateApiMappingResponse:
    async with http.db.transaction() as tx:
        domain, before = await _need(http, call, request.domain_name, request.api_mapping_id, tx)
        path = before.path if request.api_mapping_key is None else _path(request.api_mapping_key)
        mapping = replace(before, path=path, api=request.api_id, stage=request.stage or before.stage)
        await check_stage(http, call, tx, mapping.api, mapping.stage)
        if path != before.path:
            if any(other.path == path for other in await http.domains.store.mappings(domain.key, tx)):
                raise conflict("ApiMapping key already exists for this domain name")
            await http.domains.store.delete_mapping(tx, domain.key, before.path)
        await http.domains.store.put_mapping(tx, domain.key, mapping)
        http.domains.changed(tx)
    return api.UpdateApiMappingResponse(**_members(mapping))


async def delete_api_mapping(http: HttpApis, call: Call, request: api.DeleteApiMappingRequest) -> None:
    async with http.db.transaction() as tx:
        domain, mapping = await _need(http, call, request.domain_name, request.api_mapping_id, tx)
        await http.domains.store.delete_mapping(tx, domain.key, mapping.path)
        http.domains.changed(tx)


async def check_stage(http: HttpApis, call: Call, tx: Transaction, api_id: str, stage: str) -> None:
    """That there is such a stage of an API of whatever kind of the caller's. Raises NotFoundException and BadRequestException."""
    owned = await http.apis.find(api_id, tx)
    if owned is not None and (owned.account, owned.region) == (call.account, call.region):
        if await http.parts.get(api_id, STAGE, stage, within=tx) is not None:
            return
    elif await http.rest_apis.owned(call.account, call.region, api_id, tx):
        if await http.rest_stages.get(api_id, stage, tx) is not None:
            return
    else:
        raise bad("Invalid API identifier specified")
    raise bad("Invalid stage identifier specified")


async def _need(
    http: HttpApis, call: Call, name: str, id: str, within: Transaction | None = None
) -> tuple[Domain, Mapping]:
    domain = await need(http, call, name, within)
    for mapping in await http.domains.store.mappings(domain.key, within):
        if mapping.id == id:
            return domain, mapping
    raise api.NotFoundException("Invalid API mapping identifier specified", fields={"ResourceType": "ApiMapping"})


def _path(key: str | None) -> str:
    """A key as it is kept; raises BadRequestException."""
    if not key or key == "(none)":
        return ""
    if len(key) > _LONGEST or not _KEY.fullmatch(key):
        raise bad("API mapping key may only contain letters, numbers and one of $-_.+!*'()/")
    return key


def _members(mapping: Mapping) -> dict[str, str]:
    return {
        "api_id": mapping.api,
        "api_mapping_id": mapping.id,
        "api_mapping_key": mapping.path,
        "stage": mapping.stage,
    }
