"""A service's model as data: operations, shapes and traits as botocore's models name them, read from `models/<module>.json`.

Shapes stay undecoded until someone asks for them: a service has hundreds, and a node uses few.
"""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

MODELS = Path(__file__).with_name("models")


class Namespace(Struct, frozen=True):
    """An xmlNamespace trait: the address, and the prefix it is declared with."""

    uri: str
    prefix: str = ""


class Member(Struct, frozen=True, rename="camel"):
    """A reference to a shape, with the traits it has in that place.

    `attribute` is the struct's attribute, `field` that attribute's name in JSON where it is not the member's own.
    """

    shape: str
    attribute: str = ""
    field: str = ""
    location: str = ""
    location_name: str = ""
    flattened: bool = False
    streaming: bool = False
    timestamp_format: str = ""
    eventpayload: bool = False
    eventheader: bool = False
    xml_attribute: bool = False
    xml_namespace: Namespace | None = None
    idempotency_token: bool = False


class ErrorTrait(Struct, frozen=True, rename="camel"):
    """What makes a structure an error: its code on the wire, HTTP status, and code in the older query protocol."""

    code: str
    status: int
    query_code: str = ""


class Shape(Struct, frozen=True, rename="camel"):
    """A type of the model. Which fields mean something depends on `type`, as in botocore's models."""

    type: str
    members: dict[str, Member] = {}
    required: list[str] = []
    member: Member | None = None
    key: Member | None = None
    value: Member | None = None
    enum: list[str] = []
    min: float | None = None
    max: float | None = None
    pattern: str = ""
    flattened: bool = False
    location_name: str = ""
    payload: str = ""
    streaming: bool = False
    timestamp_format: str = ""
    eventstream: bool = False
    event: bool = False
    union: bool = False
    document: bool = False
    sensitive: bool = False
    xml_namespace: Namespace | None = None
    error: ErrorTrait | None = None


class InputRoot(Struct, frozen=True, rename="camel"):
    """The XML element that a rest-xml request's body is, where the operation names one."""

    location_name: str
    xml_namespace: Namespace | None = None


class Operation(Struct, frozen=True, rename="camel"):
    """An operation: the function that implements it, its HTTP binding, and the names of its shapes."""

    function: str
    method: str
    uri: str
    input: str
    output: str = ""
    status: int = 200
    result_wrapper: str = ""
    errors: list[str] = []
    input_root: InputRoot | None = None
    http_checksum: dict[str, Any] = {}


class Metadata(Struct, frozen=True, rename="camel"):
    """What a service is called on the wire, and the protocols it answers (the first is the SDKs' choice)."""

    service: str
    protocols: list[str]
    api_version: str
    endpoint_prefix: str
    service_id: str
    json_version: str = "1.0"
    signing_name: str = ""
    target_prefix: str = ""
    xml_namespace: str = ""
    query_compatible: bool = False


class Model(Struct):
    """One service's model. `shape` decodes a shape when it is first asked for."""

    metadata: Metadata
    operations: dict[str, Operation]
    shapes: dict[str, Raw]
    decoded: dict[str, Shape] = {}

    def shape(self, name: str) -> Shape:
        """The shape of that name; KeyError when the model has none."""
        found = self.decoded.get(name)
        if found is None:
            found = self.decoded[name] = msgspec.json.decode(self.shapes[name], type=Shape)
        return found


@cache
def load(module: str) -> Model:
    """The model behind `cumulet.api.<module>`. Raises FileNotFoundError when there is no such service."""
    return msgspec.json.decode(_text(module), type=Model)


class _Function(Struct):
    function: str


class _Functions(Struct):
    operations: dict[str, _Function]


def functions(module: str) -> dict[str, str]:
    """The operations of a model by the functions that implement them, without the model: all that a service needs before a call."""
    operations = msgspec.json.decode(_text(module), type=_Functions).operations
    return {operation.function: name for name, operation in operations.items()}


def _text(module: str) -> bytes:
    return (MODELS / f"{module}.json").read_bytes()
