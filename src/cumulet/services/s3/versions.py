"""Finding, writing, changing and removing versions: the one place where versioning is decided."""

from collections.abc import Awaitable, Callable
from email.utils import formatdate

from cumulet.kernel.call import Call
from cumulet.services.s3 import events
from cumulet.services.s3.errors import invalid_version, marker_refused, no_such_bucket, no_such_key, no_such_version
from cumulet.services.s3.facts import encoded
from cumulet.services.s3.model import ENABLED, NULL, Bucket, Facts, Stored, is_version, new_version
from cumulet.services.s3.state import S3, TRASH
from cumulet.storage.database import Conflict, Transaction

Check = Callable[[Stored | None], None]


async def find(
    s3: S3, bucket: Bucket, key: str, version: str | None, method: str = "GET", *, marker_is_error: bool = False
) -> tuple[Stored, bytes | None]:
    """A version and its inline bytes; without `version` the current one.

    Raises NoSuchKey, NoSuchVersion, and MethodNotAllowed for a delete marker that was asked for by its id (with
    `marker_is_error` for a current one too, as the calls that change a version answer).
    """
    if version is None:
        found = await s3.objects.current(bucket.id, key)
        if found is None:
            raise no_such_key(key)
        if found[0].marker:
            if marker_is_error:
                raise refuse_marker(found[0], method)
            raise no_such_key(key, {"x-amz-delete-marker": "true", "x-amz-version-id": found[0].version})
        return found
    if not is_version(version):
        raise invalid_version(version)
    found = await s3.objects.version(bucket.id, key, version)
    if found is None:
        raise no_such_version(key, version)
    if found[0].marker:
        raise refuse_marker(found[0], method)
    return found


def refuse_marker(row: Stored, method: str) -> Exception:
    return marker_refused(method, row.version, formatdate(row.modified, usegmt=True))


def shown_version(bucket: Bucket, row: Stored) -> str | None:
    """The version id that answers show: none in a bucket that never had versioning."""
    return row.version if bucket.versioning else None


async def keep(
    s3: S3, call: Call, bucket: Bucket, row: Stored, data: bytes | None, event: str, check: Check | None = None
) -> None:
    """Make `row` the current version of its key, durably, with its event; settles its version id and order.

    `check` sees what the key was at that moment, and raises when a condition does not hold.
    """
    now = s3.known(bucket.name) or await s3.bucket(call, bucket.name)
    if now.id == bucket.id:
        bucket = now  # its versioning may have changed while the bytes came in
    row.order = s3.next_order()
    row.version = new_version(row.order) if bucket.versioning == ENABLED else NULL
    notices = events.notices(bucket, event, row.key)
    try:
        if not bucket.versioning and not notices and check is None and await s3.objects.replace_plain(row, data):
            return
        async with s3.db.transaction() as tx:
            await put_in(s3, tx, bucket, row, data, check)
            await events.add(s3, tx, call, bucket, event, row, notices)
    except Conflict:
        # Its bucket was deleted while the bytes came in.
        s3.forget(bucket.name)
        raise no_such_bucket(bucket.name) from None


async def put_in(
    s3: S3, tx: Transaction, bucket: Bucket, row: Stored, data: bytes | None, check: Check | None = None
) -> None:
    """The store's part of `keep`, within a transaction."""
    current = await s3.objects.current_in(tx, bucket.id, row.key)
    if check is not None:
        check(current)
    if current is not None:
        if row.order <= current.order:
            row.order = current.order + 1
            row.version = new_version(row.order) if bucket.versioning == ENABLED else NULL
        await _supersede(s3, tx, bucket, current)
    await s3.objects.replace(tx, row, data)


async def _supersede(s3: S3, tx: Transaction, bucket: Bucket, current: Stored) -> None:
    """Move the current version down, or let go of it, as the bucket's versioning has it."""
    if bucket.versioning == ENABLED:
        await s3.objects.archive(tx, bucket.id, current.key)
        return
    if current.version == NULL:
        await let_go(s3, tx, current)
        return
    await s3.objects.archive(tx, bucket.id, current.key)
    await drop_null(s3, tx, bucket, current.key)


async def drop_null(s3: S3, tx: Transaction, bucket: Bucket, key: str) -> None:
    """Remove an older null version, which a new one replaces."""
    older = await s3.objects.older_null(tx, bucket.id, key)
    if older is not None:
        await let_go(s3, tx, older)
        await s3.objects.drop_older(tx, older)


async def let_go(s3: S3, tx: Transaction, row: Stored) -> None:
    """Have the bytes of a version removed once the transaction is durable."""
    if await s3.objects.discard(tx, row):
        tx.after_commit(lambda: s3.signals.publish(TRASH))


async def change_facts(
    s3: S3,
    row: Stored,
    change: Callable[[Facts], None],
    after: Callable[[Transaction, Stored], Awaitable[None]] | None = None,
) -> Stored:
    """Apply `change` to the facts of a version as it is now; gives the row. `after` may add to the transaction."""
    async with s3.db.transaction() as tx:
        found = await s3.objects.version_in(tx, row.bucket, row.key, row.version)
        if found is None:
            raise no_such_key(row.key)
        now, current = found
        facts = now.details()
        change(facts)
        now.facts = encoded(facts)
        await s3.objects.set_facts(tx, now, current, now.storage_class)
        if after is not None:
            await after(tx, now)
    return now
