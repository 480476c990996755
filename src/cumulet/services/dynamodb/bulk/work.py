"""The work of a bulk operation: file after file in the order of their keys, some lines a transaction.

What was put, and how far the operation is, become durable together: after a crash it goes on behind the last line it had.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import math

import msgspec

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb import capacity, items, jobs, store
from cumulet.services.dynamodb.backups import transfers
from cumulet.services.dynamodb.backups.objects import Found, Source, Target, checksum, root_below
from cumulet.services.dynamodb.backups.unpacking import Malformed
from cumulet.services.dynamodb.bulk import model, records
from cumulet.services.dynamodb.bulk.model import CONDITION, ERROR, Description, Job, Report
from cumulet.services.dynamodb.bulk.operations import KIND
from cumulet.services.dynamodb.bulk.records import Pointer, Record
from cumulet.services.dynamodb.bulk.usage import add_usage
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Stored
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.services.dynamodb.values import Item
from cumulet.storage.database import Transaction

_TURN = 200
"""Lines of one transaction, at most."""
_FULL = 1 << 20
"""Bytes of a report that are kept before they become a file."""


class _Stopped(Exception):
    """The operation goes no further; `code` is empty when it was cancelled."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def register(dynamodb: DynamoDb) -> None:
    async def work(id_: str, record: bytes) -> None:
        await _Putting(dynamodb, id_, msgspec.json.decode(record, type=Job)).run()

    dynamodb.jobs.kinds[KIND] = work


