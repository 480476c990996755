"""Where bytes too large for a record live: the port."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol


class BlobWriter(Protocol):
    """One blob being written; what is not committed when the `async with` ends is gone."""

    async def write(self, data: bytes) -> None:
        """Append `data`."""
        ...

    async def commit(self) -> str:
        """Make the blob durable and give its id."""
        ...


class Blobs(Protocol):
    """Write-once byte strings, known by ids of the engine's choosing."""

    def writer(self) -> AbstractAsyncContextManager[BlobWriter]: ...

    def read(self, blob: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start`, in pieces; raises FileNotFoundError when there is no such blob."""
        ...

    async def delete(self, blob: str) -> None:
        """Forget a blob; no error when it is not there."""
        ...

    def path(self, blob: str) -> Path | None:
        """A local file that holds the blob, when the engine has one."""
        ...

    def ids(self) -> AsyncIterator[str]:
        """Every blob, so that a service can sweep those that no record names after a crash."""
        ...
