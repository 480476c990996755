"""The query protocol: a form with `Action`, `Version` and dotted names in, XML out.

https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import unquote_plus

from msgspec import Struct

from cumulet.api.model import Member, Shape
from cumulet.kernel.errors import AwsError
from cumulet.wire import xml
from cumulet.wire.codec import NO_MATCH, Codec, ErrorCodec, Match, fault
from cumulet.wire.context import Context
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.json import query_code
from cumulet.wire.shapes import ShapeCompiler
from cumulet.wire.signed import Style
from cumulet.wire.validate import article
from cumulet.wire.xml_values import FROM_TEXT

MAX_FIELDS = 20_000
MAX_DEPTH = 100
# A name's own value and the values below it: `Tags.member.1.Key=a` is at tree.below["Tags"].below["member"]...
FORM = "application/x-www-form-urlencoded"


class Tree(Struct):
    """The fields of a form by the parts of their dotted names."""

    value: str | None = None
    below: dict[str, "Tree"] = {}

    def items(self) -> list["Tree"]:
        """The values below in the order of their numbers; names that are no numbers are left out."""
        numbered = [
            (int(name), tree)
            for name, tree in self.below.items()
            if name.isascii() and name.isdigit() and len(name) < 10
        ]
        return [tree for _, tree in sorted(numbered, key=lambda pair: pair[0])]


Read = Callable[[Tree], Any]


def pairs(text: str) -> list[tuple[str, str]]:
    """The decoded names and values of a form or query string. Raises AwsError when there are absurdly many."""
    if text.count("&") > MAX_FIELDS:
        raise AwsError("The request has too many parameters", code="MalformedQueryString")
    found = []
    encoded = "%" in text or "+" in text
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            found.append((unquote_plus(name), unquote_plus(value)) if encoded else (name, value))
    return found


def holds_form(request: HttpRequest) -> bool:
    """Whether the body may be a form, by its type."""
    return request.headers.get("content-type", FORM).startswith(FORM)


def form(request: HttpRequest) -> list[tuple[str, str]]:
    """All parameters of a query call: of the address and, when it holds a form, of the body."""
    found = pairs(request.query) if request.query else []
    if request.content and holds_form(request):
        found += pairs(request.content.decode("utf-8", "replace"))
    return found


def tree(fields: list[tuple[str, str]]) -> Tree:
    """The fields as a tree. Raises AwsError for names of absurd depth."""
    root = Tree()
    for name, value in fields:
        node = root
        if "." not in name and name not in root.below:
            root.below[name] = Tree(value)
            continue
        parts = name.split(".")
        if len(parts) > MAX_DEPTH:
            raise AwsError(f"The parameter {name[:100]} is nested too deeply", code="MalformedQueryString")
        for part in parts:
            found = node.below.get(part)
            if found is None:
                found = node.below[part] = Tree()
            node = found
        node.value = value
    return root


class QueryReader(ShapeCompiler[Read]):
    """Functions from a tree to a value. A structure's required members may be missing: validation looks."""

    def structure(self, name: str, shape: Shape) -> Read:
        struct = getattr(self.api, name)
        parts = []
        for key, member in shape.members.items():
            inner = self.model.shape(member.shape)
            parts.append((self._name(key, member, inner), member.attribute, self.of(member), key in shape.required))

        def read(found: Tree) -> Any:
            arguments: dict[str, Any] = {}
            for part_name, attribute, part, required in parts:
                below = found.below.get(part_name)
                if below is not None:
                    arguments[attribute] = part(below)
                elif required:
                    arguments[attribute] = None
            return struct(**arguments)

        return read

    @staticmethod
    def _name(key: str, member: Member, shape: Shape) -> str:
        if (member.flattened or shape.flattened) and shape.member is not None and shape.member.location_name:
            return shape.member.location_name
        return member.location_name or key

    def list_(self, member: Member, shape: Shape) -> Read:
        assert shape.member is not None
        item = self.of(shape.member)
        if member.flattened or shape.flattened:
            return lambda found: [item(part) for part in found.items()]
        name = shape.member.location_name or "member"

        def read(found: Tree) -> Any:
            below = found.below.get(name)
            return [] if below is None else [item(part) for part in below.items()]

        return read

    def map_(self, member: Member, shape: Shape) -> Read:
        assert shape.key is not None
        assert shape.value is not None
        item = self.of(shape.value)
        key_name, value_name = shape.key.location_name or "key", shape.value.location_name or "value"
        flat = member.flattened or shape.flattened

        def read(found: Tree) -> Any:
            entries = found if flat else found.below.get("entry") or Tree()
            read_entries = {}
            for entry in entries.items():
                key, value = entry.below.get(key_name), entry.below.get(value_name)
                if key is not None:
                    read_entries[key.value or ""] = None if value is None else item(value)
            return read_entries

        return read

    def scalar(self, member: Member, shape: Shape) -> Read:
        convert, kind = FROM_TEXT[shape.type], shape.type
        if kind in ("string", "character"):
            return lambda found: found.value or ""

        def read(found: Tree) -> Any:
            try:
                return convert((found.value or "").strip())
            except (ValueError, OverflowError):
                message = f"STRING_VALUE can not be converted to {article(kind.title())}"
                raise AwsError(message, code="MalformedInput") from None

        return read


