"""Clients of APIs: GetSdk and the kinds there are."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, not_found
from cumulet.services.apigateway.rest.lookup import need_api
from cumulet.services.apigateway.rest.pages import cut
from cumulet.services.apigateway.state import ApiGateway

_BINARY = "application/octet-stream"
_MODULES = "cumulet.services.apigateway.sdk"


async def get_sdk(gateway: ApiGateway, call: Call, request: api.GetSdkRequest) -> api.SdkResponse:
    """An archive of sources. Beside AWS's kinds there are `python` and `typescript`."""
    from cumulet.services.apigateway.sdk import archive, shape, types  # noqa: PLC0415  seldom needed

    kind = types.KINDS.get(request.sdk_type)
    if kind is None:
        raise bad_request(f"Invalid SDK type specified. Valid options are {', '.join(types.KINDS)}")
    await need_api(gateway, call, request.rest_api_id)
    running = await gateway.rest.running(request.rest_api_id, request.stage_name)
    if running is None:
        raise not_found("Invalid stage identifier specified")
    try:
        parameters = types.chosen(kind, request.parameters or {})
    except KeyError as error:
        raise bad_request(f"Missing required parameter: {error.args[0]}") from None
    url = f"{call.endpoint}/_aws/execute-api/{request.rest_api_id}/{request.stage_name}"
    generator = importlib.import_module(f"{_MODULES}.{kind.module}")
    try:
        files = generator.files(shape.shape_of(running.definition, url=url, region=call.region), parameters)
    except ValueError as error:
        raise bad_request(str(error)) from error
    when = datetime.fromtimestamp(gateway.clock.now(), UTC).strftime("%Y-%m-%d_%H-%MZ")
    return api.SdkResponse(
        content_type=_BINARY,
        content_disposition=f'attachment; filename="{kind.id}_{when}.zip"',
        body=archive.packed(files),
    )


async def get_sdk_type(gateway: ApiGateway, call: Call, request: api.GetSdkTypeRequest) -> api.SdkType:
    from cumulet.services.apigateway.sdk import types  # noqa: PLC0415  seldom needed

    kind = types.KINDS.get(request.id)
    if kind is None:
        raise not_found("Invalid SDK type specified")
    return types.shown(kind)


async def get_sdk_types(gateway: ApiGateway, call: Call, request: api.GetSdkTypesRequest) -> api.SdkTypes:
    from cumulet.services.apigateway.sdk import types  # noqa: PLC0415  seldom needed

    listed = [types.shown(kind) for kind in types.KINDS.values() if not kind.ours]
    found, position = cut(listed, lambda each: each.id, request.position, request.limit)
    return api.SdkTypes(items=found, position=position)
