"""SQLite's write-ahead log as a file: how much of it is in use, and when it is copied into the database.

The log begins again from its start after each copy, so most commits overwrite what earlier ones wrote. To sync that costs
half of what it costs to sync a file that grew, as the file's length need not be written too. So the file is made longer
ahead of its use, by zeros, which SQLite takes for the end of the log: https://www.sqlite.org/fileformat.html#walformat
"""

import contextlib
import logging
import os
from pathlib import Path

import apsw

log = logging.getLogger(__name__)

_MOST = 2_000  # pages: 8 MB
_AHEAD = 64  # pages, at most
_FRAME = 24  # bytes before each page


class WriteAheadLog:
    """The log of the one connection that writes to a database."""

    def __init__(self, writer: apsw.Connection, database: Path) -> None:
        self._writer = writer
        self._file = database.with_name(f"{database.name}-wal")
        self._frame = _FRAME + int(writer.pragma("page_size"))
        self._pages = 0
        self._room = 0  # pages that fit in the file as it is
        writer.set_wal_hook(self._grew)

    @property
    def is_long(self) -> bool:
        """Whether it is to be copied into the database."""
        return self._pages >= _MOST

    def copy(self) -> None:
        """Copy it into the database. A failure loses nothing: the log is still there, and the next commit tries again."""
        try:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._pages = 0
        except apsw.Error as error:
            log.warning("the write-ahead log could not be copied into the database: %s", error)

    def _grew(self, _: apsw.Connection, __: str, pages: int) -> int:
        """Called after each commit, where it runs, with the pages that are in use."""
        self._pages = pages
        if pages >= self._room:
            self._make_room(min(pages, _AHEAD))
        return apsw.SQLITE_OK

    def _make_room(self, pages: int) -> None:
        """Nobody else writes to the file meanwhile, and what is there stays."""
        self._room = self._pages + pages
        with contextlib.suppress(OSError):  # the next commit will tell
            file = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            try:
                missing = self._room * self._frame - os.fstat(file).st_size
                if missing > 0:
                    os.write(file, bytes(missing))
            finally:
                os.close(file)