class QueryErrors(ErrorCodec):
    """Errors as an ErrorResponse."""

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        namespace = self.context.model.metadata.xml_namespace
        shape = self.context.errors.get(error.code)
        parts = [f'{xml.HEADER}<ErrorResponse xmlns="{namespace}"><Error><Type>{fault(error)}</Type>']
        parts.append(xml.element("Code", query_code(self.context, error)))
        parts.append(xml.element("Message", error.query_message or error.message))
        for name, value in error.fields.items():
            member = shape.members.get(name) if shape else None
            if member is not None:
                self.context.xml_writer.of(member)(member.location_name or name, value, parts)
            else:
                parts.append(xml.element(name, str(value)))
        parts.append("<Detail/>" if self.context.quirks.error_detail else "")
        parts.append(f"</Error>{xml.element('RequestId', request_id)}</ErrorResponse>")
        headers = {"x-amzn-RequestId": request_id, "Content-Type": "text/xml", **error.headers}
        return HttpResponse(error.status, headers, "".join(parts).encode())


class QueryCodec(Codec):
    """An operation in the query protocol."""

    style: ClassVar[Style] = "query"

    def __init__(self, context: Context, name: str) -> None:
        super().__init__(context, name)
        self._errors = QueryErrors(context)
        self._has_members = bool(self.input.members)
        self._read = QueryReader(context.model).structure_of(self.operation.input)
        self._write = context.xml_writer.content(self.operation.output) if self.output else None
        wrapper = self.operation.result_wrapper or f"{name}Result"
        namespace = context.model.metadata.xml_namespace
        self._opening = f'{xml.HEADER}<{name}Response xmlns="{namespace}">{f"<{wrapper}>" if self.output else ""}'
        closing = f"</{wrapper}>" if self.output else ""
        self._before_id = f"{closing}<ResponseMetadata><RequestId>"
        self._behind_id = f"</RequestId></ResponseMetadata></{name}Response>"

    def decode(self, request: HttpRequest, match: Match = NO_MATCH) -> Any:
        fields = form(request) if match.fields is None else match.fields
        found = tree(fields) if self._has_members else Tree()
        if "QueueUrl" in match.labels and "QueueUrl" not in found.below:
            found.below["QueueUrl"] = Tree(match.labels["QueueUrl"])
        value = self._read(found)
        self.check(value, nulls=True)
        return value

    def encode(self, result: Any, request_id: str) -> HttpResponse:
        parts = [self._opening]
        if self._write is not None and result is not None:
            self._write(result, parts)
        parts += (self._before_id, request_id, self._behind_id)
        headers = {"x-amzn-RequestId": request_id, "Content-Type": "text/xml"}
        return HttpResponse(200, headers, "".join(parts).encode())

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        return self._errors.encode_error(error, request_id)
