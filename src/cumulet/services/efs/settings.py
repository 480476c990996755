"""What is said of a file system and kept: where old files go, backups; and what accounts prefer."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import efs as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.efs.errors import bad_request, refusal
from cumulet.services.efs.model import FileSystem, short
from cumulet.services.efs.state import Efs, check_available, place_of

_TRANSITIONS = ("transition_to_ia", "transition_to_primary_storage_class", "transition_to_archive")


async def put_lifecycle_configuration(
    efs: Efs, call: Call, request: api.PutLifecycleConfigurationRequest
) -> api.LifecycleConfigurationDescription:
    """Kept and shown: a node has one kind of storage."""
    now = efs.clock.now()
    policies = tuple(
        {name: value for name in _TRANSITIONS if (value := getattr(one, name)) is not None}
        for one in request.lifecycle_policies
    )
    if any(len(one) != 1 for one in policies):
        raise bad_request("Each LifecyclePolicy must have exactly one transition.")
    if len({name for one in policies for name in one}) != len(policies):
        raise bad_request("Each transition can be configured once.")

    def change(found: FileSystem) -> FileSystem:
        check_available(found, now)
        return replace(found, lifecycle=policies)

    return _lifecycle(await efs.store.edit_file_system(place_of(call), short(request.file_system_id), change))


async def describe_lifecycle_configuration(
    efs: Efs, call: Call, request: api.DescribeLifecycleConfigurationRequest
) -> api.LifecycleConfigurationDescription:
    return _lifecycle(await efs.file_system(call, request.file_system_id))


async def put_backup_policy(efs: Efs, call: Call, request: api.PutBackupPolicyRequest) -> api.BackupPolicyDescription:
    """Kept and shown: there is no AWS Backup here."""
    now, status = efs.clock.now(), request.backup_policy.status

    def change(found: FileSystem) -> FileSystem:
        check_available(found, now)
        return replace(found, backup="ENABLED" if status.startswith("ENABL") else "DISABLED")

    changed = await efs.store.edit_file_system(place_of(call), short(request.file_system_id), change)
    return _backup(changed)


async def describe_backup_policy(
    efs: Efs, call: Call, request: api.DescribeBackupPolicyRequest
) -> api.BackupPolicyDescription:
    return _backup(await efs.file_system(call, request.file_system_id))


async def put_account_preferences(
    efs: Efs, call: Call, request: api.PutAccountPreferencesRequest
) -> api.PutAccountPreferencesResponse:
    """Short ids cannot be chosen any more.

    https://docs.aws.amazon.com/efs/latest/ug/manage-efs-resource-ids.html
    """
    del efs, call
    if request.resource_id_type != "LONG_ID":
        raise bad_request("Short resource IDs are no longer supported: ResourceIdType must be LONG_ID.")
    return api.PutAccountPreferencesResponse(resource_id_preference=_preference())


async def describe_account_preferences(
    efs: Efs, call: Call, request: api.DescribeAccountPreferencesRequest
) -> api.DescribeAccountPreferencesResponse:
    del efs, call, request
    return api.DescribeAccountPreferencesResponse(resource_id_preference=_preference())


async def create_replication_configuration(
    efs: Efs, call: Call, request: api.CreateReplicationConfigurationRequest
) -> api.ReplicationConfigurationDescription:
    await efs.available(call, request.source_file_system_id)
    raise NotImplementedHere("File systems are not replicated to other regions here. See docs/services/efs.md.")


async def delete_replication_configuration(
    efs: Efs, call: Call, request: api.DeleteReplicationConfigurationRequest
) -> None:
    found = await efs.file_system(call, request.source_file_system_id)
    raise _no_replication(found.id)


async def describe_replication_configurations(
    efs: Efs, call: Call, request: api.DescribeReplicationConfigurationsRequest
) -> api.DescribeReplicationConfigurationsResponse:
    if request.file_system_id is not None:
        raise _no_replication((await efs.file_system(call, request.file_system_id)).id)
    return api.DescribeReplicationConfigurationsResponse(replications=[])


def _no_replication(id: str) -> Exception:
    return refusal(api.ReplicationNotFound, f"File system '{id}' has no replication configuration.")


def _lifecycle(found: FileSystem) -> api.LifecycleConfigurationDescription:
    return api.LifecycleConfigurationDescription(
        lifecycle_policies=[api.LifecyclePolicy(**one) for one in found.lifecycle]
    )


def _backup(found: FileSystem) -> api.BackupPolicyDescription:
    return api.BackupPolicyDescription(backup_policy=api.BackupPolicy(status=found.backup))


def _preference() -> api.ResourceIdPreference:
    return api.ResourceIdPreference(resource_id_type="LONG_ID", resources=["FILE_SYSTEM", "MOUNT_TARGET"])
