"""A REST API as a whole: what CreateDeployment freezes, import produces, export shows and the data plane compiles."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from cumulet.api import apigateway


class Definition(Struct, kw_only=True, omit_defaults=True):
    """All parts of a REST API, as the structs of its own API.

    Resources are by id and hold their methods, those their integrations; models are by name, gateway responses (those that were
    changed) by type, everything else by id. A definition that an import makes has ids too.
    """

    api: apigateway.RestApi
    resources: dict[str, apigateway.Resource] = {}
    models: dict[str, apigateway.Model] = {}
    validators: dict[str, apigateway.RequestValidator] = {}
    authorizers: dict[str, apigateway.Authorizer] = {}
    gateway_responses: dict[str, apigateway.GatewayResponse] = {}
    documentation: dict[str, apigateway.DocumentationPart] = {}


@cache
def _decoder() -> msgspec.json.Decoder[Definition]:
    # The API's structs are made when they are first named; see api/lazy.py.
    from cumulet.api import apigateway  # noqa: PLC0415

    globals()["apigateway"] = apigateway
    return msgspec.json.Decoder(Definition)


def encode(definition: Definition) -> bytes:
    """The definition as JSON."""
    return msgspec.json.encode(definition)


def decode(content: bytes) -> Definition:
    """What `encode` made. Raises msgspec.ValidationError."""
    return _decoder().decode(content)
