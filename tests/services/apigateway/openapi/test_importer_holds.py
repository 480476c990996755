"""Whatever a document has in whatever place, the importer makes an API of it or says what is wrong, and so does the exporter."""

import copy
import importlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.services.apigateway.openapi.test_importing import SWAGGER

from cumulet.api import apigateway as api
from cumulet.kernel.errors import AwsError
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.openapi import exporter, importer
from cumulet.services.apigateway.rest.apis.fresh import fresh
from cumulet.services.apigateway.rest.definition import decode, encode
from cumulet.services.apigateway.sdk import archive, shape, types

OPENAPI: dict[str, Any] = {
    "openapi": "3.0.1",
    "info": {"title": "things", "version": "1"},
    "servers": [{"url": "https://x/{basePath}", "variables": {"basePath": {"default": "/v1"}}}],
    "paths": {
        "/a/{b}": {
            "parameters": [{"name": "b", "in": "path", "required": True}],
            "get": {
                "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
                "responses": {
                    "200": {
                        "headers": {"X": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}},
                    }
                },
                "x-amazon-apigateway-integration": {"type": "mock", "responses": {"default": {"statusCode": "200"}}},
            },
        }
    },
    "components": {"schemas": {"A": {"type": "object", "properties": {"a": {"type": "string"}}}}},
}
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6)
    | st.sampled_from(["mock", "AWS_PROXY", "#/definitions/Pet", "GET", "/", "{x}", "arn:aws:apigateway:us-east-1:lambda:path/x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["$ref", "type", "get", "200", "in", "name", "a"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all that is in a document."""
    found = [path] if path else []
    if isinstance(node, dict):
        found += [way for name, inner in node.items() for way in places(inner, (*path, name))]
    elif isinstance(node, list):
        found += [way for index, inner in enumerate(node) for way in places(inner, (*path, index))]
    return found


def put(document: Any, way: tuple[Any, ...], value: Any) -> None:
    for step in way[:-1]:
        document = document[step]
    document[way[-1]] = value


changes = st.one_of(
    st.tuples(st.just(SWAGGER), st.sampled_from(places(SWAGGER)), anything),
    st.tuples(st.just(OPENAPI), st.sampled_from(places(OPENAPI)), anything),
)


@given(changes, st.sampled_from(["ignore", "prepend", "split"]))
def test_documents_that_something_is_wrong_with(change: tuple[Any, tuple[Any, ...], Any], basepath: str) -> None:
    original, way, value = change
    document = copy.deepcopy(original)
    put(document, way, value)
    rest_api = api.RestApi(id="abcdefghij", name="x", root_resource_id="0123456789")
    try:
        definition, _ = importer.read(
            json.dumps(document).encode(), {"basepath": basepath}, fresh(rest_api), "overwrite", Limits()
        )
    except AwsError as error:
        assert error.code == "BadRequestException"  # noqa: PT017  (both outcomes are right)
        return
    definition.api.policy = None  # it is checked by the operations
    assert encode(decode(encode(definition))) == encode(definition)
    for kind in exporter.KINDS:
        extensions = frozenset({"apigateway", "documentation", "postman"})
        stage = api.Stage(stage_name="dev")
        written = exporter.write(definition, kind=kind, stage=stage, host="h", version="1", extensions=extensions)
        assert json.loads(written)
    made = shape.shape_of(definition, url="http://x", region="us-east-1")
    for client in types.KINDS.values():
        generator = importlib.import_module(f"cumulet.services.apigateway.sdk.{client.module}")
        chosen = {each.name: each.default or "Name" for each in client.choices}
        assert archive.packed(generator.files(made, chosen))
