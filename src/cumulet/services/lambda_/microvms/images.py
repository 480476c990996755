"""Operations on images as a whole, and on those that AWS manages."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import lambda_microvms as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.microvms.checks import check_tags, digest_of, spec_of
from cumulet.services.lambda_.microvms.errors import conflict, invalid, no_image
from cumulet.services.lambda_.microvms.model import (
    CREATE_FAILED,
    CREATING,
    DELETING,
    UPDATING,
    Build,
    Image,
    Spec,
    Version,
)
from cumulet.services.lambda_.microvms.names import MANAGED, MANAGED_VERSIONS, ImageKey, arn_of, key_of
from cumulet.services.lambda_.microvms.pages import page
from cumulet.services.lambda_.microvms.state import Microvms

_MANAGED_SINCE = 1_782_086_400.0
"""When the service began, as far as it is known: 22 June 2026."""


async def create_microvm_image(
    service: Microvms, call: Call, request: api.CreateMicrovmImageRequest
) -> api.CreateMicrovmImageResponse:
    key = ImageKey(call.account, call.region, request.name)
    spec, tags = spec_of(call, request), request.tags or {}
    check_tags(tags, service.limits)
    now, digest = service.clock.now(), digest_of(request)
    async with service.db.transaction() as tx:
        if (there := await service.store.image(key, tx)) is not None:
            first = await service.store.version(key, "1.0", tx)
            if first is not None and request.client_token and first.token == request.client_token:
                if first.digest != digest:
                    raise conflict("The client token was used with other parameters.")
                return api.CreateMicrovmImageResponse(**there.made(key, first), tags=there.tags or None)
            raise invalid(f"MicroVM image with name {request.name} already exists")
        if len(await service.store.images(call.account, call.region, tx)) >= service.limits.images:
            raise api.ServiceQuotaExceededException("The maximum number of MicroVM images has been reached.")
        image = Image(id=new_id(), created=now, updated=now, tags=tags)
        version = _new(service, "1.0", spec, request.client_token or "", digest)
        await service.store.put_image(tx, key, image)
        await service.store.put_version(tx, key, version)
    service.builder.begin(key, version.number)
    return api.CreateMicrovmImageResponse(**image.made(key, version), tags=request.tags)


async def update_microvm_image(
    service: Microvms, call: Call, request: api.UpdateMicrovmImageRequest
) -> api.UpdateMicrovmImageResponse:
    key, spec = key_of(call, request.image_identifier), spec_of(call, request)
    now, digest = service.clock.now(), digest_of(request)
    async with service.db.transaction() as tx:
        image = await service.image(key, tx)
        versions = await service.store.versions(key, tx)
        token = request.client_token
        if token and (known := next((one for one in versions if one.token == token), None)) is not None:
            if known.digest != digest:
                raise conflict("The client token was used with other parameters.")
            return api.UpdateMicrovmImageResponse(**image.made(key, known))
        if image.state in {CREATING, UPDATING, DELETING}:
            raise conflict(f"The MicroVM image {key.arn} is {image.state}.")
        if len(versions) >= service.limits.versions:
            raise api.ServiceQuotaExceededException(
                "The maximum number of versions of a MicroVM image has been reached."
            )
        state = CREATING if image.state == CREATE_FAILED else UPDATING
        image = replace(image, state=state, last=image.last + 1, updated=now)
        version = _new(service, f"{image.last}.0", spec, token or "", digest)
        await service.store.put_image(tx, key, image)
        await service.store.put_version(tx, key, version)
    service.builder.begin(key, version.number)
    return api.UpdateMicrovmImageResponse(**image.made(key, version))


async def get_microvm_image(
    service: Microvms, call: Call, request: api.GetMicrovmImageInput
) -> api.GetMicrovmImageOutput:
    key = _own(call, request.image_identifier)
    return (await service.image(key)).answer(key)


async def list_microvm_images(
    service: Microvms, call: Call, request: api.ListMicrovmImagesRequest
) -> api.ListMicrovmImagesResponse:
    found = [
        image.summary(key)
        for key, image in await service.store.images(call.account, call.region)
        if (request.name_filter or "") in key.name
    ]
    items, token = page(found, request.max_results, request.next_token, lambda one: one.name)
    return api.ListMicrovmImagesResponse(items=items, next_token=token)


async def delete_microvm_image(
    service: Microvms, call: Call, request: api.DeleteMicrovmImageInput
) -> api.DeleteMicrovmImageOutput:
    key = _own(call, request.image_identifier)
    async with service.db.transaction() as tx:
        image = await service.store.image(key, tx)
        if image is None:
            return api.DeleteMicrovmImageOutput(image_identifier=request.image_identifier, state="DELETED")
        if image.state in {CREATING, UPDATING}:
            raise invalid("Cannot delete MicroVM image in its current state")
        if service.used(key):
            raise conflict(f"MicroVMs run from the MicroVM image {key.arn}.")
        await service.store.put_image(tx, key, replace(image, state=DELETING, updated=service.clock.now()))
    service.tasks.start(f"delete {key.name}", finish_deletion(service, key))
    return api.DeleteMicrovmImageOutput(image_identifier=request.image_identifier, state=DELETING)


async def finish_deletion(service: Microvms, key: ImageKey) -> None:
    """Remove an image that is DELETING, and what is kept of it."""
    versions = await service.store.versions(key)
    await service.builder.discard(versions)
    async with service.db.transaction() as tx:
        await service.store.delete_image(tx, key)


async def list_managed_microvm_images(
    service: Microvms, call: Call, request: api.ListManagedMicrovmImagesInput
) -> api.ListManagedMicrovmImagesOutput:
    del service
    arn = arn_of(call, MANAGED)
    shown = [api.ManagedMicrovmImageSummary(image_arn=arn, created_at=_MANAGED_SINCE, updated_at=_MANAGED_SINCE)]
    items, token = page(shown, request.max_results, request.next_token, lambda one: one.image_arn)
    return api.ListManagedMicrovmImagesOutput(items=items, next_token=token)


async def list_managed_microvm_image_versions(
    service: Microvms, call: Call, request: api.ListManagedMicrovmImageVersionsInput
) -> api.ListManagedMicrovmImageVersionsOutput:
    key = key_of(call, request.image_identifier)
    if key.name != MANAGED or key.account not in {"aws", call.account}:
        raise no_image(request.image_identifier)
    shown = [
        api.ManagedMicrovmImageVersion(
            image_arn=arn_of(call, MANAGED),
            image_version=number,
            status="AVAILABLE",
            supported_cpu_configurations=[api.CpuConfiguration(architecture=service.machine)],
            created_at=_MANAGED_SINCE,
            updated_at=_MANAGED_SINCE,
        )
        for number in MANAGED_VERSIONS
    ]
    items, token = page(shown, request.max_results, request.next_token, lambda one: one.image_version)
    return api.ListManagedMicrovmImageVersionsOutput(items=items, next_token=token)


def _own(call: Call, identifier: str) -> ImageKey:
    """An image of the caller's account. Raises ResourceNotFoundException."""
    key = key_of(call, identifier)
    if key.account != call.account:
        raise no_image(key.arn)
    return key


def _new(service: Microvms, number: str, spec: Spec, token: str, digest: str) -> Version:
    now = service.clock.now()
    architectures = list(dict.fromkeys(one.architecture for one in spec.cpus or ())) or [service.machine]
    builds = [Build(id=new_id(), architecture=one, created=now) for one in architectures]
    return Version(number=number, spec=spec, created=now, updated=now, builds=builds, token=token, digest=digest)
