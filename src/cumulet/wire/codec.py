"""What a codec is: one operation in one protocol, both ways."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from msgspec import Struct

from cumulet.api.model import Shape
from cumulet.kernel.errors import AwsError
from cumulet.wire.context import Checker, Context
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.signed import Style


class Match(Struct, frozen=True):
    """What routing found, percent-decoded: the labels of the path, the query (names to all values), and a query call's form."""

    labels: dict[str, str] = {}
    params: dict[str, list[str]] = {}
    fields: list[tuple[str, str]] | None = None


NO_MATCH = Match()


class ErrorCodec(ABC):
    """Errors in one protocol of one service, for when no operation is known yet."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @abstractmethod
    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        """The answer that tells a client of an error."""


class Codec(ErrorCodec):
    """One operation in one protocol. `streaming`: the request's body is left a stream. `style`: of the errors that a bad
    signature is answered with."""

    streaming: bool = False
    style: ClassVar[Style] = "json"

    def __init__(self, context: Context, name: str) -> None:
        super().__init__(context)
        self.name = name
        self.operation = context.operation(name)
        self.input: Shape = context.model.shape(self.operation.input)
        self.output: Shape | None = context.model.shape(self.operation.output) if self.operation.output else None
        self.check: Checker = context.checker(name)

    @abstractmethod
    def decode(self, request: HttpRequest, match: Match = NO_MATCH) -> Any:
        """The request as a struct, validated. Raises AwsError."""

    @abstractmethod
    def encode(self, result: Any, request_id: str) -> HttpResponse:
        """The answer for a result: the operation's output struct, or None when it has none."""


def fault(error: AwsError) -> str:
    """Whose fault an error is, as the query protocol says it."""
    return "Sender" if error.status < 500 else "Receiver"


# Errors of AWS's framework that may come without a text, and then without the member for one.
TEXTLESS = frozenset({"SerializationException"})


def error_fields(context: Context, error: AwsError) -> dict[str, Any]:
    """The members of an error besides its code: its text, under the name the model has for it, and its own fields."""
    key = context.quirks.message_key
    shape = context.errors.get(error.code)
    kind = {}
    if shape is not None:
        if "Type" in shape.members:
            kind["Type"] = "User" if error.status < 500 else "Service"
        key = next((name for name in shape.members if name.lower() == "message"), key)
        member = shape.members.get(key)
        key = (member.location_name or key) if member else key
    quirks = context.quirks
    key = quirks.message_keys.get(error.code, key)
    if error.fields:
        key = quirks.detailed_keys.get(error.code, key)
    fields = {key: error.message} if error.message or (quirks.empty_messages and error.code not in TEXTLESS) else {}
    return {name: value for name, value in {**kind, **fields, **error.fields}.items() if value is not None}
