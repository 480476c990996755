"""Permissions of API Gateway: HTTP methods on the paths of its own API.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
"""

import re
from functools import lru_cache
from urllib.parse import quote, urlsplit

from msgspec import Struct

from cumulet.api.model import load
from cumulet.kernel.call import Call

SERVICES = {"apigateway": "", "apigatewayv2": "/v2"}
"""With the beginning of the paths that ARNs leave out."""
_PART = re.compile(r"\{([^}+]+)\+?\}")


@lru_cache(512)
def method(service: str, operation: str) -> str:
    """The HTTP method of an operation; POST for one that the service does not have."""
    found = load(service).operations.get(operation)
    return "POST" if found is None else found.method


def arn(call: Call, service: str, request: Struct) -> str:
    """What a request is about: `arn:aws:apigateway:us-east-1::/restapis/abc/stages`."""
    pieces = _template(service, type(request).__name__)
    path = "".join(
        piece if number % 2 == 0 else quote(str(getattr(request, piece)), safe="$*+")
        for number, piece in enumerate(pieces)
    )
    return f"arn:aws:apigateway:{call.region}::{path.removeprefix(SERVICES[service]) or '*'}"


@lru_cache(1024)
def stage_of(endpoint: str) -> tuple[str, str] | None:
    """API and stage that an endpoint names: `http://{id}.execute-api.../{stage}`, or both in the path; None for a domain's own name."""
    parts = urlsplit(endpoint)
    path = parts.path.strip("/").split("/")
    host = parts.hostname or ""
    if ".execute-api." in host and path[0]:
        return host.partition(".execute-api.")[0].rpartition(".")[2], path[0]
    if path[:2] == ["_aws", "execute-api"] and len(path) >= 4:
        return path[2], path[3]
    return None


@lru_cache(512)
def _template(service: str, shape: str) -> tuple[str, ...]:
    """The path of the operation with this input: texts, and between them the attributes that stand there."""
    model = load(service)
    uri = next((operation.uri for operation in model.operations.values() if operation.input == shape), "")
    named = {
        member.location_name or name: member.attribute
        for name, member in (model.shape(shape).members.items() if uri else ())
        if member.location == "uri"
    }
    return tuple(piece if number % 2 == 0 else named[piece] for number, piece in enumerate(_PART.split(uri)))
