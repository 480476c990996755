"""Models: JSON schemas of bodies, which have names."""

from __future__ import annotations

import re

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.apigateway.errors import bad_request, conflict, not_found
from cumulet.services.apigateway.rest.apis.fresh import part_id
from cumulet.services.apigateway.rest.json_text import document
from cumulet.services.apigateway.rest.lookup import need_api
from cumulet.services.apigateway.rest.pages import page
from cumulet.services.apigateway.rest.parts import MODEL, RESOURCE
from cumulet.services.apigateway.rest.patch import Rules, value
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Transaction

_NAME = re.compile(r"[a-zA-Z0-9]+")
_RULES = Rules(
    {"/description": value("description", lambda step: step.value or None), "/schema": value("schema")}, listing=True
)


async def create_model(gateway: ApiGateway, call: Call, request: api.CreateModelRequest) -> api.Model:
    model = api.Model(
        id=part_id(),
        name=request.name,
        description=request.description or None,
        schema=request.schema,
        content_type=request.content_type,
    )
    async with gateway.db.transaction() as tx:
        await need_api(gateway, call, request.rest_api_id, tx)
        if not request.name:
            raise bad_request("Model name must be non-empty")
        if not _NAME.fullmatch(request.name):
            raise bad_request("Model name must match the pattern [a-zA-Z0-9]+")
        _check_schema(gateway, model)
        if await gateway.rest.parts.get(request.rest_api_id, MODEL, request.name, tx) is not None:
            raise conflict("Model name already exists for this REST API")
        await gateway.rest.parts.put(tx, request.rest_api_id, MODEL, request.name, model)
    return model


async def get_model(gateway: ApiGateway, call: Call, request: api.GetModelRequest) -> api.Model:
    model = await _need(gateway, call, request.rest_api_id, request.model_name)
    if request.flatten and model.schema:
        from cumulet.services.apigateway.rest.models.schemas import flatten  # noqa: PLC0415  seldom asked for

        models = {each.name or "": each for each in await gateway.rest.parts.list(request.rest_api_id, MODEL)}
        try:
            model.schema = flatten(model.schema, models)
        except (RecursionError, ValueError, AttributeError, TypeError):
            raise _too_deep() from None
    return model


async def get_models(gateway: ApiGateway, call: Call, request: api.GetModelsRequest) -> api.Models:
    await need_api(gateway, call, request.rest_api_id)
    found, position = await page(
        lambda after, limit: gateway.rest.parts.list(request.rest_api_id, MODEL, after, limit),
        lambda model: model.name,
        request.position,
        request.limit,
    )
    return api.Models(items=found, position=position)


async def get_model_template(gateway: ApiGateway, call: Call, request: api.GetModelTemplateRequest) -> api.Template:
    model = await _need(gateway, call, request.rest_api_id, request.model_name)
    from cumulet.services.apigateway.rest.models.schemas import template  # noqa: PLC0415  seldom asked for

    models = {each.name or "": each for each in await gateway.rest.parts.list(request.rest_api_id, MODEL)}
    try:
        return api.Template(value=template(model, models))
    except (RecursionError, ValueError, AttributeError, TypeError):  # of models of other content types nothing is known
        raise _too_deep() from None


async def update_model(gateway: ApiGateway, call: Call, request: api.UpdateModelRequest) -> api.Model:
    async with gateway.db.transaction() as tx:
        model = await _need(gateway, call, request.rest_api_id, request.model_name, tx)
        _RULES.apply(model, request.patch_operations)
        _check_schema(gateway, model)
        await gateway.rest.parts.put(tx, request.rest_api_id, MODEL, request.model_name, model)
    return model


async def delete_model(gateway: ApiGateway, call: Call, request: api.DeleteModelRequest) -> None:
    """Not while a method uses it."""
    api_id, name = request.rest_api_id, request.model_name
    async with gateway.db.transaction() as tx:
        await _need(gateway, call, api_id, name, tx)
        for resource in await gateway.rest.parts.list(api_id, RESOURCE, within=tx):
            for verb, method in (resource.resource_methods or {}).items():
                place = f"{resource.path}/{verb}" if resource.parent_id else f"//{verb}"
                if name in (method.request_models or {}).values():
                    raise conflict(f"Cannot delete model '{name}', is referenced in method request: {place}")
                for response in (method.method_responses or {}).values():
                    if name in (response.response_models or {}).values():
                        raise conflict(f"Cannot delete model '{name}', is referenced in method response: {place}")
        await gateway.rest.parts.delete(tx, api_id, MODEL, name)


def _too_deep() -> AwsError:
    return bad_request("The model's schema is no JSON, or nested too deeply")


async def _need(
    gateway: ApiGateway, call: Call, api_id: str, name: str, within: Transaction | None = None
) -> api.Model:
    owned = await gateway.rest.apis.owned(call.account, call.region, api_id, within)
    model = await gateway.rest.parts.get(api_id, MODEL, name, within) if owned else None
    if model is None:
        raise not_found(f"Invalid model name specified: {name}")
    return model


def _check_schema(gateway: ApiGateway, model: api.Model) -> None:
    """Raises BadRequestException for what is no JSON schema, where it should be one."""
    if not model.schema:
        raise bad_request("Model schema must have at least 1 property or array items defined")
    if len(model.schema) > gateway.limits.schema:
        raise bad_request(f"Model schema must not be larger than {gateway.limits.schema} bytes")
    if "json" in (model.content_type or ""):
        try:
            schema = document(model.schema)
        except ValueError:
            schema = None
        if not isinstance(schema, dict):
            raise bad_request(
                "Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified]"
            )
