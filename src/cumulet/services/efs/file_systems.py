"""File systems."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import efs as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import token
from cumulet.services.efs.errors import bad_request, refusal
from cumulet.services.efs.model import FileSystem, is_zone, short, tags_of
from cumulet.services.efs.paging import page
from cumulet.services.efs.state import Efs, check_available, place_of

_ID_BYTES = 9
_ID_DIGITS = 17


def new_id(kind: str) -> str:
    return f"{kind}-{token(_ID_BYTES)[:_ID_DIGITS]}"


async def create_file_system(efs: Efs, call: Call, request: api.CreateFileSystemRequest) -> api.FileSystemDescription:
    place, now = place_of(call), efs.clock.now()
    made = FileSystem(
        id=new_id("fs"),
        place=place,
        token=request.creation_token,
        created=now,
        performance=request.performance_mode or "generalPurpose",
        throughput=request.throughput_mode or "bursting",
        provisioned=request.provisioned_throughput_in_mibps,
        encrypted=bool(request.encrypted),
        kms_key=_key(call, request),
        zone=request.availability_zone_name,
        tags=tags_of(request.tags),
        # One Zone has backups unless they are not wanted
        backup="ENABLED"
        if (request.backup is None and request.availability_zone_name) or request.backup
        else "DISABLED",
    )
    _check(efs, made)
    if len(await efs.store.file_systems(place)) >= efs.limits.file_systems:
        raise refusal(
            api.FileSystemLimitExceeded, f"The limit of {efs.limits.file_systems} file systems has been reached."
        )
    await efs.folders.make(made.id)
    async with efs.store.db.transaction() as tx:
        before = await efs.store.of_token(tx, place, made.token)
        if before is None:
            await efs.store.add_file_system(tx, made)
    if before is not None:
        efs.keeper.discard(made.id)
        raise refusal(
            api.FileSystemAlreadyExists,
            f"File system '{before.id}' already exists with creation token '{made.token}'",
            FileSystemId=before.id,
        )
    return made.answer(now, 0, efs.keeper.size(made.id))


async def describe_file_systems(
    efs: Efs, call: Call, request: api.DescribeFileSystemsRequest
) -> api.DescribeFileSystemsResponse:
    if request.creation_token is not None and request.file_system_id is not None:
        raise bad_request("You cannot specify both CreationToken and FileSystemId.")
    if request.file_system_id is not None:
        found = [await efs.file_system(call, request.file_system_id)]
    else:
        found = await efs.store.file_systems(place_of(call))
        if request.creation_token is not None:
            found = [one for one in found if one.token == request.creation_token]
    shown, marker = page(found, request.marker, request.max_items, lambda one: one.id)
    now, counts = efs.clock.now(), await efs.store.counts(place_of(call), efs.clock.now())
    await efs.keeper.measure([one.id for one in shown if not one.deleting])
    return api.DescribeFileSystemsResponse(
        marker=request.marker,
        file_systems=[one.answer(now, counts.get(one.id, 0), efs.keeper.size(one.id)) for one in shown],
        next_marker=marker,
    )


async def update_file_system(efs: Efs, call: Call, request: api.UpdateFileSystemRequest) -> api.FileSystemDescription:
    now = efs.clock.now()

    def change(found: FileSystem) -> FileSystem:
        check_available(found, now)
        mode = request.throughput_mode or found.throughput
        rate = request.provisioned_throughput_in_mibps
        if rate is None and mode == found.throughput:
            rate = found.provisioned
        changed = replace(found, throughput=mode, provisioned=rate)
        _check(efs, changed)
        lower = found.provisioned is not None and rate is not None and rate < found.provisioned
        if mode != found.throughput or lower:
            if not found.may_change_throughput(now):
                raise refusal(
                    api.TooManyRequests,
                    "The throughput mode can be changed, and provisioned throughput decreased, once in 24 hours.",
                )
            changed = replace(changed, throughput_changed=now)
        return changed

    changed = await efs.store.edit_file_system(place_of(call), short(request.file_system_id), change)
    return changed.answer(now, len(await efs.mount_targets(changed.id)), efs.keeper.size(changed.id))


async def update_file_system_protection(
    efs: Efs, call: Call, request: api.UpdateFileSystemProtectionRequest
) -> api.FileSystemProtectionDescription:
    now = efs.clock.now()
    wanted = request.replication_overwrite_protection
    if wanted == "REPLICATING":
        raise bad_request("ReplicationOverwriteProtection can be set to ENABLED or DISABLED.")

    def change(found: FileSystem) -> FileSystem:
        check_available(found, now)
        return replace(found, protection=wanted or found.protection)

    changed = await efs.store.edit_file_system(place_of(call), short(request.file_system_id), change)
    return api.FileSystemProtectionDescription(replication_overwrite_protection=changed.protection)


async def delete_file_system(efs: Efs, call: Call, request: api.DeleteFileSystemRequest) -> None:
    """What is left to do takes its time, and is gone on with after a crash."""
    place, id, now = place_of(call), short(request.file_system_id), efs.clock.now()
    async with efs.store.db.transaction() as tx:
        targets = await efs.store.mount_targets(id, tx)

        def change(found: FileSystem) -> FileSystem:
            if any(not one.is_gone(now) for one in targets):
                raise refusal(api.FileSystemInUse, f"File system '{id}' has mount targets: delete them before it.")
            # The token is free again at once, for what may be created next.
            return replace(found, deleting=True, token=f"deleted {id}")

        changed = await efs.store.edit_file_system(place, id, change, tx)
    efs.keeper.discard(changed.id, changed)
    efs.announce(id)


def _key(call: Call, request: api.CreateFileSystemRequest) -> str | None:
    """The KMS key that a file system is said to be encrypted with; raises BadRequest."""
    if not request.encrypted:
        if request.kms_key_id:
            raise bad_request("KmsKeyId can be specified only for an encrypted file system.")
        return None
    id = request.kms_key_id or "alias/aws/elasticfilesystem"
    if id.startswith("arn:"):
        return id
    resource = id if id.startswith("alias/") else f"key/{id}"
    return f"arn:aws:kms:{call.region}:{call.account}:{resource}"


def _check(efs: Efs, one: FileSystem) -> None:
    """Rules between members. Raises BadRequest and others."""
    if (one.throughput == "provisioned") != (one.provisioned is not None):
        raise bad_request(
            "ProvisionedThroughputInMibps must be specified when ThroughputMode is provisioned, and only then."
        )
    if one.provisioned is not None and one.provisioned > efs.limits.provisioned_throughput:
        raise refusal(
            api.ThroughputLimitExceeded,
            f"Provisioned throughput is limited to {efs.limits.provisioned_throughput} MiB/s.",
        )
    if one.performance == "maxIO" and (one.zone or one.throughput == "elastic"):
        raise bad_request("The maxIO performance mode is not supported with One Zone storage or elastic throughput.")
    if one.zone is not None and not is_zone(one.place.region, one.zone):
        raise refusal(
            api.UnsupportedAvailabilityZone, f"{one.zone} is no Availability Zone of {one.place.region} for EFS."
        )
