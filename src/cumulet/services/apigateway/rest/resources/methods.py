"""Methods of resources, and what they answer."""

from __future__ import annotations

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, conflict, not_found
from cumulet.services.apigateway.rest.lookup import need_method, need_resource
from cumulet.services.apigateway.rest.parts import AUTHORIZER, MODEL, RESOURCE, VALIDATOR
from cumulet.services.apigateway.rest.patch import (
    ANY,
    Rule,
    Rules,
    Step,
    entries,
    flag,
    items,
    no_content_type,
    no_parameter,
    text,
    value,
)
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Transaction

VERBS = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY")
_AUTHORIZED = ("CUSTOM", "COGNITO_USER_POOLS", "JWT")
_AUTHORIZATIONS = ("NONE", "AWS_IAM", *_AUTHORIZED)
_PLACES = ("method.request.querystring.", "method.request.header.", "method.request.path.", "method.request.multivalue")


async def put_method(gateway: ApiGateway, call: Call, request: api.PutMethodRequest) -> api.Method:
    api_id = request.rest_api_id
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, api_id, request.resource_id, tx)
        methods = resource.resource_methods or {}
        method = api.Method(
            http_method=request.http_method,
            authorization_type=request.authorization_type.upper(),
            authorizer_id=request.authorizer_id if request.authorization_type.upper() in _AUTHORIZED else None,
            api_key_required=bool(request.api_key_required),
            request_validator_id=request.request_validator_id or None,
            operation_name=request.operation_name,
            request_parameters=request.request_parameters or None,
            request_models=request.request_models or None,
            authorization_scopes=request.authorization_scopes or None,
        )
        if request.http_method not in VERBS:
            raise bad_request(f"Invalid HttpMethod specified. Valid options are {','.join(VERBS)}")
        await _check(gateway, tx, api_id, method)
        if request.http_method in methods:
            raise conflict("Method already exists for this resource")
        methods[request.http_method] = method
        resource.resource_methods = methods
        await gateway.rest.parts.put(tx, api_id, RESOURCE, request.resource_id, resource)
    return method


async def get_method(gateway: ApiGateway, call: Call, request: api.GetMethodRequest) -> api.Method:
    resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id)
    return need_method(resource, request.http_method)


async def update_method(gateway: ApiGateway, call: Call, request: api.UpdateMethodRequest) -> api.Method:
    api_id = request.rest_api_id
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, api_id, request.resource_id, tx)
        method = need_method(resource, request.http_method)
        _RULES.apply(method, request.patch_operations)
        if method.authorization_type not in _AUTHORIZED:
            method.authorizer_id = None
        await _check(gateway, tx, api_id, method)
        await gateway.rest.parts.put(tx, api_id, RESOURCE, request.resource_id, resource)
    return method


async def delete_method(gateway: ApiGateway, call: Call, request: api.DeleteMethodRequest) -> None:
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id, tx)
        need_method(resource, request.http_method)
        assert resource.resource_methods is not None
        del resource.resource_methods[request.http_method]
        resource.resource_methods = resource.resource_methods or None
        await gateway.rest.parts.put(tx, request.rest_api_id, RESOURCE, request.resource_id, resource)


async def put_method_response(
    gateway: ApiGateway, call: Call, request: api.PutMethodResponseRequest
) -> api.MethodResponse:
    response = api.MethodResponse(
        status_code=request.status_code,
        response_parameters=request.response_parameters,
        response_models=request.response_models,
    )
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id, tx)
        method = need_method(resource, request.http_method)
        _check_response(response)
        await _check_models(gateway, tx, request.rest_api_id, response.response_models)
        responses = method.method_responses or {}
        if request.status_code in responses:
            raise conflict("Response already exists for this resource")
        method.method_responses = responses | {request.status_code: response}
        await gateway.rest.parts.put(tx, request.rest_api_id, RESOURCE, request.resource_id, resource)
    return response


async def get_method_response(
    gateway: ApiGateway, call: Call, request: api.GetMethodResponseRequest
) -> api.MethodResponse:
    resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id)
    return _need_response(need_method(resource, request.http_method), request.status_code)


