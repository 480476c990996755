"""Small file systems of a fixed size, each on a sparse file: what a function writes to /tmp is disk, not memory."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from cumulet.compute.linux import syscalls

_LOOP_CONFIGURE = 0x4C0A
_LOOP_CTL_GET_FREE = 0x4C82
_AUTOCLEAR = 4
_BLOCK = 4096
_INODES = 65_536
_TABLES_MB = 16  # what ext4 keeps for itself: inodes, and a fiftieth of the rest
_TABLES_SHARE = 1.022
_MB = 1 << 20
_MKFS = ("/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4", "/usr/bin/mkfs.ext4")


class Images:
    """Makes images in `folder`, each a copy of a template of its size that was formatted once."""

    def __init__(self, folder: str, mount_at: str) -> None:
        self._folder = Path(folder)
        self._mount_at = mount_at
        self._folder.mkdir(parents=True, exist_ok=True)
        Path(mount_at).mkdir(parents=True, exist_ok=True)
        self._count = 0

    def make(self, size_mb: int) -> int:
        """A detached mount of a new, empty file system; it is gone when the mount is. Raises OSError."""
        template = self._template(size_mb)
        image = self._folder / f"{os.getpid()}-{self._count}.img"
        self._count += 1
        backing = os.open(image, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _copy_sparse(template, backing)
            device, name = _attach(backing)
        finally:
            image.unlink()
            os.close(backing)
        try:
            flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOATIME
            syscalls.mount(name, self._mount_at, "ext4", flags, "discard")
        finally:
            os.close(device)
        try:
            os.chmod(self._mount_at, 0o1777)  # noqa: PTH101, S103 - /tmp, as everywhere
            Path(self._mount_at, "lost+found").rmdir()
            return syscalls.open_tree(self._mount_at)
        finally:
            syscalls.unmount(self._mount_at)

    def _template(self, size_mb: int) -> Path:
        path = self._folder / f"template-{size_mb}.ext4"
        if path.exists():
            return path
        unfinished = path.with_suffix(f".{os.getpid()}")
        with unfinished.open("wb") as file:
            file.truncate(int((size_mb + _TABLES_MB) * _TABLES_SHARE) * _MB)
        options = ["-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard", "-m", "0"]
        argv = ["mkfs.ext4", "-q", *options, "-N", str(_INODES), "-b", str(_BLOCK), str(unfinished)]
        program = next((path for path in _MKFS if Path(path).exists()), None)
        if program is None:
            raise OSError("mkfs.ext4 is not installed (package e2fsprogs)")
        _, status = os.waitpid(os.posix_spawn(program, argv, {}), 0)
        if status:
            raise OSError(f"mkfs.ext4 failed with status {status}")
        unfinished.rename(path)
        return path


def _copy_sparse(template: Path, target: int) -> None:
    source = os.open(template, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(source).st_size
        os.ftruncate(target, size)
        end = 0
        while end < size:
            try:
                start = os.lseek(source, end, os.SEEK_DATA)
            except OSError:
                return  # a hole to the end
            end = os.lseek(source, start, os.SEEK_HOLE)
            os.lseek(source, start, os.SEEK_SET)
            os.lseek(target, start, os.SEEK_SET)
            while start < end:
                start += os.sendfile(target, source, start, end - start)
    finally:
        os.close(source)


def _attach(backing: int) -> tuple[int, str]:
    """Put the file on a free loop device, which lets go of it when the last user does."""
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(8):  # another process may take the free device first
            name = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
            device = os.open(name, os.O_RDWR | os.O_CLOEXEC)
            info = struct.pack("QQQQQIIII", 0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR) + b"\0" * 176
            try:
                fcntl.ioctl(device, _LOOP_CONFIGURE, struct.pack("II", backing, _BLOCK) + info + b"\0" * 64)
            except OSError:
                os.close(device)
                continue
            return device, name
    finally:
        os.close(control)
    raise OSError("no loop device is free")
