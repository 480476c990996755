"""What a registry does, whoever speaks for it: uploads that become blobs, manifests, tags.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import token
from cumulet.services.lambda_.images.names import DIGEST, Repository
from cumulet.services.lambda_.images.store import ImageStore, Manifest, StoredBlob
from cumulet.storage.blobs import Blobs, BlobWriter

MAX_MANIFEST = 4 << 20
MAX_BLOB = 10 << 30
"""Bytes; an image may have 10 GB unpacked."""
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,127}/[\w.+-]{1,127}", re.ASCII)
_MOST_UPLOADS = 64
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


class Refused(AwsError):
    """The registry's own errors: an HTTP status and a code of the specification."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message, code=code, status=status)


def _unknown_upload() -> Refused:
    return Refused(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")


class _Upload:
    def __init__(self, repository: Repository, stack: AsyncExitStack, writer: BlobWriter) -> None:
        self.repository = repository
        self.stack = stack
        self.writer = writer
        self.size = 0
        self.hash = hashlib.sha256()
        self.over = False

    async def add(self, piece: bytes) -> None:
        if self.over:  # another request ended it: nothing may be added to what was checked
            raise _unknown_upload()
        self.size += len(piece)
        if self.size > MAX_BLOB:
            raise Refused(413, "SIZE_INVALID", "a blob is larger than an image may be")
        self.hash.update(piece)
        await self.writer.write(piece)


class Registry:
    """The images of every account. Uploads live in memory: who pushes begins again when the node was restarted."""

    def __init__(self, store: ImageStore, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs
        self._uploads: dict[str, _Upload] = {}

    async def start(self) -> None:
        """Remove blobs of uploads that a crash ended."""
        await self._store.start()
        known = await self._store.blob_ids()
        for id in [blob async for blob in self._blobs.ids() if blob not in known]:
            await self._blobs.delete(id)

    # Blobs

    async def blob(self, repository: Repository, digest: str) -> StoredBlob:
        """Raises Refused."""
        found = await self._store.blob(repository, digest)
        if found is None:
            raise Refused(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return found

    def path(self, blob: StoredBlob) -> Path | None:
        """A local file that holds it, when there is one."""
        return self._blobs.path(blob.id)

    def read(self, blob: StoredBlob, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        return self._blobs.read(blob.id, start, length)

    async def mount(self, repository: Repository, digest: str) -> bool:
        """Have a blob of another of the account's repositories in this one too; False when there is none."""
        found = await self._store.blob_of_account(repository.account, digest)
        if found is None:
            return False
        await self._store.put_blob(repository, digest, found)
        return True

    async def begin(self, repository: Repository) -> str:
        """An upload's id. Too many at once: the oldest is given up."""
        while len(self._uploads) >= _MOST_UPLOADS:
            await self._end(next(iter(self._uploads)))
        stack = AsyncExitStack()
        writer = await stack.enter_async_context(self._blobs.writer())
        id = token()
        self._uploads[id] = _Upload(repository, stack, writer)
        return id

    def uploaded(self, repository: Repository, id: str) -> int:
        """Bytes so far. Raises Refused."""
        return self._upload(repository, id).size

    async def append(self, repository: Repository, id: str, data: AsyncIterator[bytes]) -> int:
        """Bytes so far. Raises Refused, after which the upload is gone."""
        upload = self._upload(repository, id)
        try:
            async for piece in data:
                await upload.add(piece)
        except BaseException:
            await self._end(id)
            raise
        return upload.size

    async def finish(self, repository: Repository, id: str, digest: str) -> None:
        """Make the upload a blob. Raises Refused; it is gone then."""
        upload = self._upload(repository, id)
        if digest != f"sha256:{upload.hash.hexdigest()}":
            await self._end(id)
            raise Refused(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        del self._uploads[id]
        upload.over = True
        async with upload.stack:
            blob = StoredBlob(await upload.writer.commit(), upload.size)
        if not await self._store.put_blob(repository, digest, blob):
            await self._blobs.delete(blob.id)

    async def cancel(self, repository: Repository, id: str) -> None:
        self._upload(repository, id)
        await self._end(id)

    async def _end(self, id: str) -> None:
        upload = self._uploads.pop(id, None)
        if upload is not None:
            upload.over = True
            await upload.stack.aclose()

    def _upload(self, repository: Repository, id: str) -> _Upload:
        upload = self._uploads.get(id)
        if upload is None or upload.repository != repository:
            raise _unknown_upload()
        return upload

    # Manifests

    async def manifest(self, repository: Repository, wanted: str) -> Manifest:
        """By tag or digest. Raises Refused."""
        found = await self._store.manifest(repository, wanted)
        if found is None:
            raise Refused(404, "MANIFEST_UNKNOWN", "manifest unknown")
        return found

    async def find(self, repository: Repository, wanted: str) -> Manifest | None:
        """By tag or digest."""
        return await self._store.manifest(repository, wanted)

    async def put_manifest(self, repository: Repository, wanted: str, media_type: str, content: bytes) -> str:
        """Keep a manifest, all of whose parts are there, by tag or digest; its digest. Raises Refused."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if DIGEST.fullmatch(wanted) and wanted != digest:
            raise Refused(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        try:
            document = msgspec.json.decode(content, type=dict[str, Any])
            kind = media_type.partition(";")[0].strip() or str(document.get("mediaType", ""))
            if not _MEDIA_TYPE.fullmatch(kind):
                raise Refused(400, "MANIFEST_INVALID", "manifest invalid: its media type is none")
            for part in parts(document):
                await self._check_part(repository, part, manifest=kind in _INDEXES)
        except (msgspec.DecodeError, RecursionError, TypeError, KeyError, AttributeError):
            raise Refused(400, "MANIFEST_INVALID", "manifest invalid") from None
        tag = None if DIGEST.fullmatch(wanted) else wanted
        await self._store.put_manifest(repository, Manifest(digest, kind, content), tag)
        return digest

    async def _check_part(self, repository: Repository, digest: str, *, manifest: bool) -> None:
        found = await (self._store.manifest if manifest else self._store.blob)(repository, digest)
        if found is None:
            raise Refused(404, "MANIFEST_BLOB_UNKNOWN", f"{digest} is not in this repository")

    async def tags(self, repository: Repository) -> list[str]:
        return await self._store.tags(repository)


def parts(document: dict[str, Any]) -> list[str]:
    """The digests of what a manifest is made of: its configuration and layers or, of an index, the manifests."""
    if "manifests" in document:
        return [str(part["digest"]) for part in document["manifests"]]
    return [str(part["digest"]) for part in (document["config"], *document["layers"])]
