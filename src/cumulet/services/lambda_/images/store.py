"""The registry's records: blobs, manifests and tags of each repository."""

from typing import NamedTuple

from cumulet.services.lambda_.images.names import Repository
from cumulet.storage.database import Database

_KEY = "account TEXT NOT NULL, region TEXT NOT NULL, repository TEXT NOT NULL"
_REPOSITORY = "account = $1 AND region = $2 AND repository = $3"

SCHEMA = (
    f"""CREATE TABLE image_blob ({_KEY}, digest TEXT NOT NULL, blob TEXT NOT NULL, size BIGINT NOT NULL,
        PRIMARY KEY (account, region, repository, digest))""",
    f"""CREATE TABLE image_manifest ({_KEY}, digest TEXT NOT NULL, media_type TEXT NOT NULL, content BYTEA NOT NULL,
        PRIMARY KEY (account, region, repository, digest))""",
    f"""CREATE TABLE image_tag ({_KEY}, tag TEXT NOT NULL, digest TEXT NOT NULL,
        PRIMARY KEY (account, region, repository, tag))""",
)


class StoredBlob(NamedTuple):
    """`id` is what the node's blobs know it by; `size` is in bytes."""

    id: str
    size: int


class Manifest(NamedTuple):
    """A document that says what an image consists of; `content` is as it was sent, which its digest is of."""

    digest: str
    media_type: str
    content: bytes


class ImageStore:
    """All SQL of the registry."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def start(self) -> None:
        await self._db.migrate("lambda_images", SCHEMA)

    async def blob(self, repository: Repository, digest: str) -> StoredBlob | None:
        row = await self._db.read_one(
            f"SELECT blob, size FROM image_blob WHERE {_REPOSITORY} AND digest = $4",  # noqa: S608  a constant
            (*repository, digest),
        )
        return StoredBlob(*row) if row else None

    async def blob_of_account(self, account: str, digest: str) -> StoredBlob | None:
        """In whichever of the account's repositories."""
        row = await self._db.read_one(
            "SELECT blob, size FROM image_blob WHERE account = $1 AND digest = $2", (account, digest)
        )
        return StoredBlob(*row) if row else None

    async def blob_ids(self) -> set[str]:
        return {row[0] for row in await self._db.read("SELECT blob FROM image_blob")}

    async def put_blob(self, repository: Repository, digest: str, blob: StoredBlob) -> bool:
        """False, and no change, when the repository has it already."""
        rows = await self._db.write(
            """INSERT INTO image_blob (account, region, repository, digest, blob, size) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (account, region, repository, digest) DO NOTHING RETURNING digest""",
            (*repository, digest, *blob),
        )
        return bool(rows)

    async def manifest(self, repository: Repository, wanted: str) -> Manifest | None:
        """By tag or digest."""
        row = await self._db.read_one(
            f"""SELECT digest, media_type, content FROM image_manifest WHERE {_REPOSITORY} AND digest = COALESCE(
                (SELECT digest FROM image_tag WHERE {_REPOSITORY} AND tag = $4), $4)""",  # noqa: S608  constants
            (*repository, wanted),
        )
        return Manifest(*row) if row else None

    async def put_manifest(self, repository: Repository, manifest: Manifest, tag: str | None) -> None:
        async with self._db.transaction() as tx:
            await tx.write(
                """INSERT INTO image_manifest (account, region, repository, digest, media_type, content)
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, region, repository, digest) DO NOTHING""",
                (*repository, *manifest),
            )
            if tag is not None:
                await tx.write(
                    """INSERT INTO image_tag (account, region, repository, tag, digest) VALUES ($1, $2, $3, $4, $5)
                       ON CONFLICT (account, region, repository, tag) DO UPDATE SET digest = $5""",
                    (*repository, tag, manifest.digest),
                )

    async def delete_tag(self, repository: Repository, tag: str) -> bool:
        """False when there is none. What it named stays."""
        return bool(
            await self._db.write(
                f"DELETE FROM image_tag WHERE {_REPOSITORY} AND tag = $4 RETURNING tag",  # noqa: S608  a constant
                (*repository, tag),
            )
        )

    async def delete_manifest(self, repository: Repository, digest: str) -> bool:
        """With its tags; False when there is none."""
        async with self._db.transaction() as tx:
            await tx.write(
                f"DELETE FROM image_tag WHERE {_REPOSITORY} AND digest = $4",  # noqa: S608  a constant
                (*repository, digest),
            )
            return bool(
                await tx.write(
                    f"DELETE FROM image_manifest WHERE {_REPOSITORY} AND digest = $4 RETURNING digest",  # noqa: S608
                    (*repository, digest),
                )
            )

    async def manifests(self, repository: Repository) -> list[Manifest]:
        rows = await self._db.read(
            f"SELECT digest, media_type, content FROM image_manifest WHERE {_REPOSITORY}",  # noqa: S608  a constant
            tuple(repository),
        )
        return [Manifest(*row) for row in rows]

    async def digests(self, repository: Repository) -> list[str]:
        """Of its blobs."""
        rows = await self._db.read(
            f"SELECT digest FROM image_blob WHERE {_REPOSITORY}",  # noqa: S608  a constant
            tuple(repository),
        )
        return [row[0] for row in rows]

    async def delete_blob(self, repository: Repository, digest: str) -> str | None:
        """The id of the bytes, when no other repository has them."""
        async with self._db.transaction() as tx:
            rows = await tx.write(
                f"DELETE FROM image_blob WHERE {_REPOSITORY} AND digest = $4 RETURNING blob",  # noqa: S608  a constant
                (*repository, digest),
            )
            if not rows or await tx.read("SELECT 1 FROM image_blob WHERE blob = $1 LIMIT 1", (rows[0][0],)):
                return None
            return str(rows[0][0])

    async def tags(self, repository: Repository) -> list[str]:
        rows = await self._db.read(
            f"SELECT tag FROM image_tag WHERE {_REPOSITORY} ORDER BY tag",  # noqa: S608  a constant
            tuple(repository),
        )
        return [row[0] for row in rows]
