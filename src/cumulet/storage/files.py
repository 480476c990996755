"""Blobs as files in a folder, spread over 256 subfolders; on disk before their id is told to anyone."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cumulet.kernel.ids import token
from cumulet.storage.database import StorageError

_PIECE = 262_144  # what each of many slow readers may hold
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class _FileWriter:
    def __init__(self, root: Path) -> None:
        self.blob = token()
        self.path = _place(root, self.blob)
        try:
            self._file = self._open(root)
        except OSError as error:
            raise StorageError(f"a blob could not be made: {error.strerror}") from error
        self.committed = False

    def _open(self, root: Path) -> int:
        try:
            return os.open(self.path, _NEW, 0o600)
        except FileNotFoundError:  # the first blob of its folder
            self.path.parent.mkdir(exist_ok=True)
            _sync_folder(root)
            return os.open(self.path, _NEW, 0o600)

    async def write(self, data: bytes) -> None:
        # On the loop: a piece goes to the page cache in less time than a thread takes to be woken.
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            raise StorageError(f"a blob could not be written: {error.strerror}") from error

    async def commit(self) -> str:
        await asyncio.get_running_loop().run_in_executor(None, self._sync)
        self.committed = True
        return self.blob

    def _sync(self) -> None:
        try:
            os.fsync(self._file)
            _sync_folder(self.path.parent)
        except OSError as error:
            raise StorageError(f"a blob could not be made durable: {error.strerror}") from error

    def close(self) -> None:
        os.close(self._file)
        if not self.committed:
            self.path.unlink(missing_ok=True)


class FolderBlobs:
    """The engine of a single node. No rename is needed: an id that no record names is nobody's blob."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[_FileWriter]:
        writer = _FileWriter(self._root)
        try:
            yield writer
        finally:
            writer.close()

    async def read(self, blob: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        file = os.open(_place(self._root, blob), os.O_RDONLY | os.O_CLOEXEC)
        try:
            left = os.fstat(file).st_size - start if length is None else length
            while left > 0 and (piece := os.pread(file, min(_PIECE, left), start)):
                yield piece
                start += len(piece)
                left -= len(piece)
        finally:
            os.close(file)

    async def delete(self, blob: str) -> None:
        # On a thread: freeing a large file's blocks can take milliseconds.
        await asyncio.get_running_loop().run_in_executor(None, _remove, _place(self._root, blob))

    def path(self, blob: str) -> Path | None:
        place = _place(self._root, blob)
        return place if place.exists() else None

    async def ids(self) -> AsyncIterator[str]:
        for folder in sorted(self._root.iterdir()):
            for file in folder.iterdir():
                yield folder.name + file.name


def _sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _place(root: Path, blob: str) -> Path:
    return root / blob[:2] / blob[2:]
