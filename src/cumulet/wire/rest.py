"""What rest-json and rest-xml share: members in the path, the query, headers and the status."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cumulet.api.model import Member, Shape
from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import BytesStream
from cumulet.wire import timestamps
from cumulet.wire.codec import NO_MATCH, Codec, Match
from cumulet.wire.context import Context
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.shapes import getter
from cumulet.wire.validate import article
from cumulet.wire.xml_values import FROM_TEXT, number_text

FromText = Callable[[str], Any]
ToText = Callable[[Any], str]


class Bound(msgspec.Struct, frozen=True):
    """A member outside the body: where it is, under which name, and the struct's attribute."""

    name: str
    attribute: str
    required: bool
    member: Member
    shape: Shape


def _boolean_text(value: bool) -> str:
    return "true" if value else "false"


def to_text(member: Member, shape: Shape) -> ToText:
    """How a scalar is written in a header."""
    if shape.type == "timestamp":
        return timestamps.writer(member.timestamp_format or shape.timestamp_format or timestamps.RFC822)
    if shape.type == "boolean":
        return _boolean_text
    if shape.type in ("double", "float"):
        return number_text
    return str


Refuse = Callable[[str, str], AwsError | None]


def not_converted(text: str, kind: str) -> AwsError | None:
    """The error for a text that is no number, moment or boolean; None to take the member for absent."""
    return AwsError(f"STRING_VALUE can not be converted to {article(kind.title())}", code="SerializationException")


def from_text(shape: Shape, refuse: Refuse = not_converted) -> FromText:
    """How a scalar in the path, query or a header is read. Raises AwsError for what its type cannot hold."""
    if shape.type in ("string", "character"):
        return str
    convert, kind = FROM_TEXT[shape.type], shape.type

    def read(text: str) -> Any:
        try:
            return convert(text.strip())
        except (ValueError, OverflowError):
            error = refuse(text, kind)
            if error is None:
                return None
            raise error from None

    return read


def _fill(required: list[str], found: dict[str, Any]) -> bool:
    """Put None for the required members that were not sent; whether there are any."""
    missing = [attribute for attribute in required if attribute not in found]
    found.update(dict.fromkeys(missing))
    return bool(missing)


