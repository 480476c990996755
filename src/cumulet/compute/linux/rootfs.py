"""The file system that functions see: a read-only root assembled from binds, in the caller's own mount namespace."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cumulet.compute.linux import firewall
from cumulet.compute.linux import syscalls as sys

_FOLDERS = ("tmp", "proc", "dev", "var/task", "var/runtime", "var/lang", "opt", "etc", "home", "run", "sys", "mnt")
_DEVICES = ("null", "zero", "full", "random", "urandom")
SHARED_FILES = (
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/pki",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/alternatives",
)
"""Of the machine's system, where a program of it is run."""
_FILES = {
    "etc/passwd": "root:x:0:0:root:/:/sbin/nologin\nsbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n",
    "etc/group": "root:x:0:\nsbx_user1051:x:990:\n",
    "etc/hosts": f"127.0.0.1 localhost sandbox.localdomain sandbox\n::1 localhost\n{firewall.GATEWAY} {firewall.GATEWAY_NAME}\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}

_LINKS = {"var/node_modules": "/opt/nodejs/node_modules", "node_modules": "/var/runtime/node_modules"}
"""ES modules look for packages in the folders above their own only: so they find layers and the AWS SDK."""


def build(root: str, binds: Sequence[tuple[str, str]], resolver: str, keep_proc: bool) -> None:
    """Assemble the root at the folder `root` and make it this process's own; the machine's files are gone after.

    `binds` are (source on the machine, absolute target inside), read-only. `resolver` is the text of resolv.conf.
    `keep_proc` leaves the machine's /proc in place: a user namespace may mount its own only where one is seen.
    """
    sys.unshare(sys.CLONE_NEWNS)
    sys.mount(None, "/", None, sys.MS_REC | sys.MS_PRIVATE)
    sys.mount("tmpfs", root, "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, "size=2m,mode=755")
    base = Path(root)
    for name in _FOLDERS:
        (base / name).mkdir(parents=True, exist_ok=True)
    _system_folders(base)
    for source, target in binds:
        _bind(source, base / target.lstrip("/"))
    for name in SHARED_FILES:
        if Path(name).exists():
            _bind(os.path.realpath(name), base / name.lstrip("/"))
    for name, place in _LINKS.items():
        (base / name).symlink_to(place)
    for name, text in {**_FILES, "etc/resolv.conf": resolver}.items():
        (base / name).write_text(text)
    _devices(base)
    if keep_proc:
        sys.mount("/proc", str(base / "proc"), None, sys.MS_BIND | sys.MS_REC)
    _enter(root)


def build_image(root: str, image: str, resolver: str, keep_proc: bool) -> None:
    """The same with the folder `image`, an unpacked container image, as what is there; nothing is written into it.

    What is mounted over are folders and files of it and no links: its unpacking saw to that.
    """
    sys.unshare(sys.CLONE_NEWNS)
    sys.mount(None, "/", None, sys.MS_REC | sys.MS_PRIVATE)
    sys.mount(image, root, None, sys.MS_BIND)
    base = Path(root)
    sys.mount("tmpfs", str(base / "dev"), "tmpfs", sys.MS_NOSUID, "size=1m,mode=755")
    _devices(base)
    for name, text in {"hosts": _FILES["etc/hosts"], "resolv.conf": resolver}.items():
        (base / "dev" / name).write_text(text)
        _bind(str(base / "dev" / name), base / "etc" / name)
        (base / "dev" / name).unlink()
    read_only = sys.MS_REMOUNT | sys.MS_BIND | sys.MS_RDONLY | sys.MS_NOSUID
    sys.mount(None, str(base / "dev"), None, read_only)
    if keep_proc:
        sys.mount("/proc", str(base / "proc"), None, sys.MS_BIND | sys.MS_REC)
    _enter(root)


def _enter(root: str) -> None:
    """Make it this process's own root, read-only."""
    os.chdir(root)
    sys.pivot_root(".", ".")
    sys.unmount(".")
    os.chdir("/")
    sys.mount(None, "/", None, sys.MS_REMOUNT | sys.MS_BIND | sys.MS_RDONLY | sys.MS_NOSUID | sys.MS_NODEV)


def _system_folders(base: Path) -> None:
    _bind("/usr", base / "usr")
    for name in ("bin", "sbin", "lib", "lib64", "lib32"):
        folder = Path("/") / name
        if folder.is_symlink():
            (base / name).symlink_to(folder.readlink())
        elif folder.is_dir():
            _bind(str(folder), base / name)


def _bind(source: str, target: Path) -> None:
    if Path(source).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    sys.mount(source, str(target), None, sys.MS_BIND | sys.MS_REC)
    flags = sys.MS_BIND | sys.MS_REMOUNT | sys.MS_RDONLY | sys.MS_NOSUID | sys.MS_NODEV
    sys.mount(None, str(target), None, flags)


def _devices(base: Path) -> None:
    for name in _DEVICES:
        target = base / "dev" / name
        target.touch()
        sys.mount(f"/dev/{name}", str(target), None, sys.MS_BIND)
    for name, target_name in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        (base / "dev" / name).symlink_to("/proc/self/fd" + target_name)
