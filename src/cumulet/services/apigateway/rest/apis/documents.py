"""APIs from documents and documents of APIs: OpenAPI in and out, and documentation parts."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.errors import bad_request, not_found
from cumulet.services.apigateway.plane.aside import aside
from cumulet.services.apigateway.rest.apis import rules
from cumulet.services.apigateway.rest.apis.apis import add, listed, shown
from cumulet.services.apigateway.rest.apis.fresh import fresh
from cumulet.services.apigateway.rest.apis.policies import stored_policy
from cumulet.services.apigateway.rest.definition import Definition
from cumulet.services.apigateway.rest.lookup import need_api
from cumulet.services.apigateway.rest.parts import DOCUMENTATION
from cumulet.services.apigateway.state import ApiGateway

_LOCAL = "localhost.localstack.cloud"
_BINARY = "application/octet-stream"


async def import_rest_api(gateway: ApiGateway, call: Call, request: api.ImportRestApiRequest) -> api.RestApi:
    rest_api = api.RestApi(
        id=short_id(),
        created_date=float(math.floor(gateway.clock.now())),
        api_key_source="HEADER",
        endpoint_configuration=rules.endpoint(None),
        disable_execute_api_endpoint=False,
        root_resource_id=short_id(),
    )
    definition, warnings = await _read(
        gateway, call, request.body, request.parameters, request.fail_on_warnings, fresh(rest_api), "overwrite"
    )
    async with gateway.db.transaction() as tx:
        await add(gateway, call, tx, definition)
    return replace(listed(definition.api), warnings=warnings or None)


async def put_rest_api(gateway: ApiGateway, call: Call, request: api.PutRestApiRequest) -> api.RestApi:
    from cumulet.services.apigateway.openapi.document import Document, DocumentError  # noqa: PLC0415  seldom needed

    try:
        # A document that is none is told of before an API that is none.
        await aside(lambda: Document(request.body))
    except DocumentError as error:
        raise bad_request(str(error)) from error
    async with gateway.db.transaction() as tx:
        rest_api = await gateway.rest_api(call, request.rest_api_id, tx)
        base = await gateway.rest.parts.definition(rest_api, tx)
        definition, warnings = await _read(
            gateway, call, request.body, request.parameters, request.fail_on_warnings, base, request.mode or "merge"
        )
        await gateway.rest.apis.put(tx, definition.api)
        await gateway.rest.parts.replace(tx, definition)
    return replace(shown(definition.api), warnings=warnings or None)


async def _read(
    gateway: ApiGateway,
    call: Call,
    body: bytes,
    parameters: dict[str, str] | None,
    fail_on_warnings: bool | None,
    base: Definition,
    mode: str,
) -> tuple[Definition, list[str]]:
    from cumulet.services.apigateway.openapi import importer  # noqa: PLC0415  seldom needed

    scheme, _, host = call.endpoint.partition("://")
    # As SQS's: reached by this name, the node is called so in what it answers.
    address = f"{scheme}://apigateway.{host}" if host.startswith(_LOCAL) else importer.AWS
    definition, warnings = await aside(
        lambda: importer.read(body, parameters or {}, base, mode, gateway.limits, address)
    )
    if warnings and fail_on_warnings:
        raise bad_request("Warnings found during import:\n\t" + "\n\t".join(warnings))
    rest_api = definition.api
    if rest_api.policy and rest_api.policy != base.api.policy:
        rest_api.policy = stored_policy(rest_api.policy, call, rest_api.id or "", gateway.limits)
    return definition, warnings


async def import_documentation_parts(
    gateway: ApiGateway, call: Call, request: api.ImportDocumentationPartsRequest
) -> api.DocumentationPartIds:
    from cumulet.services.apigateway.openapi import documentation  # noqa: PLC0415  seldom needed
    from cumulet.services.apigateway.openapi.document import DocumentError, load  # noqa: PLC0415  as above

    try:
        root = await aside(lambda: load(request.body))
    except DocumentError:
        raise bad_request("Unable to build importer with provided input.") from None
    async with gateway.db.transaction() as tx:
        await need_api(gateway, call, request.rest_api_id, tx)
        before = {
            part.id or "": part for part in await gateway.rest.parts.list(request.rest_api_id, DOCUMENTATION, within=tx)
        }
        parts = dict(before) if request.mode != "overwrite" else {}
        ids = documentation.read(root, parts)
        for id in before.keys() - parts.keys():
            await gateway.rest.parts.delete(tx, request.rest_api_id, DOCUMENTATION, id)
        await gateway.rest.parts.put_each(tx, request.rest_api_id, DOCUMENTATION, {id: parts[id] for id in ids})
    return api.DocumentationPartIds(ids=ids)


async def get_export(gateway: ApiGateway, call: Call, request: api.GetExportRequest) -> api.ExportResponse:
    """What a stage runs, as a document."""
    from cumulet.services.apigateway.openapi import exporter  # noqa: PLC0415  seldom needed

    if request.export_type not in exporter.KINDS:
        raise bad_request(
            f"No API {request.export_type} export type found. Supported types are {', '.join(exporter.KINDS)}"
        )
    await need_api(gateway, call, request.rest_api_id)
    running = await gateway.rest.running(request.rest_api_id, request.stage_name)
    if running is None:
        raise not_found("Invalid stage identifier specified")
    rest_api = running.definition.api
    version = rest_api.version or _moment(running.stage.created_date)
    parameters = request.parameters or {}
    document = exporter.write(
        running.definition,
        kind=request.export_type,
        stage=running.stage,
        host=f"{request.rest_api_id}.execute-api.{call.region}.amazonaws.com",
        version=version,
        extensions=frozenset(part for part in parameters.get("extensions", "").split(",") if part),
        yaml="yaml" in (request.accepts or ""),
    )
    ending = "yaml" if "yaml" in (request.accepts or "") else "json"
    return api.ExportResponse(
        content_type=_BINARY,
        content_disposition=f'attachment; filename="{request.export_type}_{version}.{ending}"',
        body=document,
    )


def _moment(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
