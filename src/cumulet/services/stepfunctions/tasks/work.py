"""Has tasks done: the engine's way to everything outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from cumulet.kernel.arn import Arn
from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.asl.errors import runtime
from cumulet.services.stepfunctions.engine.ports import Done, Kind, Pending, TaskCall
from cumulet.services.stepfunctions.tasks import apis, functions, http_checks, http_tasks, nested, optimised, sdk
from cumulet.services.stepfunctions.tasks.failures import not_here
from cumulet.services.stepfunctions.tasks.parts import Parts
from cumulet.services.stepfunctions.tasks.resources import Resource, parse
from cumulet.services.stepfunctions.tasks.shapes import BadField, shapes, to_json
from cumulet.services.stepfunctions.tasks.vocabulary import SERVICES, operation_name

Start = Callable[[Parts, TaskCall, Resource], Awaitable[Done | Pending]]

_SERVICES: dict[str, Start] = {
    "apigateway": apis.invoke,
    "dynamodb": optimised.call_operation,
    "events": optimised.call_operation,
    "http": http_tasks.invoke,
    "lambda": functions.invoke,
    "sns": optimised.call_operation,
    "sqs": optimised.call_operation,
    "states": nested.start,
}
# What the others are called in errors, as on AWS.
_TITLES = {
    "athena": "Athena",
    "batch": "Batch",
    "bedrock": "Bedrock",
    "codebuild": "CodeBuild",
    "databrew": "GlueDataBrew",
    "ecs": "ECS",
    "eks": "EKS",
    "elasticmapreduce": "ElasticMapReduce",
    "emr-containers": "EMRContainers",
    "emr-serverless": "EMRServerless",
    "glue": "Glue",
    "mediaconvert": "MediaConvert",
    "sagemaker": "SageMaker",
}


class Work:
    """`engine.ports.Tasks`. What an attempt needs of the platform is in `parts`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def kind(self, resource: str) -> Kind:
        """How the history tells of this resource."""
        return _kind(resource)

    def check(self, resource: str, arguments: Any) -> None:
        """Raises States.Runtime for arguments that no task can be started with."""
        found = _resource(resource)
        if found.family == "activity":
            if not self._parts.queue.knows(resource):
                raise _no_activity(resource)
        elif found.family != "lambda":
            try:
                _check_arguments(found, arguments)
            except BadField as error:
                text = to_json(arguments).decode()
                raise runtime(
                    f"The Parameters '{text}' could not be used to start the Task: [{error.problem}]"
                ) from None

    async def start(self, task: TaskCall) -> Done | Pending:
        """Have it done; see `engine.ports.Tasks`."""
        resource = _resource(task.resource)
        if resource.family == "lambda":
            return await functions.by_arn(self._parts, task, resource)
        if resource.family == "activity":
            await self._own(task)
            await self._parts.queue.add(task.resource, task.token, to_json(task.arguments).decode())
            return Pending(None, {})
        try:
            if resource.family == "sdk":
                return await sdk.call_operation(self._parts, task, resource)
            start = _SERVICES.get(resource.service)
            if start is None:
                raise _missing(resource)
            return await start(self._parts, task, resource)
        except StatesError as error:
            if resource.pattern != "request":
                error.stage = "submit"  # type: ignore[attr-defined]  # see engine.ports.TaskError
            raise
        except BadField as error:  # `check` was not asked
            raise runtime(f"The Parameters could not be used to start the Task: [{error.problem}]") from None

    async def _own(self, task: TaskCall) -> None:
        """Raises States.Runtime for an activity of another account or region than who has the task done."""
        account = (await self._parts.call_for(task)).account if task.credentials else task.facts.account
        arn = Arn.parse(task.resource)
        if (arn.account, arn.region) != (account, task.facts.region):
            raise _no_activity(task.resource)

    async def follow(self, task: TaskCall, handle: Any) -> Done:
        """Wait for the end of a job."""
        return await nested.follow(self._parts, task, handle, _resource(task.resource))

    async def cancel(self, task: TaskCall, handle: Any) -> None:
        """Take a task back that nobody wants any more."""
        resource = _resource(task.resource)
        if resource.family == "activity":
            await self._parts.queue.remove(task.resource, task.token)
        elif resource.pattern == "sync" and handle:
            await nested.cancel(self._parts, task, handle)


def _no_activity(arn: str) -> StatesError:
    return runtime(f"The activity {arn} does not exist.")


def _resource(arn: str) -> Resource:
    found = parse(arn)
    if found is None:
        raise runtime(f"The resource {arn} is not recognized.")
    return found


@lru_cache(8192)
def _kind(arn: str) -> Kind:
    resource = _resource(arn)
    if resource.family == "lambda":
        return Kind("lambda", "request", arn)
    if resource.family == "activity":
        return Kind("activity", "token", arn)
    return Kind("task", resource.pattern, resource.shown, resource.type)


def _missing(resource: Resource) -> StatesError:
    title = _TITLES.get(resource.service, resource.service)
    reason = f"{resource.service}:{resource.action} is not implemented in Cumulet yet"
    return not_here(title, f"{reason}. See docs/services/stepfunctions.md for the integrations that are there.")


def _check_arguments(resource: Resource, arguments: Any) -> None:
    """Raises BadField."""
    service = resource.service
    if resource.family == "sdk":
        if (found := SERVICES.get(service)) is not None:
            shapes(found.module, True).request(operation_name(resource.action), arguments)
    elif service in optimised.MODULES:
        shapes(optimised.MODULES[service], False).request(operation_name(resource.action), arguments)
    elif service == "states":
        shapes("stepfunctions", False).request("StartExecution", arguments)
    elif service == "lambda":
        check_members(arguments, functions.PARAMETERS, ("FunctionName",))
        _check_texts(arguments, ("FunctionName", "Qualifier", "InvocationType", "LogType", "ClientContext", "TenantId"))
    elif service == "apigateway":
        apis.check(arguments)
    elif service == "http":
        http_checks.check(arguments)


def check_members(arguments: Any, allowed: frozenset[str], required: tuple[str, ...]) -> None:
    """Raises BadField for members that an integration does not have, or has not been given."""
    if not isinstance(arguments, dict):
        raise BadField(f"The field '{required[0]}' is required but was missing")
    for name in required:
        if arguments.get(name) is None:
            raise BadField(f"The field '{name}' is required but was missing")
    for name in arguments:
        if name not in allowed:
            raise BadField(f"The field '{name}' is not supported by Step Functions")


def _check_texts(arguments: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        value = arguments.get(name)
        if value is not None and not isinstance(value, str):
            raise BadField(f"The value of the field '{name}' has an invalid format")
