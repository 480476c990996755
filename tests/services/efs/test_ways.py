"""Mount targets and access points."""

import re
import time
from collections.abc import Callable
from typing import Any

from tests.services.efs.conftest import SETTLED
from tests.services.efs.test_file_systems import refused

Advance = Callable[[float], None]
SUBNET, OTHER = "subnet-0123456789abcdef0", "subnet-0123456789abcdef1"


def test_a_mount_target_comes_and_goes(efs: Any, file_system: str, advance: Advance) -> None:
    made = efs.create_mount_target(FileSystemId=file_system, SubnetId=SUBNET)
    id = made["MountTargetId"]
    assert re.fullmatch(r"fsmt-[0-9a-f]{17}", id)
    assert made["LifeCycleState"] == "creating"
    assert re.fullmatch(r"10\.0\.\d+\.\d+", made["IpAddress"])
    assert made["VpcId"].startswith("vpc-")
    advance(SETTLED)
    assert efs.describe_mount_targets(MountTargetId=id)["MountTargets"][0]["LifeCycleState"] == "available"
    assert efs.describe_file_systems()["FileSystems"][0]["NumberOfMountTargets"] == 1
    again = refused(efs.create_mount_target, FileSystemId=file_system, SubnetId=SUBNET)
    assert again[:2] == (409, "MountTargetConflict")
    in_use = refused(efs.delete_file_system, FileSystemId=file_system)
    assert in_use[:2] == (409, "FileSystemInUse")
    efs.delete_mount_target(MountTargetId=id)
    for one in efs.describe_mount_targets(FileSystemId=file_system)["MountTargets"]:  # if a second has not passed yet
        assert one["LifeCycleState"] == "deleting"
    advance(SETTLED)
    assert refused(efs.describe_mount_targets, MountTargetId=id)[:2] == (404, "MountTargetNotFound")
    efs.delete_file_system(FileSystemId=file_system)


def test_addresses_and_groups(efs: Any, file_system: str, advance: Advance) -> None:
    group = "sg-0123456789abcdef0"
    made = efs.create_mount_target(
        FileSystemId=file_system, SubnetId=SUBNET, IpAddress="10.0.0.9", SecurityGroups=[group]
    )
    assert made["IpAddress"] == "10.0.0.9"
    taken = {"FileSystemId": file_system, "SubnetId": OTHER, "IpAddress": "10.0.0.9"}
    assert refused(efs.create_mount_target, **taken)[1] == "IpAddressInUse"
    wrong = {**taken, "IpAddress": "10.0.0.999"}
    assert refused(efs.create_mount_target, **wrong)[1] == "BadRequest"
    id = made["MountTargetId"]
    advance(SETTLED)
    assert efs.describe_mount_target_security_groups(MountTargetId=id)["SecurityGroups"] == [group]
    efs.modify_mount_target_security_groups(MountTargetId=id, SecurityGroups=["sg-0123456789abcdef1"])
    assert efs.describe_mount_target_security_groups(MountTargetId=id)["SecurityGroups"] == ["sg-0123456789abcdef1"]
    many = [f"sg-0123456789abcde{number:02}" for number in range(6)]
    many_groups = refused(efs.modify_mount_target_security_groups, MountTargetId=id, SecurityGroups=many)
    assert many_groups[1] == "SecurityGroupLimitExceeded"


def test_mount_targets_want_an_available_file_system(efs: Any) -> None:
    for number in range(20):  # each is new for a second, which may pass on a slow machine
        id = efs.create_file_system(CreationToken=f"new{number}")["FileSystemId"]
        try:
            efs.create_mount_target(FileSystemId=id, SubnetId=SUBNET)
        except efs.exceptions.IncorrectFileSystemLifeCycleState:
            break
    else:
        raise AssertionError("a file system that was just created took a mount target each time")
    assert refused(efs.describe_mount_targets)[1] == "BadRequest"


def test_an_access_point_comes_and_goes(efs: Any, file_system: str, advance: Advance) -> None:
    user = {"Uid": 1001, "Gid": 1002, "SecondaryGids": [7]}
    directory = {"Path": "/a/b", "CreationInfo": {"OwnerUid": 1001, "OwnerGid": 1002, "Permissions": "750"}}
    made = efs.create_access_point(
        FileSystemId=file_system,
        ClientToken="once",
        PosixUser=user,
        RootDirectory=directory,
        Tags=[{"Key": "Name", "Value": "ap"}],
    )
    id = made["AccessPointId"]
    assert re.fullmatch(r"fsap-[0-9a-f]{17}", id)
    assert made["AccessPointArn"].endswith(f":access-point/{id}")
    assert (made["PosixUser"], made["RootDirectory"], made["Name"]) == (user, directory, "ap")
    assert made["LifeCycleState"] == "creating"
    advance(SETTLED)
    shown = efs.describe_access_points(AccessPointId=made["AccessPointArn"])["AccessPoints"][0]
    assert shown["LifeCycleState"] == "available"
    again = refused(efs.create_access_point, FileSystemId=file_system, ClientToken="once")
    assert again[:2] == (409, "AccessPointAlreadyExists")
    assert again[3]["AccessPointId"] == id
    plain = efs.create_access_point(FileSystemId=file_system)
    assert plain["RootDirectory"] == {"Path": "/"}
    assert "PosixUser" not in plain
    assert len(efs.describe_access_points(FileSystemId=file_system)["AccessPoints"]) == 2
    efs.tag_resource(ResourceId=id, Tags=[{"Key": "x", "Value": "y"}])
    tags = efs.list_tags_for_resource(ResourceId=id)["Tags"]
    assert tags == [{"Key": "Name", "Value": "ap"}, {"Key": "x", "Value": "y"}]
    efs.delete_access_point(AccessPointId=id)
    assert refused(efs.describe_access_points, AccessPointId=id)[:2] == (404, "AccessPointNotFound")
    both = {"AccessPointId": plain["AccessPointId"], "FileSystemId": file_system}
    assert refused(efs.describe_access_points, **both)[1] == "BadRequest"


def test_bad_roots(efs: Any, file_system: str) -> None:
    for path in ("a", "/../etc", "/a/b/c/d/e"):
        wanted = {"FileSystemId": file_system, "RootDirectory": {"Path": path}}
        assert refused(efs.create_access_point, **wanted)[:2] == (400, "BadRequest"), path


def test_access_points_go_with_their_file_system(efs: Any, file_system: str) -> None:
    efs.create_access_point(FileSystemId=file_system)
    efs.delete_file_system(FileSystemId=file_system)
    deadline = time.monotonic() + 60
    while efs.describe_access_points()["AccessPoints"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
