"""Every query on buckets and objects.

`s3_object` holds what each key currently is (a version or a delete marker), so that a plain bucket costs one row an
object and a listing is a range scan by (bucket, key); `s3_older` holds the versions below it, newest first.
"""

from collections.abc import Awaitable, Sequence

from msgspec import Struct
from msgspec.structs import astuple

from cumulet.services.s3.model import NULL, Bucket, Stored
from cumulet.storage.database import Database, Row, Transaction

_VERSION_COLUMNS = """bucket BIGINT NOT NULL REFERENCES s3_bucket (id), key TEXT NOT NULL, ord BIGINT NOT NULL,
        version TEXT NOT NULL, marker BIGINT NOT NULL, size BIGINT NOT NULL, etag TEXT NOT NULL,
        modified DOUBLE PRECISION NOT NULL, storage_class TEXT NOT NULL, algorithm TEXT NOT NULL,
        checksum_type TEXT NOT NULL, upload TEXT NOT NULL, blob TEXT NOT NULL, facts BYTEA NOT NULL, data BYTEA"""

SCHEMA = (
    """CREATE TABLE s3_bucket (
        id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, account TEXT NOT NULL, region TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL, versioning TEXT NOT NULL)""",
    "CREATE INDEX s3_bucket_account ON s3_bucket (account, name)",
    """CREATE TABLE s3_setting (
        bucket BIGINT NOT NULL REFERENCES s3_bucket (id) ON DELETE CASCADE, kind TEXT NOT NULL, id TEXT NOT NULL,
        value BYTEA NOT NULL, PRIMARY KEY (bucket, kind, id))""",
    f"CREATE TABLE s3_object ({_VERSION_COLUMNS}, PRIMARY KEY (bucket, key))",
    f"CREATE TABLE s3_older ({_VERSION_COLUMNS}, PRIMARY KEY (bucket, key, ord))",
    "CREATE INDEX s3_older_version ON s3_older (bucket, key, version)",
    """CREATE TABLE s3_upload (
        id TEXT NOT NULL UNIQUE, bucket BIGINT NOT NULL REFERENCES s3_bucket (id) ON DELETE CASCADE,
        key TEXT NOT NULL, ord BIGINT NOT NULL, initiated DOUBLE PRECISION NOT NULL, storage_class TEXT NOT NULL,
        algorithm TEXT NOT NULL, checksum_type TEXT NOT NULL, disturbed BIGINT NOT NULL, facts BYTEA NOT NULL,
        PRIMARY KEY (bucket, key, ord, id))""",
    """CREATE TABLE s3_part (
        upload TEXT NOT NULL, number BIGINT NOT NULL, start BIGINT NOT NULL, size BIGINT NOT NULL, etag TEXT NOT NULL,
        algorithm TEXT NOT NULL, checksum TEXT NOT NULL, modified DOUBLE PRECISION NOT NULL, blob TEXT NOT NULL,
        nonce TEXT NOT NULL, data BYTEA, PRIMARY KEY (upload, number))""",
    "CREATE INDEX s3_part_blob ON s3_part (blob) WHERE blob <> ''",
    "CREATE INDEX s3_object_blob ON s3_object (blob) WHERE blob <> ''",
    "CREATE INDEX s3_older_blob ON s3_older (blob) WHERE blob <> ''",
    "CREATE TABLE s3_trash (blob TEXT PRIMARY KEY, upload TEXT NOT NULL)",
    "CREATE TABLE s3_node (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)

_VERSION = "bucket, key, ord, version, marker, size, etag, modified, storage_class, algorithm, checksum_type, upload, blob, facts"
_MARKS = ", ".join(f"${i}" for i in range(1, 16))
_INSERT = f"INSERT INTO s3_object ({_VERSION}, data) VALUES ({_MARKS})"  # noqa: S608  built from constants
_REPLACE = f"{_INSERT} ON CONFLICT (bucket, key) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in f"{_VERSION}, data".split(", ")[2:]
)
_REPLACE_PLAIN = f"{_REPLACE} WHERE s3_object.blob = '' AND s3_object.upload = '' RETURNING ord"
_CURRENT = f"SELECT {_VERSION}, data FROM s3_object WHERE bucket = $1 AND key = $2"  # noqa: S608
_CURRENT_ROW = f"SELECT {_VERSION} FROM s3_object WHERE bucket = $1 AND key = $2"  # noqa: S608
_OLDER = f"SELECT {_VERSION}, data FROM s3_older WHERE bucket = $1 AND key = $2 AND version = $3"  # noqa: S608
_ARCHIVE = f"""INSERT INTO s3_older ({_VERSION}, data)
    SELECT bucket, key, -ord, {_VERSION.split(", ", 3)[3]}, data FROM s3_object
    WHERE bucket = $1 AND key = $2"""  # noqa: S608
