"""What DynamoDB answers for what it refuses. ValidationException is not in its model, though most refusals are one."""

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError

NOT_FOUND = "Requested resource not found"
LEAST_ONE = "Member must have value greater than or equal to 1"
WRONG_KEY = "The provided key element does not match the schema"


def invalid(message: str) -> AwsError:
    """A ValidationException with exactly this text."""
    return AwsError(message, code="ValidationException")


def invalid_values(reason: str) -> AwsError:
    """A ValidationException in the words that most of them begin with."""
    return AwsError(f"One or more parameter values were invalid: {reason}", code="ValidationException")


def unfit(at: str, reason: str, value: str = "") -> AwsError:
    """A ValidationException in the words of a constraint of the model; those of some members repeat their value."""
    shown = f" '{value}'" if value else ""
    return invalid(f"1 validation error detected: Value{shown} at '{at}' failed to satisfy constraint: {reason}")


def check_limit(limit: int | None) -> None:
    """Raises ValidationException for a page of nothing."""
    if limit is not None and limit < 1:
        raise unfit("limit", LEAST_ONE, str(limit))


def no_such_table(name: str) -> AwsError:
    """What operations on tables answer; those on items say no more than `NOT_FOUND`."""
    return api.ResourceNotFoundException(f"{NOT_FOUND}: Table: {name} not found")


def in_use(name: str) -> AwsError:
    """What is answered while a table is being changed, or is needed as it is."""
    return api.ResourceInUseException(
        f"Attempt to change a resource which is still in use: Table is being updated: {name}"
    )


def no_such_resource() -> AwsError:
    return api.ResourceNotFoundException(NOT_FOUND)
