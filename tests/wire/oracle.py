"""Values for every shape of every model, and botocore as the other side of the wire."""

import datetime as dt
import importlib
import io
import math
from collections.abc import Mapping
from random import Random
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from tools.generate_api import QUERY_NAMES, name_for_query

from cumulet.api.model import load
from cumulet.kernel.streams import BytesStream
from cumulet.wire.http import HttpRequest

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
ANY_TEXT = LETTERS + " <>&\"'\n\t%+=/?#,;:.-_~éü漢🙂\\{}[]"
HEADER_TEXT = LETTERS + "!#$%&'*+-.^_`|~ /:=?"
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def module_name(service: str) -> str:
    return "lambda_" if service == "lambda" else service.replace("-", "_")


def service_model(service: str, protocol: str = "") -> ServiceModel:
    """botocore's model; for the query protocol with the names that older ones had for it."""
    model = Loader().load_service_model(service, "service-2")
    for name, names in QUERY_NAMES.get(service, {}).items() if protocol == "query" else ():
        name_for_query(model["shapes"][name], names)
    return ServiceModel(model, service)


class Values:
    """Random values of shapes as botocore takes them, small, and with recursion cut."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def structure(self, shape: StructureShape, depth: int = 0) -> dict[str, Any]:
        members = dict(shape.members)
        required = set(shape.required_members)
        if getattr(shape, "is_tagged_union", False) or not (required or depth < 5):
            simple = [name for name, member in members.items() if member.type_name not in ("structure", "list", "map")]
            # An empty structure cannot be sent in the query protocol.
            full = [
                name
                for name, member in members.items()
                if not (isinstance(member, StructureShape) and not member.members)
            ]
            name = self.random.choice(simple or full or list(members)) if members else ""
            return {name: self.value(members[name], depth + 1)} if members else {}
        found = {}
        for name, member in members.items():
            if name in required or (depth < 4 and self.random.random() < (0.6 if depth < 2 else 0.25)):
                found[name] = self.value(member, depth + 1)
        # The query protocol cannot say that a structure is there and empty.
        if not found and members and depth:
            name = next((name for name in members if not isinstance(members[name], StructureShape)), min(members))
            found[name] = self.value(members[name], depth + 1)
        return found

    def value(self, shape: Shape, depth: int) -> Any:
        location = shape.serialization.get("location")
        if getattr(shape, "is_document_type", False):
            return {"a": [1, "b", None, True]}
        if isinstance(shape, StructureShape):
            return self.structure(shape, depth)
        if isinstance(shape, ListShape):
            size = self.random.randint(1, 2) if depth < 3 else 1
            return [self.value(self._placed(shape.member, location), depth + 1) for _ in range(size)]
        if isinstance(shape, MapShape):
            size = self.random.randint(1, 2) if depth < 3 else 1
            return {
                self._key(shape, location): self.value(self._placed(shape.value, location), depth + 1)
                for _ in range(size)
            }
        return self.scalar(shape, location)

    def _placed(self, shape: Shape, location: str | None) -> Shape:
        if location:
            shape.serialization["location"] = location
        return shape

    def _key(self, shape: MapShape, location: str | None) -> str:
        if location == "headers":
            return self.text(LETTERS.lower()[:26], 1)
        return str(self.scalar(shape.key, location))

    def scalar(self, shape: Shape, location: str | None) -> Any:
        kind = shape.type_name
        if kind in ("string", "character"):
            if shape.enum:
                return self.random.choice(shape.enum)
            if location in ("header", "headers"):
                return self.text(HEADER_TEXT, 1).strip() or "x"
            return self.text(ANY_TEXT, 1)
        if kind in ("integer", "long"):
            return self.random.randint(0, 1000)
        if kind in ("double", "float"):
            return self.random.choice([0.5, 1.0, 123.25, 1e9])
        if kind == "boolean":
            return self.random.random() < 0.5
        if kind == "timestamp":
            return self.moment(shape, location)
        return bytes(self.random.randrange(256) for _ in range(self.random.randint(0, 4)))

    def moment(self, shape: Shape, location: str | None) -> dt.datetime:
        at = EPOCH + dt.timedelta(seconds=self.random.randint(1, 2_000_000_000))
        form = shape.serialization.get("timestampFormat")
        whole = form == "rfc822" or location == "header"
        return at if whole else at + dt.timedelta(milliseconds=self.random.randint(0, 999))

    def text(self, letters: str, least: int) -> str:
        return "".join(self.random.choice(letters) for _ in range(self.random.randint(least, 6)))


def struct_of(module: str, shape: Shape, value: Any) -> Any:
    """A value of botocore's as ours: a struct for a structure, seconds for a moment."""
    if value is None or getattr(shape, "is_document_type", False):
        return value
    if isinstance(shape, StructureShape):
        model = load(module)
        members = model.shape(shape.name if shape.name != "None" else "None_").members
        api = importlib.import_module(f"cumulet.api.{module}")
        made = {members[name].attribute: struct_of(module, shape.members[name], part) for name, part in value.items()}
        blank = {member.attribute: None for member in members.values()}
        return getattr(api, shape.name if shape.name != "None" else "None_")(**{**blank, **made})
    if isinstance(shape, ListShape):
        return [struct_of(module, shape.member, part) for part in value]
    if isinstance(shape, MapShape):
        return {key: struct_of(module, shape.value, part) for key, part in value.items()}
    if shape.type_name == "timestamp":
        return (value - EPOCH).total_seconds()
    return value


