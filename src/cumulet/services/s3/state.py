"""What the operations of S3 share."""

from collections import Counter

import msgspec
from msgspec import Struct, field

from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.errors import AwsError
from cumulet.services.s3.errors import error, no_such_bucket
from cumulet.services.s3.model import Bucket, is_account_id
from cumulet.services.s3.store import Buckets, Objects
from cumulet.services.s3.upload_store import Trash, Uploads
from cumulet.storage.blobs import Blobs
from cumulet.storage.database import Database
from cumulet.storage.outbox import Outbox
from cumulet.storage.signals import Signals

CHANGED = "s3:bucket"
"""The signal that a bucket's row or settings changed; its payload is the bucket's name."""
TRASH = "s3:trash"
"""The signal that there are blobs to remove."""


class S3(Struct, eq=False):
    """State of the service: stores, ports, the cache of buckets, who is reading which parts, and blobs (with the
    loop's time) that may or may not have become objects."""

    db: Database
    blobs: Blobs
    signals: Signals
    clock: Clock
    calls: Calls
    outbox: Outbox
    buckets: Buckets
    objects: Objects
    uploads: Uploads
    trash: Trash
    cache: dict[str, Bucket] = field(default_factory=dict)
    readers: Counter[str] = field(default_factory=Counter)
    doubtful: list[tuple[float, str]] = field(default_factory=list)
    last_order: int = 0

    async def bucket(self, call: Call, name: str, owner: str | None = None) -> Bucket:
        """The bucket of that name. `owner` is the account that the caller expects to own it."""
        bucket = self.known(name, owner)
        if bucket is None:
            bucket = await self.buckets.find(name)
            if bucket is None:
                raise no_such_bucket(name)
            self.cache[name] = bucket
            if owner is not None:
                check_owner(bucket, owner)
        return bucket

    def known(self, name: str, owner: str | None = None) -> Bucket | None:
        """As `bucket`, of those that are in memory; None for any other."""
        bucket = self.cache.get(name)
        if bucket is not None and owner is not None:
            check_owner(bucket, owner)
        return bucket

    def forget(self, name: str) -> None:
        """Have the bucket read again: its row or settings changed."""
        self.cache.pop(name, None)
        self.signals.publish(CHANGED, name.encode())

    def bucket_changed(self, name: bytes) -> None:
        """Another node changed a bucket (or this one did)."""
        self.cache.pop(name.decode(), None)

    async def put_setting(self, bucket: Bucket, kind: str, value: Struct | None, id: str = "") -> None:
        """Keep (or, with None, remove) one of the bucket's configurations."""
        body = None if value is None else msgspec.json.encode(value)
        async with self.db.transaction() as tx:
            await self.buckets.put_setting(tx, bucket, kind, body, id)
            tx.after_commit(lambda: self.forget(bucket.name))

    def next_order(self) -> int:
        """A number for a new version: microseconds since 1970, growing even when the clock does not."""
        self.last_order = max(self.last_order + 1, int(self.clock.now() * 1_000_000))
        return self.last_order

    def now(self) -> float:
        """The time in whole seconds, as S3 keeps it on objects."""
        return float(int(self.clock.now()))


def check_owner(bucket: Bucket, owner: str) -> None:
    """Raises AccessDenied when somebody else owns the bucket."""
    if not is_account_id(owner):
        raise error(
            400,
            "InvalidBucketOwnerAWSAccountID",
            f"The value of the expected bucket owner parameter must be an AWS Account ID... [{owner}]",
        )
    if bucket.account != owner:
        raise access_denied()


def access_denied(message: str = "Access Denied") -> AwsError:
    return error(403, "AccessDenied", message)
