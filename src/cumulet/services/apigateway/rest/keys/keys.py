"""Operations on API keys."""

from __future__ import annotations

import io
import math

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import long_secret, short_id
from cumulet.services.apigateway.errors import bad_request, conflict, limit_exceeded, not_found
from cumulet.services.apigateway.ids import custom_id
from cumulet.services.apigateway.rest.keys.store import newest_first
from cumulet.services.apigateway.rest.pages import after, position_of, size
from cumulet.services.apigateway.rest.patch import Rules, flag, value
from cumulet.services.apigateway.state import ApiGateway
from cumulet.services.apigateway.tags import check_tags
from cumulet.storage.database import Transaction

_LONGEST_NAME = 1024
_LONGEST_DESCRIPTION = 125_000
_RULES = Rules(
    {
        "/description": value("description"),
        "/enabled": value("enabled", flag),
        "/name": value("name"),
        "/customerId": value("customer_id"),
    },
    listing=True,
)


async def create_api_key(gateway: ApiGateway, call: Call, request: api.CreateApiKeyRequest) -> api.ApiKey:
    check_tags(request.tags, gateway.limits)
    now = gateway.clock.now()
    key = api.ApiKey(
        id=custom_id(request.tags) or short_id(),
        value=request.value or long_secret(),
        name=request.name or None,
        customer_id=request.customer_id,
        description=request.description,
        enabled=bool(request.enabled),
        created_date=float(math.floor(now)),
        last_updated_date=float(math.floor(now)),
        stage_keys=[f"{stage.rest_api_id}/{stage.stage_name}" for stage in request.stage_keys or ()],
        tags=request.tags or None,
    )
    async with gateway.db.transaction() as tx:
        await _add(gateway, call, tx, key, now)
    return key


async def get_api_key(gateway: ApiGateway, call: Call, request: api.GetApiKeyRequest) -> api.ApiKey:
    key = await need_key(gateway, call, request.api_key)
    return _shown(key, with_value=bool(request.include_value))


async def get_api_keys(gateway: ApiGateway, call: Call, request: api.GetApiKeysRequest) -> api.ApiKeys:
    """The newest first."""
    limit, with_value = size(request.limit), bool(request.include_values)
    filtered = bool(request.name_query or request.customer_id)
    found = await gateway.keys.placed(call.account, call.region, after(request.position), -1 if filtered else limit + 1)
    found = [(place, key) for place, key in found if _wanted(key, request)]
    items = [key if with_value else replace(key, value=None) for _, key in found[:limit]]
    position = position_of(found[limit - 1][0]) if len(found) > limit else None
    return api.ApiKeys(items=items, position=position)


async def update_api_key(gateway: ApiGateway, call: Call, request: api.UpdateApiKeyRequest) -> api.ApiKey:
    async with gateway.db.transaction() as tx:
        key = await need_key(gateway, call, request.api_key, tx)
        _RULES.apply(key, request.patch_operations)
        _check(key)
        key.last_updated_date = float(math.floor(gateway.clock.now()))
        await gateway.keys.put(tx, call.account, call.region, request.api_key, key)
        tx.after_commit(gateway.admissions.forget)
    return _shown(key, with_value=False)


async def delete_api_key(gateway: ApiGateway, call: Call, request: api.DeleteApiKeyRequest) -> None:
    async with gateway.db.transaction() as tx:
        if not await gateway.keys.delete(tx, call.account, call.region, request.api_key):
            raise not_found("Invalid API Key identifier specified")
        await gateway.plan_keys.forget_key(tx, call.account, call.region, request.api_key)
        tx.after_commit(gateway.admissions.forget)


