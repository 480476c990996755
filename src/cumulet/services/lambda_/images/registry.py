"""What a registry does, whoever speaks for it: uploads that become blobs, manifests, tags.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import token
from cumulet.services.lambda_.images.names import DIGEST, Repository
from cumulet.services.lambda_.images.store import ImageStore, Manifest, StoredBlob
from cumulet.storage.blobs import Blobs, BlobWriter

MAX_BLOB = 10 << 30
"""Bytes; an image may have 10 GB unpacked."""
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,127}/[\w.+-]{1,127}", re.ASCII)
_MOST_UPLOADS = 64
_PATIENCE = 3600.0
"""Seconds for which a blob is kept that was pushed, or found there by who pushes, until a manifest names it."""
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
    """The images of every account. Uploads live in memory: who pushes begins again when the node was restarted.

    `on_delete` is called when a repository may have blobs that nothing names any more: it has it swept.
    """

    def __init__(self, store: ImageStore, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs
        self._uploads: dict[str, _Upload] = {}
        self._awaited: dict[tuple[Repository, str], float] = {}
        # Held from looking at what names a blob until that has its consequence: a manifest that is kept, or a blob that goes.
        self._naming = asyncio.Lock()
        self.on_delete: Callable[[Repository], None] = lambda repository: None

    async def start(self) -> None:
        """Remove blobs of uploads that a crash ended."""
        await self._store.start()
        known = await self._store.blob_ids()
        for id in [blob async for blob in self._blobs.ids() if blob not in known]:
            await self._blobs.delete(id)

    # Blobs

    async def blob(self, repository: Repository, digest: str, *, pushing: bool = False) -> StoredBlob:
        """`pushing`: who asks may be about to put a manifest that names it. Raises Refused."""
        found = await self._store.blob(repository, digest)
        if found is None:
            raise Refused(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if pushing:
            self._await(repository, digest)
        return found

    def path(self, blob: StoredBlob) -> Path | None:
        """A local file that holds it, when there is one."""
        return self._blobs.path(blob.id)

    def read(self, blob: StoredBlob, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        return self._blobs.read(blob.id, start, length)

    async def mount(self, repository: Repository, digest: str) -> bool:
        """Have a blob of another of the account's repositories in this one too; False when there is none."""
        async with self._naming:
            found = await self._store.blob_of_account(repository.account, digest)
            if found is None:
                return False
            self._await(repository, digest)
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
        self._await(repository, digest)
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
            named = parts(document)
        except (msgspec.DecodeError, RecursionError, TypeError, KeyError, AttributeError):
            raise Refused(400, "MANIFEST_INVALID", "manifest invalid") from None
        tag = None if DIGEST.fullmatch(wanted) else wanted
        async with self._naming:
            for part in named:
                await self._check_part(repository, part, manifest=kind in _INDEXES)
            await self._store.put_manifest(repository, Manifest(digest, kind, content), tag)
            for part in named:
                self._awaited.pop((repository, part), None)
        return digest

    async def delete(self, repository: Repository, wanted: str) -> None:
        """A tag, which leaves its manifest there, or a manifest with its tags. Raises Refused.

        Blobs that nothing names any more go in the background. As on AWS, functions made of the image may not start again.
        """
        by_digest = bool(DIGEST.fullmatch(wanted))
        if not await (self._store.delete_manifest if by_digest else self._store.delete_tag)(repository, wanted):
            raise Refused(404, "MANIFEST_UNKNOWN", "manifest unknown")
        if by_digest:
            self.on_delete(repository)

    async def delete_blob(self, repository: Repository, digest: str) -> None:
        """One that no manifest names. Raises Refused."""
        await self.blob(repository, digest)
        async with self._naming:
            if digest in await self._named(repository):
                raise Refused(405, "DENIED", "a manifest of this repository names the blob: delete that first")
            await self._remove(repository, digest)

    async def sweep(self, repository: Repository) -> None:
        """Remove blobs that no manifest of the repository names, unless somebody who pushes counts on them."""
        now = asyncio.get_running_loop().time()
        self._awaited = {place: moment for place, moment in self._awaited.items() if now < moment + _PATIENCE}
        async with self._naming:
            named = await self._named(repository)
            for digest in await self._store.digests(repository):
                if digest not in named and (repository, digest) not in self._awaited:
                    await self._remove(repository, digest)

    async def _named(self, repository: Repository) -> set[str]:
        found: set[str] = set()
        for manifest in await self._store.manifests(repository):
            found.update(parts(msgspec.json.decode(manifest.content, type=dict[str, Any])))
            await asyncio.sleep(0)
        return found

    async def _remove(self, repository: Repository, digest: str) -> None:
        blob = await self._store.delete_blob(repository, digest)
        if blob is not None:
            await self._blobs.delete(blob)

    def _await(self, repository: Repository, digest: str) -> None:
        """A manifest that names this blob may come soon: nobody is to remove it until then."""
        self._awaited[repository, digest] = asyncio.get_running_loop().time()

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
