"""Operations on provisioned concurrency."""

from __future__ import annotations

from typing import Any

from msgspec import json

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.concurrency.provisioning import Pool
from cumulet.services.lambda_.concurrency.snap_start import is_on
from cumulet.services.lambda_.errors import conflict, invalid, no_function, not_found, unlabelled
from cumulet.services.lambda_.markers import decode_marker, encode_marker
from cumulet.services.lambda_.model import PROVISIONED, Provision, timestamp
from cumulet.services.lambda_.names import LATEST, Reference, is_version, refer
from cumulet.services.lambda_.state import Lambda
from cumulet.storage.database import Transaction

_PAGE = 50


async def put_provisioned_concurrency_config(
    lambda_: Lambda, call: Call, request: api.PutProvisionedConcurrencyConfigRequest
) -> api.PutProvisionedConcurrencyConfigResponse:
    reference = refer(call, request.function_name, request.qualifier)
    key, place = reference.key, reference.qualifier or LATEST
    if place == LATEST:
        raise invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
    provision = Provision(request.provisioned_concurrent_executions, float(int(lambda_.clock.now())))
    unreserved = await lambda_.unreserved(key.account, key.region)
    async with lambda_.change(key) as tx:
        version = await _version(lambda_, reference, tx)
        stored = await lambda_.store.version(key, version, tx)
        if stored is not None and stored.configuration.capacity_provider_config is not None:
            raise invalid("Provisioned concurrency is not supported for functions with a capacity provider.")
        if stored is not None and stored.configuration.tenancy_config is not None:
            raise invalid("Provisioned concurrency is not supported for functions with tenant isolation.")
        if stored is not None and is_on(stored.configuration):
            raise invalid("Provisioned concurrency is not supported for SnapStart enabled functions.")
        await _check_others(lambda_, tx, reference, version)
        await _check_room(lambda_, tx, reference, provision.requested, unreserved)
        await lambda_.store.put_setting(tx, PROVISIONED, key, place, json.encode(provision))
    await lambda_.provisioner.sync(key)
    state = _state(lambda_.provisioner.pool(reference), provision)
    return api.PutProvisionedConcurrencyConfigResponse(**state)


async def get_provisioned_concurrency_config(
    lambda_: Lambda, call: Call, request: api.GetProvisionedConcurrencyConfigRequest
) -> api.GetProvisionedConcurrencyConfigResponse:
    reference = await _existing(lambda_, call, request.function_name, request.qualifier)
    document = await lambda_.store.setting(PROVISIONED, reference.key, reference.qualifier or LATEST)
    if document is None:
        raise api.ProvisionedConcurrencyConfigNotFoundException(
            "No Provisioned Concurrency Config found for this function", fields={"Type": "User"}
        )
    await lambda_.provisioner.sync(reference.key)  # an alias may just have moved
    state = _state(lambda_.provisioner.pool(reference), json.decode(document, type=Provision))
    return api.GetProvisionedConcurrencyConfigResponse(**state)


async def delete_provisioned_concurrency_config(
    lambda_: Lambda, call: Call, request: api.DeleteProvisionedConcurrencyConfigRequest
) -> None:
    reference = await _existing(lambda_, call, request.function_name, request.qualifier)
    async with lambda_.change(reference.key) as tx:
        await lambda_.store.delete_setting(tx, PROVISIONED, reference.key, reference.qualifier or LATEST)
    await lambda_.provisioner.sync(reference.key)


async def list_provisioned_concurrency_configs(
    lambda_: Lambda, call: Call, request: api.ListProvisionedConcurrencyConfigsRequest
) -> api.ListProvisionedConcurrencyConfigsResponse:
    key = refer(call, request.function_name).key
    await lambda_.function(key)
    limit = min(request.max_items or _PAGE, _PAGE)
    found = await lambda_.store.settings(PROVISIONED, key, decode_marker(request.marker), limit + 1)
    answer = api.ListProvisionedConcurrencyConfigsResponse(
        provisioned_concurrency_configs=[
            api.ProvisionedConcurrencyConfigListItem(
                function_arn=f"{key.arn}:{place}",
                **_state(lambda_.provisioner.pool(Reference(key, place)), json.decode(document, type=Provision)),
            )
            for place, document in found[:limit]
        ]
    )
    if len(found) > limit:
        answer.next_marker = encode_marker(found[limit - 1][0])
    return answer


def _state(pool: Pool | None, provision: Provision) -> dict[str, Any]:
    """What the answers say of a pool; one that is not there yet has nothing."""
    allocated = pool.allocated if pool is not None else 0
    state: dict[str, Any] = {
        "requested_provisioned_concurrent_executions": provision.requested,
        "allocated_provisioned_concurrent_executions": allocated,
        "available_provisioned_concurrent_executions": allocated,
        "status": pool.status if pool is not None else "IN_PROGRESS",
        "last_modified": timestamp(provision.changed),
    }
    if pool is not None and pool.reason is not None:
        state["status_reason"] = pool.reason
    return state


async def _existing(lambda_: Lambda, call: Call, name: str, qualifier: str) -> Reference:
    reference = refer(call, name, qualifier)
    if (reference.qualifier or LATEST) == LATEST:
        raise invalid("The function resource provided must be an alias or a published version.")
    await _version(lambda_, reference)
    return reference


async def _version(lambda_: Lambda, reference: Reference, tx: Transaction | None = None) -> str:
    """The version that a qualifier means; raises ResourceNotFoundException."""
    place = reference.qualifier or LATEST
    if is_version(place):
        if await lambda_.store.version(reference.key, place, tx) is None:
            raise no_function(reference.arn)
        return place
    alias = await lambda_.store.alias(reference.key, place, tx)
    if alias is None:
        raise not_found(f"Cannot find alias arn: {reference.arn}")
    return alias.version


async def _check_others(lambda_: Lambda, tx: Transaction, reference: Reference, version: str) -> None:
    """A version can be provisioned by itself or by an alias, not twice."""
    key, place = reference.key, reference.qualifier or LATEST
    provisioned = {name for name, _ in await lambda_.store.settings(PROVISIONED, key, "", 10_000, tx)} - {place}
    if not is_version(place):
        if version == LATEST:
            raise invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
        if version in provisioned:
            raise conflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
            )
    for alias in await lambda_.store.aliases(key, within=tx):
        if alias.name in provisioned and version == alias.version:
            raise conflict("Version is pointed by a Provisioned Concurrency alias")


async def _check_room(lambda_: Lambda, tx: Transaction, reference: Reference, requested: int, unreserved: int) -> None:
    """Within the function's reservation, or else within what the account has left."""
    key = reference.key
    function = await lambda_.function(key, tx)
    settings = await lambda_.store.settings(PROVISIONED, key, "", 10_000, tx)
    provisioned = {name: json.decode(document, type=Provision).requested for name, document in settings}
    before = provisioned.pop(reference.qualifier or LATEST, 0)
    if function.reserved is not None:
        if sum(provisioned.values()) + requested > function.reserved:
            raise invalid(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
            )
        return
    left, least = unreserved + before, lambda_.limits.minimum_unreserved
    if requested > left:
        raise unlabelled(
            f"Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{left}]."
        )
    if left - requested < least:
        raise unlabelled(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{least}]."
        )
