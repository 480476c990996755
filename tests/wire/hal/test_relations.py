"""The table of links is of this model: its names are, and each address is one of an operation."""

import re

import pytest

from cumulet.wire import services
from cumulet.wire.hal.relations import KINDS, Kind
from cumulet.wire.paths import PathTable

MODEL = services.load("apigateway").model
TABLE = PathTable(MODEL)
ALONE = {"ApiKeyIds", "DocumentationPartIds", "Template", "TestInvokeAuthorizerResponse", "TestInvokeMethodResponse"}
"""What has a link to itself alone, which is where it was asked for."""


def _led_to(address: str) -> list[str]:
    """The operations that an address with made-up ids leads to."""
    path = re.sub(r"\[\w+\]|\{\w+\}", "x", re.sub(r"\{[?&][\w,]+\}", "", address).partition("?")[0])
    found = [TABLE.match(method, path, {}) for method in ("GET", "POST", "PUT", "PATCH", "DELETE")]
    return [match[0] for match in found if match]


def _attributes(name: str) -> set[str]:
    return {member.attribute for member in MODEL.shape(name).members.values()}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_a_kind_names_what_the_model_has(name: str, kind: Kind) -> None:
    held = {attribute for attribute, _, _ in kind.within}
    assert held | {attribute for _, attribute in kind.names} <= _attributes(name)
    assert {of for _, _, of in kind.within} <= KINDS.keys()
    assert kind.only.keys() <= kind.links.keys()


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_every_link_leads_to_an_operation(name: str, kind: Kind) -> None:
    for relation, template in kind.links.items():
        found = _led_to(template.replace("~", kind.path))
        assert found, f"{relation} of {name}"
        action = relation.rpartition(":")[2].rpartition("-")[2]
        if action in ("create", "update", "delete", "put", "import"):
            assert any(operation.lower().startswith(action) for operation in found), f"{relation} of {name}: {found}"


def test_whatever_is_answered_in_json_is_of_a_kind() -> None:
    answered = {
        operation.output
        for operation in MODEL.operations.values()
        if operation.output and not MODEL.shape(operation.output).payload
    }
    assert answered == KINDS.keys() | ALONE
