"""The loops of S3: removing bytes that nothing names any more, acting on lifecycle rules."""

import asyncio
import logging

from cumulet.services.s3 import expiry
from cumulet.services.s3.state import S3, TRASH

log = logging.getLogger(__name__)

_BATCH = 200
_BACKSTOP = 30.0
_RULES_EVERY = 3600.0


async def empty_trash(s3: S3) -> None:
    """Remove the blobs of overwritten and deleted objects, except those of parts that are being read."""
    waiter = s3.signals.waiter(TRASH)
    try:
        while True:
            await _look_into_doubtful(s3)
            removed = await empty_trash_once(s3)
            if removed < _BATCH:
                await waiter.wait(_BACKSTOP)
    finally:
        waiter.close()


async def empty_trash_once(s3: S3) -> int:
    """One batch; gives how many blobs were removed."""
    batch = await s3.trash.batch(_BATCH)
    free = [blob for blob, upload in batch if upload not in s3.readers]
    for blob in free:
        await s3.blobs.delete(blob)
    if free:
        await s3.trash.done(free)
    return len(free)


async def _look_into_doubtful(s3: S3) -> None:
    """Remove the blobs of clients that went away, unless their rows were written all the same."""
    now = asyncio.get_running_loop().time()
    due = [blob for since, blob in s3.doubtful if now - since > _BACKSTOP / 2]
    s3.doubtful = [(since, blob) for since, blob in s3.doubtful if now - since <= _BACKSTOP / 2]
    for i in range(0, len(due), _BATCH):
        for blob in await s3.trash.unknown(due[i : i + _BATCH]):
            await s3.blobs.delete(blob)


async def sweep(s3: S3, candidates: list[str]) -> None:
    """Remove the blobs among `candidates` that no record names: what a crash left between a blob and its row."""
    swept = 0
    for i in range(0, len(candidates), _BATCH):
        for blob in await s3.trash.unknown(candidates[i : i + _BATCH]):
            await s3.blobs.delete(blob)
            swept += 1
        await asyncio.sleep(0)
    if swept:
        log.info("removed %d blobs that a crash had left without an object", swept)


async def act_on_rules(s3: S3) -> None:
    """Expire what lifecycle rules say, every hour on the clock (rules themselves count in days from midnight)."""
    while True:
        await s3.clock.sleep(_RULES_EVERY)
        try:
            await expiry.run(s3)
        except Exception:
            log.exception("acting on lifecycle rules failed, again in an hour")
