"""What happens in the registry at one time."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cumulet.services.lambda_.images.names import Repository
from cumulet.services.lambda_.images.registry import Refused, Registry
from cumulet.services.lambda_.images.store import ImageStore, Manifest
from cumulet.storage.files import FolderBlobs
from cumulet.storage.sqlite import SqliteDatabase

_PLACE = Repository("1", "us-east-1", "team/app")
_KIND = "application/vnd.oci.image.manifest.v1+json"


class _Waiting(ImageStore):
    """Tells of manifests, then waits until something else had its turn."""

    turn: "asyncio.Event | None" = None

    async def manifests(self, repository: Repository) -> list[Manifest]:
        found = await super().manifests(repository)
        if self.turn is not None:
            self.turn.set()
            await asyncio.sleep(0.1)
        return found


@pytest.mark.parametrize("what", ["sweep", "delete"])
def test_no_blob_goes_while_a_manifest_that_names_it_comes(tmp_path: Path, what: str) -> None:
    async def pieces(content: bytes) -> AsyncIterator[bytes]:
        yield content

    async def play() -> None:
        db = SqliteDatabase(tmp_path / "images.db")
        store = _Waiting(db)
        registry = Registry(store, FolderBlobs(tmp_path / "blobs"))
        await registry.start()
        try:
            id = await registry.begin(_PLACE)
            await registry.append(_PLACE, id, pieces(b"x"))
            blob = f"sha256:{hashlib.sha256(b'x').hexdigest()}"
            await registry.finish(_PLACE, id, blob)
            content = json.dumps({"config": {"digest": blob}, "layers": []}).encode()
            store.turn = asyncio.Event()
            removal = registry.sweep(_PLACE) if what == "sweep" else registry.delete_blob(_PLACE, blob)
            removing = asyncio.ensure_future(removal)
            await store.turn.wait()
            try:
                await registry.put_manifest(_PLACE, "a", _KIND, content)
            except Refused as refused:
                assert refused.code == "MANIFEST_BLOB_UNKNOWN"  # noqa: PT017  both are right, if nothing is half there
                await removing
                assert await registry.find(_PLACE, "a") is None
            else:
                await removing
                found = await registry.blob(_PLACE, blob)
                assert [piece async for piece in registry.read(found)] == [b"x"]
        finally:
            await db.close()

    asyncio.run(play())
