"""Lambda's errors with the members AWS gives them: `Type` says whose fault it was."""

from cumulet.api import lambda_ as api
from cumulet.kernel.errors import AwsError

_USER = {"Type": "User"}


def invalid(message: str) -> api.InvalidParameterValueException:
    return api.InvalidParameterValueException(message, fields=_USER)


def not_found(message: str) -> api.ResourceNotFoundException:
    return api.ResourceNotFoundException(message, fields=_USER)


def no_function(arn: str) -> api.ResourceNotFoundException:
    return not_found(f"Function not found: {arn}")


def conflict(message: str) -> api.ResourceConflictException:
    return api.ResourceConflictException(message, fields=_USER)


def stale_revision(operations: str = "GetFunction/GetAlias") -> api.PreconditionFailedException:
    return api.PreconditionFailedException(
        "The Revision Id provided does not match the latest Revision Id. "
        f"Call the {operations} API to retrieve the latest Revision Id",
        fields=_USER,
    )


def throttled(reason: str) -> api.TooManyRequestsException:
    return api.TooManyRequestsException("Rate Exceeded.", fields={**_USER, "Reason": reason})


def bad_content(message: str) -> api.InvalidRequestContentException:
    return api.InvalidRequestContentException(message, fields=_USER)


def too_large(size: int, limit: int) -> api.RequestTooLargeException:
    return api.RequestTooLargeException(
        f"{size} byte payload is too large for the RequestResponse invocation type (limit {limit} bytes)", fields=_USER
    )


def too_large_event(size: int, limit: int) -> api.RequestTooLargeException:
    return api.RequestTooLargeException(
        f"{size} byte payload is too large for the Event invocation type (limit {limit} bytes)", fields=_USER
    )


def package_too_large(limit: int) -> AwsError:
    return AwsError(
        f"Zipped size must be smaller than {limit} bytes", code="RequestEntityTooLargeException", status=413
    )
