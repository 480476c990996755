"""Operations on functions as a whole."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id, token
from cumulet.services.lambda_.access.roles import check_role
from cumulet.services.lambda_.capacity import providers
from cumulet.services.lambda_.compatibility import check_architectures
from cumulet.services.lambda_.concurrency.snap_start import published
from cumulet.services.lambda_.configuration import new_configuration
from cumulet.services.lambda_.errors import conflict, invalid, no_function
from cumulet.services.lambda_.file_systems.mounts import check_usable
from cumulet.services.lambda_.images.names import resolved
from cumulet.services.lambda_.layers.functions import check_allowed, check_arns, dressed
from cumulet.services.lambda_.markers import PAGE, decode_marker, encode_marker, number_in
from cumulet.services.lambda_.model import Function, Version, timestamp
from cumulet.services.lambda_.names import LATEST, LATEST_PUBLISHED, FunctionKey, Reference, is_version, refer
from cumulet.services.lambda_.packages import code
from cumulet.services.lambda_.packages.code_signing import attachable, check_deployment
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.tags import check_tags

_LONGEST_NAME = 64


async def create_function(lambda_: Lambda, call: Call, request: api.CreateFunctionRequest) -> api.FunctionConfiguration:
    key = refer(call, request.function_name).key
    if key.account != call.account:
        raise AwsError(
            f"The function {key.arn} would be of another account than {call.account}.",
            code="AccessDeniedException",
            status=403,
        )
    if len(key.name) > _LONGEST_NAME:
        raise invalid(
            f"1 validation error detected: Value '{key.name}' at 'functionName' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_LONGEST_NAME}"
        )
    check_architectures(request.architectures)
    configuration = new_configuration(key, request, lambda_.limits)
    layers = request.layers or []
    check_arns(lambda_, call, layers)
    tags = request.tags or {}
    check_tags(tags, lambda_.limits)
    if await lambda_.store.function(key) is not None:
        raise conflict(f"Function already exist: {key.name}")
    await check_role(lambda_, call, request.role)
    await lambda_.custom.check(call.account, configuration.runtime_config, new=True)
    await providers.check_usable(lambda_, configuration, call.account)
    await check_usable(lambda_, configuration.file_system_configs)
    await check_allowed(lambda_, call, layers)
    await check_deployment(lambda_, call, key, request.code_signing_config_arn)
    async with code.staged(lambda_, call, request.code, configuration.architectures) as staged:
        package = staged.package
        latest = Version(
            configuration=replace(
                configuration,
                code_sha256=package.sha256,
                code_size=package.size,
                revision_id=new_id(),
                last_modified=timestamp(lambda_.clock.now()),
            ),
            code=package.id,
            deployment=token(),
            reference=staged.reference,
            source_key=staged.source_key,
            image_uri=staged.image_uri,
        )
        async with lambda_.change(key) as tx:
            if await lambda_.store.function(key, tx) is not None:
                raise conflict(f"Function already exist: {key.name}")
            if layers:
                latest = await dressed(lambda_, tx, latest, layers, package.unpacked)
            versions = [latest]
            if request.publish or request.publish_to:
                versions.append(_first(latest, LATEST_PUBLISHED if request.publish_to else "1"))
            next_version = 2 if request.publish and not request.publish_to else 1
            await lambda_.store.put_function(tx, key, Function(next_version=next_version, tags=tags))
            await providers.use(lambda_, tx, key, versions)
            for version in versions:
                await lambda_.store.put_version(tx, key, version)
                if version.layers:
                    await lambda_.layers.use(tx, key, version.number, version.layers)
            await lambda_.store.put_package(tx, package)
            if request.code_signing_config_arn is not None:
                signing = await attachable(lambda_, call, request.code_signing_config_arn, tx)
                await lambda_.signing.attach(tx, key, signing.arn)
    lambda_.settle(key)
    return versions[-1].answer(key.arn)


async def get_function(lambda_: Lambda, call: Call, request: api.GetFunctionRequest) -> api.GetFunctionResponse:
    reference = refer(call, request.function_name, request.qualifier)
    version = await lambda_.version(reference)
    function = await lambda_.function(reference.key)
    answer = api.GetFunctionResponse(
        configuration=version.answer(reference.arn),
        code=_location(lambda_, call, reference.key, version),
        tags=function.tags or None,
    )
    if function.reserved is not None:
        answer.concurrency = api.Concurrency(reserved_concurrent_executions=function.reserved)
    return answer


def _location(lambda_: Lambda, call: Call, key: FunctionKey, version: Version) -> api.FunctionCodeLocation:
    if version.image_uri:
        return api.FunctionCodeLocation(
            repository_type="ECR",
            image_uri=version.image_uri,
            resolved_image_uri=resolved(version.image_uri, version.code),
        )
    return api.FunctionCodeLocation(
        repository_type="S3",
        location=lambda_.locations.make(call.endpoint, key, version.code),
        resolved_s3_object=version.reference,
        source_kms_key_arn=version.source_key,
    )


async def get_function_configuration(
    lambda_: Lambda, call: Call, request: api.GetFunctionConfigurationRequest
) -> api.FunctionConfiguration:
    reference = refer(call, request.function_name, request.qualifier)
    return (await lambda_.version(reference)).answer(reference.arn)


async def list_functions(lambda_: Lambda, call: Call, request: api.ListFunctionsRequest) -> api.ListFunctionsResponse:
    limit = min(request.max_items or PAGE, PAGE)
    if request.master_region not in {None, "ALL", call.region}:
        return api.ListFunctionsResponse(functions=[])
    name, _, number = decode_marker(request.marker).partition(":")
    if request.function_version == "ALL":
        after = (name, number_in(number))
        found = await lambda_.store.all_versions(call.account, call.region, after, limit + 1)
    else:
        found = await lambda_.store.latest_versions(call.account, call.region, name, limit + 1)
    page = found[:limit]
    every = request.function_version == "ALL"
    answers = []
    for function_name, version in page:
        arn = FunctionKey(call.account, call.region, function_name).arn
        answers.append(version.listed(f"{arn}:{version.number}" if every else arn))
    answer = api.ListFunctionsResponse(functions=answers)
    if len(found) > limit:
        last, version = page[-1]
        answer.next_marker = encode_marker(f"{last}:{0 if version.number == LATEST else version.number}")
    return answer


async def delete_function(
    lambda_: Lambda, call: Call, request: api.DeleteFunctionRequest
) -> api.DeleteFunctionResponse:
    reference = refer(call, request.function_name, request.qualifier)
    if reference.qualifier is not None:
        await _delete_version(lambda_, reference)
        return api.DeleteFunctionResponse(status_code=204)
    key = reference.key
    await lambda_.settled(key)
    async with lambda_.change(key) as tx:
        if await lambda_.store.function(key, tx) is None:
            raise no_function(key.arn)
        deployments, used = await lambda_.store.delete_function(tx, key)
        await lambda_.events.purge(tx, key)
        await lambda_.clean(tx, key)
        await lambda_.signing.attach(tx, key, None)
        used += await lambda_.layers.unuse(tx, key)
        dropped = await lambda_.store.drop_unused(tx, used)
    lambda_.retire(deployments, dropped)
    return api.DeleteFunctionResponse(status_code=204)


async def _delete_version(lambda_: Lambda, reference: Reference) -> None:
    key, qualifier = reference.key, reference.qualifier or ""
    if qualifier == LATEST:
        raise invalid("$LATEST version cannot be deleted without deleting the function.")
    if "$" in qualifier and qualifier != LATEST_PUBLISHED:  # neither a version nor an alias can be called so
        raise no_function(key.arn)
    if not is_version(qualifier):
        raise invalid("Deletion of aliases is not currently supported.")
    await lambda_.settled(key)
    async with lambda_.change(key) as tx:
        if await lambda_.store.function(key, tx) is None:
            raise no_function(key.arn)
        aliases = await lambda_.store.aliases(key, within=tx)
        users = [alias.name for alias in aliases if qualifier == alias.version or qualifier in alias.weights]
        if users:
            raise conflict(f"Unable to delete version because the following aliases reference it: [{', '.join(users)}]")
        deployments, used = await lambda_.store.delete_version(tx, key, qualifier)
        await lambda_.clean(tx, key, qualifier)
        used += await lambda_.layers.use(tx, key, qualifier, ())
        dropped = await lambda_.store.drop_unused(tx, used)
    lambda_.retire(deployments, dropped)


def _first(latest: Version, number: str) -> Version:
    """The version that is published together with its creation."""
    changed = latest.changed(version=number, revision_id=new_id(), **published(latest.configuration))
    return replace(changed, deployment=token())
