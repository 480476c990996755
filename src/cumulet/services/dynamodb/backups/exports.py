"""Tables as files in S3, as they were at a moment.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

import asyncio
import gzip
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id, token
from cumulet.services.dynamodb import history, jobs
from cumulet.services.dynamodb.backups import holds, increments, objects, recovery, transfers
from cumulet.services.dynamodb.backups.filters import ALL, filter_of
from cumulet.services.dynamodb.backups.objects import Target, checksum, root_below
from cumulet.services.dynamodb.backups.transfers import EXPORT, Caller, Transfer
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.model import CREATING, Table
from cumulet.services.dynamodb.rows import Address, decode_item
from cumulet.services.dynamodb.state import DynamoDb

INCREMENTAL = "INCREMENTAL_EXPORT"
_FILE = 16 * 1024 * 1024
_PAGE = 25
_TRIES = 5


class File(Struct):
    """A data file that is written, in the members that the manifest has."""

    count: int = msgspec.field(name="itemCount")
    checksum: str = msgspec.field(name="md5Checksum")
    etag: str
    key: str = msgspec.field(name="dataFileS3Key")


class Job(Struct):
    """How far an export is."""

    arn: str
    caller: Caller
    table: Table
    description: api.ExportDescription
    moment: int = 0
    since: int = -1
    """Where the window of an incremental export begins, which ends with `moment`; below 0 for a full one."""
    files: list[File] = []
    hash: bytes = b""
    range: bytes = b""
    started: bool = False
    whole: bool = False


async def export_table_to_point_in_time(
    dynamodb: DynamoDb, call: Call, request: api.ExportTableToPointInTimeInput
) -> api.ExportTableToPointInTimeOutput:
    _check(request)
    table = await recovery.table(dynamodb, call, request.table_arn)
    filter_of(table, request.filter_specification)
    now = dynamodb.clock.now()
    given = request.client_token or ""
    arn = transfers.transfer_arn(table.arn, EXPORT, now)
    digest = transfers.digest_of(request)
    async with dynamodb.change(table) as (tx, current):
        known = await transfers.by_token(tx, call, EXPORT, given) if given else None
        if known is not None:
            if known[0] != digest:
                raise api.ExportConflictException(f"There was another export with the client token {given}")
            return api.ExportTableToPointInTimeOutput(export_description=_read(known[1]))
        if not current.recovery or current.status == CREATING:
            raise api.PointInTimeRecoveryUnavailableException(
                f"Point in time recovery is not enabled for table '{current.name}'"
            )
        if request.export_type == INCREMENTAL:
            window = increments.checked(current, request.incremental_export_specification, now)
            moment, since = window.export_to_time or now, int((window.export_from_time or 0) * 1e6)
        else:
            window, moment, since = None, _moment(current, request, now), -1
        description = _begun(request, current, arn, moment, now)
        if window is not None:
            description.export_time, description.incremental_export_specification = None, window
        await transfers.insert(
            tx,
            Transfer(
                arn=arn,
                account=call.account,
                region=call.region,
                kind=EXPORT,
                table_arn=table.arn,
                token=given,
                digest=digest,
                record=msgspec.json.encode(description),
            ),
        )
        held = await holds.hold(dynamodb, tx, current)
        job = Job(arn, Caller.of(call), held, description, int(moment * 1e6), since)
        await dynamodb.jobs.add(tx, EXPORT, arn, msgspec.json.encode(job))
    return api.ExportTableToPointInTimeOutput(export_description=description)


def _check(request: api.ExportTableToPointInTimeInput) -> None:
    if request.export_format not in (None, "DYNAMODB_JSON"):
        raise transfers.not_here(f"ExportFormat {request.export_format}")
    incremental = request.export_type == INCREMENTAL
    if request.incremental_export_specification is not None and not incremental:
        raise invalid("Invalid Request: IncrementalExportSpecification can only be provided for INCREMENTAL_EXPORT")
    if request.export_time is not None and incremental:
        raise invalid("Invalid Request: ExportTime cannot be provided for INCREMENTAL_EXPORT")
    objects.check_encryption(request.s3_sse_algorithm, request.s3_sse_kms_key_id)


def _moment(table: Table, request: api.ExportTableToPointInTimeInput, now: float) -> float:
    earliest, latest = recovery.window(table, now)
    moment = now if request.export_time is None else request.export_time
    if not int(earliest) <= moment <= latest:
        raise api.InvalidExportTimeException(
            f"ExportTime {moment} is invalid: it must be between {earliest} and {latest}."
        )
    return moment


def _begun(
    request: api.ExportTableToPointInTimeInput, table: Table, arn: str, moment: float, now: float
) -> api.ExportDescription:
    return api.ExportDescription(
        export_arn=arn,
        export_status="IN_PROGRESS",
        start_time=now,
        table_arn=table.arn,
        table_id=table.uuid,
        export_time=moment,
        client_token=request.client_token or new_id(),
        s3_bucket=request.s3_bucket,
        s3_bucket_owner=request.s3_bucket_owner,
        s3_prefix=request.s3_prefix,
        s3_sse_algorithm=request.s3_sse_algorithm or "AES256",
        s3_sse_kms_key_id=request.s3_sse_kms_key_id,
        filter_specification=request.filter_specification,
        export_format="DYNAMODB_JSON",
        export_type=request.export_type or "FULL_EXPORT",
    )


async def describe_export(dynamodb: DynamoDb, call: Call, request: api.DescribeExportInput) -> api.DescribeExportOutput:
    found = await transfers.find(dynamodb.db, call.account, EXPORT, request.export_arn)
    if found is None:
        raise api.ExportNotFoundException(f"Export not found: {request.export_arn}")
    return api.DescribeExportOutput(export_description=_read(found))


async def list_exports(dynamodb: DynamoDb, call: Call, request: api.ListExportsInput) -> api.ListExportsOutput:
    limit = min(request.max_results or _PAGE, _PAGE)
    after = request.next_token or ""
    rows = await transfers.page(dynamodb.db, call, EXPORT, request.table_arn, after, limit + 1)
    found = [_read(row) for row in rows]
    return api.ListExportsOutput(
        export_summaries=[
            api.ExportSummary(
                export_arn=each.export_arn, export_status=each.export_status, export_type=each.export_type
            )
            for each in found[:limit]
        ],
        next_token=found[limit - 1].export_arn if len(found) > limit else None,
    )


def _read(record: str) -> api.ExportDescription:
    return msgspec.json.decode(record, type=api.ExportDescription)


def register(dynamodb: DynamoDb) -> None:
    """The work of an export."""

    async def work(id_: str, record: bytes) -> None:
        export = _Export(dynamodb, id_, msgspec.json.decode(record, type=Job))
        await export.run()

    dynamodb.jobs.kinds[EXPORT] = work


class _Export:
    """One export: data files first, each put down once it is there, then the manifests."""

    def __init__(self, dynamodb: DynamoDb, id_: str, job: Job) -> None:
        self._dynamodb = dynamodb
        self._id = id_
        self._job = job
        told = job.description
        self._target = Target(
            dynamodb,
            job.caller,
            told.s3_bucket or "",
            told.s3_bucket_owner,
            told.s3_sse_algorithm,
            told.s3_sse_kms_key_id,
        )
        self._filter = filter_of(job.table, told.filter_specification)
        root = root_below(told.s3_prefix)
        self._folder = f"{root}/{job.arn.rpartition('/')[2]}"
        self._data = f"{root}/data" if job.since >= 0 else f"{self._folder}/data"

    async def run(self) -> None:
        job = self._job
        try:
            if not job.started:
                await self._target.put(f"{self._folder}/_started", b"")
                job.started = True
            while not job.whole:
                await self._file()
            await self._manifests()
        except AwsError as error:
            code, message = transfers.failure(error)
            job.description.export_status = "FAILED"
            job.description.failure_code, job.description.failure_message = code, message
        else:
            job.description.export_status = "COMPLETED"
        job.description.end_time = self._dynamodb.clock.now()
        async with self._dynamodb.db.transaction() as tx:
            await transfers.save(tx, job.arn, job.description)
            await holds.release(self._dynamodb, tx, job.table)
            await jobs.done(tx, self._id)

    async def _file(self) -> None:
        """The next data file; a table without items has one that is empty."""
        job, lines, size, last = self._job, [], 0, None
        while True:
            more, bytes_, last = await (self._items() if job.since < 0 else self._changes())
            lines += more
            size += bytes_
            if last is not None:
                job.hash, job.range = last
            if last is None or size >= _FILE:
                break
        data = await asyncio.to_thread(gzip.compress, b"".join(lines), mtime=0)
        key = f"{self._data}/{token(13)}.json.gz"
        etag = await self._target.put(key, data)
        job.files.append(File(len(lines), checksum(data), etag, key))
        job.whole = last is None
        job.description.item_count = (job.description.item_count or 0) + len(lines)
        job.description.billed_size_bytes = (job.description.billed_size_bytes or 0) + size
        async with self._dynamodb.db.transaction() as tx:
            await jobs.save(tx, self._id, msgspec.json.encode(job))

    async def _items(self) -> tuple[list[bytes], int, Address | None]:
        """Lines of some more items as they were at the moment of the export, their size, and where to go on."""
        job = self._job
        async with self._dynamodb.db.transaction() as tx:
            piece = await history.piece(tx, job.table.id, job.moment, Address(job.hash, job.range))
        wanted, size = [stored for _, stored in piece.items], 0
        if self._filter is ALL:
            size = sum(stored.size for stored in wanted)
        else:
            items = [(decode_item(stored.body), stored) for stored in wanted]
            size = sum(stored.size for item, stored in items if self._filter.reads(item))
            wanted = [self._filter.shown(stored) for item, stored in items if self._filter.has(item)]
        return [b'{"Item":%s}\n' % stored.body for stored in wanted], size, piece.last

    async def _changes(self) -> tuple[list[bytes], int, Address | None]:
        """Lines of some more items that changed within the window, their size, and where to go on."""
        job, window = self._job, self._job.description.incremental_export_specification
        both = window is None or window.export_view_type == increments.BOTH_IMAGES
        async with self._dynamodb.db.transaction() as tx:
            found, last = await history.changes(tx, job.table.id, (job.since, job.moment), Address(job.hash, job.range))
        size = sum(image.size for each in found for image in (each.old, each.new) if image is not None)
        lines = [increments.line(job.table, each, self._filter, both=both) for each in found]
        return [line for line in lines if line], size, last

    async def _manifests(self) -> None:
        job, told = self._job, self._job.description
        files = b"".join(msgspec.json.encode(each) + b"\n" for each in job.files)
        manifest = f"{self._folder}/manifest-summary.json"
        window = told.incremental_export_specification
        moments = {"exportTime": _time(told.export_time)}
        if window is not None:
            moments = {
                "exportFromTime": _time(window.export_from_time),
                "exportToTime": _time(window.export_to_time),
            }
        summary = {
            "version": "2020-06-30" if window is None else "2023-08-01",
            "exportArn": job.arn,
            "startTime": _time(told.start_time),
            "endTime": _time(self._dynamodb.clock.now()),
            "tableArn": told.table_arn,
            "tableId": told.table_id,
            **moments,
            "s3Bucket": told.s3_bucket,
            "s3Prefix": told.s3_prefix,
            "s3SseAlgorithm": told.s3_sse_algorithm,
            "s3SseKmsKeyId": told.s3_sse_kms_key_id,
            "manifestFilesS3Key": f"{self._folder}/manifest-files.json",
            "billedSizeBytes": told.billed_size_bytes,
            "itemCount": told.item_count,
            "outputFormat": "DYNAMODB_JSON",
            **({"outputView": window.export_view_type} if window is not None else {}),
            "exportType": told.export_type,
        }
        for name, content in (("manifest-files", files), ("manifest-summary", msgspec.json.encode(summary))):
            await self._target.put(f"{self._folder}/{name}.json", content)
            await self._target.put(f"{self._folder}/{name}.md5", checksum(content).encode())
        told.export_manifest = manifest


def _time(moment: float | None) -> str:
    text = datetime.fromtimestamp(moment or 0.0, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
