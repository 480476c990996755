"""Lambda's quotas, as one profile of the configuration.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from msgspec import Struct

_MB = 1024 * 1024


class Limits(Struct, frozen=True, kw_only=True):
    """AWS's defaults; sizes in bytes unless the name says otherwise."""

    concurrent_executions: int = 1000
    minimum_unreserved: int = 100
    requests_per_concurrency: int = 10
    """Synchronous requests a second, for each unit of concurrency."""
    scaling_burst: int = 1000
    """Environments that one function may get within `scaling_seconds`."""
    scaling_seconds: float = 10.0
    total_code_size: int = 75 * 1024 * _MB
    code_size_zipped: int = 50 * _MB
    code_size_unzipped: int = 250 * _MB
    environment_size: int = 4096
    payload: int = 6 * _MB
    event_payload: int = _MB
    response: int = 6 * _MB + 100
    stream_total: int = 200 * _MB
    stream_burst: int = 6 * _MB
    """Bytes of a streamed response that come as fast as they can."""
    stream_rate: int = 2 * _MB
    """Bytes a second of what is over that."""
    policy_size: int = 20_480
    tags: int = 50
    layers: int = 5
    capacity_providers: int = 1000
    versions_per_provider: int = 100
    managed_memory_mb: int = 32_768
    """Of functions that run by a capacity provider."""
    memory_mb: int = 10_240
    ephemeral_mb: int = 10_240
    timeout: int = 900
    idle_seconds: float = 14 * 86_400.0
    """How long a function in a VPC may go without an invocation before it becomes Inactive."""
    zip_entries: int = 100_000
    """Files and folders in one package; a bound of ours, so that a package cannot use up the disk's inodes."""
    log_buffer: int = 32 * _MB
    """Log text that may wait to be written; what comes when it is full is dropped, and counted in the log."""
    event_workers: int = 256
    """Asynchronous invocations under way at once on this node."""
