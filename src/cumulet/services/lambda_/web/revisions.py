"""Operations on revisions: code and configuration that do not change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from cumulet.api import lambda_web as api
from cumulet.delivery.objects import TooLarge, read_object
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.custom.connector_model import parse as parse_connector
from cumulet.services.lambda_.packages.packages import Package
from cumulet.services.lambda_.web import checks
from cumulet.services.lambda_.web.errors import conflict, invalid, missing
from cumulet.services.lambda_.web.model import Revision
from cumulet.services.lambda_.web.names import WebKey, key_of, part_of
from cumulet.services.lambda_.web.state import Web
from cumulet.storage.database import Transaction

_KIND = "revision"


async def create_web_function_revision(
    web: Web, call: Call, request: api.CreateWebFunctionRevisionRequest
) -> api.CreateWebFunctionRevisionResponse:
    key = key_of(call, request.function_name)
    await web.function(key)
    config = api.RevisionConfig(
        description=request.description,
        kms_key_arn=request.kms_key_arn,
        build_config=request.build_config,
        service_config=request.service_config,
    )
    async with made(web, call, key, config) as (revision, package), web.change(key) as tx:
        await web.function(key, tx)
        await add(web, tx, key, revision, package)
    web.settle(key)
    shown = revision.answer(key)
    return api.CreateWebFunctionRevisionResponse(**{name: getattr(shown, name) for name in shown.__struct_fields__})


async def get_web_function_revision(
    web: Web, call: Call, request: api.GetWebFunctionRevisionRequest
) -> api.GetWebFunctionRevisionResponse:
    key = key_of(call, request.function_name)
    await web.function(key)
    id = part_of(key, _KIND, request.revision_id)
    return _find(await web.store.revisions(key), id).answer(key)


async def list_web_function_revisions(
    web: Web, call: Call, request: api.ListWebFunctionRevisionsRequest
) -> api.ListWebFunctionRevisionsResponse:
    """Newest first."""
    key = key_of(call, request.function_name)
    await web.function(key)
    found = [revision.summary(key) for revision in await web.store.revisions(key)]
    found = checks.filtered(found, request.filters, {"state": lambda one: one.state})
    shown, token = checks.page(found, request.max_results, request.next_token, lambda one: one.revision_id)
    return api.ListWebFunctionRevisionsResponse(revisions=shown, next_token=token)


async def delete_web_function_revision(web: Web, call: Call, request: api.DeleteWebFunctionRevisionRequest) -> None:
    key = key_of(call, request.function_name)
    id = part_of(key, _KIND, request.revision_id)
    async with web.change(key) as tx:
        await web.function(key, tx)
        _find(await web.store.revisions(key, tx), id)
        endpoints = await web.store.endpoints(key, tx)
        for endpoint in endpoints:
            if any(weight.revision_id == id for weight in endpoint.weights):
                raise conflict(f"The revision {id} serves traffic on the endpoint {endpoint.name}.", _KIND, id)
        await web.store.delete_revision(tx, key, id)
        unused = await web.store.drop_unused(tx)
    web.retire([f"{endpoint.id}.{id}" for endpoint in endpoints], unused)


def _find(revisions: list[Revision], id: str) -> Revision:
    found = next((revision for revision in revisions if revision.id == id), None)
    if found is None:
        raise missing(_KIND, id)
    return found


@asynccontextmanager
async def made(
    web: Web, call: Call, key: WebKey, config: api.RevisionConfig
) -> AsyncIterator[tuple[Revision, Package]]:
    """A revision and its package, checked, unpacked and durable; what of it is not used at the end is removed. Raises AWS's errors."""
    runtime = config.build_config.runtime_config.runtime
    service = checks.service_config(key, config.service_config, runtime, web.limits)
    if service.egress_network_connector_arn:
        await _check_connector(web, call, service.egress_network_connector_arn)
    await _check_role(web, key, service.execution_role_arn)
    source = config.build_config.code_config.s3_object
    data, version = await _read(web, call, source)
    package = await _keep(web, data)
    build = api.BuildConfig(
        code_config=api.CodeConfig(s3_object=replace(source, version_id=source.version_id or version)),
        runtime_config=config.build_config.runtime_config,
    )
    revision = Revision(
        id=new_id(),
        code=package.id,
        build=build,
        service=service,
        created=web.clock.now(),
        description=config.description,
        kms_key_arn=config.kms_key_arn,
    )
    try:
        yield revision, package
    finally:
        web.retire((), [package])


async def add(web: Web, tx: Transaction, key: WebKey, revision: Revision, package: Package) -> None:
    """Have it in the store, and remove the oldest ones that serve nothing when there are too many."""
    await web.store.put_package(tx, package)
    await web.store.add_revision(tx, key, revision)
    served = {weight.revision_id for one in await web.store.endpoints(key, tx) for weight in one.weights}
    revisions = await web.store.revisions(key, tx)
    spare = [one.id for one in reversed(revisions) if one.id not in served and one.id != revision.id]
    too_many = max(0, len(revisions) - web.limits.revisions)
    for id in spare[:too_many]:
        await web.store.delete_revision(tx, key, id)
    if spare[:too_many]:
        unused = await web.store.drop_unused(tx)
        tx.after_commit(lambda: web.retire((), unused))


async def _check_connector(web: Web, call: Call, arn: str) -> None:
    """The version named must be there, and for web functions; a node has no VPCs, so it leads where everything leads."""
    asked = parse_connector(call, arn)
    own = asked.key[:2] == (call.account, call.region)
    found = await web.connectors.get(asked.key) if own else None
    version = found[1].version(asked.version) if found is not None and not found[1].gone else None
    if version is None:
        raise invalid(f"The network connector {arn} does not exist.")
    if not version.serves("WebFunction"):
        raise invalid(f"The network connector {arn} is not for web functions.")


async def _check_role(web: Web, key: WebKey, role: str) -> None:
    """In enforce mode it must exist and trust Lambda."""
    if not web.enforce:
        return
    try:
        await web.credentials.assume(key, role)
    except AwsError as error:
        raise invalid(f"The execution role {role} cannot be assumed by Lambda.") from error


async def _read(web: Web, call: Call, source: api.S3Object) -> tuple[bytes, str | None]:
    """The object, and its version where its bucket keeps them."""
    most = web.limits.code_size
    try:
        return await read_object(web.calls, call, source.bucket, source.key, version=source.version_id, limit=most)
    except AwsError as error:
        raise invalid(f"The code could not be read from S3: {error.code}: {error.message}") from error
    except TooLarge:
        raise invalid(f"The deployment package is larger than {most} bytes.") from None


async def _keep(web: Web, data: bytes) -> Package:
    try:
        id, unpacked = await web.packages.check(data)
    except AwsError as error:  # Lambda's own error, which these services' model does not have
        raise invalid(error.message) from error
    try:
        return await web.packages.keep(id, data, unpacked)
    except BaseException:
        web.retire((), [Package(id=id, blob="", size=len(data))])  # what it was unpacked to
        raise
