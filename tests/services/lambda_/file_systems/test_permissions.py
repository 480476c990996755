"""Who may mount and write, where permissions are enforced."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.services.lambda_.file_systems.conftest import World, skip_without_sandboxes
from tests.services.lambda_.file_systems.test_mounts import READ, WRITE, invoked
from tests.services.lambda_.test_roles import trusting

ACCOUNT, OTHER = "000000000114", "000000000115"


@pytest.fixture(scope="module")
def world(start_node: Callable[..., Any]) -> Iterator[World]:
    node = start_node("--iam", "enforce")
    skip_without_sandboxes(node)
    iam = node.client("iam", ACCOUNT)
    for name in ("functions", "readers", "nobodies"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting("lambda.amazonaws.com"))
    yield World(node, ACCOUNT)
    node.stop()


def allow(principals: list[str], *actions: str) -> str:
    arns = [f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in principals]
    named = [f"elasticfilesystem:{action}" for action in actions]
    statement = {"Effect": "Allow", "Principal": {"AWS": arns}, "Action": named, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_the_policy_of_a_file_system_counts(world: World) -> None:
    id = world.file_system()
    point = world.access_point(id)
    world.function("writer", point)
    for name in ("readers", "nobodies"):
        world.function(name, point, Role=f"arn:aws:iam::{ACCOUNT}:role/{name}")
    assert world.run("nobodies", WRITE) == 5  # without a policy, every client may
    one = json.loads(allow(["functions"], "ClientMount", "ClientWrite"))
    two = json.loads(allow(["readers"], "ClientMount"))
    policy = json.dumps({**one, "Statement": [*one["Statement"], *two["Statement"]]})
    world.efs.put_file_system_policy(FileSystemId=id, Policy=policy)
    assert world.run("writer", WRITE) == 5
    assert world.run("readers", READ) == "hello"
    assert world.run("readers", WRITE) == "OSError"
    code, message = invoked(world, "nobodies")
    assert code == "EFSMountFailureException"
    assert "elasticfilesystem:ClientMount" in message
    world.efs.delete_file_system_policy(FileSystemId=id)
    assert world.run("nobodies", READ) == "hello"


def test_other_accounts_need_a_policy(world: World) -> None:
    id = world.file_system("shared")
    point = world.access_point(id)
    other = World(world.node, OTHER)
    iam = world.node.client("iam", OTHER)
    iam.create_role(RoleName="functions", AssumeRolePolicyDocument=trusting("lambda.amazonaws.com"))
    clients = {"Effect": "Allow", "Action": "elasticfilesystem:Client*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [clients]})
    iam.put_role_policy(RoleName="functions", PolicyName="p", PolicyDocument=document)
    other.function("guest", point)
    assert invoked(other, "guest")[0] == "EFSMountFailureException"
    policy = allow(["functions"], "ClientMount").replace(ACCOUNT, OTHER)
    world.efs.put_file_system_policy(FileSystemId=id, Policy=policy)
    assert other.run("guest", "os.listdir('/mnt/data')") == []
    assert other.run("guest", WRITE) == "OSError"


def test_the_role_may_be_denied(world: World) -> None:
    denied = {"Effect": "Deny", "Action": "elasticfilesystem:ClientWrite", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    iam = world.node.client("iam", ACCOUNT)
    iam.put_role_policy(RoleName="readers", PolicyName="p", PolicyDocument=document)
    world.function(
        "denied", world.access_point(world.file_system("other")), Role=f"arn:aws:iam::{ACCOUNT}:role/readers"
    )
    assert world.run("denied", WRITE) == "OSError"
    assert world.run("denied", "os.listdir('/mnt/data')") == []