def same(first: Any, second: Any) -> bool:
    """Equality where moments and numbers may differ by what a text of them loses."""
    if isinstance(first, dt.datetime):
        first = first.timestamp()
    if isinstance(second, dt.datetime):
        second = second.timestamp()
    if hasattr(first, "__struct_fields__"):
        return type(first) is type(second) and all(
            same(getattr(first, name), getattr(second, name)) for name in first.__struct_fields__
        )
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(part, second[key]) for key, part in first.items())
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, float) or isinstance(second, float):
        return (
            isinstance(first, int | float)
            and isinstance(second, int | float)
            and math.isclose(first, second, rel_tol=1e-12, abs_tol=1e-3)
        )
    return bool(first == second)


def serialize(operation: OperationModel, protocol: str, params: dict[str, Any], scope: str) -> HttpRequest:
    """The request that botocore sends."""
    # botocore takes the protocol's details from the operation's model; timestamps must not be shared between examples.
    sent = create_serializer(protocol, include_validation=False).serialize_to_request(params, operation)
    body = sent["body"]
    query = sent.get("query_string") or {}
    if isinstance(body, dict):
        body = urlencode(body)
    if hasattr(body, "read"):
        body = body.read()
    content = body.encode() if isinstance(body, str) else bytes(body or b"")
    headers = {name.lower(): str(value) for name, value in sent["headers"].items()}
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{scope}/aws4_request, SignedHeaders=host, Signature=0"
    )
    headers.setdefault("host", "localhost:4566")
    path, _, in_path = sent["url_path"].partition("?")
    text = query if isinstance(query, str) else urlencode(query)
    return HttpRequest(
        sent["method"], path, "&".join(filter(None, (in_path, text))), headers, BytesStream(content), content=content
    )


def urlencode(fields: Mapping[str, Any]) -> str:
    from urllib.parse import urlencode as encode

    pairs = []
    for name, value in fields.items():
        pairs += [(name, part) for part in value] if isinstance(value, list) else [(name, value)]
    return encode(pairs)


async def content_of(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return b"".join([piece async for piece in body])


def parse(
    operation: OperationModel, protocol: str, status: int, headers: Mapping[str, str], body: bytes
) -> dict[str, Any]:
    """What botocore makes of an answer."""
    from botocore.awsrequest import HeadersDict

    shape = operation.output_shape
    parser = create_parser(protocol)
    if protocol == "query" and shape is not None:
        shape.serialization.setdefault("resultWrapper", f"{operation.name}Result")
    streaming = operation.has_streaming_output and status < 300
    answer = {
        "status_code": status,
        "headers": HeadersDict(headers),
        "body": io.BytesIO(body) if streaming else body,
        "context": {"operation_name": operation.name},
    }
    parsed: dict[str, Any] = parser.parse(answer, shape)
    return parsed
