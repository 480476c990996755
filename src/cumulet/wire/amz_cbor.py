"""CBOR as Kinesis has had it before Smithy's protocol: awsJson's headers and shapes, with bodies in CBOR and moments in milliseconds.

The AWS SDKs for Java speak it unless they are told not to. Event streams stay as they are in JSON.
"""

import io
from typing import Any

import cbor2

from cumulet.kernel.errors import AwsError
from cumulet.wire.codec import NO_MATCH, Match, error_fields
from cumulet.wire.context import Context
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.json import JsonCodec, JsonErrors
from cumulet.wire.wrong_types import WrongType, serialization

CONTENT_TYPE = "application/x-amz-cbor-1.1"
_EPOCH = 1
"""The tag of moments: of seconds by its standard, of milliseconds here."""
_EMPTY = b"\xa0"


def _moment(milliseconds: Any, _: bool) -> Any:
    return milliseconds / 1000


def parse(content: bytes) -> Any:
    """Plain values of a body; SerializationException for what is none, or has bytes left over."""
    stream = io.BytesIO(content or _EMPTY)
    try:
        value = cbor2.CBORDecoder(stream, semantic_decoders={_EPOCH: _moment}).decode()
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError, LookupError):
        raise AwsError("The request body is not valid CBOR", code="SerializationException") from None
    if stream.read(1):
        raise AwsError("The request body is not valid CBOR", code="SerializationException")
    return value


class AmzCborErrors(JsonErrors):
    """Errors as a map with `__type` and `message`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.content_type = CONTENT_TYPE

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        quirks = self.context.quirks
        kind = quirks.types.get(error.code) or quirks.type_prefix + error.code
        headers = {"x-amzn-RequestId": request_id, "Content-Type": CONTENT_TYPE, **error.headers}
        return HttpResponse(error.status, headers, cbor2.dumps({"__type": kind, **error_fields(self.context, error)}))


class AmzCborCodec(JsonCodec):
    """An operation in CBOR; one that answers an event stream is in JSON but for its request."""

    def __init__(self, context: Context, name: str) -> None:
        super().__init__(context, name)
        self._errors = AmzCborErrors(context)
        self._read = context.value_reader.structure_of(self.operation.input)
        self._write = context.binary_writer.structure_of(self.operation.output) if self.output else None

    def decode(self, request: HttpRequest, match: Match = NO_MATCH) -> Any:
        try:
            value = self._read(parse(request.content))
        except WrongType as error:
            raise serialization(error, self.context.quirks) from None
        self.check(value, nulls=True)
        return value

    def encode(self, result: Any, request_id: str) -> HttpResponse:
        if self._stream is not None:
            return super().encode(result, request_id)
        body = b""
        if self._write is not None:
            body = cbor2.dumps(_in_milliseconds(self._write(result))) if result is not None else _EMPTY
        return HttpResponse(200, {"x-amzn-RequestId": request_id, "Content-Type": CONTENT_TYPE}, body)


def _in_milliseconds(value: Any) -> Any:
    """The same values with whole milliseconds in their moments."""
    if isinstance(value, cbor2.CBORTag) and value.tag == _EPOCH:
        return cbor2.CBORTag(_EPOCH, round(value.value * 1000))
    if isinstance(value, dict):
        return {key: _in_milliseconds(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_in_milliseconds(part) for part in value]
    return value
