"""A node's data folder: one process at a time, a key of its own, and where others find the node."""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cumulet.kernel.config import NotToBeHad


class DataFolder:
    """Takes the folder for this process; raises ConfigError when it cannot be had."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise NotToBeHad(
                f"The data folder {path} cannot be written ({error.strerror}): choose another with --data."
            ) from error
        self._take()

    def _take(self) -> None:
        try:
            # The kernel lets go of it when the process ends, however it ends.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 32, 0).decode().strip() or "unknown"
            os.close(self._lock)
            raise NotToBeHad(
                f"The data folder {self.path} is in use by another node (process {holder}): stop it with "
                f"`cumulet down --data {self.path}`, or choose another folder with --data."
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def key(self) -> bytes:
        """The node's own secret, made once: it signs session tokens."""
        path = self.path / "key"
        with contextlib.suppress(FileNotFoundError):
            if len(key := path.read_bytes()) == 32:
                return key
        key = secrets.token_bytes(32)
        write_durably(path, key)
        return key

    def clock_offset(self) -> float:
        """How far the clock had been moved when the node last ran: time does not run backwards over a restart."""
        try:
            return max(0.0, float((self.path / "clock").read_text()))
        except (FileNotFoundError, ValueError):
            return 0.0

    def save_clock(self, offset: float) -> None:
        write_durably(self.path / "clock", repr(offset).encode())

    def announce(self, endpoint: str, version: str) -> None:
        """Tell the command line where the node is: at once or not at all, and for no longer than the machine runs."""
        node = {"pid": os.getpid(), "endpoint": endpoint, "version": version}
        _replace(self.path / "node.json", json.dumps(node).encode(), lambda file: None)

    def release(self) -> None:
        """Let go of the folder."""
        (self.path / "node.json").unlink(missing_ok=True)
        os.close(self._lock)


def write_durably(path: Path, data: bytes) -> None:
    """Replace a small file: after a crash it has the old content or the new, never half of either."""
    _replace(path, data, os.fsync)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _replace(path: Path, data: bytes, sync: Callable[[int], None]) -> None:
    temporary = path.with_name(path.name + ".new")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, data)
        sync(file)
    finally:
        os.close(file)
    temporary.replace(path)
