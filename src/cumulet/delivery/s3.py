"""An event as an object of a bucket."""

from msgspec.structs import replace

from cumulet.api import s3 as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.streams import BytesStream


async def deliver(calls: Calls, call: Call, target: Arn, event: bytes, name: str) -> None:
    """Put `event` under the key `name`."""
    there = replace(call, region=target.region or call.region)
    request = api.PutObjectRequest(
        bucket=target.resource, key=name, body=BytesStream(event), content_type="application/json"
    )
    await calls.run(there, "s3", "PutObject", request)
