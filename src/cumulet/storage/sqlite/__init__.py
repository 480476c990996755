"""The embedded record store."""

from cumulet.storage.sqlite.database import SqliteDatabase

__all__ = ["SqliteDatabase"]
