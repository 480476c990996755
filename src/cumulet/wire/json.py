"""awsJson 1.0 and 1.1: the operation's name in X-Amz-Target, JSON both ways.

Bodies go straight into structs. Only a body that does not fit is read a second time, slowly, to say why.
https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from cumulet.kernel.errors import AwsError
from cumulet.wire.codec import NO_MATCH, Codec, ErrorCodec, Match, error_fields, fault
from cumulet.wire.context import Context
from cumulet.wire.eventstream import EventStreamWriter
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.values import irregular
from cumulet.wire.wrong_types import WrongType, serialization

EMPTY = b"{}"
UNREADABLE = "Unexpected token received from parser"


class JsonBody:
    """A structure as a JSON body. `told`: of one that is no JSON, for which awsJson has no words."""

    def __init__(self, context: Context, shape_name: str, told: str = "") -> None:
        self._context = context
        self._told = told
        self._shape = shape_name
        self._blank = EMPTY if context.quirks.empty_bodies else b""
        self._fast: Callable[[bytes], Any] | None = None
        if not irregular(context.model, shape_name):
            self._fast = msgspec.json.Decoder(context.struct(shape_name)).decode

    def read(self, content: bytes) -> tuple[Any, bool]:
        """The struct, and whether required members may be missing in it. Raises AwsError for what is no such JSON."""
        if self._fast is not None:
            try:
                return self._fast(content or self._blank), False
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                pass
        return self.read_slowly(content), True

    def read_slowly(self, content: bytes) -> Any:
        """The struct by way of plain values, which says what is wrong where something is."""
        value = parse(content or self._blank, self._told)
        if not isinstance(value, dict):
            raise AwsError(UNREADABLE, code="SerializationException")
        try:
            return self._context.value_reader.structure_of(self._shape)(value)
        except WrongType as error:
            raise serialization(error, self._context.quirks) from None


def parse(content: bytes, told: str = "") -> Any:
    """Plain values of a JSON body; SerializationException, with that text, for what is no JSON: awsJson has none for it."""
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise AwsError(told, code="SerializationException") from None


class JsonWriter:
    """Structs of one shape as JSON."""

    def __init__(self, context: Context, shape_name: str) -> None:
        self.write: Callable[[Any], bytes] = msgspec.json.encode
        if irregular(context.model, shape_name):
            convert = context.value_writer.structure_of(shape_name)
            self.write = lambda value: msgspec.json.encode(convert(value))


class JsonErrors(ErrorCodec):
    """Errors as `{"__type": ..., "message": ...}`, with the older query code in a header for services that have one."""

    def __init__(self, context: Context, version: str = "") -> None:
        super().__init__(context)
        self.content_type = f"application/x-amz-json-{version or context.model.metadata.json_version}"

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        quirks = self.context.quirks
        kind = quirks.types.get(error.code) or quirks.type_prefix + error.code
        body = msgspec.json.encode({"__type": kind, **error_fields(self.context, error)})
        headers = {"x-amzn-RequestId": request_id, "Content-Type": self.content_type, **error.headers}
        if self.context.model.metadata.query_compatible:
            headers["x-amzn-query-error"] = f"{query_code(self.context, error)};{fault(error)}"
        if quirks.crc32:
            headers["x-amz-crc32"] = str(zlib.crc32(body))
        return HttpResponse(error.status, headers, body)


def query_code(context: Context, error: AwsError) -> str:
    """The code that the query protocol has for an error."""
    if error.query_code:
        return error.query_code
    shape = context.errors.get(error.code)
    if shape is not None and shape.error is not None and shape.error.query_code:
        return shape.error.query_code
    return context.quirks.query_codes.get(error.code, error.code)


class JsonCodec(Codec):
    """An operation in awsJson."""

    def __init__(self, context: Context, name: str, version: str = "") -> None:
        super().__init__(context, name)
        self._errors = JsonErrors(context, version)
        self._body = JsonBody(context, self.operation.input)
        self._writer = JsonWriter(context, self.operation.output) if self.output else None
        self._stream = EventStreamWriter.of(context, self.operation.output)
        self._crc32 = context.quirks.crc32

    def decode(self, request: HttpRequest, match: Match = NO_MATCH) -> Any:
        value, nulls = self._body.read(request.content)
        self.check(value, nulls=nulls)
        return value

    def encode(self, result: Any, request_id: str) -> HttpResponse:
        headers = {"x-amzn-RequestId": request_id, "Content-Type": self._errors.content_type}
        if self._stream is not None:
            headers["Content-Type"] = "application/vnd.amazon.eventstream"
            return HttpResponse(200, headers, self._events(result))
        body = b""
        if self._writer is not None:
            body = EMPTY if result is None else self._writer.write(result)
        if self._crc32:
            headers["x-amz-crc32"] = str(zlib.crc32(body))
        return HttpResponse(200, headers, body)

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        return self._errors.encode_error(error, request_id)

    def _events(self, result: Any) -> AsyncIterator[bytes]:
        assert self._stream is not None
        return self._stream.frames(result, initial=True)
