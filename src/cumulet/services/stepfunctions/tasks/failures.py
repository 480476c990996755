"""Errors of services as errors of tasks: named and worded as AWS's SDK for Java has them."""

from __future__ import annotations

from functools import cache

from cumulet.api.model import load
from cumulet.kernel.errors import AwsError, NotImplementedHere
from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.tasks.vocabulary import SdkService, exception_name

# Optimised integrations go through the SDK's first version, which has names of its own: the title of errors, what its messages
# call the service, and the class of errors that have none of their own.
_FIRST = {
    "apigateway": ("ApiGateway", "AmazonApiGateway", "AmazonApiGatewayException"),
    "dynamodb": ("DynamoDB", "AmazonDynamoDBv2", "AmazonDynamoDBException"),
    "events": ("EventBridge", "AmazonCloudWatchEvents", "AmazonCloudWatchEventsException"),
    "lambda": ("Lambda", "AWSLambda", "AWSLambdaException"),
    "sns": ("SNS", "AmazonSNS", "AmazonSNSException"),
    "sqs": ("SQS", "AmazonSQS", "AmazonSQSException"),
    "stepfunctions": ("StepFunctions", "AWSStepFunctions", "AWSStepFunctionsException"),
}
# Clients of the second version that have been built since it tells how often it tried.
_COUNTING = frozenset({"Sfn"})


@cache
def _modelled(module: str) -> dict[str, str]:
    """The exception class by error code, for the errors that a service's model has."""
    model = load(module)
    found = {}
    for name in {error for operation in model.operations.values() for error in operation.errors}:
        shape = model.shape(name)
        if shape.error is not None:
            found[shape.error.code] = exception_name(name)
    return found


def not_here(title: str, message: str) -> StatesError:
    """The failure of a task that Cumulet has no integration, service or operation for."""
    return StatesError(f"{title}.NotImplemented", message)


def sdk_failure(service: SdkService, error: AwsError, request_id: str) -> StatesError:
    """`DynamoDb.ResourceNotFoundException` with `... (Service: DynamoDb, Status Code: 400, Request ID: ...)`."""
    title = service.title
    if isinstance(error, NotImplementedHere):
        return not_here(title, error.message)
    name = _modelled(service.module).get(error.code) or f"{title}Exception"
    extended = f", Extended Request ID: {request_id}" if title == "S3" else ""
    tried = " (SDK Attempt Count: 1)" if title in _COUNTING else ""
    where = f"(Service: {title}, Status Code: {error.status}, Request ID: {request_id}{extended})"
    return StatesError(f"{title}.{name}", f"{error.message} {where}{tried}")


def first_failure(module: str, error: AwsError, request_id: str) -> StatesError:
    """`SQS.AmazonSQSException` with `... (Service: AmazonSQS; Status Code: 400; Error Code: ...; Request ID: ...; Proxy: null)`."""
    title, shown, generic = _FIRST[module.rstrip("_")]
    if isinstance(error, NotImplementedHere):
        return not_here(title, error.message)
    name = _modelled(module).get(error.code) or generic
    code = error.query_code or error.code
    where = (
        f"(Service: {shown}; Status Code: {error.status}; Error Code: {code}; Request ID: {request_id}; Proxy: null)"
    )
    return StatesError(f"{title}.{name}", f"{error.message} {where}")
