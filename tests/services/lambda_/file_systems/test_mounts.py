"""Functions share files by EFS, keep them, and stay within them."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.file_systems.conftest import SETTLED, World, skip_without_sandboxes

WRITE = "open('/mnt/data/note', 'w').write('hello')"
READ = "open('/mnt/data/note').read()"


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def invoked(world: World, name: str) -> tuple[str, str]:
    return refused(world.functions.invoke, FunctionName=name, Payload=b'"1"')


def test_two_functions_share_files(world: World) -> None:
    id = world.file_system()
    point = world.access_point(id)
    world.function("writer", point)
    world.function("reader", point, FileSystemConfigs=[{"Arn": point, "LocalMountPath": "/mnt/else-where.1"}])
    configs = world.functions.get_function_configuration(FunctionName="writer")["FileSystemConfigs"]
    assert configs == [{"Arn": point, "LocalMountPath": "/mnt/data"}]
    assert world.run("writer", WRITE) == 5
    assert world.run("reader", "open('/mnt/else-where.1/note').read()") == "hello"
    assert world.run("reader", "do os.rename('/mnt/else-where.1/note', '/mnt/else-where.1/new')") is None
    assert world.run("writer", "os.listdir('/mnt/data')") == ["new"]
    assert world.run("writer", "os.listdir('/mnt')") == ["data"]
    assert world.run("writer", "open('/mnt/other', 'w')") == "OSError"
    size = world.efs.describe_file_systems(FileSystemId=id)["FileSystems"][0]["SizeInBytes"]["Value"]
    assert size == 6144 * 2 + 4096 + 2048


def test_files_outlive_environments_and_kills(start_node: Callable[..., Any]) -> None:
    node = start_node()
    skip_without_sandboxes(node)
    world = World(node, "000000000111")
    point = world.access_point(world.file_system())
    world.function("f", point)
    world.run("f", WRITE)
    world.functions.update_function_configuration(FunctionName="f", Description="another environment")
    assert world.run("f", READ) == "hello"
    node.kill()
    node.restart()
    world = World(node, "000000000111")
    assert world.run("f", READ) == "hello"
    node.kill()


def test_files_belong_to_the_posix_user(world: World) -> None:
    id = world.file_system()
    world.function("first", world.access_point(id, uid=1001))
    world.function("second", world.access_point(id, uid=1001))
    world.function("third", world.access_point(id, uid=1002))
    world.run("first", WRITE)
    mine = "os.stat('/mnt/data/note').st_uid == os.getuid()"
    assert world.run("first", mine) is True
    assert world.run("second", mine) is True
    assert world.run("second", "do os.chmod('/mnt/data/note', 0o600)") is None
    if world.run("third", "os.stat('/mnt/data/note').st_uid") == 1001:  # where every environment has a user of its own
        assert world.run("third", READ) == "PermissionError"
        assert world.run("third", "open('/mnt/data/mine', 'w')") == "PermissionError"


def test_nobody_leaves_the_access_point(world: World) -> None:
    id = world.file_system()
    world.function("inner", world.access_point(id, "/inner", uid=1001))
    world.function("other", world.access_point(id, "/other", uid=1001))
    world.run("other", "open('/mnt/data/secret', 'w').write('x')")
    assert world.run("inner", "sorted(os.listdir('/mnt/data/..'))") == ["data"]
    world.run("inner", "do os.symlink('/mnt/data/../../../../etc', '/mnt/data/link')")
    assert "mnt" not in world.run("inner", "os.listdir('/mnt/data/link')")
    assert world.run("inner", "open('/mnt/data/../other/secret')") == "FileNotFoundError"
    assert world.run("inner", "os.mknod('/mnt/data/sda', 0o660 | stat.S_IFBLK, os.makedev(8, 0))") == "PermissionError"
    assert world.run("inner", "os.link('/var/task/index.py', '/mnt/data/code')") in {"OSError", "PermissionError"}
    flags = "[line.split()[3] for line in open('/proc/mounts') if line.split()[1] == '/mnt/data'][0]"
    assert {"nosuid", "nodev"} <= set(world.run("inner", flags).split(","))


def test_links_do_not_lead_access_points_away(world: World) -> None:
    id = world.file_system()
    root = world.access_point(id, "/a", uid=1001)
    world.function("outer", root)
    world.run("outer", "do os.symlink('/etc', '/mnt/data/b')")
    point = world.access_point(id, "/a/b", uid=1001)
    world.function("lured", point)
    code, message = invoked(world, "lured")
    assert code == "EFSMountFailureException"
    assert point in message
    assert "root directory /a/b" in message


def test_what_a_function_may_mount(world: World) -> None:
    id = world.file_system("with", target=False)
    point = world.access_point(id)
    create: dict[str, Any] = {"name": "f", "point": point}
    no_vpc = refused(world.function, **create, VpcConfig={})
    message = f"Function must be configured to execute in a VPC to reference access point {point}"
    assert no_vpc == ("InvalidParameterValueException", message)
    code, message = refused(world.function, **create)
    assert code == "InvalidParameterValueException"
    assert "does not have mount targets created" in message
    early = ""
    for number in range(20):  # each is new for a second, which may pass on a slow machine
        other = world.file_system(str(number), target=False)
        new = world.access_point(other)
        world.efs.create_mount_target(FileSystemId=other, SubnetId="subnet-0123456789abcdef7")
        try:
            world.function(f"early{number}", new)
        except ClientError as error:
            early = str(error)
            break
    assert "not all are in the available life cycle state yet" in early
    world.efs.create_mount_target(FileSystemId=id, SubnetId="subnet-0123456789abcdef7")
    world.settle()
    gone = point[:-17] + "0" * 17
    assert refused(world.function, name="f", point=gone)[0] == "InvalidParameterValueException"
    for path in ("/mnt/..", "/mnt/.", "/tmp/x", "/mnt/a/b"):
        configs = [{"Arn": point, "LocalMountPath": path}]
        code = refused(world.function, **create, FileSystemConfigs=configs)[0]
        assert code in {"InvalidParameterValueException", "ValidationException"}, path
    two = [{"Arn": point, "LocalMountPath": f"/mnt/{name}"} for name in "ab"]
    assert refused(world.function, **create, FileSystemConfigs=two)[0] == "ValidationException"
    s3 = f"arn:aws:s3files:us-east-1:{world.account}:file-system/fs-{'1' * 17}/access-point/fsap-{'1' * 17}"
    configs = [{"Arn": s3, "LocalMountPath": "/mnt/s3"}]
    assert refused(world.function, **create, FileSystemConfigs=configs)[0] == "NotImplemented"


def test_it_can_be_taken_away(world: World) -> None:
    world.function("f", world.access_point(world.file_system()))
    world.run("f", WRITE)
    world.functions.update_function_configuration(FunctionName="f", FileSystemConfigs=[])
    assert "FileSystemConfigs" not in world.functions.get_function_configuration(FunctionName="f")
    assert world.run("f", READ) == "FileNotFoundError"


def test_versions_and_provisioned_environments(world: World) -> None:
    point = world.access_point(world.file_system())
    world.function("f", point, Publish=True)
    configs = [{"Arn": point, "LocalMountPath": "/mnt/data"}]
    assert world.functions.get_function_configuration(FunctionName="f", Qualifier="1")["FileSystemConfigs"] == configs
    world.functions.put_provisioned_concurrency_config(
        FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    deadline = time.monotonic() + 60
    status = ""
    while status != "READY":
        assert time.monotonic() < deadline, status
        found = world.functions.get_provisioned_concurrency_config(FunctionName="f", Qualifier="1")
        status = found["Status"]
        time.sleep(0.1)
    assert world.run("f:1", WRITE) == 5
    assert world.run("f", READ) == "hello"
    snapshots = {"FunctionName": "f", "SnapStart": {"ApplyOn": "PublishedVersions"}, "Runtime": "python3.12"}
    code, message = refused(world.functions.update_function_configuration, **snapshots)
    assert (code, "SnapStart" in message) == ("InvalidParameterValueException", True)


def test_an_access_point_that_went_away(world: World) -> None:
    point = world.access_point(world.file_system())
    world.function("f", point)
    world.run("f", WRITE)
    world.efs.delete_access_point(AccessPointId=point)
    assert invoked(world, "f")[0] == "EFSMountFailureException"


def test_a_mount_target_that_went_away(world: World) -> None:
    id = world.file_system()
    point = world.access_point(id)
    world.function("f", point)
    world.run("f", WRITE)
    target = world.efs.describe_mount_targets(FileSystemId=id)["MountTargets"][0]["MountTargetId"]
    world.efs.delete_mount_target(MountTargetId=target)
    world.node.post("/_cumulet/clock", {"advance": SETTLED})
    code, message = invoked(world, "f")
    assert code == "EFSMountConnectivityException"
    assert message == (
        f"The function couldn't connect to the Amazon EFS file system with access point {point}. "
        "Check your network configuration and try again."
    )
    world.efs.create_mount_target(FileSystemId=id, SubnetId="subnet-0123456789abcdef9")
    world.settle()
    assert world.run("f", READ) == "hello"


@pytest.mark.parametrize("limit", ["efs.file_system_size=1000000", "efs.files=2"])
def test_a_file_system_that_is_full(start_node: Callable[..., Any], limit: str) -> None:
    node = start_node("--limit", limit)
    skip_without_sandboxes(node)
    world = World(node, "000000000112")
    point = world.access_point(world.file_system())
    world.function("f", point)
    world.run("f", WRITE)
    big = b"\"open('/mnt/data/big', 'wb').write(bytes(2000000))\""  # whose writer may be ended before it answers
    world.functions.invoke(FunctionName="f", Payload=big)
    deadline = time.monotonic() + 60
    more = b"\"open('/mnt/data/more', 'w').write('x')\""  # which may be what is ended when the size is seen
    while world.functions.invoke(FunctionName="f", Payload=more)["Payload"].read() != b'"OSError"':
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert world.run("f", READ) == "hello"
    node.kill()


def test_a_writer_that_does_not_stop_is_stopped(start_node: Callable[..., Any]) -> None:
    node = start_node("--limit", "efs.file_system_size=3000000")
    skip_without_sandboxes(node)
    world = World(node, "000000000113")
    world.function("f", world.access_point(world.file_system()), Timeout=90)
    event = b"\"do import time\\nwhile True:\\n open('/mnt/data/a', 'ab').write(bytes(100000)); time.sleep(0.02)\""
    answer = world.functions.invoke(FunctionName="f", Payload=event)
    assert answer["FunctionError"] == "Unhandled"
    assert b"signal: killed" in answer["Payload"].read()
    node.kill()
