"""Layers of a container image become one folder, in a process of its own (by `sandbox.launch`): its input is hostile.

https://github.com/opencontainers/image-spec/blob/main/layer.md
"""
# ruff: noqa: PTH101, PTH102, PTH108, PTH112, PTH113, PTH114, PTH115, PTH118, PTH120, PTH123, PTH208, PTH211  paths are texts here: taken apart by name, never resolved

from __future__ import annotations

import gzip
import os
import resource
import shutil
import stat
import sys
import tarfile
from typing import Any, BinaryIO

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_DEEPEST = 200
"""Folders in folders. What is as deep as paths may be long, `shutil.rmtree` cannot remove."""
_MAX_LINKS = 40
_MAX_ENTRIES = 1_000_000
_MAX_HEADER = 1 << 20
_MAX_MEMORY = 1 << 30
_MAX_SECONDS = 900
"""Of the processor: what an archive leaves out costs time to read, too."""
_IN_MEMORY = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_GZIP = b"\x1f\x8b"
_READABLE_FILE, _READABLE_FOLDER = 0o444, 0o555
"""As Lambda has it, the function's user reads every file, whoever the image gave it to."""
_NEEDED_FOLDERS = ("dev", "proc", "tmp", "etc", "sys", "run", "opt", "mnt", "var/task")
_NEEDED_FILES = ("etc/passwd", "etc/hosts", "etc/resolv.conf")


class BadImage(Exception):
    """A layer that cannot be unpacked; the message says why."""


class _Entry(tarfile.TarInfo):
    """An entry whose names and attributes are kept in memory, and so have a limit."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _IN_MEMORY and self.size > _MAX_HEADER:
            raise BadImage("a header of a layer is too large")
        made: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # tarfile's own way to make entries
        return made


class Tree:
    """A root file system being made of layers. Nothing outside of `root` is ever touched: no link is followed but by name,
    below the root."""

    def __init__(self, root: str, limit: int) -> None:
        self._root = root
        self._left = limit
        self._entries = 0

    def add(self, stream: BinaryIO) -> None:
        """Unpack one layer (tar, or tar with gzip) over those before. Raises BadImage."""
        head = stream.read(2)
        stream.seek(0)
        plain: Any = gzip.GzipFile(fileobj=stream) if head == _GZIP else stream
        new: set[str] = set()
        try:
            with tarfile.open(fileobj=plain, tarinfo=_Entry, mode="r|", bufsize=1 << 16, errorlevel=2) as archive:
                for entry in archive:
                    self._count(entry)
                    self._add(archive, entry, new)
                    archive.members.clear()  # type: ignore[attr-defined]  # or every entry stays in memory
        except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
            raise BadImage(f"a layer is no tar archive, or a damaged one: {error}") from error

    def complete(self) -> None:
        """Make the places that a sandbox mounts over."""
        for name in _NEEDED_FOLDERS:
            self._folder(self._place(name.split("/")))
        for name in _NEEDED_FILES:
            path = self._place(name.split("/"))
            if not os.path.lexists(path) or not stat.S_ISREG(os.lstat(path).st_mode):
                self._clear(path)
                with open(path, "wb"):
                    pass

    def _count(self, entry: tarfile.TarInfo) -> None:
        self._entries += 1
        self._left -= max(0, entry.size) if entry.isreg() else 0
        if self._left < 0:
            raise BadImage("its files are larger than allowed")
        if self._entries > _MAX_ENTRIES:
            raise BadImage(f"it has more than {_MAX_ENTRIES} files")

    def _add(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, new: set[str]) -> None:
        parts = [part for part in entry.name.split("/") if part not in {"", "."}]
        if ".." in parts or "\0" in entry.name:
            raise BadImage(f"a layer names {entry.name!r}, which leads outside")
        if not parts:
            return
        path = self._place(parts)
        name = parts[-1]
        if name == _OPAQUE:
            self._empty(os.path.dirname(path), new)
        elif name.startswith(_WHITEOUT):
            hidden = os.path.join(os.path.dirname(path), name[len(_WHITEOUT) :])
            if name[len(_WHITEOUT) :] not in {"", ".", ".."}:
                self._clear(hidden)
        else:
            self._make(archive, entry, path)
            new.add(path)

    def _make(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, path: str) -> None:
        if entry.isdir():
            self._folder(path)
            os.chmod(path, entry.mode & 0o777 | _READABLE_FOLDER | stat.S_IWUSR)
            return
        if entry.isreg():
            self._clear(path)
            source = archive.extractfile(entry)
            assert source is not None
            with open(path, "xb") as file:
                shutil.copyfileobj(source, file, 1 << 16)
            os.chmod(path, entry.mode & 0o777 | _READABLE_FILE | stat.S_IWUSR)
        elif entry.issym():
            self._clear(path)
            os.symlink(entry.linkname, path)
        elif entry.islnk():
            target = self._place([part for part in entry.linkname.split("/") if part not in {"", "."}])
            if ".." in entry.linkname.split("/") or not os.path.lexists(target) or os.path.isdir(target):
                raise BadImage(f"a layer links {entry.name!r} to {entry.linkname!r}, which is not there")
            if target != path:
                self._clear(path)
                os.link(target, path, follow_symlinks=False)
        # devices and pipes are not made: a sandbox has devices of its own

    def _place(self, parts: list[str]) -> str:
        """Where the last of `parts` lies; the folders before it are made, links among them followed inside of the root."""
        waiting = list(reversed(parts[:-1]))
        path, links = self._root, 0
        while waiting:
            part = waiting.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                path = os.path.dirname(path) if path != self._root else path
                continue
            step = os.path.join(path, part)
            if os.path.islink(step):
                links += 1
                if links > _MAX_LINKS:
                    raise BadImage("a layer's links lead nowhere")
                target = os.readlink(step)
                if target.startswith("/"):
                    path = self._root
                waiting += reversed(target.split("/"))
            else:
                if step.count("/") - self._root.count("/") > _DEEPEST:
                    raise BadImage("its folders are nested too deeply")
                self._folder(step)
                path = step
        return os.path.join(path, parts[-1])

    def _folder(self, path: str) -> None:
        if os.path.islink(path) or not os.path.isdir(path):
            self._clear(path)
            os.mkdir(path, 0o755)

    def _clear(self, path: str) -> None:
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
        elif os.path.isdir(path):
            shutil.rmtree(path)

    def _empty(self, folder: str, new: set[str]) -> None:
        """Forget what layers below had there, not what this one has put there already."""
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if path not in new and not any(made.startswith(path + "/") for made in new):
                self._clear(path)


def main(config: dict[str, Any]) -> None:
    """`layers` (paths of archives, the lowest first), `root` (an empty folder), `limit` (bytes). Says on standard output
    why the image is no good; nothing when it is unpacked and on disk."""
    os.nice(5)
    for limited, most in ((resource.RLIMIT_AS, _MAX_MEMORY), (resource.RLIMIT_CPU, _MAX_SECONDS)):
        resource.setrlimit(limited, (most, most))
    tree = Tree(config["root"], config["limit"])
    try:
        for layer in config["layers"]:
            with open(layer, "rb") as stream:
                tree.add(stream)
        tree.complete()
    except (BadImage, OSError, ValueError) as error:
        sys.stdout.write(str(error))
        return
    os.sync()
