"""What a machine has written, copied to a folder: it was made by a stranger, so nothing in it is followed or believed.

The copy is a layer for other machines (`model.Machine`): with the marks of what was removed, and open to their users.
"""
# ruff: noqa: PTH103  by descriptors: no path of it is ever resolved

from __future__ import annotations

import contextlib
import os
import stat

_MOST_ENTRIES = 500_000
_DEEPEST = 100
_CHUNK = 1 << 20
_FOLDER = 0o777
_FILE = 0o666
_PARTS = (("upper", ""), ("usr-upper", "usr"))
_LEFT_OUT = frozenset({"proc", "dev", "tmp", "var/task", "run", "sys", "mnt", "etc/passwd", "etc/group"})
"""What is every machine's own."""
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


class _Copy:
    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._entries = 0

    def folder(self, source: int, target: int, path: str, depth: int) -> None:
        """Copy what is in the folder `source` into the folder `target`, both descriptors."""
        if depth > _DEEPEST:
            raise ValueError("its folders are nested too deeply")
        for name in os.listdir(source):
            below = f"{path}/{name}" if path else name
            if below in _LEFT_OUT:
                continue
            self._entries += 1
            if self._entries > _MOST_ENTRIES:
                raise ValueError(f"it has more than {_MOST_ENTRIES} files")
            self._entry(source, target, name, below, depth)

    def _entry(self, source: int, target: int, name: str, path: str, depth: int) -> None:
        about = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(about.st_mode):
            self._enter(source, target, name, path, depth)
        elif stat.S_ISREG(about.st_mode):
            self._file(source, target, name)
        elif stat.S_ISLNK(about.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        elif stat.S_ISCHR(about.st_mode) and about.st_rdev == 0:  # the mark of what was removed
            os.mknod(name, stat.S_IFCHR, 0, dir_fd=target)

    def _enter(self, source: int, target: int, name: str, path: str, depth: int) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=target)
        inside = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=source)
        copied = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=target)
        try:
            os.fchmod(copied, _FOLDER)
            for mark in _OPAQUE:
                if mark in os.listxattr(inside):
                    os.setxattr(copied, mark, os.getxattr(inside, mark))
            self.folder(inside, copied, path, depth + 1)
        finally:
            os.close(inside)
            os.close(copied)

    def _file(self, source: int, target: int, name: str) -> None:
        reading = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=source)
        try:
            about = os.fstat(reading)
            if not stat.S_ISREG(about.st_mode):
                return
            writing = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=target)
            try:
                while data := os.read(reading, _CHUNK):
                    self.size += len(data)
                    if self.size > self._limit:
                        raise ValueError(f"its files are larger than {self._limit} bytes")
                    os.write(writing, data)
                os.fchmod(writing, about.st_mode & 0o111 | _FILE)
                os.utime(writing, ns=(about.st_mtime_ns, about.st_mtime_ns))
            finally:
                os.close(writing)
        finally:
            os.close(reading)


def copy(disk: int, to: str, limit: int) -> int:
    """Copy what is on the disk of a `machine.FileSystem` into the empty folder `to`; gives the bytes of its files.

    Raises OSError, and ValueError where it is more than `limit` bytes or more than it should be otherwise.
    """
    copying = _Copy(limit)
    for part, below in _PARTS:
        try:
            source = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=disk)
        except FileNotFoundError:
            continue
        if below:
            os.makedirs(f"{to}/{below}", exist_ok=True)
        target = os.open(f"{to}/{below}" if below else to, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchmod(target, _FOLDER)
            copying.folder(source, target, below, 0)
        finally:
            os.close(source)
            os.close(target)
    os.sync()
    return copying.size
