"""DynamoDB's quotas that a node's owner may change, as one profile of the configuration.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
"""

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """AWS's defaults, but for throttling: a node on a laptop refuses nobody for the throughput of a table, until asked to."""

    throttling: int = 0
    """1: requests beyond a table's throughput are refused as on AWS."""
    partition_read_units: int = 3_000
    partition_write_units: int = 1_000
    """What one partition key of a table or a global index takes a second, with throttling."""
    collection_bytes: int = 10 << 30
    """Items with the same partition key in a table with local indexes, with their entries in these."""
    burst_seconds: float = 300.0
    """For so long throughput that was not used is kept for later."""
