"""What AWS puts into an API that has just been made: a root, and two models."""

from __future__ import annotations

from cumulet.api import apigateway as api
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.rest.definition import Definition

PART_ID = 6
"""Characters in the id of a resource, deployment, model and so on; APIs, their roots and API keys have ten."""

_EMPTY = """{
  "$schema": "http://json-schema.org/draft-04/schema#",
  "title" : "Empty Schema",
  "type" : "object"
}"""
_ERROR = """{
  "$schema" : "http://json-schema.org/draft-04/schema#",
  "title" : "Error Schema",
  "type" : "object",
  "properties" : {
    "message" : { "type" : "string" }
  }
}"""


def part_id() -> str:
    """The id of a new part of an API."""
    return short_id(PART_ID)


def fresh(rest_api: api.RestApi) -> Definition:
    """A new API with its root resource, whose id is the API's `root_resource_id`, and the models Empty and Error."""
    root = rest_api.root_resource_id or ""
    return Definition(api=rest_api, resources={root: api.Resource(id=root, path="/")}, models=default_models())


def default_models() -> dict[str, api.Model]:
    """The two models of every new API."""
    return {
        name: api.Model(
            id=part_id(),
            name=name,
            description=f"This is a default {kind} schema model",
            schema=schema,
            content_type=_JSON,
        )
        for name, kind, schema in (("Empty", "empty", _EMPTY), ("Error", "error", _ERROR))
    }


_JSON = "application/json"
