"""What changed in a table between two moments, as the lines of an incremental export.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html#incremental-export-output
"""

from __future__ import annotations

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.backups import recovery
from cumulet.services.dynamodb.backups.filters import Filter
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.history import Changed
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import decode_item, encode_item

BOTH_IMAGES = "NEW_AND_OLD_IMAGES"
_SHORTEST, _LONGEST = 15 * 60.0, 24 * 3600.0


def checked(
    table: Table, given: api.IncrementalExportSpecification | None, now: float
) -> api.IncrementalExportSpecification:
    """The window of an incremental export, with what the request leaves out: up to now, with both images.

    Raises ValidationException, InvalidExportTimeException.
    """
    if given is None or given.export_from_time is None:
        raise invalid("Invalid Request: ExportFromTime must be provided in IncrementalExportSpecification")
    since, until = given.export_from_time, now if given.export_to_time is None else given.export_to_time
    earliest, latest = recovery.window(table, now)
    if since < int(earliest) or until > latest:
        raise api.InvalidExportTimeException(
            f"The window from {since} to {until} is invalid: it must be between {earliest} and {latest}."
        )
    if not _SHORTEST <= until - since <= _LONGEST:
        raise api.InvalidExportTimeException(
            "The difference between ExportFromTime and ExportToTime must be at least 15 minutes and at most 24 hours."
        )
    return api.IncrementalExportSpecification(
        export_from_time=since, export_to_time=until, export_view_type=given.export_view_type or BOTH_IMAGES
    )


def line(table: Table, change: Changed, wanted: Filter, *, both: bool) -> bytes:
    """What an item was before the window (if `both`), and is after it; nothing if the export does not have it, which its
    newest image decides."""
    some = change.new or change.old
    assert some is not None
    item = decode_item(some.body)
    if not wanted.has(item):
        return b""
    keys = encode_item({name: item[name] for name in table.key.names})
    parts = [b'{"Metadata":{"WriteTimestampMicros":{"N":"%d"}},"Keys":%s' % (change.moment, keys)]
    if change.new is not None:
        parts.append(b',"NewImage":%s' % wanted.shown(change.new).body)
    if both and change.old is not None:
        parts.append(b',"OldImage":%s' % wanted.shown(change.old).body)
    return b"".join(parts) + b"}\n"
