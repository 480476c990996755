"""The write-ahead log is made longer ahead of its use, and what follows its end changes nothing."""

import asyncio
import shutil
from pathlib import Path

from cumulet.storage.sqlite import SqliteDatabase

_SCHEMA = ("CREATE TABLE item (name TEXT PRIMARY KEY, body BYTEA)",)
_FRAME = 24 + 4096


async def _put(db: SqliteDatabase, name: str) -> None:
    await db.write("INSERT INTO item (name, body) VALUES ($1, $2)", (name, b"x" * 100))


def test_most_commits_overwrite_what_is_there(tmp_path: Path) -> None:
    async def main() -> None:
        db = SqliteDatabase(tmp_path / "records.db")
        await db.migrate("item", _SCHEMA)
        lengths = []
        for number in range(40):
            await _put(db, str(number))
            lengths.append((tmp_path / "records.db-wal").stat().st_size)
        await db.close()
        assert len(set(lengths)) < 10  # a length for each commit if it grew with them
        assert lengths[-1] < 4 * 40 * _FRAME

    asyncio.run(main())


def test_a_log_with_zeros_after_its_end_is_read_to_its_end(tmp_path: Path) -> None:
    async def main() -> None:
        db = SqliteDatabase(tmp_path / "records.db")
        await db.migrate("item", _SCHEMA)
        copies = []
        for number in range(12):
            await _put(db, str(number))
            # As a node that is killed here leaves its files.
            copy = tmp_path / f"copy-{number}"
            copy.mkdir()
            for file in tmp_path.glob("records.db*"):
                if not file.name.endswith("-shm"):
                    shutil.copy(file, copy)
            copies.append((copy / "records.db", number + 1))
        await db.close()
        assert any((file.with_name("records.db-wal").read_bytes()).endswith(bytes(_FRAME)) for file, _ in copies)
        for file, count in copies:
            found = SqliteDatabase(file)
            assert await found.read_one("SELECT COUNT(*) FROM item") == (count,)
            await _put(found, "more")
            assert await found.read_one("SELECT COUNT(*) FROM item") == (count + 1,)
            await found.close()

    asyncio.run(main())
