"""A file system with an access point, and functions that have it mounted."""

from typing import Any

import pytest
from tests.services.lambda_.conftest import RUNTIME, package, payload

SUBNET, GROUP = "subnet-0123456789abcdef0", "sg-0123456789abcdef0"
VPC = {"SubnetIds": [SUBNET], "SecurityGroupIds": [GROUP]}
SETTLED = 3.0
RUN = """
import os, stat

def handler(event, context):
    try:
        return eval(event) if not event.startswith("do ") else exec(event[3:])
    except OSError as error:
        return type(error).__name__
"""
"""A function that does what its event says."""


class World:
    """What a test has of one node and account."""

    def __init__(self, node: Any, account: str) -> None:
        self.efs = node.client("efs", account)
        self.functions = node.client("lambda", account)
        self.node = node
        self.account = account

    def settle(self) -> None:
        self.node.post("/_cumulet/clock", {"advance": SETTLED})

    def file_system(self, token: str = "t", *, target: bool = True) -> str:
        id = str(self.efs.create_file_system(CreationToken=token)["FileSystemId"])
        self.settle()
        if target:
            self.efs.create_mount_target(FileSystemId=id, SubnetId=SUBNET)
            self.settle()
        return id

    def access_point(self, id: str, path: str = "/lambda", uid: int = 1001, **more: Any) -> str:
        """Its ARN."""
        directory = {"Path": path, "CreationInfo": {"OwnerUid": uid, "OwnerGid": uid, "Permissions": "755"}}
        settings: dict[str, Any] = {"PosixUser": {"Uid": uid, "Gid": uid}, "RootDirectory": directory}
        return str(self.efs.create_access_point(FileSystemId=id, **(settings | more))["AccessPointArn"])

    def function(self, name: str, point: str, **members: Any) -> None:
        settings: dict[str, Any] = {
            "Runtime": RUNTIME,
            "Handler": "index.handler",
            "Role": f"arn:aws:iam::{self.account}:role/functions",
            "Code": {"ZipFile": package(RUN)},
            "Timeout": 60,
            "VpcConfig": VPC,
            "FileSystemConfigs": [{"Arn": point, "LocalMountPath": "/mnt/data"}],
        }
        self.functions.create_function(FunctionName=name, **(settings | members))

    def run(self, name: str, event: str) -> Any:
        answer = self.functions.invoke(FunctionName=name, Payload=f'"{event}"'.encode())
        found = payload(answer)
        assert "FunctionError" not in answer, found
        return found


@pytest.fixture
def world(node: Any, account: str, sandboxed: None) -> World:
    return World(node, account)


@pytest.fixture
def sandboxed(node: Any) -> None:
    """Nothing can be mounted where functions are plain processes."""
    skip_without_sandboxes(node)


def skip_without_sandboxes(node: Any) -> None:
    level = node.get(node.endpoint + "/_cumulet/status")["isolation"]
    if level["name"] == "process":
        pytest.skip("file systems are mounted in sandboxes only, and this machine cannot make them")
