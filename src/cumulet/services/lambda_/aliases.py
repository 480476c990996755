"""Operations on aliases."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.errors import conflict, invalid, no_function, not_found, stale_revision, unlabelled
from cumulet.services.lambda_.markers import PAGE, decode_marker, encode_marker
from cumulet.services.lambda_.model import Alias
from cumulet.services.lambda_.names import LATEST, FunctionKey, refer
from cumulet.services.lambda_.state import Lambda
from cumulet.storage.database import Transaction


async def create_alias(lambda_: Lambda, call: Call, request: api.CreateAliasRequest) -> api.AliasConfiguration:
    key = refer(call, request.function_name).key
    weights = _weights(request.routing_config)
    alias = Alias(
        name=request.name,
        version=request.function_version,
        description=request.description or "",
        revision=new_id(),
        weights=weights,
    )
    async with lambda_.change(key) as tx:
        await _check(lambda_, tx, key, alias)
        if await lambda_.store.alias(key, alias.name, tx) is not None:
            raise conflict(f"Alias already exists: {key.arn}:{alias.name}")
        await lambda_.store.put_alias(tx, key, alias)
    return alias.answer(key)


async def update_alias(lambda_: Lambda, call: Call, request: api.UpdateAliasRequest) -> api.AliasConfiguration:
    key = refer(call, request.function_name).key
    async with lambda_.change(key) as tx:
        alias = await lambda_.store.alias(key, request.name, tx)
        if alias is None:
            raise not_found(f"Alias not found: {key.arn}:{request.name}")
        if request.revision_id is not None and request.revision_id != alias.revision:
            raise stale_revision()
        changes: dict[str, object] = {"revision": new_id()}
        if request.function_version is not None:
            changes["version"] = request.function_version
        if request.description is not None:
            changes["description"] = request.description
        if request.routing_config is not None:
            changes["weights"] = _weights(request.routing_config)
        alias = replace(alias, **changes)
        await _check(lambda_, tx, key, alias)
        await lambda_.store.put_alias(tx, key, alias)
    return alias.answer(key)


async def get_alias(lambda_: Lambda, call: Call, request: api.GetAliasRequest) -> api.AliasConfiguration:
    key = refer(call, request.function_name).key
    alias = await lambda_.store.alias(key, request.name)
    if alias is None:
        raise not_found(f"Cannot find alias arn: {key.arn}:{request.name}")
    return alias.answer(key)


async def delete_alias(lambda_: Lambda, call: Call, request: api.DeleteAliasRequest) -> None:
    key = refer(call, request.function_name).key
    async with lambda_.change(key) as tx:
        await lambda_.store.delete_alias(tx, key, request.name)
        await lambda_.clean(tx, key, request.name)


async def list_aliases(lambda_: Lambda, call: Call, request: api.ListAliasesRequest) -> api.ListAliasesResponse:
    key = refer(call, request.function_name).key
    await lambda_.function(key)
    limit = min(request.max_items or PAGE, PAGE)
    aliases = await lambda_.store.aliases(key, decode_marker(request.marker), 10_000)
    if request.function_version is not None:
        aliases = [alias for alias in aliases if request.function_version in {alias.version, *alias.weights}]
    answer = api.ListAliasesResponse(aliases=[alias.answer(key) for alias in aliases[:limit]])
    if len(aliases) > limit:
        answer.next_marker = encode_marker(aliases[limit - 1].name)
    return answer


def _weights(routing: api.AliasRoutingConfiguration | None) -> dict[str, float]:
    weights = (routing.additional_version_weights if routing else None) or {}
    if len(weights) > 1:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    return weights


async def _check(lambda_: Lambda, tx: Transaction, key: FunctionKey, alias: Alias) -> None:
    """Raises AWS's errors for versions that are not there, or cannot go together."""
    if alias.version in alias.weights:
        raise invalid(
            f"Invalid function version {alias.version}. "
            f"Function version {alias.version} is already included in routing configuration."
        )
    for version in (alias.version, *alias.weights):
        if await lambda_.store.version(key, version, tx) is None:
            raise no_function(f"{key.arn}:{version}")
    if alias.weights and alias.version == LATEST:
        raise unlabelled("$LATEST is not supported for an alias pointing to more than 1 version")
