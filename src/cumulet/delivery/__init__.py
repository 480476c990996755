"""How an event reaches a target: one file per kind of target."""

from collections.abc import Awaitable, Callable

from cumulet.delivery import lambda_, s3, sqs
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.errors import NotImplementedHere

TARGETS: dict[str, Callable[[Calls, Call, Arn, bytes, str], Awaitable[None]]] = {
    "lambda": lambda_.deliver,
    "s3": s3.deliver,
    "sqs": sqs.deliver,
}


def check_target(target: str) -> None:
    """Refuse a target (an ARN) that nothing can be delivered to yet, before anyone counts on it: NotImplementedHere."""
    service = target.split(":")[2] if target.count(":") >= 5 else ""
    if service not in TARGETS:
        raise NotImplementedHere(
            f"Events cannot be delivered to {service or target} yet, only to: {', '.join(TARGETS)}."
        )


async def deliver(calls: Calls, call: Call, target: Arn, event: bytes, *, name: str = "") -> None:
    """Hand `event` (a JSON document) to the target, in the target's account and region.

    Returns once the target has accepted it durably; raises the target's AwsError when it refuses.
    `call.principal` is the service that delivers, `call.source_arn` the resource the event comes from. `name` is what the
    event is called where it becomes an object.
    """
    check_target(str(target))
    await TARGETS[target.service](calls, call, target, event, name)