async def update_method_response(
    gateway: ApiGateway, call: Call, request: api.UpdateMethodResponseRequest
) -> api.MethodResponse:
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id, tx)
        response = _need_response(need_method(resource, request.http_method), request.status_code)
        _RESPONSE_RULES.apply(response, request.patch_operations)
        _check_response(response)
        await _check_models(gateway, tx, request.rest_api_id, response.response_models)
        await gateway.rest.parts.put(tx, request.rest_api_id, RESOURCE, request.resource_id, resource)
    return response


async def delete_method_response(gateway: ApiGateway, call: Call, request: api.DeleteMethodResponseRequest) -> None:
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id, tx)
        method = need_method(resource, request.http_method)
        _need_response(method, request.status_code)
        assert method.method_responses is not None
        del method.method_responses[request.status_code]
        method.method_responses = method.method_responses or None
        await gateway.rest.parts.put(tx, request.rest_api_id, RESOURCE, request.resource_id, resource)


def _need_response(method: api.Method, status: str) -> api.MethodResponse:
    response = (method.method_responses or {}).get(status)
    if response is None:
        raise not_found("Invalid Response status code specified")
    return response


async def _check(gateway: ApiGateway, tx: Transaction, api_id: str, method: api.Method) -> None:
    """Raises BadRequestException for what does not fit, or is not there."""
    if method.authorization_type not in _AUTHORIZATIONS:
        raise bad_request(f"Invalid Authorization Type specified. Valid options are {','.join(_AUTHORIZATIONS)}")
    if method.authorization_type in _AUTHORIZED:
        authorizer = method.authorizer_id and await gateway.rest.parts.get(api_id, AUTHORIZER, method.authorizer_id, tx)
        if not authorizer:
            raise bad_request(
                "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a "
                "valid authorizer."
            )
    validator = method.request_validator_id
    if validator and await gateway.rest.parts.get(api_id, VALIDATOR, validator, tx) is None:
        raise bad_request("Invalid Request Validator identifier specified")
    await _check_models(gateway, tx, api_id, method.request_models)
    _check_parameters(method.request_parameters)


async def _check_models(gateway: ApiGateway, tx: Transaction, api_id: str, models: dict[str, str] | None) -> None:
    for name in (models or {}).values():
        if await gateway.rest.parts.get(api_id, MODEL, name, tx) is None:
            raise bad_request(f"Invalid model identifier specified: {name}")


def _check_parameters(parameters: dict[str, bool] | None) -> None:
    names = set()
    for parameter in parameters or ():
        if not parameter.startswith(_PLACES):
            raise bad_request(f"Invalid mapping expression specified: {_result(parameter)}")
        name = parameter.split(".", 3)[-1]
        if name in names:
            raise bad_request("Parameter names must be unique across querystring, header and path")
        names.add(name)


def _check_response(response: api.MethodResponse) -> None:
    for parameter in response.response_parameters or ():
        if not parameter.startswith("method.response.header."):
            raise bad_request(f"Invalid mapping expression specified: {_result(parameter)}")


def _result(expression: str) -> str:
    return f"Validation Result: warnings : [], errors : [Invalid mapping expression specified: {expression}]"


def _whole_scopes(method: api.Method, step: Step) -> None:
    items("authorization_scopes", by_value=True).act(method, step)


_RULES = Rules(
    {
        "/authorizationType": value("authorization_type", lambda step: text(step).upper()),
        "/authorizerId": value("authorizer_id"),
        "/authorizationScopes": Rule(ANY, _whole_scopes),
        "/apiKeyRequired": value("api_key_required", flag),
        "/operationName": value("operation_name"),
        "/requestValidatorId": value("request_validator_id", lambda step: step.value or None),
        "/requestParameters/{}": entries("request_parameters", flag, missing=no_parameter),
        "/requestModels/{}": entries("request_models", missing=no_content_type),
    }
)
_RESPONSE_RULES = Rules(
    {
        "/responseParameters/{}": entries("response_parameters", flag, missing=no_parameter),
        "/responseModels/{}": entries("response_models", missing=no_content_type),
    }
)
