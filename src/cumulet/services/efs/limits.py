"""EFS's quotas, and bounds of ours, as one profile of the configuration.

https://docs.aws.amazon.com/efs/latest/ug/limits.html
"""

from msgspec import Struct

_GB = 1024 * 1024 * 1024


class Limits(Struct, frozen=True, kw_only=True):
    """AWS's defaults, but for what is said to be ours."""

    file_systems: int = 2_000
    access_points: int = 10_000
    """Of one file system."""
    mount_targets: int = 400
    """Of one file system; AWS's bound is one in each Availability Zone."""
    provisioned_throughput: int = 3_072
    """MiB a second."""
    file_system_size: int = 16 * _GB
    """Bytes of one file system; a bound of ours, since AWS has none and a node's disk ends. See `services/efs/workers.py`."""
    free_space: int = _GB
    """Bytes of the data folder's disk that functions may not take; ours."""
    files: int = 2_000_000
    """Files and folders of one file system; ours, since a disk may have an end of them long before its bytes are used."""
    free_files: int = 10_000
    """Files that the disk may still have, which functions may not take; ours. Nothing where it counts none."""
