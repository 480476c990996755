"""The folders of what lies below an image, open to the user of a sandbox: a layer in which it may make files everywhere.

Overlaid folders have the permissions of the uppermost; files that the image has not made itself stay as they are.
"""
# ruff: noqa: PTH101, PTH103, PTH112, PTH114, PTH115, PTH211  paths are texts here: thousands of folders are walked

import os
from pathlib import Path

_OPEN = 0o777
_OPEN_FILE = 0o666
_TMP = 0o1777
_TEMPORARY = "tmp"
_DEEP = 4
_MOST = 50_000
_FOLDERS = (
    "app",
    "dev",
    "etc",
    "home",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "srv",
    "sys",
    _TEMPORARY,
    "usr",
    "var/task",
)
_OWN = ("usr/local/bin", "usr/local/lib", "var/lang", "var/lib", "var/log", "var/runtime", "var/tmp")
_SHARED = ("etc/ssl", "etc/ca-certificates", "etc/pki", "etc/alternatives")
_FILES = ("etc/resolv.conf", "etc/hosts")
_OWN_FILES = ("etc/nsswitch.conf", "etc/ld.so.cache", "etc/localtime", "etc/passwd")
_SYSTEM = ("bin", "sbin", "lib", "lib64", "lib32")


def make(target: Path, image: Path | None) -> None:
    """Make it in the folder `target`, which must not exist, for an unpacked container image or this machine's own system."""
    scratch = target.with_name(target.name + ".new")
    scratch.mkdir(parents=True)
    root = str(scratch)
    names = [*_FOLDERS] if image is not None else [*_FOLDERS, *_OWN, *_SHARED]
    for name in names:
        if image is None or not os.path.islink(image / name.split("/")[0]):
            os.makedirs(f"{root}/{name}", exist_ok=True)
    if image is None:
        _system(root)
    else:
        _walk(str(image), root, 0)
    for folder, _, files in os.walk(root):
        os.chmod(folder, _OPEN)
        for name in files:
            if not os.path.islink(f"{folder}/{name}"):
                os.chmod(f"{folder}/{name}", _OPEN_FILE)
    os.chmod(f"{root}/{_TEMPORARY}", _TMP)
    scratch.rename(target)


def _system(root: str) -> None:
    """Of this machine's own: `/usr`, the names that lead into it, and places for what is mounted."""
    _walk("/usr", f"{root}/usr", 1)
    for name in _SYSTEM:
        if os.path.islink(f"/{name}"):
            os.symlink(os.readlink(f"/{name}"), f"{root}/{name}")
        elif os.path.isdir(f"/{name}"):
            os.makedirs(f"{root}/{name}")
    for name in (*_FILES, *_OWN_FILES):
        Path(root, name).touch()


def _walk(source: str, target: str, depth: int) -> None:
    """Folders of `source`, to some depth; links are none."""
    waiting, count = [(source, target, depth)], 0
    while waiting and count < _MOST:
        source, target, depth = waiting.pop()
        try:
            entries = list(os.scandir(source))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                count += 1
                os.makedirs(f"{target}/{entry.name}", exist_ok=True)
                if depth < _DEEP:
                    waiting.append((entry.path, f"{target}/{entry.name}", depth + 1))
