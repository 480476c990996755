"""How many shards an account may have."""

from __future__ import annotations

from cumulet.api import kinesis as api
from cumulet.services.kinesis.state import Kinesis


async def check_shards(kinesis: Kinesis, account: str, region: str, more: int) -> None:
    """Raises LimitExceededException when the account would have too many open shards."""
    limit = kinesis.limits.shards
    counts = await kinesis.streams.counts(account, region)
    if counts.shards + more > limit:
        raise api.LimitExceededException(
            f"This request would exceed the shard limit for the account {account} in {region}. Current shard count for the "
            f"account: {counts.shards}. Limit: {limit}. Number of additional shards that would have resulted from this "
            f"request: {more}. Refer to the AWS Service Limits page "
            "(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to request "
            "higher limits."
        )
