"""Versions and aliases."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Clients = Callable[..., Any]


def definition(result: Any) -> str:
    return json.dumps({"StartAt": "Only", "States": {"Only": {"Type": "Pass", "Result": result, "End": True}}})


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=re.escape(code))


@pytest.fixture
def machine(client: Clients, account: str) -> str:
    role = f"arn:aws:iam::{account}:role/machine"
    made = client("stepfunctions").create_state_machine(name="m", definition=definition(0), roleArn=role)
    return str(made["stateMachineArn"])


def publish(states: Any, machine: str, result: Any) -> str:
    updated = states.update_state_machine(stateMachineArn=machine, definition=definition(result), publish=True)
    return str(updated["stateMachineVersionArn"])


def outcome(states: Any, arn: str) -> tuple[Any, dict[str, Any]]:
    """The output of an execution, and how it is described."""
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        pass
    return json.loads(found["output"]), found


def test_a_version_keeps_what_was_published(client: Clients, machine: str) -> None:
    states = client("stepfunctions")
    first = states.publish_state_machine_version(stateMachineArn=machine, description="zero")["stateMachineVersionArn"]
    assert first == f"{machine}:1"
    second = publish(states, machine, 1)
    states.update_state_machine(stateMachineArn=machine, definition=definition(2))
    found = states.describe_state_machine(stateMachineArn=first)
    assert (found["stateMachineArn"], found["description"]) == (first, "zero")
    assert found["definition"] == definition(0)
    assert "revisionId" not in found
    assert outcome(states, second)[0] == 1
    assert outcome(states, machine)[0] == 2
    listed = states.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    assert [item["stateMachineVersionArn"] for item in listed] == [second, first]


def test_a_revision_is_published_once_and_numbers_are_not_used_again(client: Clients, machine: str) -> None:
    states = client("stepfunctions")
    for _ in range(2):
        assert states.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"] == f"{machine}:1"
    states.delete_state_machine_version(stateMachineVersionArn=f"{machine}:1")
    states.delete_state_machine_version(stateMachineVersionArn=f"{machine}:1")
    assert states.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"] == f"{machine}:2"
    with refused("StateMachineDoesNotExist"):
        states.start_execution(stateMachineArn=f"{machine}:1")


def test_publishing_another_revision_than_the_current_one_conflicts(client: Clients, machine: str) -> None:
    states = client("stepfunctions")
    first = states.update_state_machine(stateMachineArn=machine, definition=definition(1))["revisionId"]
    second = states.update_state_machine(stateMachineArn=machine, definition=definition(2))["revisionId"]
    with refused(
        f"Failed to publish the State Machine version for revision {first}. The current State Machine revision is {second}."
    ):
        states.publish_state_machine_version(stateMachineArn=machine, revisionId=first)
    states.publish_state_machine_version(stateMachineArn=machine, revisionId=second)


def test_versions_are_listed_in_pages(client: Clients, machine: str) -> None:
    states = client("stepfunctions")
    for number in range(1, 4):
        publish(states, machine, number)
    page = states.list_state_machine_versions(stateMachineArn=machine, maxResults=2)
    numbers = [item["stateMachineVersionArn"][-1] for item in page["stateMachineVersions"]]
    rest = states.list_state_machine_versions(stateMachineArn=machine, nextToken=page["nextToken"])
    numbers += [item["stateMachineVersionArn"][-1] for item in rest["stateMachineVersions"]]
    assert numbers == ["3", "2", "1"]
    assert "nextToken" not in rest


def test_an_alias_shifts_traffic(client: Clients, machine: str) -> None:
    states = client("stepfunctions")
    one, two = publish(states, machine, 1), publish(states, machine, 2)
    only = [{"stateMachineVersionArn": one, "weight": 100}]
    alias = states.create_state_machine_alias(name="live", routingConfiguration=only)["stateMachineAliasArn"]
    assert alias == f"{machine}:live"
    output, described = outcome(states, alias)
    assert output == 1
    assert (described["stateMachineAliasArn"], described["stateMachineVersionArn"]) == (alias, one)
    both = [{"stateMachineVersionArn": one, "weight": 50}, {"stateMachineVersionArn": two, "weight": 50}]
    states.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=both)
    assert {outcome(states, alias)[0] for _ in range(40)} == {1, 2}
    all_but = [{"stateMachineVersionArn": one, "weight": 0}, {"stateMachineVersionArn": two, "weight": 100}]
    states.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=all_but)
    assert {outcome(states, alias)[0] for _ in range(10)} == {2}


def test_an_alias_is_described_changed_listed_and_deleted(client: Clients, machine: str) -> None:
    states = client("stepfunctions")
    one, two = publish(states, machine, 1), publish(states, machine, 2)
    routes = [{"stateMachineVersionArn": one, "weight": 100}]
    alias = states.create_state_machine_alias(name="live", description="d", routingConfiguration=routes)
    again = states.create_state_machine_alias(name="live", description="d", routingConfiguration=routes)
    assert again["creationDate"] == alias["creationDate"]
    with refused("ConflictException"):
        states.create_state_machine_alias(name="live", description="e", routingConfiguration=routes)
    arn = alias["stateMachineAliasArn"]
    states.update_state_machine_alias(stateMachineAliasArn=arn, description="e")
    found = states.describe_state_machine_alias(stateMachineAliasArn=arn)
    assert (found["name"], found["description"], found["routingConfiguration"]) == ("live", "e", routes)
    states.create_state_machine_alias(
        name="next", routingConfiguration=[{"stateMachineVersionArn": two, "weight": 100}]
    )

    def names(of: str) -> list[str]:
        listed = states.list_state_machine_aliases(stateMachineArn=of)["stateMachineAliases"]
        return [item["stateMachineAliasArn"].rpartition(":")[2] for item in listed]

    assert names(machine) == ["live", "next"]
    assert names(two) == ["next"]
    with refused("Current list of aliases referencing this version: [live]"):
        states.delete_state_machine_version(stateMachineVersionArn=one)
    states.delete_state_machine_alias(stateMachineAliasArn=arn)
    states.delete_state_machine_alias(stateMachineAliasArn=arn)
    states.delete_state_machine_version(stateMachineVersionArn=one)
    with refused("Request references a resource that does not exist."):
        states.describe_state_machine_alias(stateMachineAliasArn=arn)
    with refused("StateMachineDoesNotExist"):
        states.start_execution(stateMachineArn=arn)


def test_routes_that_cannot_be(client: Clients, account: str, machine: str) -> None:
    states = client("stepfunctions")
    one, two = publish(states, machine, 1), publish(states, machine, 2)
    made = states.create_state_machine(
        name="other", definition=definition(9), roleArn=f"arn:aws:iam::{account}:role/machine", publish=True
    )
    wrong: list[tuple[list[tuple[str, int]], str]] = [
        ([(machine, 100)], f"Routing configuration must contain state machine version ARNs. Received: [{machine}]"),
        ([(one, 50), (one, 50)], "must contain distinct state machine version ARNs"),
        ([(one, 50), (two, 49)], "Sum of routing configuration weights must equal 100. Received: [50, 49]"),
        ([(one, 50), (made["stateMachineVersionArn"], 50)], "versions of the same state machine"),
        ([(f"{machine}:77", 100)], "ResourceNotFound"),
    ]
    for routes, words in wrong:
        configuration = [{"stateMachineVersionArn": arn, "weight": weight} for arn, weight in routes]
        with refused(words):
            states.create_state_machine_alias(name="live", routingConfiguration=configuration)
    assert states.list_state_machine_aliases(stateMachineArn=machine)["stateMachineAliases"] == []


def test_versions_have_no_tags(client: Clients, machine: str) -> None:
    states = client("stepfunctions")
    states.publish_state_machine_version(stateMachineArn=machine)
    with refused(f"Resource not found: '{machine}:1'"):
        states.tag_resource(resourceArn=f"{machine}:1", tags=[{"key": "a", "value": "b"}])
