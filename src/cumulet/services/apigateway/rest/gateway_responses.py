"""Gateway responses: what the gateway itself answers, by kind of failure."""

from __future__ import annotations

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, not_found
from cumulet.services.apigateway.rest.lookup import need_api
from cumulet.services.apigateway.rest.pages import cut
from cumulet.services.apigateway.rest.parts import GATEWAY_RESPONSE
from cumulet.services.apigateway.rest.patch import Rule, Rules, Step, entries, no_content_type, no_parameter, value
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Transaction

STATUSES: dict[str, str | None] = {
    "ACCESS_DENIED": "403",
    "API_CONFIGURATION_ERROR": "500",
    "AUTHORIZER_CONFIGURATION_ERROR": "500",
    "AUTHORIZER_FAILURE": "500",
    "BAD_REQUEST_BODY": "400",
    "BAD_REQUEST_PARAMETERS": "400",
    "DEFAULT_4XX": None,
    "DEFAULT_5XX": None,
    "EXPIRED_TOKEN": "403",
    "INTEGRATION_FAILURE": "504",
    "INTEGRATION_TIMEOUT": "504",
    "INVALID_API_KEY": "403",
    "INVALID_SIGNATURE": "403",
    "MISSING_AUTHENTICATION_TOKEN": "403",
    "QUOTA_EXCEEDED": "429",
    "REQUEST_TOO_LARGE": "413",
    "RESOURCE_NOT_FOUND": "404",
    "THROTTLED": "429",
    "UNAUTHORIZED": "401",
    "UNSUPPORTED_MEDIA_TYPE": "415",
    "WAF_FILTERED": "403",
}
"""The 21 types with the statuses they have unless changed; the two defaults have none of their own."""
_TEMPLATE = '{"message":$context.error.messageString}'
_JSON = "application/json"


def response(kind: str, changed: dict[str, api.GatewayResponse]) -> api.GatewayResponse:
    """What is answered for a type: as changed, as DEFAULT_4XX or DEFAULT_5XX was changed, or AWS's default."""
    if (own := changed.get(kind)) is not None:
        return own
    status = STATUSES[kind]
    default = changed.get(f"DEFAULT_{status[0]}XX") if status is not None else None
    if default is None:
        return api.GatewayResponse(
            response_type=kind,
            status_code=status,
            response_parameters={},
            response_templates={_JSON: _TEMPLATE},
            default_response=True,
        )
    return api.GatewayResponse(
        response_type=kind,
        status_code=default.status_code or status,
        response_parameters=default.response_parameters,
        response_templates=default.response_templates,
        default_response=True,
    )


async def put_gateway_response(
    gateway: ApiGateway, call: Call, request: api.PutGatewayResponseRequest
) -> api.GatewayResponse:
    kind = request.response_type
    for text in (request.response_templates or {}).values():
        if not text:
            raise bad_request("Invalid null or empty value in responseTemplates")
    put = api.GatewayResponse(
        response_type=kind,
        status_code=request.status_code or STATUSES[kind],
        response_parameters=request.response_parameters or {},
        response_templates=request.response_templates or {_JSON: _TEMPLATE},
        default_response=False,
    )
    async with gateway.db.transaction() as tx:
        await need_api(gateway, call, request.rest_api_id, tx)
        _check(put)
        await gateway.rest.parts.put(tx, request.rest_api_id, GATEWAY_RESPONSE, kind, put)
    return put


async def get_gateway_response(
    gateway: ApiGateway, call: Call, request: api.GetGatewayResponseRequest
) -> api.GatewayResponse:
    await need_api(gateway, call, request.rest_api_id)
    return response(request.response_type, await _changed(gateway, request.rest_api_id))


async def get_gateway_responses(
    gateway: ApiGateway, call: Call, request: api.GetGatewayResponsesRequest
) -> api.GatewayResponses:
    await need_api(gateway, call, request.rest_api_id)
    changed = await _changed(gateway, request.rest_api_id)
    # All in one answer, though there are fewer than the usual page has.
    found, position = cut(
        [response(kind, changed) for kind in STATUSES], lambda each: each.response_type, request.position, request.limit
    )
    return api.GatewayResponses(items=found, position=position)


async def update_gateway_response(
    gateway: ApiGateway, call: Call, request: api.UpdateGatewayResponseRequest
) -> api.GatewayResponse:
    kind = request.response_type
    async with gateway.db.transaction() as tx:
        await need_api(gateway, call, request.rest_api_id, tx)
        changed = await gateway.rest.parts.get(request.rest_api_id, GATEWAY_RESPONSE, kind, tx)
        updated = changed or response(kind, {})
        updated.default_response = False
        _RULES.apply(updated, request.patch_operations)
        updated.response_parameters = updated.response_parameters or {}
        updated.response_templates = updated.response_templates or {_JSON: _TEMPLATE}
        _check(updated)
        await gateway.rest.parts.put(tx, request.rest_api_id, GATEWAY_RESPONSE, kind, updated)
    return updated


async def delete_gateway_response(gateway: ApiGateway, call: Call, request: api.DeleteGatewayResponseRequest) -> None:
    async with gateway.db.transaction() as tx:
        await need_api(gateway, call, request.rest_api_id, tx)
        if not await gateway.rest.parts.delete(tx, request.rest_api_id, GATEWAY_RESPONSE, request.response_type):
            raise not_found("Gateway response type not defined on api")


async def _changed(
    gateway: ApiGateway, api_id: str, within: Transaction | None = None
) -> dict[str, api.GatewayResponse]:
    parts = await gateway.rest.parts.list(api_id, GATEWAY_RESPONSE, within=within)
    return {part.response_type or "": part for part in parts}


def _check(put: api.GatewayResponse) -> None:
    for parameter in put.response_parameters or ():
        if not parameter.startswith("gatewayresponse.header."):
            raise bad_request(f"Invalid parameter name specified: {parameter}")


def _filled(field: str, name: str) -> Rule:
    """An entry that must have a value; this is said before whether it is there."""
    rule = entries(field, missing=no_content_type if name == "responseTemplates" else no_parameter)

    def act(thing: api.GatewayResponse, step: Step) -> None:
        if step.op != "remove" and not step.value:
            raise bad_request(f"Invalid null or empty value in {name}")
        rule.act(thing, step)

    return Rule(rule.ops, act)


_RULES = Rules(
    {
        "/statusCode": value("status_code"),
        "/responseParameters/{}": _filled("response_parameters", "responseParameters"),
        "/responseTemplates/{}": _filled("response_templates", "responseTemplates"),
    },
    wrong_op=None,
)
