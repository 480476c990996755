"""File systems that functions share, mounted into one environment each time anew.

What is on them is written by functions: no link on the way to what is mounted is followed, programs on it give nobody another
user's rights, and no device is one. Where the supervisor is root, files belong on the disk to the user that the access point
names, and to the environment's own user inside: the kernel translates ids for each mount (an idmapped mount).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence

from cumulet.compute.linux import syscalls
from cumulet.compute.sandbox import messages

FOLDER = "/mnt/"
FAILED = "file system: "
"""What the reason begins with where one cannot be mounted."""
_LAST_ID = 4_294_967_294
_ATTRIBUTES = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
_PLACES = "size=64k,nr_inodes=64,mode=755"


def open_mounts(wanted: Sequence[messages.Message], uid: int | None) -> list[tuple[str, int]]:
    """Detached mounts with where they belong; the caller closes them. `uid` is the environment's user, None where there is
    only one. Raises OSError."""
    opened: list[tuple[str, int]] = []
    try:
        for one in wanted:
            mount = _open(one, uid)
            opened.append((one["target"], mount))
    except OSError as error:
        for _, fd in opened:
            os.close(fd)
        raise OSError(error.errno, f"{FAILED}{error.strerror or error}") from error
    return opened


def make_places(targets: Iterable[str]) -> None:
    """In an environment's mount namespace: the folders that file systems are mounted on."""
    names = [target.removeprefix(FOLDER) for target in targets if target.startswith(FOLDER)]
    if not names:
        return
    if any("/" in name or name in (".", "..") for name in names):
        raise OSError(f"{FAILED}file systems are mounted on folders of {FOLDER}")
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
    try:
        syscalls.mount("tmpfs", "/mnt", "tmpfs", flags, _PLACES)
        for name in names:
            os.mkdir(FOLDER + name, 0o755)  # noqa: PTH102 - keeps start-up free of more modules
        syscalls.mount(None, "/mnt", None, syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | flags)
    except OSError as error:
        raise OSError(error.errno, f"{FAILED}{error.strerror or error}") from error


def _open(one: messages.Message, uid: int | None) -> int:
    folder = os.open(one["folder"], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        below = syscalls.open_below(folder, one["path"].lstrip("/") or ".")
    finally:
        os.close(folder)
    try:
        mount = syscalls.open_tree_of(below)
    finally:
        os.close(below)
    try:
        attributes = _ATTRIBUTES | (syscalls.MOUNT_ATTR_RDONLY if one["read_only"] else 0)
        if uid is None:
            syscalls.restrict_mount(mount, attributes)
        else:
            namespace = _translation(_swap(one["uid"], uid), _swap(one["gid"], uid))
            try:
                syscalls.restrict_mount(mount, attributes, namespace)
            except OSError as error:
                why = f"the data folder's disk cannot translate ids ({error.strerror}): ext4, XFS, Btrfs and tmpfs can"
                raise OSError(error.errno, why) from error
            finally:
                os.close(namespace)
    except BaseException:
        os.close(mount)
        raise
    return mount


def _swap(on_disk: int, inside: int) -> str:
    """A map of all ids to themselves, but these two to each other, as the kernel reads it."""
    low, high = sorted((on_disk, inside))
    if low == high:
        return f"0 0 {_LAST_ID + 1}"
    pieces = [(0, 0, low), (low, high, 1), (low + 1, low + 1, high - low - 1), (high, low, 1)]
    pieces.append((high + 1, high + 1, _LAST_ID - high))
    return "\n".join(f"{first} {second} {count}" for first, second, count in pieces if count > 0)


def _translation(uids: str, gids: str) -> int:
    """A user namespace with these maps; nobody lives in it."""
    reading, writing = os.pipe()
    waiting, letting = os.pipe()
    if os.fork() == 0:
        try:
            os.close(letting)
            syscalls.unshare(syscalls.CLONE_NEWUSER)
            os.write(writing, os.readlink("/proc/self").encode())  # its number where /proc is from
            os.read(waiting, 1)
        finally:
            os._exit(0)
    os.close(writing)
    os.close(waiting)
    try:
        number = os.read(reading, 16).decode()
        if not number:
            raise OSError("there can be no user namespace")
        for name, text in (("uid_map", uids), ("gid_map", gids)):
            fd = os.open(f"/proc/{number}/{name}", os.O_WRONLY | os.O_CLOEXEC)
            with contextlib.closing(os.fdopen(fd, "wb", buffering=0)) as file:
                file.write(text.encode())
        return os.open(f"/proc/{number}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(reading)
        os.close(letting)
