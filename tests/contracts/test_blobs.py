"""What every blob store must do."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from cumulet.storage.blobs import Blobs
from cumulet.storage.files import FolderBlobs

ENGINES: dict[str, Callable[[Path], Blobs]] = {"folder": FolderBlobs}


@pytest.fixture(params=ENGINES)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return ENGINES[request.param](tmp_path / "blobs")


async def _put(blobs: Blobs, *pieces: bytes) -> str:
    async with blobs.writer() as writer:
        for piece in pieces:
            await writer.write(piece)
        return await writer.commit()


async def _get(blobs: Blobs, blob: str, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([piece async for piece in blobs.read(blob, start, length)])


async def _all(blobs: Blobs) -> list[str]:
    return [blob async for blob in blobs.ids()]


def test_a_blob_reads_back_whole_and_in_ranges(blobs: Blobs) -> None:
    async def scenario() -> None:
        data = bytes(range(256)) * 4096
        blob = await _put(blobs, data[:10], b"", data[10:])
        assert await _get(blobs, blob) == data
        assert await _get(blobs, blob, 300_000, 17) == data[300_000:300_017]
        assert await _get(blobs, blob, len(data) - 5) == data[-5:]
        assert await _get(blobs, blob, 5, 0) == b""
        assert await _all(blobs) == [blob]

    asyncio.run(scenario())


def test_what_is_not_committed_is_gone(blobs: Blobs) -> None:
    async def scenario() -> None:
        async with blobs.writer() as writer:
            await writer.write(b"half")
        with pytest.raises(ConnectionError):
            async with blobs.writer() as writer:
                await writer.write(b"half")
                raise ConnectionError
        assert await _all(blobs) == []

    asyncio.run(scenario())


def test_a_deleted_blob_is_not_found_and_deleting_it_again_is_fine(blobs: Blobs) -> None:
    async def scenario() -> None:
        blob = await _put(blobs, b"x")
        await blobs.delete(blob)
        await blobs.delete(blob)
        assert blobs.path(blob) is None
        with pytest.raises(FileNotFoundError):
            await _get(blobs, blob)

    asyncio.run(scenario())