class RestCodec(Codec):
    """The binding of an operation to HTTP. Subclasses read and write the bodies."""

    def __init__(self, context: Context, name: str) -> None:
        super().__init__(context, name)
        self._struct = context.struct(self.operation.input)
        self._request_body = self._body_members(self.input)
        self._bind_request()
        if self.output is not None:
            self._bind_response(self.output)

    # --- compiling ---

    def _body_members(self, shape: Shape) -> list[str]:
        return [key for key, member in shape.members.items() if not member.location]

    def _bound(self, shape: Shape, location: str) -> list[Bound]:
        return [
            Bound(
                member.location_name or key,
                member.attribute,
                key in shape.required,
                member,
                self.context.model.shape(member.shape),
            )
            for key, member in shape.members.items()
            if member.location == location
        ]

    def _bind_request(self) -> None:
        shape = self.input
        self._labels = [(bound.name, bound.attribute, from_text(bound.shape)) for bound in self._bound(shape, "uri")]
        self._params: dict[str, tuple[str, FromText, bool]] = {}
        self._required_params: list[str] = []
        literals = self.operation.uri.partition("?")[2].split("&")
        self._param_map = ""
        for bound in self._bound(shape, "querystring"):
            if bound.shape.type == "map":
                self._param_map = bound.attribute
                continue
            self._params[bound.name] = self._param(bound)
            if bound.required:
                self._required_params.append(bound.attribute)
        self._named = self._params.keys() | {part.partition("=")[0] for part in literals}
        headers = self._bound(shape, "header")
        self._headers = {bound.name.lower(): (bound.attribute, self._header_reader(bound)) for bound in headers}
        self._required_headers = [bound.attribute for bound in headers if bound.required]
        self._header_maps = [(bound.name.lower(), bound.attribute) for bound in self._bound(shape, "headers")]
        payload = shape.members.get(shape.payload)
        self._payload = payload
        self._payload_shape = self.context.model.shape(payload.shape) if payload else None
        assert payload is None or self._payload_shape is not None
        self.streaming = bool(
            payload and (payload.streaming or (self._payload_shape and self._payload_shape.streaming))
        )
        self._payload_required = shape.payload in shape.required

    def _param(self, bound: Bound) -> tuple[str, FromText, bool]:
        if bound.shape.type == "list":
            assert bound.shape.member is not None
            return bound.attribute, from_text(self.context.model.shape(bound.shape.member.shape)), True
        return bound.attribute, from_text(bound.shape, self._refusal(bound.name)), False

    def _refusal(self, name: str) -> Refuse:
        """What answers a text that the member of that name cannot hold."""
        return not_converted

    def _header_reader(self, bound: Bound) -> FromText:
        if bound.shape.type != "list":
            return from_text(bound.shape, self._refusal(bound.name))
        assert bound.shape.member is not None
        item = from_text(self.context.model.shape(bound.shape.member.shape))
        return lambda text: [item(part.strip()) for part in text.split(",")]

    def _bind_response(self, shape: Shape) -> None:
        self._status_attribute = next((bound.attribute for bound in self._bound(shape, "statusCode")), "")
        headers = self._bound(shape, "header")
        self._out_headers = [(bound.name, self._header_writer(bound)) for bound in headers]
        self._out_values = getter([bound.attribute for bound in headers])
        self._out_maps = [(bound.name, bound.attribute) for bound in self._bound(shape, "headers")]
        payload = shape.members.get(shape.payload)
        self._out_payload = payload
        self._out_payload_shape = self.context.model.shape(payload.shape) if payload else None
        self._response_body = self._body_members(shape)
        self._typed = any(name.lower() == "content-type" for name, _ in self._out_headers)

    def _header_writer(self, bound: Bound) -> ToText:
        if bound.shape.type != "list":
            return to_text(bound.member, bound.shape)
        assert bound.shape.member is not None
        item = to_text(bound.shape.member, self.context.model.shape(bound.shape.member.shape))
        return lambda value: ",".join(map(item, value))

    # --- reading ---

    def decode(self, request: HttpRequest, match: Match = NO_MATCH) -> Any:
        found: dict[str, Any] = {}
        nulls = self._read_address(match, found)
        nulls |= self._read_headers(request.headers, found)
        nulls |= self._read_body(request, found)
        value = self._struct(**found)
        self.check(value, nulls=nulls)
        return value

    def _read_address(self, match: Match, found: dict[str, Any]) -> bool:
        """Members in the path and the query; whether a required one is missing."""
        for name, attribute, convert in self._labels:
            found[attribute] = convert(match.labels[name])
        if self._param_map:
            others = {name: values[0] for name, values in match.params.items() if name not in self._named}
            found[self._param_map] = others or None
        for name, values in match.params.items():
            known = self._params.get(name)
            if known is not None:
                attribute, convert, many = known
                found[attribute] = [convert(value) for value in values] if many else convert(values[0])
        return _fill(self._required_params, found) if self._required_params else False

    def _read_headers(self, headers: Mapping[str, str], found: dict[str, Any]) -> bool:
        """Members in headers; whether a required one is missing."""
        # By what was sent: an operation of S3 may have forty headers, a request has ten.
        known = self._headers
        for name, text in headers.items():
            if name in known:
                attribute, convert = known[name]
                found[attribute] = convert(text)
        missing = _fill(self._required_headers, found) if self._required_headers else False
        for prefix, attribute in self._header_maps:
            named = {name[len(prefix) :]: value for name, value in headers.items() if name.startswith(prefix)}
            if named:
                found[attribute] = named
        return missing

    def _read_body(self, request: HttpRequest, found: dict[str, Any]) -> bool:
        """The payload, or the members that are the body; whether a required one may be missing."""
        payload, shape = self._payload, self._payload_shape
        if payload is None or shape is None:
            return self._read_members(request, found) if self._request_body else False
        if self.streaming:
            found[payload.attribute] = request.body
        elif shape.type == "blob":
            found[payload.attribute] = request.content
        elif shape.type == "string":
            try:
                found[payload.attribute] = request.content.decode()
            except UnicodeDecodeError:
                raise AwsError("The request body is not valid UTF-8", code="SerializationException") from None
        elif request.content.strip():
            found[payload.attribute], nulls = self._read_payload(request.content, payload)
            return nulls
        elif self._payload_required:
            found[payload.attribute] = None
            return True
        return False

    def _read_members(self, request: HttpRequest, found: dict[str, Any]) -> bool:
        raise NotImplementedError

    def _read_payload(self, content: bytes, payload: Member) -> tuple[Any, bool]:
        raise NotImplementedError

    # --- writing ---

    def encode(self, result: Any, request_id: str) -> HttpResponse:
        headers = self._base_headers(request_id)
        if self.output is None:
            return HttpResponse(self.operation.status, headers, b"")
        status = self.operation.status
        if result is None:
            result = self.context.struct(self.operation.output)()
        if self._status_attribute:
            status = getattr(result, self._status_attribute) or status
        if self._typed:
            headers.pop("Content-Type", None)
        for index, value in enumerate(self._out_values(result)):  # of forty that an object may have, most are None
            if value is not None:
                name, write = self._out_headers[index]
                headers[name] = write(value)
        for prefix, attribute in self._out_maps:
            for name, value in (getattr(result, attribute) or {}).items():
                headers[prefix + name] = value
        return self._with_body(result, HttpResponse(status, headers), self._out_payload, self._out_payload_shape)

    def _with_body(
        self, result: Any, response: HttpResponse, payload: Member | None, shape: Shape | None
    ) -> HttpResponse:
        if payload is None or shape is None:
            if self._response_body and response.status != 204:
                self._write_members(result, response)
            return response
        held = getattr(result, payload.attribute)
        if shape.eventstream:
            self._write_events(result, response)
        elif payload.streaming or shape.streaming:
            self._write_stream(held, response)
        elif held is None:
            pass
        elif shape.type in ("blob", "string"):
            response.body = held if isinstance(held, bytes) else held.encode()
            if not self._typed:
                response.headers["Content-Type"] = self._blob_type
        else:
            self._write_payload(held, response, payload)
        return response

    def _write_stream(self, held: Any, response: HttpResponse) -> None:
        if isinstance(held, BytesStream):
            held = held.data  # goes out in one piece with the headers
        if isinstance(held, bytes):
            response.body = held
        elif held is not None:
            if held.length is not None:
                response.headers.setdefault("Content-Length", str(held.length))
            response.body = held

    _blob_type = "application/octet-stream"

    def _base_headers(self, request_id: str) -> dict[str, str]:
        return {"x-amzn-RequestId": request_id}

    def _write_members(self, result: Any, response: HttpResponse) -> None:
        raise NotImplementedError

    def _write_payload(self, value: Any, response: HttpResponse, payload: Member) -> None:
        raise NotImplementedError

    def _write_events(self, result: Any, response: HttpResponse) -> None:
        raise NotImplementedError
