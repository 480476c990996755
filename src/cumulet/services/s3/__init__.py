"""Amazon S3: buckets and objects, durable, with versions, multipart uploads and event notifications."""

from cumulet.api.s3 import OPERATIONS
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.s3 import (
    access,
    attributes,
    buckets,
    completion,
    copies,
    deletes,
    events,
    lifecycle,
    listings,
    notifications,
    objects,
    reports,
    restore,
    retention,
    settings,
    tagging,
    uploads,
    website,
    workers,
)
from cumulet.services.s3.state import CHANGED, S3
from cumulet.services.s3.store import SCHEMA, Buckets, Objects
from cumulet.services.s3.upload_store import Trash, Uploads
from cumulet.storage.blobs import Blobs
from cumulet.storage.database import Database
from cumulet.storage.outbox import Outbox
from cumulet.storage.signals import Signals

_MODULES = (
    access, attributes, buckets, completion, copies, deletes, lifecycle, listings, notifications, objects, reports,
    restore, retention, settings, tagging, uploads, website,
)  # fmt: skip


def build(*, db: Database, blobs: Blobs, signals: Signals, clock: Clock, calls: Calls, tasks: Tasks) -> Service:
    """The service over its own database and its own blobs: blobs that none of its rows names are removed at start."""
    outbox = Outbox(db, clock, tasks)
    s3 = S3(db, blobs, signals, clock, calls, outbox, Buckets(db), Objects(db), Uploads(db), Trash(db))

    async def start() -> None:
        await db.migrate("s3", SCHEMA)
        outbox.handle(events.KIND, lambda event: events.hand_on(s3, event))
        await outbox.start()
        if not await s3.trash.was_clean():
            # Listed before the first call, so that no blob of a running upload is among them.
            left = [blob async for blob in blobs.ids()]
            tasks.start("s3 sweep", workers.sweep(s3, left))
        signals.subscribe(CHANGED, s3.bucket_changed)
        tasks.start("s3 trash", workers.empty_trash(s3))
        tasks.start("s3 lifecycle", workers.act_on_rules(s3))

    async def stop() -> None:
        await s3.trash.note_clean()

    async def resource_policy(call: Call, arn: str) -> str | None:
        return await access.resource_policy(s3, arn)

    async def resource_owner(call: Call, arn: str) -> str | None:
        return await access.resource_owner(s3, arn)

    return Service(
        "s3",
        s3,
        operations_in(OPERATIONS | {"post_object": "PostObject"}, *_MODULES),
        start,
        stop,
        resource_policy,
        resource_owner,
    )
