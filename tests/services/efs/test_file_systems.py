import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.efs.conftest import SETTLED

Advance = Callable[[float], None]


def refused(call: Callable[..., Any], **request: Any) -> tuple[int, str, str, dict[str, Any]]:
    """Status, code, message and the whole of the error that a request gets."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"], answer


def test_a_file_system_comes_and_goes(efs: Any, account: str, advance: Advance) -> None:
    made = efs.create_file_system(
        CreationToken="t", Encrypted=True, ThroughputMode="elastic", Tags=[{"Key": "Name", "Value": "n"}]
    )
    id = made["FileSystemId"]
    assert re.fullmatch(r"fs-[0-9a-f]{17}", id)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["LifeCycleState"] == "creating"
    assert made["OwnerId"] == account
    assert made["FileSystemArn"].endswith(f":{account}:file-system/{id}")
    assert made["KmsKeyId"].endswith("alias/aws/elasticfilesystem")
    advance(SETTLED)
    shown = efs.describe_file_systems(FileSystemId=id)["FileSystems"][0]
    assert (shown["LifeCycleState"], shown["Name"], shown["NumberOfMountTargets"]) == ("available", "n", 0)
    assert shown["SizeInBytes"]["Value"] == 6144
    assert shown["FileSystemProtection"] == {"ReplicationOverwriteProtection": "ENABLED"}
    assert efs.delete_file_system(FileSystemId=id)["ResponseMetadata"]["HTTPStatusCode"] == 204
    deadline = time.monotonic() + 60
    while left := efs.describe_file_systems()["FileSystems"]:
        assert left[0]["LifeCycleState"] == "deleting"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert refused(efs.describe_file_systems, FileSystemId=id)[:3] == (
        404,
        "FileSystemNotFound",
        f"File system '{id}' does not exist.",
    )


def test_a_token_makes_one(efs: Any, file_system: str) -> None:
    status, code, message, answer = refused(efs.create_file_system, CreationToken="mine")
    assert (status, code) == (409, "FileSystemAlreadyExists")
    assert message == f"File system '{file_system}' already exists with creation token 'mine'"
    assert answer["FileSystemId"] == file_system
    assert answer["ErrorCode"] == code
    assert efs.describe_file_systems(CreationToken="mine")["FileSystems"][0]["FileSystemId"] == file_system


def test_pages(efs: Any) -> None:
    ids = {efs.create_file_system(CreationToken=str(number))["FileSystemId"] for number in range(5)}
    pages = list(efs.get_paginator("describe_file_systems").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["FileSystems"]) for page in pages] == [2, 2, 1]
    assert {one["FileSystemId"] for page in pages for one in page["FileSystems"]} == ids
    assert refused(efs.describe_file_systems, Marker="?")[:2] == (400, "BadRequest")


def test_rules_between_members(efs: Any) -> None:
    def of(**request: Any) -> tuple[int, str]:
        return refused(efs.create_file_system, CreationToken="t", **request)[:2]

    assert of(ThroughputMode="provisioned") == (400, "BadRequest")
    assert of(ProvisionedThroughputInMibps=10.0) == (400, "BadRequest")
    assert of(ThroughputMode="provisioned", ProvisionedThroughputInMibps=9000.0) == (400, "ThroughputLimitExceeded")
    assert of(PerformanceMode="maxIO", ThroughputMode="elastic") == (400, "BadRequest")
    assert of(KmsKeyId="alias/mine") == (400, "BadRequest")
    assert of(AvailabilityZoneName="mars-1a") == (400, "UnsupportedAvailabilityZone")
    assert efs.describe_file_systems()["FileSystems"] == []


def test_throughput_is_lowered_once_a_day(efs: Any, file_system: str, advance: Advance) -> None:
    def update(**request: Any) -> Any:
        return efs.update_file_system(FileSystemId=file_system, **request)

    shown = update(ThroughputMode="provisioned", ProvisionedThroughputInMibps=8.0)
    assert (shown["ThroughputMode"], shown["ProvisionedThroughputInMibps"]) == ("provisioned", 8.0)
    assert update(ProvisionedThroughputInMibps=16.0)["ProvisionedThroughputInMibps"] == 16.0
    assert refused(update, ProvisionedThroughputInMibps=4.0)[:2] == (429, "TooManyRequests")
    assert refused(update, ThroughputMode="bursting")[:2] == (429, "TooManyRequests")
    advance(86_400)
    assert "ProvisionedThroughputInMibps" not in update(ThroughputMode="bursting")


def test_settings_are_kept(efs: Any, file_system: str) -> None:
    id = file_system
    assert efs.describe_lifecycle_configuration(FileSystemId=id)["LifecyclePolicies"] == []
    wanted = [{"TransitionToIA": "AFTER_30_DAYS"}, {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"}]
    assert efs.put_lifecycle_configuration(FileSystemId=id, LifecyclePolicies=wanted)["LifecyclePolicies"] == wanted
    assert efs.describe_lifecycle_configuration(FileSystemId=id)["LifecyclePolicies"] == wanted
    double = [{"TransitionToIA": "AFTER_30_DAYS", "TransitionToArchive": "AFTER_90_DAYS"}]
    assert refused(efs.put_lifecycle_configuration, FileSystemId=id, LifecyclePolicies=double)[1] == "BadRequest"
    assert efs.describe_backup_policy(FileSystemId=id)["BackupPolicy"] == {"Status": "DISABLED"}
    efs.put_backup_policy(FileSystemId=id, BackupPolicy={"Status": "ENABLED"})
    assert efs.describe_backup_policy(FileSystemId=id)["BackupPolicy"] == {"Status": "ENABLED"}
    answer = efs.update_file_system_protection(FileSystemId=id, ReplicationOverwriteProtection="DISABLED")
    assert answer["ReplicationOverwriteProtection"] == "DISABLED"
    assert efs.describe_account_preferences()["ResourceIdPreference"]["ResourceIdType"] == "LONG_ID"
    assert refused(efs.put_account_preferences, ResourceIdType="SHORT_ID")[1] == "BadRequest"


def test_policies(efs: Any, file_system: str) -> None:
    id = file_system
    assert refused(efs.describe_file_system_policy, FileSystemId=id)[:2] == (404, "PolicyNotFound")
    assert refused(efs.put_file_system_policy, FileSystemId=id, Policy="{}")[:2] == (400, "InvalidPolicyException")
    text = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},'
        '"Action":"elasticfilesystem:ClientMount"}]}'
    )
    locked = text.replace("ClientMount", "*").replace("Allow", "Deny")
    assert refused(efs.put_file_system_policy, FileSystemId=id, Policy=locked)[1] == "InvalidPolicyException"
    efs.put_file_system_policy(FileSystemId=id, Policy=locked, BypassPolicyLockoutSafetyCheck=True)
    efs.put_file_system_policy(FileSystemId=id, Policy=text)
    assert efs.describe_file_system_policy(FileSystemId=id)["Policy"] == text
    efs.delete_file_system_policy(FileSystemId=id)
    assert refused(efs.describe_file_system_policy, FileSystemId=id)[1] == "PolicyNotFound"


def test_tags_old_and_new(efs: Any, file_system: str) -> None:
    efs.tag_resource(ResourceId=file_system, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    efs.create_tags(FileSystemId=file_system, Tags=[{"Key": "Name", "Value": "renamed"}])
    assert efs.describe_file_systems()["FileSystems"][0]["Name"] == "renamed"
    efs.untag_resource(ResourceId=file_system, TagKeys=["a"])
    efs.delete_tags(FileSystemId=file_system, TagKeys=["Name"])
    assert efs.list_tags_for_resource(ResourceId=file_system)["Tags"] == [{"Key": "b", "Value": "2"}]
    assert efs.describe_tags(FileSystemId=file_system)["Tags"] == [{"Key": "b", "Value": "2"}]
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert refused(efs.tag_resource, ResourceId=file_system, Tags=many)[1] == "BadRequest"
    reserved = [{"Key": "aws:x", "Value": ""}]
    assert refused(efs.tag_resource, ResourceId=file_system, Tags=reserved)[1] == "BadRequest"


def test_what_is_not_there(efs: Any, file_system: str) -> None:
    wanted = {"SourceFileSystemId": file_system, "Destinations": [{"Region": "eu-west-1"}]}
    assert refused(efs.create_replication_configuration, **wanted)[:2] == (501, "NotImplemented")
    assert efs.describe_replication_configurations()["Replications"] == []
    code = refused(efs.delete_replication_configuration, SourceFileSystemId=file_system)[1]
    assert code == "ReplicationNotFound"


def test_accounts_and_regions_are_apart(client: Callable[..., Any], file_system: str) -> None:
    elsewhere = client("efs", region="eu-west-1")
    assert elsewhere.describe_file_systems()["FileSystems"] == []
    assert refused(elsewhere.delete_file_system, FileSystemId=file_system)[1] == "FileSystemNotFound"


def test_a_removal_goes_on_after_a_kill(start_node: Callable[..., Any]) -> None:
    node = start_node()
    efs = node.client("efs", "000000000121")
    kept = efs.create_file_system(CreationToken="kept")["FileSystemId"]
    gone = efs.create_file_system(CreationToken="gone")["FileSystemId"]
    folders = node.data / "file-systems"
    for number in range(300):
        (folders / gone / f"f{number}").touch()
    (folders / "fs-torn").mkdir()  # made, but not recorded when the node was killed
    efs.delete_file_system(FileSystemId=gone)
    node.kill()
    node.restart()
    efs = node.client("efs", "000000000121")
    deadline = time.monotonic() + 60
    while [one["FileSystemId"] for one in efs.describe_file_systems()["FileSystems"]] != [kept]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    while sorted(path.name for path in folders.iterdir()) != [kept]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    node.kill()
