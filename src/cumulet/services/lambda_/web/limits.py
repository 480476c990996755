"""Quotas of web functions, as one profile of the configuration.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from msgspec import Struct

_MB = 1024 * 1024


class Limits(Struct, frozen=True, kw_only=True):
    """AWS's defaults; sizes in bytes unless the name says otherwise."""

    total_vcpus: int = 2000
    total_rate: int = 100_000
    """Requests a second, of an account in a region."""
    endpoint_rate: int = 10_000
    revisions: int = 50
    """Of one function; the oldest that serve nothing are removed for new ones."""
    endpoints: int = 10
    environment_size: int = 32 * 1024
    code_size: int = 512 * _MB
    memory_mb: int = 2048
    processors: float = 2.0
    ephemeral_mb: int = 512
    init_seconds: float = 10.0
    policy_size: int = 20_480
    tags: int = 50
    signed_body: int = 16 * _MB
    """Bytes of a body that is part of a signature, which is read whole before it is passed on; a bound of ours."""