class _Putting:
    """One bulk operation."""

    def __init__(self, dynamodb: DynamoDb, id_: str, job: Job) -> None:
        self._dynamodb = dynamodb
        self._id = id_
        self._job = job
        told = job.description
        source, target = told.input_s3_configuration, told.output_s3_configuration
        assert source is not None
        assert target is not None
        self._bucket = source.s3_bucket
        self._compression = source.input_compression_type or "NONE"
        self._source = Source(dynamodb, job.caller, source.s3_bucket, source.s3_key_prefix, source.s3_bucket_owner)
        self._target = Target(
            dynamodb,
            job.caller,
            target.s3_bucket or "",
            target.s3_bucket_owner,
            target.s3_sse_algorithm,
            target.s3_sse_kms_key_id,
        )
        self._told_of = frozenset(target.output_type)
        self._folder = f"{root_below(target.s3_key_prefix)}/{job.arn.rpartition('/')[2]}"

    async def run(self) -> None:
        told = self._job.description
        try:
            await self._measure()
            async for found in self._source.files(self._job.key):
                await self._file(found)
            await self._flush(least=1)
            await self._manifests()
        except _Stopped as stopped:
            told.bulk_operation_status = model.FAILED if stopped.code else model.CANCELLED
            told.failure_code, told.failure_message = stopped.code or "Cancelled", str(stopped)
        except AwsError as error:
            told.bulk_operation_status = model.FAILED
            told.failure_code, told.failure_message = transfers.failure(error)
        else:
            told.bulk_operation_status = model.WITH_ERRORS if told.failed_item_count else model.COMPLETED
        if told.bulk_operation_status == model.CANCELLED:
            with contextlib.suppress(AwsError):  # what it did not put is told as far as S3 takes it
                await self._flush(least=1)
                await self._manifests()
        told.end_time = self._dynamodb.clock.now()
        async with self._dynamodb.db.transaction() as tx:
            await model.save(tx, told)
            await jobs.done(tx, self._id)

    async def _measure(self) -> None:
        """How much there is to read, and whether reports can be written at all."""
        if self._job.measured:
            return
        await self._target.put(f"{self._folder}/_started", b"")
        total = 0
        async for found in self._source.files():
            total += found.size
        self._job.description.total_input_bytes = total
        self._job.measured = True
        async with self._dynamodb.db.transaction() as tx:
            await self._go_on(tx)
            await self._save(tx)

    async def _file(self, found: Found) -> None:
        done, place = self._job.lines, 0
        try:
            async with contextlib.aclosing(self._source.pieces(found.key, self._compression, _TURN)) as pieces:
                async for lines, _ in pieces:
                    first = min(len(lines), max(0, done - place))
                    while first < len(lines):
                        first += await self._enter(lines[first:], place + first, found.key)
                        await self._flush(least=_FULL)
                    place += len(lines)
        except Malformed as error:
            self._failed(Pointer(self._bucket, found.key, None), str(error))
        async with self._dynamodb.db.transaction() as tx:
            await self._go_on(tx)
            told = self._job.description
            told.processed_input_bytes = (told.processed_input_bytes or 0) + found.size
            self._job.key, self._job.lines = found.key, 0
            await self._save(tx)

    async def _enter(self, lines: list[bytes], at: int, key: str) -> int:
        """Put the items of some lines, the first of them the file's `at`th; gives how many lines that were."""
        began, units, count = self._dynamodb.clock.now(), 0.0, 0
        async with self._dynamodb.db.transaction() as tx:
            await self._go_on(tx)
            table = await store.current(tx, self._job.table)
            if table is None:
                raise _Stopped("TableNotFound", "The table was deleted")
            reader = records.Reader(table)
            for line in lines:
                pointer = Pointer(self._bucket, key, at + count)
                count += 1
                try:
                    record = reader.read(line)
                    if record is not None:
                        units += await self._put(tx, table, record, pointer)
                except (AwsError, ValueError, RecursionError) as error:
                    self._failed(pointer, str(getattr(error, "message", error)))
                if any(report.size >= _FULL for report in self._job.reports.values()):
                    break
            self._job.lines = at + count
            await self._save(tx)
        await self._pace(units, began)
        return count

    async def _put(self, tx: Transaction, table: Table, record: Record, pointer: Pointer) -> float:
        """Put one item; gives the write units that took."""
        told = self._job.description

        def change(_item: Item | None, _old: Stored | None) -> tuple[Item | None, Stored | None]:
            return record.item, record.stored

        told.processed_item_count = (told.processed_item_count or 0) + 1
        try:
            written = await items.alter(self._dynamodb, tx, table, record.place, change, record.condition, "ALL_OLD")
        except api.ConditionalCheckFailedException as unmet:
            if CONDITION in self._told_of:
                existing = unmet.fields.get("Item")
                there = Stored(bytes(existing), 0) if existing is not None else None
                self._report(CONDITION).add(records.unmet(pointer, record.stored, there))
            return 1.0
        except AwsError:
            told.processed_item_count -= 1  # counted as one that failed
            raise
        add_usage(told, table, written)
        return capacity.write_units(written.old, written.new)

    def _failed(self, pointer: Pointer, reason: str) -> None:
        told = self._job.description
        told.processed_item_count = (told.processed_item_count or 0) + 1
        told.failed_item_count = (told.failed_item_count or 0) + 1
        if ERROR in self._told_of:
            self._report(ERROR).add(records.failure(pointer, reason))

    def _report(self, kind: str) -> Report:
        return self._job.reports.setdefault(kind, Report())

    async def _pace(self, units: float, began: float) -> None:
        """Wait until what was written fits the rate that was asked for."""
        most = self._job.description.max_write_request_units
        if most:
            rest = began + math.ceil(units) / most - self._dynamodb.clock.now()
            if rest > 0:
                await self._dynamodb.clock.sleep(rest)

    async def _go_on(self, tx: Transaction) -> None:
        """Raises _Stopped when the operation was cancelled."""
        now = await model.find(tx, self._job.caller.account, self._job.arn)
        if now is not None and now.bulk_operation_status == model.CANCELLING:
            raise _Stopped("", "The operation was cancelled by CancelBulkOperation")

    async def _save(self, tx: Transaction) -> None:
        """Note how far the operation is."""
        await model.save(tx, self._job.description)
        await jobs.save(tx, self._id, msgspec.json.encode(self._job))

    async def _flush(self, least: int) -> None:
        """Write what the reports have, if it is so many bytes; a file that is written twice after a crash is the same one."""
        for kind, report in self._job.reports.items():
            if report.size < least:
                continue
            data = await asyncio.to_thread(gzip.compress, b"\n".join([*report.lines, b""]), mtime=0)
            await self._target.put(self._file_of(kind, report.files), data)
            report.files += 1
            report.lines, report.size = [], 0
            async with self._dynamodb.db.transaction() as tx:
                await jobs.save(tx, self._id, msgspec.json.encode(self._job))

    def _file_of(self, kind: str, number: int) -> str:
        return f"{self._folder}/data/{kind.lower().replace('_', '-')}-{number:06d}.json.gz"

    async def _manifests(self) -> None:
        files = [
            {"outputType": kind, "dataFileS3Key": self._file_of(kind, number)}
            for kind, report in self._job.reports.items()
            for number in range(report.files)
        ]
        listed = b"".join(msgspec.json.encode(each) + b"\n" for each in files)
        summary = _summary(self._job.description, f"{self._folder}/manifest-files.json", self._job.reports)
        for name, content in (("manifest-files", listed), ("manifest-summary", summary)):
            await self._target.put(f"{self._folder}/{name}.json", content)
            await self._target.put(f"{self._folder}/{name}.md5", checksum(content).encode())


def _summary(told: Description, files: str, reports: dict[str, Report]) -> bytes:
    source = told.input_s3_configuration
    assert source is not None
    return msgspec.json.encode(
        {
            "bulkOperationArn": told.bulk_operation_arn,
            "tableArn": (told.table_details or [])[0].table_name,
            "inputS3Bucket": source.s3_bucket,
            "inputS3KeyPrefix": source.s3_key_prefix,
            "manifestFilesS3Key": files,
            "processedItemCount": told.processed_item_count,
            "failedItemCount": told.failed_item_count,
            "reportedItemCounts": {kind: report.items for kind, report in reports.items()},
        }
    )
