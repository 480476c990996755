"""Environments made before anyone calls, for whoever has just changed a function and is about to try it."""

from cumulet.kernel.arn import Arn
from cumulet.services.lambda_.errors import no_function
from cumulet.services.lambda_.names import FunctionKey, Reference
from cumulet.services.lambda_.runs import initialise, ready_target
from cumulet.services.lambda_.state import Lambda


async def warm(lambda_: Lambda, arn: str) -> bool:
    """Have an environment of a function's $LATEST load it; False when it cannot be loaded. Raises AWS's errors."""
    try:
        parsed = Arn.parse(arn)
    except ValueError as error:
        raise no_function(arn) from error
    key = FunctionKey(parsed.account, parsed.region, parsed.resource.removeprefix("function:").partition(":")[0])
    target = await ready_target(lambda_, Reference(key, None))
    spec = await lambda_.targets.spec(target, lambda_.clock.now())
    return bool(lambda_.compute.holding(spec.key)) or await initialise(lambda_, target, spec)
