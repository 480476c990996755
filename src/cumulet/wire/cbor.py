"""Smithy RPC v2 with CBOR: `POST /service/<name>/operation/<operation>`, CBOR both ways.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

import io
from typing import Any

import cbor2

from cumulet.kernel.errors import AwsError
from cumulet.wire.codec import NO_MATCH, Codec, ErrorCodec, Match, error_fields, fault
from cumulet.wire.context import Context
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.json import query_code
from cumulet.wire.wrong_types import WrongType, serialization

EMPTY = b"\xa0"
MAX_DEPTH = 100


def parse(content: bytes) -> Any:
    """Plain values of a CBOR body; SerializationException for what is none, or has bytes left over."""
    stream = io.BytesIO(content or EMPTY)
    try:
        value = cbor2.CBORDecoder(stream).decode()
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError, LookupError):
        raise AwsError("The request body is not valid CBOR", code="SerializationException") from None
    if stream.read(1):
        raise AwsError("The request body is not valid CBOR", code="SerializationException")
    return value


class CborErrors(ErrorCodec):
    """Errors as a map with `__type` and `message`."""

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        kind = self.context.quirks.types.get(error.code) or self.context.quirks.type_prefix + error.code
        headers = _headers(request_id) | dict(error.headers)
        if self.context.model.metadata.query_compatible:
            headers["x-amzn-query-error"] = f"{query_code(self.context, error)};{fault(error)}"
        return HttpResponse(error.status, headers, cbor2.dumps({"__type": kind, **error_fields(self.context, error)}))


def _headers(request_id: str) -> dict[str, str]:
    return {"x-amzn-RequestId": request_id, "smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"}


class CborCodec(Codec):
    """An operation in rpc-v2-cbor."""

    def __init__(self, context: Context, name: str) -> None:
        super().__init__(context, name)
        self._errors = CborErrors(context)
        self._read = context.value_reader.structure_of(self.operation.input)
        self._write = context.binary_writer.structure_of(self.operation.output) if self.output else None

    def decode(self, request: HttpRequest, match: Match = NO_MATCH) -> Any:
        content = parse(request.content)
        try:
            value = self._read(content)
        except WrongType as error:
            raise serialization(error, self.context.quirks) from None
        self.check(value, nulls=True)
        return value

    def encode(self, result: Any, request_id: str) -> HttpResponse:
        body = b""
        if self._write is not None:
            body = cbor2.dumps(self._write(result)) if result is not None else EMPTY
        return HttpResponse(200, _headers(request_id), body)

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        return self._errors.encode_error(error, request_id)
