"""RestoreObject: archived objects become readable for some days."""

from __future__ import annotations

from email.utils import formatdate

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.services.s3 import events
from cumulet.services.s3.errors import error, malformed_xml
from cumulet.services.s3.facts import ARCHIVED
from cumulet.services.s3.lifecycle import midnight_after
from cumulet.services.s3.model import Facts, Stored
from cumulet.services.s3.state import S3
from cumulet.services.s3.versions import change_facts, find
from cumulet.storage.database import Transaction


async def restore_object(s3: S3, call: Call, request: api.RestoreObjectRequest) -> api.RestoreObjectOutput:
    """Restores at once, where AWS takes minutes to hours."""
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    row, _ = await find(s3, bucket, request.key, request.version_id, "POST", marker_is_error=True)
    if row.storage_class not in ARCHIVED:
        raise error(
            403,
            "InvalidObjectState",
            "Restore is not allowed for the object's current storage class",
            StorageClass=row.storage_class,
        )
    wanted = request.restore_request
    if wanted is None or wanted.days is None or wanted.days < 1:
        raise malformed_xml()
    until = midnight_after(s3.clock.now(), wanted.days)

    def change(facts: Facts) -> None:
        facts.restore = f'ongoing-request="false", expiry-date="{formatdate(until, usegmt=True)}"'

    async def tell(tx: Transaction, now: Stored) -> None:
        for event in (events.RESTORE, events.RESTORED):
            await events.add(s3, tx, call, bucket, event, now, events.notices(bucket, event, now.key))

    await change_facts(s3, row, change, tell)
    return api.RestoreObjectOutput()