_PROMOTE = f"""INSERT INTO s3_object ({_VERSION}, data)
    SELECT bucket, key, -ord, {_VERSION.split(", ", 3)[3]}, data FROM s3_older
    WHERE bucket = $1 AND key = $2 ORDER BY ord LIMIT 1 RETURNING ord"""  # noqa: S608
_BOTH = f"""SELECT {_VERSION}, 1 AS latest FROM s3_object WHERE bucket = $1 AND key >= $2 AND key < $3
    UNION ALL SELECT {_VERSION}, 0 AS latest FROM s3_older WHERE bucket = $1 AND key >= $2 AND key < $3
    ORDER BY key, latest DESC, ord LIMIT $4"""  # noqa: S608


def _values(row: Stored, data: bytes | None) -> tuple[object, ...]:
    return (*astuple(row), data)


class Buckets(Struct, frozen=True):
    """Buckets and their settings."""

    db: Database

    async def add(self, bucket: Bucket, settings: Sequence[tuple[str, bytes]]) -> None:
        """Raises Conflict when the name is taken."""
        async with self.db.transaction() as tx:
            await tx.write(
                "INSERT INTO s3_bucket (id, name, account, region, created, versioning) VALUES ($1, $2, $3, $4, $5, $6)",
                (bucket.id, bucket.name, bucket.account, bucket.region, bucket.created, bucket.versioning),
            )
            for kind, value in settings:
                await tx.write(
                    "INSERT INTO s3_setting (bucket, kind, id, value) VALUES ($1, $2, '', $3)", (bucket.id, kind, value)
                )

    async def find(self, name: str) -> Bucket | None:
        row = await self.db.read_one(
            "SELECT id, name, account, region, created, versioning FROM s3_bucket WHERE name = $1", (name,)
        )
        if row is None:
            return None
        settings = await self.db.read("SELECT kind, id, value FROM s3_setting WHERE bucket = $1", (row[0],))
        return Bucket(
            row[0], row[1], row[2], row[3], row[4], row[5], {(kind, id): value for kind, id, value in settings}
        )

    async def remove(self, bucket: Bucket) -> str:
        """Empty when the bucket was removed, else what is still in it: `objects` or `versions`."""
        async with self.db.transaction() as tx:
            current = await tx.read("SELECT marker FROM s3_object WHERE bucket = $1 LIMIT 1", (bucket.id,))
            if current:
                return "versions" if bucket.versioning else "objects"
            await tx.write(
                """INSERT INTO s3_trash (blob, upload) SELECT p.blob, p.upload FROM s3_part p
                   JOIN s3_upload u ON u.id = p.upload WHERE u.bucket = $1 AND p.blob <> ''""",
                (bucket.id,),
            )
            await tx.write(
                "DELETE FROM s3_part WHERE upload IN (SELECT id FROM s3_upload WHERE bucket = $1)", (bucket.id,)
            )
            await tx.write("DELETE FROM s3_bucket WHERE id = $1", (bucket.id,))
        return ""

    async def page(self, account: str, after: str, prefix: str, region: str, limit: int) -> list[Row]:
        """Name, created and region of an account's buckets by name."""
        return await self.db.read(
            """SELECT name, created, region FROM s3_bucket WHERE account = $1 AND name > $2
               AND substr(name, 1, $4) = $3 AND ($5 = '' OR region = $5) ORDER BY name LIMIT $6""",
            (account, after, prefix, len(prefix), region, limit),
        )

    async def put_setting(self, tx: Transaction, bucket: Bucket, kind: str, value: bytes | None, id: str = "") -> None:
        """Keep a configuration, or remove it when `value` is None."""
        if value is None:
            await tx.write("DELETE FROM s3_setting WHERE bucket = $1 AND kind = $2 AND id = $3", (bucket.id, kind, id))
            return
        await tx.write(
            """INSERT INTO s3_setting (bucket, kind, id, value) VALUES ($1, $2, $3, $4)
               ON CONFLICT (bucket, kind, id) DO UPDATE SET value = excluded.value""",
            (bucket.id, kind, id, value),
        )

    async def set_versioning(self, tx: Transaction, bucket: Bucket, status: str) -> None:
        await tx.write("UPDATE s3_bucket SET versioning = $2 WHERE id = $1", (bucket.id, status))

    async def with_setting(self, kind: str) -> list[str]:
        """The names of all buckets that have a setting of that kind."""
        rows = await self.db.read(
            "SELECT b.name FROM s3_setting s JOIN s3_bucket b ON b.id = s.bucket WHERE s.kind = $1", (kind,)
        )
        return [row[0] for row in rows]


