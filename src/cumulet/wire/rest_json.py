"""rest-json: paths and methods of HTTP, JSON in the bodies.

https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

from functools import cached_property
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from cumulet.api.model import Member
from cumulet.kernel.errors import AwsError
from cumulet.wire.codec import ErrorCodec, error_fields
from cumulet.wire.context import Context
from cumulet.wire.eventstream import CONTENT_TYPE, EventStreamWriter
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.json import EMPTY, UNREADABLE, JsonBody, JsonWriter, parse
from cumulet.wire.rest import RestCodec
from cumulet.wire.shapes import module_of
from cumulet.wire.signed import Style
from cumulet.wire.values import irregular
from cumulet.wire.wrong_types import WrongType, serialization


class RestJsonErrors(ErrorCodec):
    """Errors with their code in X-Amzn-ErrorType and their text in the body."""

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        headers = {
            "x-amzn-RequestId": request_id,
            "x-amzn-ErrorType": error.code,
            "Content-Type": "application/json",
            **error.headers,
        }
        return HttpResponse(error.status, headers, msgspec.json.encode(error_fields(self.context, error)))


class RestJsonCodec(RestCodec):
    """An operation in rest-json."""

    style: ClassVar[Style] = "rest-json"
    _blob_type = "application/json"

    def __init__(self, context: Context, name: str) -> None:
        super().__init__(context, name)
        self._errors = RestJsonErrors(context)
        self._events = EventStreamWriter.of(context, self.operation.output)

    @cached_property
    def _in_members(self) -> "_Members":
        return _Members(self.context, self.operation.input, self._request_body)

    @cached_property
    def _out_members(self) -> "_Members":
        return _Members(self.context, self.operation.output, self._response_body)

    @cached_property
    def _in_payload(self) -> JsonBody:
        assert self._payload is not None
        return JsonBody(self.context, self._payload.shape, UNREADABLE)

    @cached_property
    def _payload_writer(self) -> JsonWriter:
        assert self._out_payload is not None
        return JsonWriter(self.context, self._out_payload.shape)

    def _read_members(self, request: HttpRequest, found: dict[str, Any]) -> bool:
        return self._in_members.read(request.content, found)

    def _read_payload(self, content: bytes, payload: Member) -> tuple[Any, bool]:
        return self._in_payload.read(content)

    def _base_headers(self, request_id: str) -> dict[str, str]:
        return {"x-amzn-RequestId": request_id, "Content-Type": "application/json"}

    def _write_members(self, result: Any, response: HttpResponse) -> None:
        response.body = self._out_members.write(result)

    def _write_payload(self, value: Any, response: HttpResponse, payload: Member) -> None:
        response.body = self._payload_writer.write(value)

    def _write_events(self, result: Any, response: HttpResponse) -> None:
        assert self._events is not None
        response.headers["Content-Type"] = CONTENT_TYPE
        response.body = self._events.frames(result)

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        return self._errors.encode_error(error, request_id)


class _Members:
    """Those members of a structure that are its JSON body, by way of a struct that has them alone."""

    def __init__(self, context: Context, shape_name: str, keys: list[str]) -> None:
        shape = context.model.shape(shape_name)
        members = [shape.members[key] for key in keys]
        self._attributes = [member.attribute for member in members]
        self._required = [shape.members[key].attribute for key in keys if key in shape.required]
        self._whole = len(keys) == len(shape.members)
        self._irregular = irregular(context.model, shape_name)
        self._context = context
        self._readers = {
            member.field or key: (member.attribute, context.value_reader.of(member))
            for key, member in zip(keys, members, strict=True)
        }
        self._writers = [
            (member.field or key, member.attribute, context.value_writer.of(member))
            for key, member in zip(keys, members, strict=True)
        ]
        self._struct = _part(context, shape_name, self._attributes)
        self._decode = msgspec.json.Decoder(self._struct).decode

    def read(self, content: bytes, found: dict[str, Any]) -> bool:
        """Put the members into `found`; whether required ones may be missing."""
        if not self._irregular:
            try:
                body = self._decode(content or EMPTY)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                pass
            else:
                nulls = False
                for attribute in self._attributes:
                    value = found[attribute] = getattr(body, attribute)
                    if value is None and attribute in self._required:
                        nulls = True
                return nulls
        return self._read_slowly(content, found)

    def _read_slowly(self, content: bytes, found: dict[str, Any]) -> bool:
        value = parse(content or EMPTY, UNREADABLE)
        if not isinstance(value, dict):
            raise AwsError(UNREADABLE, code="SerializationException")
        found.update(dict.fromkeys(self._required))
        try:
            for key, part in value.items():
                known = self._readers.get(key)
                if known is not None and part is not None:
                    found[known[0]] = known[1](part)
        except WrongType as error:
            raise serialization(error, self._context.quirks) from None
        return True

    def write(self, value: Struct) -> bytes:
        """The members as JSON."""
        if self._irregular:
            return msgspec.json.encode(
                {
                    key: write(held)
                    for key, attribute, write in self._writers
                    if (held := getattr(value, attribute)) is not None
                }
            )
        if self._whole:
            return msgspec.json.encode(value)
        return msgspec.json.encode(self._struct(**{name: getattr(value, name) for name in self._attributes}))


def _part(context: Context, shape_name: str, attributes: list[str]) -> type[Struct]:
    """A struct with some of the fields of a structure's, all optional."""
    whole = msgspec.structs.fields(context.struct(shape_name))
    fields = [
        (
            field.name,
            field.type | None if field.required else field.type,
            msgspec.field(name=field.encode_name, default=None),
        )
        for field in whole
        if field.name in attributes
    ]
    module = module_of(context.model).__name__
    return msgspec.defstruct(f"{shape_name}Body", fields, module=module, kw_only=True, omit_defaults=True)
