"""Resource policies of streams and consumers, which let other accounts in.

https://docs.aws.amazon.com/streams/latest/dev/resource-based-policy-examples.html
"""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import kinesis as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.policy.compiled import compile_policy
from cumulet.policy.document import Grammar, PolicyError
from cumulet.services.kinesis.errors import invalid
from cumulet.services.kinesis.model import consumer_stream
from cumulet.services.kinesis.resources import find_consumer, is_consumer
from cumulet.services.kinesis.state import Kinesis

_MOST = 20_480
_NONE = "{}"


async def put_resource_policy(kinesis: Kinesis, call: Call, request: api.PutResourcePolicyInput) -> None:
    arn, policy = request.resource_arn, request.policy
    if len(policy.encode()) > _MOST:
        raise invalid(f"A resource policy may have {_MOST} bytes at most.")
    try:
        compile_policy(policy, Grammar.RESOURCE, arn)
    except PolicyError as error:
        raise invalid(f"The policy is not valid: {error}") from None
    await _set(kinesis, call, arn, policy)


async def delete_resource_policy(kinesis: Kinesis, call: Call, request: api.DeleteResourcePolicyInput) -> None:
    if await _policy(kinesis, call, request.resource_arn) == "":
        raise api.ResourceNotFoundException(f"There is no resource policy for {request.resource_arn}.")
    await _set(kinesis, call, request.resource_arn, "")


async def get_resource_policy(
    kinesis: Kinesis, call: Call, request: api.GetResourcePolicyInput
) -> api.GetResourcePolicyOutput:
    return api.GetResourcePolicyOutput(policy=await _policy(kinesis, call, request.resource_arn) or _NONE)


async def _policy(kinesis: Kinesis, call: Call, arn: str) -> str:
    if is_consumer(arn):
        return (await find_consumer(kinesis, call, arn))[1].policy
    return (await kinesis.by_arn(call, arn)).stream.policy


async def _set(kinesis: Kinesis, call: Call, arn: str, policy: str) -> None:
    if is_consumer(arn):
        opened, consumer = await find_consumer(kinesis, call, arn)
        await kinesis.consumers.edit(opened.stream, consumer.name, lambda found: replace(found, policy=policy))
        return
    opened = await kinesis.by_arn(call, arn)
    await kinesis.edit(opened, lambda found: replace(found, policy=policy))


async def policy_of(kinesis: Kinesis, arn: str) -> str | None:
    """The policy that permissions on a resource are looked up in; None without one."""
    try:
        parsed = Arn.parse(arn)
        stream_arn, name = consumer_stream(arn)
        stream = Arn.parse(stream_arn) if stream_arn else parsed
        opened = await kinesis.directory.find((stream.account, stream.region, stream.resource.removeprefix("stream/")))
    except (ValueError, AwsError):
        return None
    if not stream_arn:
        return opened.stream.policy or None
    consumer = await kinesis.consumers.find(opened.stream, name.partition(":")[0])
    return consumer.policy or None if consumer is not None and consumer.arn == arn else None