class Objects(Struct, frozen=True):
    """The versions of objects. Methods that take `tx` are steps of one change."""

    db: Database

    async def current(self, bucket: int, key: str) -> tuple[Stored, bytes | None] | None:
        """What the key is now, with its inline bytes; may be a delete marker."""
        return _with_data(await self.db.read_one(_CURRENT, (bucket, key)))

    def current_at_once(self, bucket: int, key: str) -> tuple[Stored, bytes | None] | None:
        """As `current`; also None from an engine that has to be waited for."""
        rows = self.db.read_at_once(_CURRENT, (bucket, key))
        return _with_data(rows[0]) if rows else None

    def current_row_at_once(self, bucket: int, key: str) -> Stored | None:
        """As `current_at_once`, without the bytes."""
        rows = self.db.read_at_once(_CURRENT_ROW, (bucket, key))
        return Stored(*rows[0]) if rows else None

    async def version(self, bucket: int, key: str, version: str) -> tuple[Stored, bytes | None] | None:
        row = await self.db.read_one(f"{_CURRENT} AND version = $3", (bucket, key, version))
        return _with_data(row or await self.db.read_one(_OLDER, (bucket, key, version)))

    def replace_plain(self, row: Stored, data: bytes | None) -> Awaitable[list[Row]]:
        """Write an unversioned object in one statement, if what it replaces (if anything) is inline as well: gives a row then."""
        return self.db.write(_REPLACE_PLAIN, _values(row, data))

    async def current_in(self, tx: Transaction, bucket: int, key: str) -> Stored | None:
        rows = await tx.read(_CURRENT_ROW, (bucket, key))
        return Stored(*rows[0]) if rows else None

    async def version_in(self, tx: Transaction, bucket: int, key: str, version: str) -> tuple[Stored, bool] | None:
        """A version, and whether it is the current one."""
        current = await self.current_in(tx, bucket, key)
        if current is not None and current.version == version:
            return current, True
        found = _with_data_of(await tx.read(_OLDER, (bucket, key, version)))
        return (found, False) if found else None

    async def replace(self, tx: Transaction, row: Stored, data: bytes | None) -> None:
        await tx.write(_REPLACE, _values(row, data))

    async def archive(self, tx: Transaction, bucket: int, key: str) -> None:
        """Copy the current version below itself, before it is replaced."""
        await tx.write(_ARCHIVE, (bucket, key))

    async def drop_current(self, tx: Transaction, bucket: int, key: str) -> None:
        await tx.write("DELETE FROM s3_object WHERE bucket = $1 AND key = $2", (bucket, key))

    async def drop_older(self, tx: Transaction, row: Stored) -> None:
        await tx.write(
            "DELETE FROM s3_older WHERE bucket = $1 AND key = $2 AND version = $3", (row.bucket, row.key, row.version)
        )

    async def older_null(self, tx: Transaction, bucket: int, key: str) -> Stored | None:
        return _with_data_of(await tx.read(_OLDER, (bucket, key, NULL)))

    async def promote(self, tx: Transaction, bucket: int, key: str) -> None:
        """Make the newest older version the current one, if there is any."""
        promoted = await tx.write(_PROMOTE, (bucket, key))
        if promoted:
            await tx.write(
                "DELETE FROM s3_older WHERE bucket = $1 AND key = $2 AND ord = $3", (bucket, key, -promoted[0][0])
            )

    async def set_facts(self, tx: Transaction, row: Stored, current: bool, storage_class: str) -> None:
        """Change what may change in a version: its facts and storage class."""
        table = "s3_object" if current else "s3_older"
        await tx.write(
            f"UPDATE {table} SET facts = $4, storage_class = $5 WHERE bucket = $1 AND key = $2 AND version = $3",  # noqa: S608
            (row.bucket, row.key, row.version, row.facts, storage_class),
        )

    async def discard(self, tx: Transaction, row: Stored) -> bool:
        """Have the bytes of a version that is going away removed; tells whether there are any outside the row."""
        if row.blob:
            await tx.write("INSERT INTO s3_trash (blob, upload) VALUES ($1, '')", (row.blob,))
        if row.upload:
            await self.discard_parts(tx, row.upload)
        return bool(row.blob or row.upload)

    async def discard_parts(self, tx: Transaction, upload: str) -> None:
        await tx.write(
            "INSERT INTO s3_trash (blob, upload) SELECT blob, upload FROM s3_part WHERE upload = $1 AND blob <> ''",
            (upload,),
        )
        await tx.write("DELETE FROM s3_part WHERE upload = $1", (upload,))

    async def disturb(self, tx: Transaction, bucket: int, key: str) -> None:
        """Note on uploads under way that their key was deleted: conditional completion fails then."""
        await tx.write("UPDATE s3_upload SET disturbed = 1 WHERE bucket = $1 AND key = $2", (bucket, key))

    async def page(self, bucket: int, start: str, end: str, limit: int) -> list[Stored]:
        """Current objects (no delete markers) with start <= key < end."""
        rows = await self.db.read(
            f"""SELECT {_VERSION} FROM s3_object WHERE bucket = $1 AND key >= $2 AND key < $3 AND marker = 0
                ORDER BY key LIMIT $4""",  # noqa: S608
            (bucket, start, end, limit),
        )
        return [Stored(*row) for row in rows]

    async def listed(self, bucket: int, start: str, end: str, limit: int) -> list[Row]:
        """What listings show of current objects with start <= key < end, by key: key, time of modification, ETag, size,
        storage class, algorithm and type of the checksum."""
        return await self.db.read(
            """SELECT key, modified, etag, size, storage_class, algorithm, checksum_type FROM s3_object
               WHERE bucket = $1 AND key >= $2 AND key < $3 AND marker = 0 ORDER BY key LIMIT $4""",
            (bucket, start, end, limit),
        )

    async def versions(self, bucket: int, start: str, end: str, limit: int) -> list[tuple[Stored, bool]]:
        """All versions with start <= key < end, by key, then newest first; and whether each is the latest."""
        rows = await self.db.read(_BOTH, (bucket, start, end, limit))
        return [(_newest_order(row), bool(row[14])) for row in rows]

    async def older_than(self, bucket: int, key: str, order: int, limit: int) -> list[Stored]:
        """Versions of one key below the one with `order`, newest first."""
        rows = await self.db.read(
            f"SELECT {_VERSION} FROM s3_older WHERE bucket = $1 AND key = $2 AND ord > $3 ORDER BY ord LIMIT $4",  # noqa: S608
            (bucket, key, -order, limit),
        )
        return [_newest_order(row) for row in rows]


def _newest_order(row: Row) -> Stored:
    stored = Stored(*row[:14])
    stored.order = abs(stored.order)
    return stored


def _with_data(row: Row | None) -> tuple[Stored, bytes | None] | None:
    return None if row is None else (_newest_order(row), row[14])


def _with_data_of(rows: list[Row]) -> Stored | None:
    return _newest_order(rows[0]) if rows else None
