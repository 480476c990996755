"""Operations on models."""

from __future__ import annotations

import re

import msgspec

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http.errors import bad, conflict
from cumulet.services.apigateway.http.model import copied, updated
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.services.apigateway.http.store import MODEL
from cumulet.storage.database import Conflict, Transaction

_NAME = re.compile(r"[A-Za-z0-9]{1,128}")
_LONGEST = 32_768


async def create_model(http: HttpApis, call: Call, request: api.CreateModelRequest) -> api.CreateModelResponse:
    async with http.change(call, request.api_id) as (tx, item):
        model = copied(
            api.Model, request, model_id=short_id(6), content_type=request.content_type or "application/json"
        )
        check(item, model)
        await _put(http, tx, request.api_id, model)
    return copied(api.CreateModelResponse, model)


async def get_model(http: HttpApis, call: Call, request: api.GetModelRequest) -> api.GetModelResponse:
    await http.api(call, request.api_id)
    return copied(api.GetModelResponse, await http.part(request.api_id, MODEL, request.model_id))


async def get_models(http: HttpApis, call: Call, request: api.GetModelsRequest) -> api.GetModelsResponse:
    await http.api(call, request.api_id)
    items, token = await page(
        lambda after, limit: http.parts.page(request.api_id, MODEL, "", after, limit),
        MODEL.id_of,
        request.max_results,
        request.next_token,
    )
    return api.GetModelsResponse(items=items, next_token=token)


async def update_model(http: HttpApis, call: Call, request: api.UpdateModelRequest) -> api.UpdateModelResponse:
    async with http.change(call, request.api_id) as (tx, item):
        before = await http.part(request.api_id, MODEL, request.model_id, within=tx)
        model = updated(before, request, name=request.name or before.name, schema=request.schema or before.schema)
        check(item, model)
        await _put(http, tx, request.api_id, model)
    return copied(api.UpdateModelResponse, model)


async def delete_model(http: HttpApis, call: Call, request: api.DeleteModelRequest) -> None:
    async with http.change(call, request.api_id) as (tx, _):
        await http.part(request.api_id, MODEL, request.model_id, within=tx)
        await http.parts.delete(tx, request.api_id, MODEL, request.model_id)


async def get_model_template(
    http: HttpApis, call: Call, request: api.GetModelTemplateRequest
) -> api.GetModelTemplateResponse:
    await http.api(call, request.api_id)
    model = await http.part(request.api_id, MODEL, request.model_id)
    return api.GetModelTemplateResponse(value=template(model.schema or "{}"))


def template(schema: str) -> str:
    """A mapping template that makes what a schema describes of the request's body."""
    return _template(msgspec.json.decode(schema), "$inputRoot", 0, 0)


def _template(schema: object, place: str, depth: int, loops: int) -> str:
    head = "#set($inputRoot = $input.path('$'))\n" if depth == 0 else ""
    if not isinstance(schema, dict) or depth > 20:
        return f"{head}{place}"
    indent = "  " * (depth + 1)
    kind = schema.get("type")
    if kind == "array":
        item = f"$elem{loops or ''}"
        inner = _template(schema.get("items"), item, depth + 1, loops + 1)
        return f"{head}[\n#foreach({item} in {place})\n{indent}{inner}#if($foreach.hasNext),#end\n#end\n{indent[2:]}]"
    if kind == "object" or "properties" in schema:
        lines = [
            f'{indent}"{name}" : {_template(held, f"{place}.{name}", depth + 1, loops)}'
            for name, held in (schema.get("properties") or {}).items()
        ]
        return f"{head}{{\n" + ",\n".join(lines) + f"\n{indent[2:]}}}"
    return f'{head}"{place}"' if kind == "string" else f"{head}{place}"


def check(item: api.Api, model: api.Model) -> None:
    """Raises BadRequestException."""
    if item.protocol_type != "WEBSOCKET":
        raise bad("Models are not supported for HTTP APIs")
    if not _NAME.fullmatch(model.name):
        raise bad(f"Model name must be alphanumeric: {model.name}")
    if len(model.schema or "") > _LONGEST:
        raise bad(f"Model schema cannot be longer than {_LONGEST} characters.")
    try:
        schema = msgspec.json.decode(model.schema or "")
    except (msgspec.DecodeError, RecursionError):
        raise bad("Invalid model schema specified. Schema must be a JSON document") from None
    if not isinstance(schema, dict):
        raise bad("Invalid model schema specified. Schema must be a JSON object")


async def _put(http: HttpApis, tx: Transaction, api_id: str, model: api.Model) -> None:
    try:
        await http.parts.put(tx, api_id, MODEL, model)
    except Conflict:
        raise conflict(f"Model name already exists for this API: {model.name}") from None
