import json
from collections.abc import Callable
from typing import Any

import pytest

from cumulet.api import apigateway as api
from cumulet.services.apigateway.rest.models.schemas import flatten, template

Refuse = Callable[..., tuple[str, str]]


def test_a_model_in_use_stays(gateway: Any, rest_api: Any, refused: Refuse) -> None:
    id = rest_api["id"]
    gateway.create_model(restApiId=id, name="Pet", contentType="application/json", schema='{"type": "object"}')
    at = {"restApiId": id, "resourceId": rest_api["rootResourceId"], "httpMethod": "PUT"}
    gateway.put_method(**at, authorizationType="NONE", requestModels={"application/json": "Pet"})
    assert refused(gateway.delete_model, restApiId=id, modelName="Pet") == (
        "ConflictException",
        "Cannot delete model 'Pet', is referenced in method request: //PUT",
    )
    gateway.delete_method(**at)
    gateway.delete_model(restApiId=id, modelName="Pet")
    assert refused(gateway.get_model, restApiId=id, modelName="Pet")[1] == "Invalid model name specified: Pet"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "two words"},
        {"schema": ""},
        {"schema": "{"},
        {"schema": "[]"},
    ],
)
def test_wrong_models_are_refused(gateway: Any, rest_api: Any, refused: Refuse, wrong: dict[str, str]) -> None:
    model = {"name": "Pet", "contentType": "application/json", "schema": "{}"} | wrong
    assert refused(gateway.create_model, restApiId=rest_api["id"], **model)[0] == "BadRequestException"
    assert len(gateway.get_models(restApiId=rest_api["id"])["items"]) == 2


def test_a_template_of_a_model(gateway: Any, rest_api: Any) -> None:
    found = gateway.get_model_template(restApiId=rest_api["id"], modelName="Error")["value"]
    assert found == '#set($inputRoot = $input.path(\'$\'))\n{\n  "message" : "$inputRoot.message"\n}'


def _models(**schemas: Any) -> dict[str, api.Model]:
    return {name: api.Model(name=name, schema=json.dumps(schema)) for name, schema in schemas.items()}


def test_a_template_of_nested_things() -> None:
    pet = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "number"}}}
    models = _models(
        Pet=pet, Pets={"type": "array", "items": {"$ref": "https://apigateway.amazonaws.com/restapis/x/models/Pet"}}
    )
    made = template(models["Pets"], models)
    assert "#foreach($elem in $inputRoot)" in made
    assert '"name" : "$elem.name"' in made
    assert '"age" : $elem.age' in made


def test_a_schema_that_refers_to_itself_ends() -> None:
    reference = {"$ref": "https://apigateway.amazonaws.com/restapis/x/models/Node"}
    models = _models(Node={"type": "object", "properties": {"next": reference}})
    assert json.loads(flatten(models["Node"].schema or "", models))["definitions"].keys() == {"Node"}
    assert template(models["Node"], models)
