"""What developers ask of a function beside AWS's operations: to be loaded before anyone calls, and to be debugged."""

from typing import Any

from cumulet.api import lambda_ as api
from cumulet.compute import ComputeUnavailable, RuntimeUnavailable
from cumulet.kernel.arn import Arn
from cumulet.services.lambda_.errors import no_function
from cumulet.services.lambda_.names import FunctionKey, Reference
from cumulet.services.lambda_.runs import initialise, ready_target
from cumulet.services.lambda_.state import Lambda


async def warm(lambda_: Lambda, arn: str) -> bool:
    """Have an environment of a function's $LATEST load it; False when it cannot be loaded. Raises AWS's errors."""
    return await _load(lambda_, _key(arn))


async def debug(lambda_: Lambda, arn: str, port: int | None) -> dict[str, Any]:
    """Begin to debug a function's $LATEST, or say that it is still wanted; gives what to connect a debugger to.

    Raises CannotDebug and AWS's errors.
    """
    key = _key(arn)
    target = await ready_target(lambda_, Reference(key, None))
    session = await lambda_.debugging.begin(key, target.version.configuration.runtime or "", port)
    if session.key not in lambda_.compute.held():
        lambda_.tasks.start(f"load {key.name} to be debugged", _load(lambda_, key))
    return {"host": "127.0.0.1", "port": session.port, "family": session.family}


def end_debugging(lambda_: Lambda, arn: str) -> None:
    """The function is as it was before."""
    lambda_.debugging.end(_key(arn))


async def _load(lambda_: Lambda, key: FunctionKey) -> bool:
    target = await ready_target(lambda_, Reference(key, None))
    spec = await lambda_.targets.spec(target, lambda_.clock.now())
    try:
        return bool(lambda_.compute.holding(spec.key)) or await initialise(lambda_, target, spec)
    except RuntimeUnavailable as error:
        raise api.InvalidRuntimeException(str(error)) from error
    except ComputeUnavailable as error:
        raise api.ServiceException(str(error)) from error


def _key(arn: str) -> FunctionKey:
    try:
        parsed = Arn.parse(arn)
    except ValueError as error:
        raise no_function(arn) from error
    return FunctionKey(parsed.account, parsed.region, parsed.resource.removeprefix("function:").partition(":")[0])
