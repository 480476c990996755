"""Operations that change $LATEST."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id, token
from cumulet.services.lambda_.access.roles import check_role
from cumulet.services.lambda_.compatibility import check_architectures
from cumulet.services.lambda_.configuration import changed_configuration, check_kind
from cumulet.services.lambda_.errors import conflict, stale_revision
from cumulet.services.lambda_.file_systems.mounts import check_usable
from cumulet.services.lambda_.layers.functions import check_allowed, check_arns, check_code, dressed
from cumulet.services.lambda_.model import CREATING, Version, timestamp
from cumulet.services.lambda_.names import LATEST, FunctionKey, Reference, refer
from cumulet.services.lambda_.packages import code
from cumulet.services.lambda_.packages.code_signing import check_deployment
from cumulet.services.lambda_.packages.packages import Package
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.versions import publish, publish_latest
from cumulet.storage.database import Transaction


async def update_function_code(
    lambda_: Lambda, call: Call, request: api.UpdateFunctionCodeRequest
) -> api.FunctionConfiguration:
    check_architectures(request.architectures)
    key = refer(call, request.function_name).key
    before = await lambda_.version(Reference(key, None))
    _check_revision(before, request.revision_id)
    check_kind(before.configuration, request)
    await check_deployment(lambda_, call, key)
    architectures = request.architectures or before.configuration.architectures
    async with code.staged(lambda_, call, request, architectures) as staged:
        package = staged.package
        members = {
            "code_sha256": package.sha256,
            "code_size": package.size,
            "architectures": architectures,
        }
        if request.dry_run:
            return before.changed(**members).answer(key.arn)
        await lambda_.settled(key)
        async with lambda_.change(key) as tx:
            latest = await _latest(lambda_, key, tx, request.revision_id)
            await check_code(lambda_, tx, latest, package.unpacked)
            changed = replace(
                _in_progress(lambda_, latest).changed(**members),
                code=package.id,
                reference=staged.reference,
                source_key=staged.source_key,
                image_uri=staged.image_uri,
            )
            await lambda_.store.put_version(tx, key, changed)
            await lambda_.store.put_package(tx, package)
            published: Version | None = None
            replaced: list[Version] = []
            if request.publish_to:
                published, replaced = await publish_latest(lambda_, tx, key, changed, None)
            elif request.publish:
                published = await publish(lambda_, tx, key, changed, None)
            dropped = await lambda_.store.drop_unused(tx, [latest.code, *(one.code for one in replaced)])
    lambda_.retire([latest.deployment, *(one.deployment for one in replaced)], dropped)
    lambda_.settle(key)
    return published.answer(f"{key.arn}:{published.number}") if published else changed.answer(key.arn)


async def update_function_configuration(
    lambda_: Lambda, call: Call, request: api.UpdateFunctionConfigurationRequest
) -> api.FunctionConfiguration:
    key = refer(call, request.function_name).key
    before = await lambda_.version(Reference(key, None))
    _check_revision(before, request.revision_id)
    after = changed_configuration(before.configuration, request, key, lambda_.limits)
    await lambda_.custom.check(call.account, after.runtime_config, new=False)
    await check_usable(lambda_, request.file_system_configs)
    check_arns(lambda_, call, request.layers or ())
    if request.role is not None:
        await check_role(lambda_, call, request.role)
    if request.layers:
        await check_allowed(lambda_, call, request.layers)
        await check_deployment(lambda_, call, key)
    dropped: list[Package] = []
    await lambda_.settled(key)
    async with lambda_.change(key) as tx:
        latest = await _latest(lambda_, key, tx, request.revision_id)
        configuration = changed_configuration(latest.configuration, request, key, lambda_.limits)
        changed = _in_progress(lambda_, replace(latest, configuration=configuration))
        if request.layers is not None:
            package = await lambda_.store.package(latest.code, tx)
            changed = await dressed(lambda_, tx, changed, request.layers, package.unpacked if package else 0)
            before_layers = await lambda_.layers.use(tx, key, LATEST, changed.layers)
            dropped = await lambda_.store.drop_unused(tx, before_layers)
        await lambda_.store.put_version(tx, key, changed)
    lambda_.retire([latest.deployment], dropped)
    lambda_.settle(key)
    return changed.answer(key.arn)


async def _latest(lambda_: Lambda, key: FunctionKey, tx: Transaction, revision: str | None) -> Version:
    latest = await lambda_.version(Reference(key, None), tx)
    _check_revision(latest, revision)
    if latest.pending:
        raise conflict(
            f"The operation cannot be performed at this time. An update is in progress for resource: {key.arn}"
        )
    return latest


def _check_revision(version: Version, revision: str | None) -> None:
    if revision is not None and revision != version.configuration.revision_id:
        raise stale_revision()


def _in_progress(lambda_: Lambda, latest: Version) -> Version:
    """With a new revision and deployment, to be settled; a function that had Failed is made anew."""
    assert latest.number == LATEST
    states: dict[str, object] = {
        "last_update_status": "InProgress",
        "last_update_status_reason": CREATING,
        "last_update_status_reason_code": "Creating",
    }
    if latest.configuration.state not in {"Active", "ActiveNonInvocable"}:
        states = {"state": "Pending", "state_reason": CREATING, "state_reason_code": "Creating"}
    changed = latest.changed(revision_id=new_id(), last_modified=timestamp(lambda_.clock.now()), **states)
    return replace(changed, deployment=token())
