"""Quotas of MicroVMs, as one profile of the configuration.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from msgspec import Struct

_GB = 1 << 30


class Limits(Struct, frozen=True, kw_only=True):
    """Sizes in bytes unless the name says otherwise. AWS's own defaults depend on the account; these are ours."""

    total_memory_mb: int = 409_600
    """Baseline memory of an account's MicroVMs in a region that have not ended."""
    machine_memory_mb: int = 0
    """The same of all accounts together; 0 stands for the memory that this machine has. A bound of ours."""
    images: int = 100
    """Of an account in a region."""
    versions: int = 50
    """Of one image."""
    artifact_size: int = _GB
    """Of a package, zipped and unpacked."""
    image_size: int = 8 * _GB
    """What the steps of a Dockerfile may write."""
    build_seconds: float = 1800.0
    """Real time that the steps may take."""
    builds: int = 10
    """Of an account, at once; a bound of ours."""
    free_space: int = _GB
    """Of the disk, which builds leave alone, and without which no MicroVM starts; a bound of ours."""
    tags: int = 50
    token_minutes: int = 60
    payload: int = 16_384
    start_seconds: float = 10.0
    """Real time that a program has to take connections where no hook tells that it is ready."""
    hold_seconds: float = 60.0
    """Real time that a request waits for a MicroVM that starts or resumes."""
    answer_seconds: float = 900.0
    """Real time until the head of an answer; a bound of ours."""
    shells: int = 10
    """Open at once in one MicroVM; a bound of ours."""
    connections: int = 1000
    """Open at once to one MicroVM; a bound of ours."""
    remembered_seconds: float = 86_400.0
    """How long a MicroVM that has ended is still shown; a choice of ours."""
