"""A file system of its own for an environment, which it may write to: layers below, a disk above what only it sees.

https://docs.kernel.org/filesystems/overlayfs.html
"""
# ruff: noqa: PTH101, PTH103, PTH110, PTH112, PTH114, PTH123  paths are texts here; the supervisor loads no more modules than it needs

from __future__ import annotations

import os

from cumulet.compute.linux import rootfs, syscalls
from cumulet.compute.sandbox import messages

_ATTRIBUTES = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
_NEW = "/mnt"
_UPPER, _UPPER_USR = "upper", "usr-upper"
_KEPT = ("/proc", "/dev")
_SHARED = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/var/runtime", *rootfs.SHARED_FILES)
"""Of the machine's system, where that is what is below."""
_NAMES = ("/etc/resolv.conf", "/etc/hosts")
"""Of every one."""
_LINKED = ("bin", "sbin", "lib", "lib64", "lib32")
CODE = "/var/task"


class FileSystem:
    """`root` and `usr` are detached mounts (`usr` is -1 where there is none of its own); `disk` holds what is written."""

    def __init__(self, root: int, usr: int, disk: int) -> None:
        self._root = root
        self._usr = usr
        self.disk = disk

    def enter(self, code: int) -> None:
        """In the mount namespace of an environment: make it the root of everything there. `code` is a detached mount or -1."""
        own = self._usr >= 0
        syscalls.move_mount(self._root, _NEW)
        if own:
            syscalls.move_mount(self._usr, f"{_NEW}/usr")
            for name in _LINKED:  # a machine that keeps them apart from /usr
                if os.path.isdir(f"/{name}") and not os.path.islink(f"/{name}"):
                    _bind(f"/{name}")
        for name in (*_KEPT, *(_SHARED if own else _NAMES)):
            if os.path.exists(name):
                _bind(name)
        if code >= 0:
            syscalls.move_mount(code, _NEW + CODE)
        os.chdir(_NEW)
        syscalls.pivot_root(".", ".")
        syscalls.unmount(".")
        os.chdir("/")

    def close(self) -> None:
        for fd in (self._root, self._usr, self.disk):
            if fd >= 0:
                os.close(fd)
        self._root = self._usr = self.disk = -1


def make(place: str, disk: int, memory_mb: int, wanted: messages.Message, uid: int | None) -> FileSystem:
    """In the supervisor's own namespaces, at the folder `place`. `disk` is a detached mount, or -1 for `memory_mb` of memory;
    `wanted` has `layers` and `image` of `model.Machine`; `uid` is the user inside, None where there is one only. Raises OSError."""
    above = place + "-disk"
    os.makedirs(above, exist_ok=True)
    if disk >= 0:
        syscalls.move_mount(disk, above)
    else:
        syscalls.mount("tmpfs", above, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, f"size={memory_mb}m,mode=700")
    opened: list[int] = []
    try:
        opened.append(os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        image, layers = wanted["image"], wanted["layers"]
        lowers = [*layers, image] if image else [*layers]
        if not image:
            _name_user(f"{above}/{_UPPER}", os.getuid() if uid is None else uid)
        opened.append(_overlay(place, above, _UPPER, lowers, root=uid is not None))
        if not image:
            below = [f"{one}/usr" for one in layers if os.path.isdir(f"{one}/usr")]
            opened.append(_overlay(place, above, _UPPER_USR, [*below, "/usr"], root=uid is not None))
    except BaseException:
        for fd in opened:
            os.close(fd)
        raise
    finally:
        syscalls.unmount(above)
    return FileSystem(opened[1], opened[2] if len(opened) > 2 else -1, opened[0])


def _overlay(place: str, above: str, name: str, lowers: list[str], *, root: bool) -> int:
    upper, work = f"{above}/{name}", f"{above}/{name}-work"
    for folder in (upper, work):
        os.makedirs(folder, exist_ok=True)
    os.chmod(upper, 0o777)  # noqa: S103  the sandbox's own user writes there
    options = f"lowerdir={':'.join(lowers)},upperdir={upper},workdir={work}"
    options += ",redirect_dir=off,metacopy=off,index=off" if root else ",userxattr"
    syscalls.mount("overlay", place, "overlay", syscalls.MS_NOSUID | syscalls.MS_NODEV, options)
    try:
        fd = syscalls.open_tree(place)
    finally:
        syscalls.unmount(place)
    try:
        syscalls.restrict_mount(fd, _ATTRIBUTES)
    except OSError:
        os.close(fd)
        raise
    return fd


def _name_user(upper: str, uid: int) -> None:
    """Have the user inside known by a name, as one that could be root."""
    os.makedirs(f"{upper}/etc")
    os.chmod(f"{upper}/etc", 0o777)  # noqa: S103  as above
    for name, text in (
        ("passwd", f"root:x:0:0:root:/root:/bin/sh\napp:x:{uid}:{uid}::/root:/bin/sh\n"),
        ("group", f"root:x:0:\napp:x:{uid}:\n"),
    ):
        with open(f"{upper}/etc/{name}", "w") as file:
            file.write(text)


def _bind(name: str) -> None:
    """What is at `name` is there in the new root, too, where that has a place for it."""
    target = _NEW + name
    if os.path.lexists(target) and not os.path.islink(target):
        syscalls.mount(name, target, None, syscalls.MS_BIND | syscalls.MS_REC)
