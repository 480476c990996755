"""File systems on the disk: a folder each, below one that is nobody else's.

What is in them was put there by functions: names, links and depth are as hostile as can be. So folders are only ever entered
by descriptors, one part at a time, and no link is followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cumulet.services.efs.model import Owner

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 4_096
_METADATA = 2_048
_PRIVATE = 0o700
_PUBLIC = 0o755
_TRIES = 100


class NoRoot(Exception):
    """The root directory of an access point is not there, and nothing says how it is to be made."""


class Taken(NamedTuple):
    """What is in a file system."""

    size: int
    files: int


class Folders:
    """Works on threads: nothing here waits on the event loop."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, id: str) -> Path:
        return self._root / id

    async def make(self, id: str) -> None:
        """Durable when it returns."""
        await asyncio.to_thread(self._make, id)

    async def enter(self, id: str, path: str, owner: Owner | None) -> None:
        """See that `path` is a folder of the file system, or make it as its owner wants it. Raises NoRoot, OSError."""
        await asyncio.to_thread(self._enter, id, path, owner)

    async def measure(self, id: str) -> Taken:
        """Bytes as EFS counts them (4 KB blocks, and 2 KB for each file or folder), and how many files and folders there are."""
        return await asyncio.to_thread(_measure, self.path(id))

    async def remove(self, id: str) -> None:
        """All of it; also what a crash left of an earlier removal."""
        await asyncio.to_thread(self._remove, id)

    async def strays(self, known: Iterable[str]) -> list[str]:
        """Folders of no file system."""

        def find() -> list[str]:
            ids = set(known)
            return [name for name in os.listdir(self._root) if name not in ids] if self._root.is_dir() else []  # noqa: PTH208

        return await asyncio.to_thread(find)

    def free(self) -> int:
        """Bytes that are left on the disk."""
        with contextlib.suppress(OSError):
            found = os.statvfs(self._root)
            return found.f_bavail * found.f_frsize
        return 0

    def free_files(self) -> int | None:
        """Files that can still be made on the disk; None where it has no end of them but its bytes."""
        with contextlib.suppress(OSError):
            found = os.statvfs(self._root)
            return found.f_favail if found.f_files else None
        return 0

    def _make(self, id: str) -> None:
        self._root.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        self._root.chmod(_PRIVATE)  # programs in it that become others when run are no use to others
        self.path(id).mkdir(exist_ok=True)
        self.path(id).chmod(_PUBLIC)
        for folder in (self._root, self._root.parent):
            fd = os.open(folder, _FOLDER)
            os.fsync(fd)
            os.close(fd)

    def _enter(self, id: str, path: str, owner: Owner | None) -> None:
        here = os.open(self.path(id), _FOLDER)
        try:
            for part in path.strip("/").split("/") if path != "/" else ():
                below = _open_or_make(here, part, owner)
                os.close(here)
                here = below
        finally:
            os.close(here)

    def _remove(self, id: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            _empty(self.path(id))
            self.path(id).rmdir()


def _open_or_make(parent: int, name: str, owner: Owner | None) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        if owner is None:
            raise NoRoot(name) from None
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise NoRoot(name) from None
        raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, _PRIVATE, dir_fd=parent)
    made = os.open(name, _FOLDER, dir_fd=parent)
    if os.geteuid() == 0:
        os.fchown(made, owner.uid, owner.gid)
    os.fchmod(made, int(owner.permissions, 8))
    os.fsync(parent)
    return made


def _measure(path: Path) -> Taken:
    """Folder by folder with one descriptor, however deep it goes. What is moved meanwhile may be counted twice, or not."""
    try:
        here = os.open(path, _FOLDER)
    except FileNotFoundError:
        return Taken(0, 0)
    try:
        total, files, below = _count(here)
        ways = [(os.fstat(here).st_ino, below)]
        while ways:
            _, names = ways[-1]
            step = names.pop() if names else ".."
            if step == "..":
                ways.pop()
                if not ways:
                    break
            try:
                there = os.open(step, _FOLDER, dir_fd=here)
            except OSError:
                if step == "..":
                    break
                continue
            os.close(here)
            here, inode = there, os.fstat(there).st_ino
            if step != "..":
                size, count, below = _count(here)
                total, files = total + size, files + count
                ways.append((inode, below))
            elif inode != ways[-1][0]:
                break  # moved: what is above now is no way back
        return Taken(total, files)
    finally:
        os.close(here)


def _count(folder: int) -> tuple[int, int, list[str]]:
    """What a folder itself and its files take, how many entries it has, and the folders in it."""
    total, files, below = _BLOCK + _METADATA, 0, []
    with contextlib.suppress(PermissionError), os.scandir(folder) as entries:
        for entry in entries:
            files += 1
            with contextlib.suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    below.append(entry.name)
                else:
                    blocks = -(-found.st_blocks * 512 // _BLOCK)
                    total += blocks * _BLOCK // max(1, found.st_nlink) + _METADATA
    return total, files, below


def _empty(top: Path) -> None:
    """Folders are moved to the top before they are emptied, so that depth is no matter."""
    root = os.open(top, _FOLDER)
    try:
        names, count = _clear(root, root, 0)
        for _ in range(_TRIES):
            while names:
                name = names.pop()
                folder = _open_own(name, root)
                more, count = _clear(folder, root, count)
                os.close(folder)
                names += more
                with contextlib.suppress(OSError):  # somebody still writes there: once more below
                    os.rmdir(name, dir_fd=root)
            names, count = _clear(root, root, count)
            if not names:
                return
        raise OSError(errno.ENOTEMPTY, "files come as fast as they are removed", str(top))
    finally:
        os.close(root)


def _clear(folder: int, root: int, count: int) -> tuple[list[str], int]:
    """Remove the files of a folder and move its folders to the root; their names there."""
    moved = []
    for entry in list(os.scandir(folder)):
        with contextlib.suppress(FileNotFoundError):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=folder)
                continue
            name = entry.name
            if folder != root:
                count += 1
                name = f".{count} {os.getpid()}"
                os.close(_open_own(entry.name, folder))
                os.rename(entry.name, name, src_dir_fd=folder, dst_dir_fd=root)
            moved.append(name)
    return moved, count


def _open_own(name: str, parent: int) -> int:
    """A folder that whoever made it may have closed to everybody, which holds for those that are not root."""
    with contextlib.suppress(OSError, NotImplementedError):
        if not stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            os.chmod(name, _PRIVATE, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)