async def import_api_keys(gateway: ApiGateway, call: Call, request: api.ImportApiKeysRequest) -> api.ApiKeyIds:
    """Keys from a CSV file with a line of headings.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-key-file-format.html
    """
    import csv  # noqa: PLC0415  for this alone

    try:
        rows = list(csv.DictReader(io.StringIO(request.body.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error):
        raise bad_request("Invalid API key file: it is not UTF-8 text in CSV format.") from None
    if not rows or "key" not in {(name or "").strip().lower() for name in rows[0]}:
        raise bad_request("Missing required column in API key file: key")
    ids, warnings = [], []
    async with gateway.db.transaction() as tx:
        for number, raw in enumerate(rows, 2):
            row = {(name or "").strip().lower(): text.strip() for name, text in raw.items() if isinstance(text, str)}
            warning, id = await _import(gateway, call, tx, row)
            if warning:
                warnings.append(f"Line {number}: {warning}")
            if id:
                ids.append(id)
        if warnings and request.fail_on_warnings:
            raise bad_request("; ".join(warnings))
    return api.ApiKeyIds(ids=ids, warnings=warnings or None)


async def need_key(gateway: ApiGateway, call: Call, id: str, within: Transaction | None = None) -> api.ApiKey:
    """The caller's key; raises NotFoundException."""
    key = await gateway.keys.get(call.account, call.region, id, within)
    if key is None:
        raise not_found("Invalid API Key identifier specified")
    return key


async def _import(gateway: ApiGateway, call: Call, tx: Transaction, row: dict[str, str]) -> tuple[str, str]:
    """A line of a file: what is wrong with it, and the id of its key."""
    value = row.get("key", "")
    existing = await gateway.keys.by_alias(call.account, call.region, value, tx) if value else None
    now = gateway.clock.now()
    if existing is None:
        key = api.ApiKey(
            id=short_id(),
            value=value or long_secret(),
            name=row.get("name") or None,
            description=row.get("description") or None,
            enabled=(row.get("enabled") or "true").lower() == "true",
            created_date=float(math.floor(now)),
            last_updated_date=float(math.floor(now)),
            stage_keys=[],
        )
        await _add(gateway, call, tx, key, now)
    else:
        key = existing
    for plan_id in filter(None, (part.strip() for part in row.get("usageplanids", "").split(","))):
        if await gateway.plans.get(call.account, call.region, plan_id, tx) is None:
            return f"there is no usage plan {plan_id}", key.id or ""
        await gateway.plan_keys.add(tx, call.account, call.region, plan_id, key.id or "")
    tx.after_commit(gateway.admissions.forget)
    return ("the key exists already" if existing is not None else ""), key.id or ""


async def _add(gateway: ApiGateway, call: Call, tx: Transaction, key: api.ApiKey, now: float) -> None:
    _check(key)
    if await gateway.keys.count(call.account, call.region, tx) >= gateway.limits.api_keys:
        raise limit_exceeded(
            "Maximum number of API keys for this account has been reached. Please contact AWS if you need more."
        )
    if await gateway.keys.by_alias(call.account, call.region, key.value or "", tx) is not None:
        raise conflict("API Key already exists")
    if await gateway.keys.get(call.account, call.region, key.id or "", tx) is not None:
        raise conflict(f"Another API key has the id {key.id}")
    place = newest_first(now, key.id or "")
    await gateway.keys.put(tx, call.account, call.region, key.id or "", key, alias=key.value or "", place=place)


def _check(key: api.ApiKey) -> None:
    """Raises BadRequestException."""
    if len(key.name or "") > _LONGEST_NAME:
        raise bad_request(f"Invalid API Key name, can be at most {_LONGEST_NAME} characters.")
    if len(key.value or "") < 20:
        raise bad_request("API Key value should be at least 20 characters")
    if len(key.value or "") > 128:
        raise bad_request("API Key value exceeds maximum size of 128 characters")
    if len(key.description or "") > _LONGEST_DESCRIPTION:
        raise bad_request("Invalid API Key description specified.")


def _wanted(key: api.ApiKey, request: api.GetApiKeysRequest) -> bool:
    return (not request.name_query or (key.name or "").startswith(request.name_query)) and (
        not request.customer_id or key.customer_id == request.customer_id
    )


def _shown(key: api.ApiKey, *, with_value: bool) -> api.ApiKey:
    return replace(key, value=key.value if with_value else None, tags=key.tags or {})
