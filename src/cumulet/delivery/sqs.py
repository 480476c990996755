"""An event to a queue."""

from msgspec.structs import replace

from cumulet.api.sqs import SendMessageRequest
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls


async def deliver(calls: Calls, call: Call, target: Arn, event: bytes) -> None:
    """Send `event` as the message body."""
    there = replace(call, account=target.account, region=target.region)
    queue_url = f"{call.endpoint}/{target.account}/{target.resource}"
    await calls.run(there, "sqs", "SendMessage", SendMessageRequest(queue_url=queue_url, message_body=event.decode()))
