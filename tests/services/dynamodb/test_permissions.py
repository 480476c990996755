"""Who may make tables that regions and accounts hold together, where permissions are enforced."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.conftest import NodeProcess
from tests.services.dynamodb.test_accounts import KEYS, NAME, Group
from tests.services.dynamodb.test_replicas import wait

Refused = Callable[..., str]
WEST = "us-west-2"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture(scope="module")
def strict(start_node: Callable[..., NodeProcess]) -> Iterator[NodeProcess]:
    node = start_node("--iam", "enforce")
    yield node
    node.stop()


def test_replicas_are_made_and_deleted_by_those_who_may_in_their_regions(
    strict: NodeProcess, account: str, refused: Refused
) -> None:
    root, iam = strict.client("dynamodb", account), strict.client("iam", account)
    root.create_table(TableName=NAME, **KEYS)
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    hers = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    ann = strict.client("dynamodb", account, **hers)

    def allow(*actions: str, regions: tuple[str, ...] = ("us-east-1", WEST)) -> None:
        asked = {"StringEquals": {"aws:RequestedRegion": regions}}
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": asked}
        iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document(statement))

    create: dict[str, Any] = {"TableName": NAME, "ReplicaUpdates": [{"Create": {"RegionName": WEST}}]}
    delete: dict[str, Any] = {"TableName": NAME, "ReplicaUpdates": [{"Delete": {"RegionName": WEST}}]}
    making = [f"dynamodb:{name}" for name in ("CreateTable*", "Scan", "Query", "*Item")]
    allow("dynamodb:UpdateTable")
    there = f"arn:aws:dynamodb:{WEST}:{account}:table/{NAME}"
    assert f"perform: dynamodb:CreateTable on resource: {there}" in refused(ann.update_table, **create)
    allow("dynamodb:UpdateTable", *making, regions=("us-east-1",))
    assert f"perform: dynamodb:CreateTable on resource: {there}" in refused(ann.update_table, **create)
    allow("dynamodb:UpdateTable", *making[:-1])
    assert "Item on resource" in refused(ann.update_table, **create)
    allow("dynamodb:UpdateTable", *making)
    ann.update_table(**create)
    wait(root, NAME)
    assert f"perform: dynamodb:DeleteTable on resource: {there}" in refused(ann.update_table, **delete)
    allow("dynamodb:UpdateTable", "dynamodb:DeleteTable", "dynamodb:DeleteTableReplica")
    ann.update_table(**delete)
    assert "Replicas" not in wait(root, NAME)


@pytest.mark.parametrize("kind", ["node", "strict"])
def test_a_policy_may_name_a_role_that_has_a_path(
    request: pytest.FixtureRequest, kind: str, account: str, refused: Refused
) -> None:
    """It is one account's consent to another, and counts where permissions are not enforced, too."""
    node: NodeProcess = request.getfixturevalue(kind)
    group = Group(lambda service, region, account: node.client(service, account, region), account)
    owner, region = group.places[1]
    iam = node.client("iam", owner)
    trust = {"Effect": "Allow", "Principal": {"AWS": owner}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="maker", Path="/team/x/", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    iam.put_role_policy(
        RoleName="maker",
        PolicyName="p",
        PolicyDocument=document({"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}),
    )
    given = node.client("sts", owner).assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    maker = node.client(
        "dynamodb",
        owner,
        region,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    group.begin()
    here = group.clients[0]
    replicate, join = json.loads(group.policy(0))["Statement"]
    denied = {"Effect": "Deny", "Principal": {"AWS": role}, "Action": "dynamodb:Associate*", "Resource": "*"}
    here.put_resource_policy(ResourceArn=group.arns[0], Policy=document(replicate, join, denied))
    assert "AssociateTableReplica" in refused(maker.create_table, **group.joining(1))
    another = role.replace("/team/x/", "/team/y/")
    here.put_resource_policy(
        ResourceArn=group.arns[0], Policy=document(replicate, join | {"Principal": {"AWS": another}})
    )
    assert "AssociateTableReplica" in refused(maker.create_table, **group.joining(1))
    here.put_resource_policy(ResourceArn=group.arns[0], Policy=document(replicate, join | {"Principal": {"AWS": role}}))
    maker.create_table(**group.joining(1))
    assert len(wait(here, NAME)["Replicas"]) == 1
