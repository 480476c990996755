"""The code of functions: each package once, however many versions use it.

The zip is a blob, and durable; the folder it is unpacked to is a copy that can be made again. A folder whose content is
not known to be on disk (no mark beside it) is removed when the node starts, since a power failure may have torn it.
"""

import asyncio
import hashlib
import logging
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from weakref import WeakValueDictionary

from msgspec import Struct

from cumulet.kernel.ids import token
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.limits import Limits
from cumulet.services.lambda_.model import code_sha256
from cumulet.services.lambda_.packages import unzip
from cumulet.storage.blobs import Blobs
from cumulet.storage.database import StorageError

log = logging.getLogger(__name__)

_MARK = ".synced"
IMAGE = "image:"
"""What the `blob` of a package begins with that is a container image: its repository and digest follow."""


class Package(Struct, frozen=True, kw_only=True):
    """A deployment package. `id` is the SHA-256 of the zip in hexadecimal; `blob` holds the zip.

    `size` is that of the zip, `unpacked` that of the files in it; 0 for a package of a time when nobody counted.
    """

    id: str
    blob: str
    size: int
    unpacked: int = 0

    @property
    def is_image(self) -> bool:
        """Its `id` is the digest of the image's manifest then; see `images`."""
        return self.blob.startswith(IMAGE)

    @property
    def sha256(self) -> str:
        """CodeSha256 of AWS's answers."""
        if self.is_image:
            return self.id
        return code_sha256(bytes.fromhex(self.id))


class Packages:
    """The folder of unpacked packages, `root`/<id>, and the blobs of the zips; `blobs` must hold nothing else."""

    def __init__(self, root: Path, blobs: Blobs, tasks: Tasks, limits: Limits) -> None:
        self._root = root
        self._blobs = blobs
        self._tasks = tasks
        self._limits = limits
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def start(self, packages: Sequence[Package]) -> None:
        """Remove what a crash may have left half done, or of packages other than these."""
        self._root.mkdir(parents=True, exist_ok=True)
        ids, blobs = {package.id for package in packages}, {package.blob for package in packages}
        for path in list(self._root.iterdir()):
            if path.is_dir() and (path.name not in ids or not path.with_suffix(_MARK).exists()):
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix == _MARK and path.stem not in ids:
                path.unlink()
        for blob in [blob async for blob in self._blobs.ids() if blob not in blobs]:
            await self._blobs.delete(blob)

    async def check(self, data: bytes) -> tuple[str, int]:
        """The id and unpacked size of the package in `data`, ready to be used; raises AWS's error when it is no good."""
        loop = asyncio.get_running_loop()
        digest = hashlib.sha256(data).hexdigest()
        async with self._turn(digest):
            if self._folder(digest).exists():
                return digest, await loop.run_in_executor(None, unzip.measure, data)
            try:
                unpacked = await loop.run_in_executor(None, self._unpack, digest, data)
            except OSError as error:
                raise StorageError(f"a package could not be unpacked: {error.strerror}") from error
            self._tasks.start("sync package", self._sync(digest))
        return digest, unpacked

    async def keep(self, package: str, data: bytes, unpacked: int) -> Package:
        """Make the zip durable."""
        async with self._blobs.writer() as writer:
            await writer.write(data)
            blob = await writer.commit()
        return Package(id=package, blob=blob, size=len(data), unpacked=unpacked)

    def read(self, blob: str) -> AsyncIterator[bytes]:
        """The zip, in pieces."""
        return self._blobs.read(blob)

    async def folder(self, package: str, blob: str) -> Path:
        """Where the package lies unpacked; unpacks it again when it does not."""
        path = self._folder(package)
        if not path.exists():
            data = b"".join([piece async for piece in self._blobs.read(blob)])
            await self.check(data)
        return path

    async def forget_blob(self, blob: str) -> None:
        """Delete a zip of which there is another copy."""
        if blob:
            await self._blobs.delete(blob)

    async def remove(self, package: str, blob: str) -> None:
        """Forget a package that no version uses; without a blob when it has none yet."""
        if blob:
            await self._blobs.delete(blob)
        async with self._turn(package):
            await asyncio.get_running_loop().run_in_executor(None, self._discard, package)

    def _turn(self, package: str) -> asyncio.Lock:
        """One at a time for each package; a lock lives as long as somebody has it."""
        return self._turns.setdefault(package, asyncio.Lock())

    def _folder(self, package: str) -> Path:
        return self._root / package

    def _unpack(self, package: str, data: bytes) -> int:
        place = self._root / f"new-{token(8)}"
        size = unzip.unpack(data, place, self._limits)
        place.rename(self._folder(package))
        return size

    async def _sync(self, package: str) -> None:
        async with self._turn(package):
            if self._folder(package).exists():
                await asyncio.get_running_loop().run_in_executor(None, self._mark, package)

    def _mark(self, package: str) -> None:
        unzip.sync(self._folder(package))
        self._folder(package).with_suffix(_MARK).touch()

    def _discard(self, package: str) -> None:
        self._folder(package).with_suffix(_MARK).unlink(missing_ok=True)
        shutil.rmtree(self._folder(package), ignore_errors=True)
