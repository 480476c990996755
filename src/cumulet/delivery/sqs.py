"""An event to a queue."""

from msgspec.structs import replace

from cumulet.api import sqs as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls


async def deliver(calls: Calls, call: Call, target: Arn, event: bytes, _: str) -> None:
    """Send `event` as the message body, with the call's trace."""
    there = replace(call, account=target.account, region=target.region)
    queue_url = f"{call.endpoint}/{target.account}/{target.resource}"
    request = api.SendMessageRequest(queue_url=queue_url, message_body=event.decode())
    if call.trace:
        header = api.MessageSystemAttributeValue(data_type="String", string_value=call.trace)
        request.message_system_attributes = {"AWSTraceHeader": header}
    await calls.run(there, "sqs", "SendMessage", request)
