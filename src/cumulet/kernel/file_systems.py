"""What a service that keeps file systems tells those that mount them."""

from pathlib import Path

from msgspec import Struct


class FileSystemMount(Struct, frozen=True, kw_only=True):
    """What is to be mounted: `path` below `folder`, of which no part may be a link, for processes that are `uid` and `gid` there.

    `full`: nothing more may be written.
    """

    file_system: str
    folder: Path
    path: str
    uid: int
    gid: int
    full: bool = False
