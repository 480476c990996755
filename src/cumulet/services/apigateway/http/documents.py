"""Operations on documents: an API made of one, made anew, and written as one."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.http.apis import new_id, shown
from cumulet.services.apigateway.http.definition import Definition, thaw
from cumulet.services.apigateway.http.errors import bad
from cumulet.services.apigateway.http.model import copied, host_of, one_of
from cumulet.services.apigateway.http.openapi import exporter, importer
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.services.apigateway.http.store import AUTHORIZER, DEPLOYED, INTEGRATION, ROUTE, STAGE
from cumulet.services.apigateway.http.tags import check_tags
from cumulet.services.apigateway.plane.aside import aside
from cumulet.storage.database import Transaction


async def import_api(http: HttpApis, call: Call, request: api.ImportApiRequest) -> api.ImportApiResponse:
    definition, warnings = await _read(request.body, request.basepath, request.fail_on_warnings)
    check_tags(definition.api.tags)
    async with http.db.transaction() as tx:
        item = replace(
            definition.api,
            api_id=await new_id(http, tx, definition.api.tags),
            created_date=http.clock.now(),
            ip_address_type="ipv4",
            api_key_selection_expression="$request.header.x-api-key",
            import_info=warnings or None,
        )
        await http.apis.add(tx, call.account, call.region, item)
        await _put(http, tx, str(item.api_id), definition)
    return copied(api.ImportApiResponse, shown(item, call))


async def reimport_api(http: HttpApis, call: Call, request: api.ReimportApiRequest) -> api.ReimportApiResponse:
    definition, warnings = await _read(request.body, request.basepath, request.fail_on_warnings)
    async with http.change(call, request.api_id) as (tx, before):
        if before.protocol_type != "HTTP":
            raise bad("Only HTTP APIs can be imported")
        new = definition.api
        item = replace(
            before,
            name=new.name,
            description=new.description,
            version=new.version,
            cors_configuration=new.cors_configuration,
            disable_execute_api_endpoint=new.disable_execute_api_endpoint,
            import_info=warnings or None,
        )
        await http.apis.put(tx, item)
        await http.parts.clear(tx, request.api_id)
        await _put(http, tx, request.api_id, definition)
    return copied(api.ReimportApiResponse, shown(item, call))


async def export_api(http: HttpApis, call: Call, request: api.ExportApiRequest) -> api.ExportApiResponse:
    item = await http.api(call, request.api_id)
    if item.protocol_type != "HTTP":
        raise bad("Only HTTP APIs can be exported")
    one_of("specification", request.specification, ("OAS30",))
    one_of("output type", request.output_type, ("JSON", "YAML"))
    one_of("export version", request.export_version, ("1.0",))
    definition = await _definition(http, item, request.stage_name)
    url = f"https://{host_of(request.api_id, call.region, call.endpoint)}"
    if call.endpoint.startswith("http:"):
        url = f"http{url[5:]}"
    body = exporter.write(
        definition,
        url=url,
        stage=request.stage_name or "",
        extensions=request.include_extensions is not False,
        kind=request.output_type,
    )
    return api.ExportApiResponse(body=body)


async def _definition(http: HttpApis, item: api.Api, stage: str | None) -> Definition:
    """What is deployed to a stage, or the API as it is. Raises NotFoundException."""
    assert item.api_id is not None
    if stage:
        held = await http.parts.get(item.api_id, STAGE, stage)
        body = await http.snapshots.get(item.api_id, held.deployment_id) if held and held.deployment_id else None
        if body is None:
            raise api.NotFoundException("Invalid stage identifier specified", fields={"ResourceType": "Stage"})
        return thaw(body)
    definition = Definition(api=item)
    for kind in DEPLOYED:
        for part in await http.parts.page(item.api_id, kind):
            definition.add(kind.table, "", part)
    return definition


async def _read(body: str, basepath: str | None, strict: bool | None) -> tuple[Definition, list[str]]:
    definition, warnings = await aside(lambda: importer.read(body, (basepath or "ignore").lower()))
    if strict and warnings:
        raise bad("Warnings found during import:\n\t" + "\n\t".join(warnings))
    return definition, warnings


async def _put(http: HttpApis, tx: Transaction, api_id: str, definition: Definition) -> None:
    for integration in definition.integrations.values():
        await http.parts.put(tx, api_id, INTEGRATION, integration)
    for authorizer in definition.authorizers.values():
        await http.parts.put(tx, api_id, AUTHORIZER, authorizer)
    for route in definition.routes.values():
        await http.parts.put(tx, api_id, ROUTE, route)
