"""Request validators: whether bodies and parameters are checked."""

from __future__ import annotations

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, not_found
from cumulet.services.apigateway.rest.apis.fresh import part_id
from cumulet.services.apigateway.rest.lookup import need_api
from cumulet.services.apigateway.rest.pages import page
from cumulet.services.apigateway.rest.parts import VALIDATOR
from cumulet.services.apigateway.rest.patch import Rules, flag, value
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Transaction

_RULES = Rules(
    {
        "/name": value("name"),
        "/validateRequestParameters": value("validate_request_parameters", flag),
        "/validateRequestBody": value("validate_request_body", flag),
    },
    listing=True,
)


async def create_request_validator(
    gateway: ApiGateway, call: Call, request: api.CreateRequestValidatorRequest
) -> api.RequestValidator:
    validator = api.RequestValidator(
        id=part_id(),
        name=request.name,
        validate_request_body=bool(request.validate_request_body),
        validate_request_parameters=bool(request.validate_request_parameters),
    )
    async with gateway.db.transaction() as tx:
        if not await gateway.rest.apis.owned(call.account, call.region, request.rest_api_id, tx):
            raise bad_request("Invalid REST API identifier specified")
        await gateway.rest.parts.put(tx, request.rest_api_id, VALIDATOR, validator.id or "", validator)
    return validator


async def get_request_validator(
    gateway: ApiGateway, call: Call, request: api.GetRequestValidatorRequest
) -> api.RequestValidator:
    return await _need(gateway, call, request.rest_api_id, request.request_validator_id)


async def get_request_validators(
    gateway: ApiGateway, call: Call, request: api.GetRequestValidatorsRequest
) -> api.RequestValidators:
    await need_api(gateway, call, request.rest_api_id)
    found, position = await page(
        lambda after, limit: gateway.rest.parts.list(request.rest_api_id, VALIDATOR, after, limit),
        lambda validator: validator.id,
        request.position,
        request.limit,
    )
    return api.RequestValidators(items=found, position=position)


async def update_request_validator(
    gateway: ApiGateway, call: Call, request: api.UpdateRequestValidatorRequest
) -> api.RequestValidator:
    async with gateway.db.transaction() as tx:
        validator = await _need(gateway, call, request.rest_api_id, request.request_validator_id, tx)
        _RULES.apply(validator, request.patch_operations)
        if not validator.name:
            raise bad_request("Request Validator name cannot be blank")
        await gateway.rest.parts.put(tx, request.rest_api_id, VALIDATOR, request.request_validator_id, validator)
    return validator


async def delete_request_validator(gateway: ApiGateway, call: Call, request: api.DeleteRequestValidatorRequest) -> None:
    async with gateway.db.transaction() as tx:
        await _need(gateway, call, request.rest_api_id, request.request_validator_id, tx)
        await gateway.rest.parts.delete(tx, request.rest_api_id, VALIDATOR, request.request_validator_id)


async def _need(
    gateway: ApiGateway, call: Call, api_id: str, id: str, within: Transaction | None = None
) -> api.RequestValidator:
    owned = await gateway.rest.apis.owned(call.account, call.region, api_id, within)
    validator = await gateway.rest.parts.get(api_id, VALIDATOR, id, within) if owned else None
    if validator is None:
        raise not_found("Invalid Request Validator identifier specified")
    return validator
