"""Operations on capacity providers."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.capacity.model import instances, place_of
from cumulet.services.lambda_.errors import conflict, invalid, not_found
from cumulet.services.lambda_.markers import PAGE, decode_marker, encode_marker
from cumulet.services.lambda_.model import Version, timestamp
from cumulet.services.lambda_.names import LATEST, FunctionKey
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.tags import check_tags
from cumulet.storage.database import Transaction

_LONGEST_ARN = 140
_DEFAULT_PROCESSORS = 400


async def create_capacity_provider(
    lambda_: Lambda, call: Call, request: api.CreateCapacityProviderRequest
) -> api.CreateCapacityProviderResponse:
    name = _name(call, request.capacity_provider_name)
    arn = f"arn:aws:lambda:{call.region}:{call.account}:capacity-provider:{name}"
    if len(arn) > _LONGEST_ARN:
        raise invalid(f"The ARN of the capacity provider would be longer than {_LONGEST_ARN} characters: {arn}")
    check_tags(request.tags or {}, lambda_.limits)
    provider = api.CapacityProvider(
        capacity_provider_arn=arn,
        state="Active",
        vpc_config=request.vpc_config,
        permissions_config=request.permissions_config,
        instance_requirements=_requirements(request.instance_requirements),
        capacity_provider_scaling_config=_scaling(request.capacity_provider_scaling_config),
        kms_key_arn=request.kms_key_arn or None,
        last_modified=timestamp(lambda_.clock.now()),
        propagate_tags=request.propagate_tags,
        telemetry_config=request.telemetry_config,
    )
    async with lambda_.db.transaction() as tx:
        if await lambda_.capacity.get(call.account, call.region, name, tx) is not None:
            raise conflict(f"Capacity provider already exists: {arn}")
        if await lambda_.capacity.count(tx, call.account, call.region) >= lambda_.limits.capacity_providers:
            raise api.CapacityProviderLimitExceededException(
                f"The account has reached its limit of {lambda_.limits.capacity_providers} capacity providers."
            )
        await lambda_.capacity.put(tx, call.account, call.region, name, provider)
        if request.tags:
            await lambda_.tags.put(tx, arn, request.tags)
    return api.CreateCapacityProviderResponse(capacity_provider=replace(provider, state="Pending"))


async def get_capacity_provider(
    lambda_: Lambda, call: Call, request: api.GetCapacityProviderRequest
) -> api.GetCapacityProviderResponse:
    _, provider = await _existing(lambda_, call, request.capacity_provider_name)
    return api.GetCapacityProviderResponse(capacity_provider=provider)


async def list_capacity_providers(
    lambda_: Lambda, call: Call, request: api.ListCapacityProvidersRequest
) -> api.ListCapacityProvidersResponse:
    limit = min(request.max_items or PAGE, PAGE)
    found = await lambda_.capacity.page(call.account, call.region, decode_marker(request.marker))
    wanted = [(name, one) for name, one in found if request.state in {None, one.state}]
    answer = api.ListCapacityProvidersResponse(capacity_providers=[one for _, one in wanted[:limit]])
    if len(wanted) > limit:
        answer.next_marker = encode_marker(wanted[limit - 1][0])
    return answer


async def update_capacity_provider(
    lambda_: Lambda, call: Call, request: api.UpdateCapacityProviderRequest
) -> api.UpdateCapacityProviderResponse:
    changes: dict[str, object] = {"last_modified": timestamp(lambda_.clock.now())}
    if request.propagate_tags is not None:
        changes["propagate_tags"] = request.propagate_tags
    if request.telemetry_config is not None:
        changes["telemetry_config"] = request.telemetry_config
    async with lambda_.db.transaction() as tx:
        name, provider = await _existing(lambda_, call, request.capacity_provider_name, tx)
        if request.capacity_provider_scaling_config is not None:
            changes["capacity_provider_scaling_config"] = _scaling(
                request.capacity_provider_scaling_config, provider.capacity_provider_scaling_config
            )
        provider = replace(provider, **changes)
        await lambda_.capacity.put(tx, call.account, call.region, name, provider)
    return api.UpdateCapacityProviderResponse(capacity_provider=provider)


async def delete_capacity_provider(
    lambda_: Lambda, call: Call, request: api.DeleteCapacityProviderRequest
) -> api.DeleteCapacityProviderResponse:
    async with lambda_.db.transaction() as tx:
        name, provider = await _existing(lambda_, call, request.capacity_provider_name, tx)
        arn = provider.capacity_provider_arn
        if await lambda_.capacity.users(arn, ("", ""), 1, tx):
            raise conflict(f"The capacity provider is in use by functions and cannot be deleted: {arn}")
        await lambda_.capacity.delete(tx, call.account, call.region, name)
        await lambda_.tags.put(tx, arn, {})
    return api.DeleteCapacityProviderResponse(capacity_provider=replace(provider, state="Deleting"))


async def list_function_versions_by_capacity_provider(
    lambda_: Lambda, call: Call, request: api.ListFunctionVersionsByCapacityProviderRequest
) -> api.ListFunctionVersionsByCapacityProviderResponse:
    _, provider = await _existing(lambda_, call, request.capacity_provider_name)
    limit = min(request.max_items or PAGE, PAGE)
    name, _, number = decode_marker(request.marker).partition(":")
    arn = provider.capacity_provider_arn
    found = await lambda_.capacity.users(arn, (name, number), limit + 1)
    items = []
    for key, version in found[:limit]:
        stored = await lambda_.store.version(key, version)
        if stored is not None:
            state = stored.configuration.state or "Active"
            items.append(
                api.FunctionVersionsByCapacityProviderListItem(function_arn=f"{key.arn}:{version}", state=state)
            )
    answer = api.ListFunctionVersionsByCapacityProviderResponse(capacity_provider_arn=arn, function_versions=items)
    if len(found) > limit:
        key, version = found[limit - 1]
        answer.next_marker = encode_marker(f"{key.name}:{version}")
    return answer


async def check_there(lambda_: Lambda, call: Call, arn: str, within: Transaction | None = None) -> None:
    """For the tag store. Raises ResourceNotFoundException."""
    await _existing(lambda_, call, arn, within)


async def check_usable(lambda_: Lambda, configuration: api.FunctionConfiguration, account: str) -> None:
    """Whether a new function may run by the provider that it names, if any. Raises AWS's errors."""
    config = instances(configuration)
    if config is None:
        return
    owner, region, name = place_of(config.capacity_provider_arn)
    if owner != account or await lambda_.capacity.get(owner, region, name) is None:
        raise not_found(f"Capacity provider not found: {config.capacity_provider_arn}")


