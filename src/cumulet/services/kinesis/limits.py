"""Kinesis's quotas that a node's owner may change, as one profile of the configuration.

https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
"""

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """AWS's defaults, but for throttling: a node on a laptop refuses nobody for the throughput of a shard, until asked to."""

    throttling: int = 0
    """1: requests beyond a shard's throughput are refused as on AWS."""
    shards: int = 20_000
    """Open shards of provisioned streams in an account and region."""
    on_demand_streams: int = 50
    consumers: int = 20
    """Registered consumers of a stream."""
