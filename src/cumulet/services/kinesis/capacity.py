"""How many shards an account may have."""

from __future__ import annotations

from cumulet.api import kinesis as api
from cumulet.services.kinesis.model import Stream
from cumulet.services.kinesis.store import Counts


def check_shards(limit: int, stream: Stream, counts: Counts, more: int) -> None:
    """Raises LimitExceededException when the stream's account would have too many open shards."""
    account, region, _ = stream.key
    if counts.shards + more > limit:
        raise api.LimitExceededException(
            f"This request would exceed the shard limit for the account {account} in {region}. Current shard count for the "
            f"account: {counts.shards}. Limit: {limit}. Number of additional shards that would have resulted from this "
            f"request: {more}. Refer to the AWS Service Limits page "
            "(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to request "
            "higher limits."
        )
