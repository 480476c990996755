"""Every query on multipart uploads, their parts, and bytes that wait to be removed."""

from msgspec import Struct

from cumulet.services.s3.model import Part, Upload
from cumulet.storage.database import Database, Row, Transaction

_UPLOAD = "id, bucket, key, ord, initiated, storage_class, algorithm, checksum_type, disturbed, facts"
_PART = "number, start, size, etag, algorithm, checksum, modified, blob, nonce"


class Uploads(Struct, frozen=True):
    """Multipart uploads under way, and the parts of them and of the objects they became."""

    db: Database

    async def add(self, upload: Upload) -> None:
        await self.db.write(
            f"INSERT INTO s3_upload ({_UPLOAD}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",  # noqa: S608
            (
                upload.id,
                upload.bucket,
                upload.key,
                upload.order,
                upload.initiated,
                upload.storage_class,
                upload.algorithm,
                upload.checksum_type,
                upload.disturbed,
                upload.facts,
            ),
        )

    async def find(self, id: str, bucket: int, key: str) -> Upload | None:
        row = await self.db.read_one(
            f"SELECT {_UPLOAD} FROM s3_upload WHERE id = $1 AND bucket = $2 AND key = $3",  # noqa: S608
            (id, bucket, key),
        )
        return Upload(*row) if row else None

    async def page(self, bucket: int, start: str, end: str, limit: int) -> list[Upload]:
        """Uploads with start <= key < end, by key, then in the order they began."""
        rows = await self.db.read(
            f"""SELECT {_UPLOAD} FROM s3_upload WHERE bucket = $1 AND key >= $2 AND key < $3
                ORDER BY key, ord, id LIMIT $4""",  # noqa: S608
            (bucket, start, end, limit),
        )
        return [Upload(*row) for row in rows]

    async def begun_after(self, bucket: int, upload: Upload, limit: int) -> list[Upload]:
        """Uploads of the same key that began after `upload`."""
        rows = await self.db.read(
            f"""SELECT {_UPLOAD} FROM s3_upload WHERE bucket = $1 AND key = $2
                AND (ord > $3 OR (ord = $3 AND id > $4)) ORDER BY ord, id LIMIT $5""",  # noqa: S608
            (bucket, upload.key, upload.order, upload.id, limit),
        )
        return [Upload(*row) for row in rows]

    async def take(self, tx: Transaction, id: str) -> Upload | None:
        """Remove an upload's record; its parts stay."""
        rows = await tx.write(f"DELETE FROM s3_upload WHERE id = $1 RETURNING {_UPLOAD}", (id,))  # noqa: S608
        return Upload(*rows[0]) if rows else None

    async def put_part(self, upload: str, part: Part, data: bytes | None) -> bool:
        """Keep a part, in place of one with its number; False when the upload is gone, and nothing was kept."""
        async with self.db.transaction() as tx:
            if not await tx.read("SELECT 1 FROM s3_upload WHERE id = $1", (upload,)):
                return False
            await tx.write(
                "INSERT INTO s3_trash (blob, upload) SELECT blob, '' FROM s3_part WHERE upload = $1 AND number = $2 AND blob <> ''",
                (upload, part.number),
            )
            await tx.write(
                f"""INSERT INTO s3_part (upload, {_PART}, data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                    ON CONFLICT (upload, number) DO UPDATE SET size = excluded.size, etag = excluded.etag,
                    algorithm = excluded.algorithm, checksum = excluded.checksum, modified = excluded.modified,
                    blob = excluded.blob, nonce = excluded.nonce, data = excluded.data""",  # noqa: S608
                (
                    upload,
                    part.number,
                    part.start,
                    part.size,
                    part.etag,
                    part.algorithm,
                    part.checksum,
                    part.modified,
                    part.blob,
                    part.nonce,
                    data,
                ),
            )
        return True

    async def parts(self, upload: str, after: int, limit: int) -> list[Part]:
        """Parts with number > after, by number."""
        rows = await self.db.read(
            f"SELECT {_PART} FROM s3_part WHERE upload = $1 AND number > $2 ORDER BY number LIMIT $3",  # noqa: S608
            (upload, after, limit),
        )
        return [Part(*row) for row in rows]

    async def part(self, upload: str, number: int) -> Part | None:
        found = await self.parts(upload, number - 1, 1)
        return found[0] if found and found[0].number == number else None

    async def parts_between(self, upload: str, start: int, end: int) -> list[tuple[Part, bytes | None]]:
        """The parts that hold the bytes start <= offset < end of a finished object, in order."""
        rows = await self.db.read(
            f"""SELECT {_PART}, data FROM s3_part WHERE upload = $1 AND start < $3 AND start + size > $2
                ORDER BY number""",  # noqa: S608
            (upload, start, end),
        )
        return [(Part(*row[:9]), row[9]) for row in rows]

    async def keep_only(self, tx: Transaction, upload: str, numbers: list[int]) -> None:
        """Drop the parts that completion did not name, and give the others their offsets in the object."""
        rows = await tx.read("SELECT number FROM s3_part WHERE upload = $1", (upload,))
        kept = set(numbers)
        for (number,) in rows:
            if number not in kept:
                await tx.write(
                    "INSERT INTO s3_trash (blob, upload) SELECT blob, '' FROM s3_part WHERE upload = $1 AND number = $2 AND blob <> ''",
                    (upload, number),
                )
                await tx.write("DELETE FROM s3_part WHERE upload = $1 AND number = $2", (upload, number))
        await tx.write(
            """UPDATE s3_part SET start = t.start FROM (
                 SELECT number, sum(size) OVER (ORDER BY number) - size AS start FROM s3_part WHERE upload = $1) AS t
               WHERE s3_part.upload = $1 AND s3_part.number = t.number""",
            (upload,),
        )


class Trash(Struct, frozen=True):
    """Blobs that nothing names any more."""

    db: Database

    async def batch(self, limit: int) -> list[tuple[str, str]]:
        """Blobs to remove, each with the upload whose readers may still need it."""
        rows = await self.db.read("SELECT blob, upload FROM s3_trash LIMIT $1", (limit,))
        return [(blob, upload) for blob, upload in rows]

    async def add(self, blob: str) -> None:
        await self.db.write("INSERT INTO s3_trash (blob, upload) VALUES ($1, '')", (blob,))

    async def done(self, blobs: list[str]) -> None:
        async with self.db.transaction() as tx:
            for blob in blobs:
                await tx.write("DELETE FROM s3_trash WHERE blob = $1", (blob,))

    async def unknown(self, blobs: list[str]) -> list[str]:
        """Those of `blobs` that no record names."""
        marks = ", ".join(f"${i}" for i in range(1, len(blobs) + 1))
        known: set[str] = set()
        for table in ("s3_object", "s3_older", "s3_part", "s3_trash"):
            rows: list[Row] = await self.db.read(
                f"SELECT blob FROM {table} WHERE blob IN ({marks}) AND blob <> ''",  # noqa: S608
                blobs,
            )
            known.update(row[0] for row in rows)
        return [blob for blob in blobs if blob not in known]

    async def was_clean(self) -> bool:
        """Whether the last run ended in order; from now on it counts as not."""
        rows = await self.db.read("SELECT value FROM s3_node WHERE name = 'clean'")
        await self.db.write("DELETE FROM s3_node WHERE name = 'clean'")
        return bool(rows)

    async def note_clean(self) -> None:
        await self.db.write("INSERT INTO s3_node (name, value) VALUES ('clean', '1') ON CONFLICT (name) DO NOTHING")
