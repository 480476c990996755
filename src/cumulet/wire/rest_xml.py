"""rest-xml, which here is S3: paths and methods of HTTP, XML in the bodies.

https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

import binascii
from functools import cached_property
from typing import Any, ClassVar

from cumulet.api.model import Member
from cumulet.kernel.errors import AwsError
from cumulet.wire import xml
from cumulet.wire.codec import NO_MATCH, ErrorCodec, Match
from cumulet.wire.context import MALFORMED_XML, Context
from cumulet.wire.eventstream import CONTENT_TYPE, EventStreamWriter
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.rest import Bound, FromText, Refuse, RestCodec
from cumulet.wire.signed import Style

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_TYPE = "application/xml"
# Members that come after all others, unlike in the model: the Java SDK gives each object the bucket's name as it reads it.
_LAST = {
    "ListBuckets": ("Buckets",),
    "ListObjectVersions": ("Version", "DeleteMarker", "CommonPrefixes"),
    "ListObjects": ("Contents", "CommonPrefixes"),
    "ListObjectsV2": ("Contents", "CommonPrefixes"),
}

# Elements that the largest body AWS takes has, where the usual limit is too low: 10,000 parts of a number, an ETag and a
# checksum; 1,000 rules with filters and actions.
_ELEMENTS = {
    "CompleteMultipartUpload": 50_000,
    "PutBucketLifecycle": 50_000,
    "PutBucketLifecycleConfiguration": 50_000,
    "PutBucketReplication": 50_000,
}


def host_id(request_id: str) -> str:
    """An x-amz-id-2: 76 characters that go with a request id."""
    return binascii.b2a_base64((request_id * 2)[:57].encode(), newline=False).decode()


def malformed() -> AwsError:
    """A body that is no XML, or not the XML that the operation takes."""
    return AwsError(MALFORMED_XML, code="MalformedXML")


class RestXmlErrors(ErrorCodec):
    """Errors as an `Error` element. Answers to HEAD, and 304, have no body at all."""

    def __init__(self, context: Context, *, bodiless: bool = False) -> None:
        super().__init__(context)
        self._bodiless = bodiless

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        headers = {"x-amz-request-id": request_id, "x-amz-id-2": host_id(request_id), **error.headers}
        headers["Content-Type"] = _TYPE
        if self._bodiless or error.status in (204, 304):
            return HttpResponse(error.status, headers, b"")
        fields = "".join(xml.element(name, _text(value)) for name, value in error.fields.items() if value is not None)
        body = (
            f"{xml.HEADER}<Error>{xml.element('Code', error.code)}{xml.element('Message', error.message)}{fields}"
            f"{xml.element('RequestId', request_id)}{xml.element('HostId', headers['x-amz-id-2'])}</Error>"
        )
        return HttpResponse(error.status, headers, body.encode())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class RestXmlCodec(RestCodec):
    """An operation in rest-xml."""

    style: ClassVar[Style] = "s3"
    _blob_type = "binary/octet-stream"

    def __init__(self, context: Context, name: str) -> None:
        super().__init__(context, name)
        self._errors = RestXmlErrors(context, bodiless=self.operation.method == "HEAD")
        self._events = EventStreamWriter.of(context, self.operation.output, xml=True)

        self._status = context.quirks.statuses.get(name, 0)

    def decode(self, request: HttpRequest, match: Match = NO_MATCH) -> Any:
        if "X-Amz-Signature" in match.params or "Signature" in match.params:
            # A presigned URL may carry the headers of the request as parameters.
            for name, values in match.params.items():
                if name.lower().startswith(("x-amz-", "if-")):
                    request.headers.setdefault(name.lower(), values[0])
        return super().decode(request, match)

    def encode(self, result: Any, request_id: str) -> HttpResponse:
        response = super().encode(result, request_id)
        if "Content-Range" in response.headers:
            response.status = 206
        elif self._status:
            response.status = self._status
        return response

    def _param(self, bound: Bound) -> tuple[str, FromText, bool]:
        """As every binding, but that S3 takes an empty parameter for one that is not there."""
        attribute, convert, many = super()._param(bound)
        if many or bound.shape.type == "string":
            return attribute, convert, many
        return attribute, lambda text: convert(text) if text else None, many

    def _refusal(self, name: str) -> Refuse:
        """S3 takes a date it cannot read for none, and says of which parameter another text is wrong."""

        def refuse(text: str, kind: str) -> AwsError | None:
            if kind == "timestamp" and "lock" not in name:
                return None
            message = (
                f"Provided {name} not an integer or within integer range"
                if kind in ("integer", "long")
                else "Invalid Argument"
            )
            return AwsError(message, code="InvalidArgument", fields={"ArgumentName": name, "ArgumentValue": text})

        return refuse

    @cached_property
    def _read_root(self) -> Any:
        return self.context.xml_reader.structure_of(
            self.operation.input if self._payload is None else self._payload.shape
        )

    @cached_property
    def _write_content(self) -> Any:
        return self.context.xml_writer.content(self.operation.output, _LAST.get(self.name, ()))

    @cached_property
    def _write_root(self) -> Any:
        assert self._out_payload is not None
        return self.context.xml_writer.content(self._out_payload.shape)

    def _parse(self, content: bytes) -> Any:
        try:
            return self._read_root([xml.parse(content, _ELEMENTS.get(self.name, xml.MAX_NODES))])
        except (ValueError, OverflowError):
            raise malformed() from None

    def _read_members(self, request: HttpRequest, found: dict[str, Any]) -> bool:
        if not request.content:
            found.update(
                dict.fromkeys(
                    member.attribute
                    for key, member in self.input.members.items()
                    if key in self.input.required and not member.location
                )
            )
            return True
        body = self._parse(request.content)
        for key in self._request_body:
            attribute = self.input.members[key].attribute
            found[attribute] = getattr(body, attribute)
        return True

    def _read_payload(self, content: bytes, payload: Member) -> tuple[Any, bool]:
        value = self._parse(content)
        if payload.shape == "Tagging" and value.tag_set is None:
            value.tag_set = []  # S3 takes it as a wish for no tags
        self.check.payload(value, payload.shape)
        return value, False

    def _base_headers(self, request_id: str) -> dict[str, str]:
        return {"x-amz-request-id": request_id, "x-amz-id-2": host_id(request_id)}

    def _write_members(self, result: Any, response: HttpResponse) -> None:
        root = self.context.quirks.roots.get(self.name) or f"{self.name}Result"
        if self.name == "GetBucketLocation":
            # The one answer whose root is its member.
            held = result.location_constraint
            self._finish(response, root, [xml.text(held)] if held else [])
            return
        parts: list[str] = []
        self._write_content(result, parts)
        self._finish(response, root, parts)

    def _write_payload(self, value: Any, response: HttpResponse, payload: Member) -> None:
        parts: list[str] = []
        self._write_root(value, parts)
        self._finish(response, payload.location_name or payload.shape, parts)

    @staticmethod
    def _finish(response: HttpResponse, root: str, parts: list[str]) -> None:
        response.headers.setdefault("Content-Type", _TYPE)
        inner = "".join(parts)
        opening = f'{xml.HEADER}<{root} xmlns="{NAMESPACE}"'
        response.body = (f"{opening}>{inner}</{root}>" if inner else f"{opening}/>").encode()

    def _write_events(self, result: Any, response: HttpResponse) -> None:
        assert self._events is not None
        response.headers["Content-Type"] = CONTENT_TYPE
        response.body = self._events.frames(result)

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        return self._errors.encode_error(error, request_id)
