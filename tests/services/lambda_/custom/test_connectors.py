"""Network connectors: kept with their versions and tags, and named by web functions."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

EGRESS = {"VpcEgressConfiguration": {"SubnetIds": ["subnet-1"], "AssociatedComputeResourceTypes": ["WebFunction"]}}
OTHER = {"VpcEgressConfiguration": {"SubnetIds": ["subnet-2"], "SecurityGroupIds": ["sg-1"], "NetworkProtocol": "IPv4"}}


@pytest.fixture
def core(client: Callable[..., Any]) -> Any:
    return client("lambda-core")


def refused(work: Callable[..., Any], **members: Any) -> str:
    with pytest.raises(ClientError) as error:
        work(**members)
    code: str = error.value.response["Error"]["Code"]
    return code


def shown(answer: Any) -> Any:
    return {name: value for name, value in answer.items() if name not in {"ResponseMetadata", "LastModified"}}


def test_a_connector(core: Any, account: str) -> None:
    made = core.create_network_connector(Name="one", Configuration=EGRESS)
    arn = f"arn:aws:lambda:us-east-1:{account}:network-connector:one"
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    base = {"Arn": arn, "Name": "one", "Id": made["Id"], "Configuration": EGRESS}
    assert shown(made) == base | {"VersionArn": f"{arn}:1", "Version": 1, "State": "PENDING"}
    now = base | {
        "Version": 1,
        "LatestVersion": 1,
        "LatestVersionArn": f"{arn}:1",
        "State": "ACTIVE",
        "LastUpdateStatus": "Successful",
    }
    for identifier in ("one", arn, made["Id"]):
        assert shown(core.get_network_connector(Identifier=identifier)) == now
    assert refused(core.create_network_connector, Name="one", Configuration=EGRESS) == "ResourceConflictException"
    assert refused(core.get_network_connector, Identifier="two") == "ResourceNotFoundException"
    bad = {"VpcEgressConfiguration": {"NetworkProtocol": "IPv4"}}
    assert refused(core.create_network_connector, Name="two", Configuration=bad) == "InvalidParameterValueException"
    (summary,) = core.list_network_connectors()["NetworkConnectors"]
    assert (summary["Type"], summary["State"], summary["LatestVersion"]) == ("VPC_EGRESS", "ACTIVE", 1)
    assert not core.list_network_connectors(State="FAILED")["NetworkConnectors"]


def test_a_token_makes_one(core: Any) -> None:
    first = core.create_network_connector(Name="once", Configuration=EGRESS, ClientToken="t")
    assert core.create_network_connector(Name="once", Configuration=EGRESS, ClientToken="t")["Id"] == first["Id"]
    conflict = refused(core.create_network_connector, Name="once", Configuration=OTHER, ClientToken="t")
    assert conflict == "ResourceConflictException"


def test_versions(core: Any) -> None:
    arn = core.create_network_connector(Name="many", Configuration=EGRESS)["Arn"]
    assert core.update_network_connector(Identifier="many", Configuration=EGRESS)["Version"] == 1
    changed = core.update_network_connector(Identifier="many", Configuration=OTHER)
    assert (changed["Version"], changed["State"], changed["LastUpdateStatus"]) == (2, "ACTIVE", "InProgress")
    old = core.get_network_connector(Identifier=f"{arn}:1")
    assert (old["Configuration"], old["VersionArn"], old.get("LatestVersion")) == (EGRESS, f"{arn}:1", None)
    first = core.list_network_connector_versions(Identifier="many", MaxItems=1)
    rest = core.list_network_connector_versions(Identifier="many", Marker=first["NextMarker"])
    found = first["NetworkConnectorVersions"] + rest["NetworkConnectorVersions"]
    assert [one["Version"] for one in found] == [1, 2]
    assert refused(core.delete_network_connector, Identifier=f"{arn}:2") == "ResourceConflictException"
    core.delete_network_connector(Identifier=f"{arn}:1")
    assert refused(core.get_network_connector, Identifier=f"{arn}:1") == "ResourceNotFoundException"
    assert core.delete_network_connector(Identifier="many")["State"] == "DELETING"
    assert refused(core.get_network_connector, Identifier="many") == "ResourceNotFoundException"
    assert core.delete_network_connector(Identifier="many")["State"] == "DELETING"
    assert core.create_network_connector(Name="many", Configuration=EGRESS)["Version"] == 1


def test_tags(core: Any, client: Callable[..., Any]) -> None:
    functions = client("lambda")
    arn = core.create_network_connector(Name="tagged", Configuration=EGRESS, Tags={"a": "1"})["Arn"]
    functions.tag_resource(Resource=arn, Tags={"b": "2"})
    assert functions.list_tags(Resource=arn)["Tags"] == {"a": "1", "b": "2"}
    core.delete_network_connector(Identifier="tagged")
    assert refused(functions.list_tags, Resource=arn) == "ResourceNotFoundException"
