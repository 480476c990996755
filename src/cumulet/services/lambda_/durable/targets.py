"""Which function an execution is of, and what it starts with."""

from __future__ import annotations

import hashlib

from cumulet.api import lambda_ as api
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.durable.model import DEFAULT_RETENTION, DurableExecution, Parent
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.names import LATEST, FunctionKey, Reference, refer_from
from cumulet.services.lambda_.runs import ready_target
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.targets import Target


def new_execution(
    reference: Reference,
    target: Target,
    *,
    name: str | None,
    now: float,
    trace: str,
    parent: tuple[str, str] | None = None,
) -> DurableExecution:
    """An execution that has not begun."""
    config = target.version.configuration.durable_config
    assert config is not None
    id, version = new_id(), target.version.number
    name = name or new_id()
    timeout = config.execution_timeout or 0
    return DurableExecution(
        arn=f"{reference.key.arn}:{version}/durable-execution/{name}/{id}",
        key=reference.key,
        qualifier=reference.qualifier or LATEST,
        version=version,
        name=name,
        id=id,
        started=now,
        deadline=now + timeout if timeout else None,
        timeout=timeout,
        retention=config.retention_period_in_days or DEFAULT_RETENTION,
        trace=trace,
        kms_key=config.kms_key_arn,
        parent=Parent(*parent) if parent is not None else None,
    )


def child_name(parent: DurableExecution, operation: str) -> str:
    """The same each time, so that a crash does not begin a child twice."""
    return hashlib.sha256(f"{parent.arn}\0{operation}".encode()).hexdigest()[:40]


def chained_reference(key: FunctionKey, name: str) -> Reference:
    """The function that an execution of `key` names. Raises InvalidParameterValueException."""
    try:
        reference = refer_from(key, name)
    except api.ResourceNotFoundException as error:
        raise invalid("Cannot start a CHAINED_INVOKE on a function in another region.") from error
    except AwsError as error:
        raise invalid(f"Invalid function ARN '{name}'") from error
    if reference.key.account != key.account:
        raise invalid("Cannot start a CHAINED_INVOKE on a function in another account.")
    return reference


async def chained(lambda_: Lambda, execution: DurableExecution, name: str) -> tuple[Reference, Target]:
    """Where it leads now. Raises ResourceNotFoundException, and what else keeps a function from being invoked."""
    reference = chained_reference(execution.key, name)
    target = await ready_target(lambda_, reference)
    check_qualified(reference, target.version.configuration.durable_config)
    return reference, target


def check_qualified(reference: Reference, config: api.DurableConfig | None) -> None:
    """Raises InvalidParameterValueException."""
    if config is not None and reference.qualifier is None:
        raise invalid("You cannot invoke a durable function using an unqualified ARN.")
