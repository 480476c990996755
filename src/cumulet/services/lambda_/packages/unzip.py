"""Deployment packages: a zip, checked and unpacked where code of strangers can do no harm."""

import errno
import io
import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.limits import Limits

_BROKEN = "Could not unzip uploaded file. Please check your file, then try to upload again."
_UNREADABLE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    UnicodeError,
    ValueError,
    KeyError,
)
# Those that Lambda unpacks; the others' decoders can make very much of very little before anybody can count.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DIRECTORY_ENTRY, _DIRECTORY_END = b"PK\1\2", b"PK\5\6"
_LONGEST_LINK = 4096
_PIECE = 262_144
_DEEPEST = 200
"""Folders in folders. What is as deep as paths may be long, `shutil.rmtree` cannot remove."""
_TAIL = 66_000
"""Bytes in which the end of a directory is looked for, as `zipfile` does."""


def unpack(data: bytes, folder: Path, limits: Limits) -> int:
    """`unpack_file` for what is in memory."""
    return unpack_file(io.BytesIO(data), folder, limits)


def unpack_file(file: BinaryIO, folder: Path, limits: Limits) -> int:
    """Unpack the zip into `folder`, which must not exist, and give the bytes it holds.

    Raises InvalidParameterValueException with AWS's message when it is broken, too large, or would write outside of the
    folder; nothing is left then. Sizes are checked before the first byte is unpacked, and again while unpacking, since
    a zip may lie. Symbolic links are made last, and never followed. Blocking.
    """
    try:
        _check_directory(file, limits.zip_entries)
        with zipfile.ZipFile(file) as archive:
            entries = _checked(archive, limits)
            folder.mkdir(mode=0o755, parents=True)
            return _extract(archive, entries, folder, limits.code_size_unzipped)
    except _UNREADABLE as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise invalid(_BROKEN) from error
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        if error.errno in {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}:
            raise invalid(_BROKEN) from error
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def measure(data: bytes) -> int:
    """The bytes that a zip which `unpack` has accepted before holds. Blocking."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return sum(info.file_size for info in archive.infolist())


def sync(folder: Path) -> None:
    """Have the disk hold everything below `folder`. Blocking."""
    for place, folders, files in os.walk(folder):
        for name in (*files, "."):
            path = os.path.join(place, name)  # noqa: PTH118  Path objects cost more than the rest of this loop
            if name == "." or stat.S_ISREG(os.lstat(path).st_mode):
                file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    os.fsync(file)
                finally:
                    os.close(file)
        folders.sort()


def _check_directory(file: BinaryIO, most: int) -> None:
    """Refuse a directory of too many entries before it is read, as each costs ten times its bytes in memory then."""
    whole = file.seek(0, io.SEEK_END)
    began = file.seek(max(0, whole - _TAIL))
    tail = file.read(_TAIL)
    found = tail.rfind(_DIRECTORY_END)
    if found < 0:
        raise zipfile.BadZipFile("no directory")
    end, size = began + found, int.from_bytes(tail[found + 12 : found + 16], "little")
    at, count, before = file.seek(max(0, end - size)), 0, b""
    while at < end and count <= most:
        piece = file.read(min(_PIECE, end - at))
        at += len(piece)
        count += (before + piece).count(_DIRECTORY_ENTRY)
        before = piece[-(len(_DIRECTORY_ENTRY) - 1) :]
    if count > most:
        raise zipfile.BadZipFile("too many entries")


def _checked(archive: zipfile.ZipFile, limits: Limits) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The entries with their places, or an error before anything is written."""
    infos = archive.infolist()
    if len(infos) > limits.zip_entries or not infos:
        raise zipfile.BadZipFile("no entries, or too many")
    if any(info.compress_type not in _METHODS for info in infos):
        raise zipfile.BadZipFile("an entry is compressed in another way than Lambda's")
    if sum(info.file_size for info in infos) > limits.code_size_unzipped:
        raise _too_large(limits.code_size_unzipped)
    return [(info, _place(info.filename)) for info in infos]


def _too_large(limit: int) -> Exception:
    return invalid(f"Unzipped size must be smaller than {limit} bytes")


def _place(name: str) -> PurePosixPath:
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or "\0" in name or not name:
        raise zipfile.BadZipFile(f"entry outside of the package: {name!r}")
    if len(place.parts) > _DEEPEST:
        raise zipfile.BadZipFile("an entry is nested too deeply")
    return place


def _extract(
    archive: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, PurePosixPath]], folder: Path, limit: int
) -> int:
    left = limit
    links: list[tuple[zipfile.ZipInfo, Path]] = []
    for info, place in entries:
        path = folder / place
        mode = info.external_attr >> 16
        if info.is_dir():
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
            continue
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if stat.S_ISLNK(mode):
            links.append((info, path))
        else:
            left -= _write(archive, info, path, mode, left)
            if left < 0:
                raise _too_large(limit)
    for info, path in links:
        with archive.open(info) as content:
            target = content.read(_LONGEST_LINK)
        if not target:
            raise zipfile.BadZipFile("a symbolic link to nothing")
        path.symlink_to(os.fsdecode(target))
    return limit - left


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, mode: int, left: int) -> int:
    """Write one file and give its size, or more than `left` as soon as it is known to be too large."""
    # The environment runs as another user than the one who zipped: what that one could read, it can.
    permissions = (mode & 0o777 or 0o644) | 0o444
    path.unlink(missing_ok=True)  # the last of several entries of one name counts
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    size = 0
    with os.fdopen(file, "wb", buffering=0) as out, archive.open(info) as content:
        while piece := content.read(_PIECE):
            size += len(piece)
            if size > left:
                return size
            out.write(piece)
        os.fchmod(out.fileno(), permissions)
    return size
