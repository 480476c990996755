"""An event to a function, asynchronously: Lambda queues it durably and retries it."""

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls


async def deliver(calls: Calls, call: Call, target: Arn, event: bytes, _: str) -> None:
    """Invoke the function with `event` as its payload."""
    there = replace(call, account=target.account, region=target.region)
    request = api.InvocationRequest(function_name=str(target), invocation_type="Event", payload=event)
    await calls.run(there, "lambda", "Invoke", request)
