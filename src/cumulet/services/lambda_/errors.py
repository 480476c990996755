"""Lambda's errors in AWS's words."""

from __future__ import annotations

from cumulet.api import lambda_ as api
from cumulet.kernel.errors import AwsError


def invalid(message: str) -> api.InvalidParameterValueException:
    return api.InvalidParameterValueException(message)


def unlabelled(message: str) -> api.InvalidParameterValueException:
    """The same from those parts of AWS that do not say whose fault (`Type`) it was."""
    return api.InvalidParameterValueException(message, fields={"Type": None})


def not_found(message: str) -> api.ResourceNotFoundException:
    return api.ResourceNotFoundException(message)


def no_function(arn: str) -> api.ResourceNotFoundException:
    return not_found(f"Function not found: {arn}")


def conflict(message: str) -> api.ResourceConflictException:
    return api.ResourceConflictException(message)


def stale_revision(operations: str = "GetFunction/GetAlias") -> api.PreconditionFailedException:
    return api.PreconditionFailedException(
        "The Revision Id provided does not match the latest Revision Id. "
        f"Call the {operations} API to retrieve the latest Revision Id"
    )


def recursive() -> api.RecursiveInvocationException:
    return api.RecursiveInvocationException(
        "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services resources and "
        "stopped your function's invocation."
    )


def throttled(reason: str, retry_after: int | None = None) -> api.TooManyRequestsException:
    """`retry_after`: seconds, for limits that are about time."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return api.TooManyRequestsException("Rate Exceeded.", fields={"Reason": reason}, headers=headers)


def bad_content(message: str) -> api.InvalidRequestContentException:
    return api.InvalidRequestContentException(message)


def too_large(size: int, limit: int, invocation_type: str) -> api.RequestTooLargeException:
    if invocation_type != "Event":
        return api.RequestTooLargeException(
            f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        )
    return api.RequestTooLargeException(
        f"{size} byte payload is too large for the {invocation_type} invocation type (limit {limit} bytes)"
    )


def package_too_large(limit: int) -> AwsError:
    return AwsError(
        f"Zipped size must be smaller than {limit} bytes", code="RequestEntityTooLargeException", status=413
    )