async def use(lambda_: Lambda, tx: Transaction, key: FunctionKey, versions: Sequence[Version]) -> None:
    """Versions that are stored in this transaction run by the providers that they name. Raises AWS's errors."""
    for version in versions:
        config = instances(version.configuration)
        if config is None:
            continue
        arn = config.capacity_provider_arn
        if await lambda_.capacity.get(*place_of(arn), tx) is None:
            raise not_found(f"Capacity provider not found: {arn}")
        if version.number != LATEST:
            users = await lambda_.capacity.users(arn, ("", ""), 2 * lambda_.limits.versions_per_provider, tx)
            others = [user for user in users if user[1] != LATEST and user != (key, version.number)]
            if len(others) >= lambda_.limits.versions_per_provider:
                raise api.FunctionVersionsPerCapacityProviderLimitExceededException(
                    f"The capacity provider has reached its limit of {lambda_.limits.versions_per_provider} function versions."
                )
        await lambda_.capacity.use(tx, key, version.number, arn)


async def _existing(
    lambda_: Lambda, call: Call, given: str, within: Transaction | None = None
) -> tuple[str, api.CapacityProvider]:
    name = _name(call, given)
    provider = await lambda_.capacity.get(call.account, call.region, name, within)
    if provider is None:
        arn = f"arn:aws:lambda:{call.region}:{call.account}:capacity-provider:{name}"
        raise not_found(f"Capacity provider not found: {arn}")
    return name, provider


def _name(call: Call, given: str) -> str:
    """The name in a name or ARN, of this account and region."""
    if not given.startswith("arn:"):
        return given
    account, region, name = place_of(given)
    if (account, region) != (call.account, call.region):
        raise not_found(f"Capacity provider not found: {given}")
    return name


def _requirements(wanted: api.InstanceRequirements | None) -> api.InstanceRequirements:
    wanted = wanted or api.InstanceRequirements()
    if wanted.allowed_instance_types and wanted.excluded_instance_types:
        raise invalid("AllowedInstanceTypes and ExcludedInstanceTypes cannot both be specified.")
    return replace(wanted, architectures=wanted.architectures or ["x86_64"])


def _scaling(
    wanted: api.CapacityProviderScalingConfig | None, old: api.CapacityProviderScalingConfig | None = None
) -> api.CapacityProviderScalingConfig:
    """With what it leaves open as it was, or as AWS has it by default. Policies are for the mode Manual, which needs them."""
    old = old or api.CapacityProviderScalingConfig(max_v_cpu_count=_DEFAULT_PROCESSORS, scaling_mode="Auto")
    wanted = wanted or api.CapacityProviderScalingConfig()
    mode = wanted.scaling_mode or old.scaling_mode
    policies = wanted.scaling_policies or (old.scaling_policies if mode == "Manual" else None)
    if mode == "Manual" and not policies:
        raise invalid("ScalingPolicies must be specified when ScalingMode is Manual.")
    if mode != "Manual" and policies:
        raise invalid("ScalingPolicies can only be specified when ScalingMode is Manual.")
    return api.CapacityProviderScalingConfig(
        max_v_cpu_count=wanted.max_v_cpu_count or old.max_v_cpu_count, scaling_mode=mode, scaling_policies=policies
    )
