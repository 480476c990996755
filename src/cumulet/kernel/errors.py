"""The one exception family that crosses the wire."""

from collections.abc import Mapping
from typing import Any, ClassVar


class AwsError(Exception):
    """An error that a client sees. Anything else that escapes an operation is our bug: a 500.

    `code` is the wire's error code; `query_code` the older code that SQS's JSON protocol sends beside it
    (the awsQueryError trait), `query_message` what the query protocol says where that is worded differently; `fields` are
    further members of a modelled error by their wire names, such as `{"Type": "User"}` or S3's `{"Key": "a.txt"}`. Errors
    without a class of their own are raised with `AwsError(message, code=..., status=...)`.
    """

    code: str = "InternalFailure"
    query_code: ClassVar[str] = ""
    query_message: ClassVar[str] = ""
    status: int = 400

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        status: int | None = None,
        fields: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status
        self.fields: Mapping[str, Any] = fields or {}
        self.headers: Mapping[str, str] = headers or {}


class NotImplementedHere(AwsError):
    """An operation or option of AWS that Cumulet does not have; docs/services/<service>.md lists it as missing."""

    code = "NotImplemented"
    status = 501

    @classmethod
    def operation(cls, service: str, operation: str) -> "NotImplementedHere":
        """The answer for a whole operation that is not there."""
        return cls(
            f"{operation} is not implemented in Cumulet's {service} yet. See docs/services/{service}.md for what is."
        )


class InternalFailure(AwsError):
    """What a client gets when an operation of ours broke."""

    code = "InternalFailure"
    status = 500
