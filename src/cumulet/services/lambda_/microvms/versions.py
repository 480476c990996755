"""Operations on versions of images, and their builds."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import lambda_microvms as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.microvms.errors import conflict, invalid, no_image, no_version
from cumulet.services.lambda_.microvms.model import ACTIVE, DELETING, IN_PROGRESS, PENDING, SUCCESSFUL, Version
from cumulet.services.lambda_.microvms.names import ImageKey, key_of
from cumulet.services.lambda_.microvms.pages import page
from cumulet.services.lambda_.microvms.state import Microvms


async def get_microvm_image_version(
    service: Microvms, call: Call, request: api.GetMicrovmImageVersionInput
) -> api.GetMicrovmImageVersionOutput:
    key = _own(call, request.image_identifier, request.image_version)
    return api.GetMicrovmImageVersionOutput(**(await service.version(key, request.image_version)).answer(key))


async def list_microvm_image_versions(
    service: Microvms, call: Call, request: api.ListMicrovmImageVersionsInput
) -> api.ListMicrovmImageVersionsOutput:
    key = key_of(call, request.image_identifier)
    if key.account != call.account:
        raise no_image(key.arn)
    await service.image(key)
    found = await service.store.versions(key)
    shown, token = page(found, request.max_results, request.next_token, lambda one: one.number)
    items = [api.MicrovmImageVersionSummary(**one.answer(key)) for one in shown]
    return api.ListMicrovmImageVersionsOutput(items=items, next_token=token)


async def update_microvm_image_version(
    service: Microvms, call: Call, request: api.UpdateMicrovmImageVersionRequest
) -> api.UpdateMicrovmImageVersionResponse:
    """`latestActiveImageVersion` of the image follows."""
    key = _own(call, request.image_identifier, request.image_version)
    now = service.clock.now()
    async with service.db.transaction() as tx:
        image = await service.image(key, tx)
        version = await service.version(key, request.image_version, tx)
        if version.state != SUCCESSFUL:
            raise invalid(
                f"The version {version.number} is {version.state}: only a SUCCESSFUL one has a status to change."
            )
        version = replace(version, status=request.status, updated=now)
        await service.store.put_version(tx, key, version)
        newest = _newest(
            [version if one.number == version.number else one for one in await service.store.versions(key, tx)]
        )
        await service.store.put_image(tx, key, replace(image, active=newest, updated=now))
    return api.UpdateMicrovmImageVersionResponse(**version.answer(key))


async def delete_microvm_image_version(
    service: Microvms, call: Call, request: api.DeleteMicrovmImageVersionInput
) -> api.DeleteMicrovmImageVersionOutput:
    key, number = _own(call, request.image_identifier, request.image_version), request.image_version
    async with service.db.transaction() as tx:
        image = await service.image(key, tx)
        versions = await service.store.versions(key, tx)
        version = next((one for one in versions if one.number == number), None)
        answer = api.DeleteMicrovmImageVersionOutput(
            image_identifier=request.image_identifier, image_version=number, state="DELETED"
        )
        if version is None:
            return answer
        if version.state in {PENDING, IN_PROGRESS}:
            raise invalid("Cannot delete MicroVM image version in its current state")
        if len(versions) == 1:
            raise invalid("Cannot delete the last version of a MicroVM image: delete the image")
        if service.used(key, number):
            raise conflict(f"MicroVMs run from version {number} of the MicroVM image {key.arn}.")
        left = [one for one in versions if one is not version]
        failed = None if image.failed == number else image.failed
        await service.store.delete_version(tx, key, number)
        changed = replace(image, active=_newest(left), failed=failed, updated=service.clock.now())
        await service.store.put_image(tx, key, changed)
    service.tasks.start(f"delete {key.name} {number}", service.builder.discard([version]))
    answer.state = DELETING
    return answer


async def get_microvm_image_build(
    service: Microvms, call: Call, request: api.GetMicrovmImageBuildInput
) -> api.GetMicrovmImageBuildOutput:
    key = _own(call, request.image_identifier, request.image_version)
    version = await service.version(key, request.image_version)
    build = next((one for one in version.builds if one.id == request.build_id), None)
    if build is None:
        raise api.ResourceNotFoundException(f"Build not found: {request.build_id}")
    return build.answer(key, version.number)


async def list_microvm_image_builds(
    service: Microvms, call: Call, request: api.ListMicrovmImageBuildsInput
) -> api.ListMicrovmImageBuildsOutput:
    key = _own(call, request.image_identifier, request.image_version)
    version = await service.version(key, request.image_version)
    found = [
        build
        for build in version.builds
        if request.architecture in {None, build.architecture}
        and request.chipset in {None, build.chipset}
        and request.chipset_generation in {None, build.generation}
    ]
    shown, token = page(found, request.max_results, request.next_token, lambda one: one.id)
    items = [api.MicrovmImageBuildSummary(**one.summary(key, version.number)) for one in shown]
    return api.ListMicrovmImageBuildsOutput(items=items, next_token=token)


def _newest(versions: list[Version]) -> str | None:
    """Of those that are sorted so: the first that may be run."""
    return next((one.number for one in versions if one.state == SUCCESSFUL and one.status == ACTIVE), None)


def _own(call: Call, identifier: str, number: str) -> ImageKey:
    """An image of the caller's account. Raises ResourceNotFoundException."""
    key = key_of(call, identifier)
    if key.account != call.account:
        raise no_version(key.arn, number)
    return key
