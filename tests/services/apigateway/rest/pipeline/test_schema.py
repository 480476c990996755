"""Schemas of models: what they may take, and what they may not reach."""

import json

import pytest

from cumulet.api import apigateway as api
from cumulet.services.apigateway.rest.pipeline.schema import InvalidSchema, Schema


def schema(value: object, **models: object) -> Schema:
    return Schema(
        json.dumps(value), {name: api.Model(name=name, schema=json.dumps(one)) for name, one in models.items()}
    )


def test_what_fits() -> None:
    pet = schema({"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}})
    assert pet.problem(b'{"id": 1}') == ""
    assert "id" in pet.problem(b"{}")
    assert pet.problem(b"{") == "Invalid JSON"
    assert pet.problem(b'{"id": "' + b"x" * 5_000 + b'"}') == "The body does not fit the model"


def test_references_to_other_models_and_to_itself() -> None:
    reference = {"$ref": "https://apigateway.amazonaws.com/restapis/abc/models/Tree"}
    tree = {"type": "object", "properties": {"left": reference, "right": reference}}
    found = schema(reference, Tree=tree)
    assert found.problem(b'{"left": {"right": {}}}') == ""
    assert found.problem(b'{"left": {"right": 3}}') != ""


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://127.0.0.1:1/x", "https://example.com/schema"])
def test_nothing_is_fetched(address: str) -> None:
    with pytest.raises(InvalidSchema, match="retriev"):
        schema({"$ref": address})


@pytest.mark.parametrize("text", ["3", "[]", '"x"', "{", '{"definitions": 3}', '{"type": "nope"}', '{"pattern": "("}'])
def test_what_is_no_schema(text: str) -> None:
    with pytest.raises(InvalidSchema):
        Schema(text, {}).problem(b"{}")


def test_references_that_double() -> None:
    """Forty schemas, each two of the next one."""
    doubled = {f"d{at}": {"allOf": [{"$ref": f"#/definitions/d{at + 1}"}] * 2} for at in range(40)}
    found = schema({"$ref": "#/definitions/d0", "definitions": {**doubled, "d40": {"type": "object"}}})
    with pytest.raises(InvalidSchema, match="too much work"):
        found.problem(b"{}")


def test_patterns_that_would_try_for_long() -> None:
    found = schema({"items": {"pattern": r"^(?=(a+)+$)(a|aa)+\1b"}})
    found.problem(json.dumps(["a" * 60] * 100).encode())
