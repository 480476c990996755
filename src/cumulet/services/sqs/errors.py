"""Errors of SQS that its model does not name, and the wording that several operations share."""

from cumulet.api.sqs import QueueDoesNotExist
from cumulet.kernel.errors import AwsError


class InvalidParameterValue(AwsError):
    """A value the model allows and SQS does not."""

    code = "InvalidParameterValueException"
    query_code = "InvalidParameterValue"


class MissingParameter(AwsError):
    """Something that this kind of queue needs was not given."""

    code = "MissingRequiredParameterException"
    query_code = "MissingParameter"

    @classmethod
    def named(cls, name: str) -> "MissingParameter":
        return cls(f"The request must contain the parameter {name}.")


def invalid(name: str, value: object, reason: str) -> InvalidParameterValue:
    """AWS's sentence for a bad parameter; `reason` ends with its own full stop."""
    return InvalidParameterValue(f"Value {value} for parameter {name} is invalid. Reason: {reason}")


class NoSuchQueue(QueueDoesNotExist):
    """AWS words it differently in the query protocol."""

    query_message = "The specified queue does not exist for this wsdl version."

    def __init__(self) -> None:
        super().__init__("The specified queue does not exist.")
