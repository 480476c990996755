"""Tables made of files in S3."""

from __future__ import annotations

import contextlib

import msgspec
from msgspec import Struct

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.dynamodb import jobs, names, rows, store, writing
from cumulet.services.dynamodb.backups import refusals, targets, transfers
from cumulet.services.dynamodb.backups.importing import CsvReader, JsonReader
from cumulet.services.dynamodb.backups.objects import Source
from cumulet.services.dynamodb.backups.transfers import IMPORT, Caller, Transfer
from cumulet.services.dynamodb.backups.unpacking import Malformed
from cumulet.services.dynamodb.encryption import encryption_of
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.items import stored
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import address
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.services.dynamodb.tables import new_table
from cumulet.services.dynamodb.values import Item, item_size
from cumulet.storage.database import Transaction

_PAGE = 25
_TURN = 200
"""Lines of one transaction."""


class Job(Struct):
    """How far an import is: all files up to `key` are done, and of the next one `lines` lines."""

    arn: str
    caller: Caller
    table: Table
    description: api.ImportTableDescription
    key: str = ""
    lines: int = 0
    refused: list[refusals.Refusal] = []
    """What is to be written to the log still."""
    logged: int = 0


async def import_table(dynamodb: DynamoDb, call: Call, request: api.ImportTableInput) -> api.ImportTableOutput:
    _check(request)
    now = dynamodb.clock.now()
    parameters = request.table_creation_parameters
    place = names.place(call, parameters.table_name)
    wanted = api.CreateTableInput(
        table_name=parameters.table_name,
        attribute_definitions=parameters.attribute_definitions,
        key_schema=parameters.key_schema,
        billing_mode=parameters.billing_mode,
        provisioned_throughput=parameters.provisioned_throughput,
        on_demand_throughput=parameters.on_demand_throughput,
        sse_specification=parameters.sse_specification,
        global_secondary_indexes=parameters.global_secondary_indexes,
        vector_indexes=parameters.vector_indexes,
    )
    encryption = await encryption_of(dynamodb, call, place, wanted.sse_specification)
    target = new_table(dynamodb, wanted, place, encryption)
    given, digest = request.client_token or "", transfers.digest_of(request)
    arn = transfers.transfer_arn(target.arn, IMPORT, now)
    async with targets.Taken(target, api.ResourceInUseException), dynamodb.db.transaction() as tx:
        known = await transfers.by_token(tx, call, IMPORT, given) if given else None
        if known is not None:
            if known[0] != digest:
                raise api.ImportConflictException(f"There was another import with the client token {given}")
            return api.ImportTableOutput(import_table_description=_read(known[1]))
        target = await targets.insert(dynamodb, tx, target)
        description = _begun(request, target, arn, now)
        await transfers.insert(
            tx,
            Transfer(
                arn=arn,
                account=call.account,
                region=call.region,
                kind=IMPORT,
                table_arn=target.arn,
                token=given,
                digest=digest,
                record=msgspec.json.encode(description),
            ),
        )
        job = Job(arn, Caller.of(call), target, description)
        await dynamodb.jobs.add(tx, IMPORT, arn, msgspec.json.encode(job))
    return api.ImportTableOutput(import_table_description=description)


def _check(request: api.ImportTableInput) -> None:
    if request.input_format not in ("DYNAMODB_JSON", "CSV"):
        raise transfers.not_here(f"InputFormat {request.input_format}")
    options = request.input_format_options
    if options is not None and options.csv is not None:
        if request.input_format != "CSV":
            raise invalid("InputFormatOptions.Csv can only be given when InputFormat is CSV.")
        if options.csv.delimiter is not None and options.csv.delimiter not in set(",\t:;| "):
            raise invalid("The delimiter of CSV must be one of comma, tab, colon, semicolon, pipe and space.")


def _begun(request: api.ImportTableInput, table: Table, arn: str, now: float) -> api.ImportTableDescription:
    return api.ImportTableDescription(
        import_arn=arn,
        import_status="IN_PROGRESS",
        cloud_watch_log_group_arn=refusals.group_arn(table),
        table_arn=table.arn,
        table_id=table.uuid,
        client_token=request.client_token or new_id(),
        s3_bucket_source=request.s3_bucket_source,
        error_count=0,
        input_format=request.input_format,
        input_format_options=request.input_format_options,
        input_compression_type=request.input_compression_type or "NONE",
        table_creation_parameters=request.table_creation_parameters,
        start_time=now,
        processed_size_bytes=0,
        processed_item_count=0,
        imported_item_count=0,
    )


async def describe_import(dynamodb: DynamoDb, call: Call, request: api.DescribeImportInput) -> api.DescribeImportOutput:
    found = await transfers.find(dynamodb.db, call.account, IMPORT, request.import_arn)
    if found is None:
        raise api.ImportNotFoundException(f"Import not found: {request.import_arn}")
    return api.DescribeImportOutput(import_table_description=_read(found))


async def list_imports(dynamodb: DynamoDb, call: Call, request: api.ListImportsInput) -> api.ListImportsOutput:
    limit = min(request.page_size or _PAGE, _PAGE)
    after = request.next_token or ""
    records = await transfers.page(dynamodb.db, call, IMPORT, request.table_arn, after, limit + 1)
    found = [_read(record) for record in records]
    return api.ListImportsOutput(
        import_summary_list=[
            api.ImportSummary(
                import_arn=each.import_arn,
                import_status=each.import_status,
                table_arn=each.table_arn,
                s3_bucket_source=each.s3_bucket_source,
                input_format=each.input_format,
                cloud_watch_log_group_arn=each.cloud_watch_log_group_arn,
                start_time=each.start_time,
                end_time=each.end_time,
            )
            for each in found[:limit]
        ],
        next_token=found[limit - 1].import_arn if len(found) > limit else None,
    )


def _read(record: str) -> api.ImportTableDescription:
    return msgspec.json.decode(record, type=api.ImportTableDescription)


def register(dynamodb: DynamoDb) -> None:
    """The work of an import."""

    async def work(id_: str, record: bytes) -> None:
        await _Import(dynamodb, id_, msgspec.json.decode(record, type=Job)).run()

    dynamodb.jobs.kinds[IMPORT] = work


class _Import:
    """One import: file after file in the order of their keys, some lines a transaction."""

    def __init__(self, dynamodb: DynamoDb, id_: str, job: Job) -> None:
        self._dynamodb = dynamodb
        self._id = id_
        self._job = job
        source = self._source
        self._files = Source(dynamodb, job.caller, source.s3_bucket, source.s3_key_prefix, source.s3_bucket_owner)

    async def run(self) -> None:
        job, told = self._job, self._job.description
        try:
            await self._report()  # of an earlier run
            async for found in self._files.files(job.key):
                await self._file(found.key)
        except (AwsError, Malformed) as error:
            told.import_status = "FAILED"
            if isinstance(error, AwsError):
                told.failure_code, told.failure_message = transfers.failure(error)
            else:
                told.failure_code, told.failure_message = "ItemValidationError", str(error)
        else:
            told.import_status = "COMPLETED"
        told.end_time = self._dynamodb.clock.now()
        async with self._dynamodb.db.transaction() as tx:
            if (now := await store.current(tx, job.table)) is not None:
                await targets.open_table(self._dynamodb, tx, now)
            await transfers.save(tx, job.arn, told)
            await jobs.done(tx, self._id)

    async def _file(self, key: str) -> None:
        job = self._job
        reader = self._reader()
        done, place = job.lines, 0
        compression = job.description.input_compression_type or "NONE"
        async with contextlib.aclosing(self._files.pieces(key, compression, _TURN)) as pieces:
            async for lines, whole in pieces:
                known = min(len(lines), max(0, done - place))
                # Those of an earlier run are read all the same: a header is needed, and the beginnings of quotations.
                for line in lines[:known]:
                    with contextlib.suppress(AwsError, ValueError, RecursionError):
                        reader.read(line)
                place += len(lines)
                if whole or known < len(lines):
                    await self._enter(reader, lines[known:], place, key, whole=whole)

    async def _enter(
        self,
        reader: JsonReader | CsvReader,
        lines: list[bytes],
        place: int,
        key: str,
        *,
        whole: bool = False,
    ) -> None:
        """Put the items of some lines of a file, the last its `place`th, into the table; `whole`: it ends with them."""
        job, told = self._job, self._job.description
        errors = items = 0
        first = place - len(lines) - reader.headers
        size = sum(len(line) + 1 for line in lines)
        async with self._dynamodb.db.transaction() as tx:
            table = await store.current(tx, job.table)
            if table is None:
                raise Malformed("the table was deleted")
            for at, line in enumerate(lines, first):
                try:
                    item = reader.read(line)
                    if item is None:
                        continue
                    await self._put(tx, table, item)
                    items += 1
                except (AwsError, ValueError, RecursionError) as error:
                    errors += 1
                    job.refused.append(refusals.Refusal(key, at, str(getattr(error, "message", error))))
            told.error_count = (told.error_count or 0) + errors
            told.imported_item_count = (told.imported_item_count or 0) + items
            told.processed_item_count = (told.processed_item_count or 0) + items + errors
            told.processed_size_bytes = (told.processed_size_bytes or 0) + size
            job.lines = 0 if whole else place
            job.key = key if whole else job.key
            await transfers.save(tx, job.arn, told)
            await jobs.save(tx, self._id, msgspec.json.encode(job))
        await self._report()

    async def _report(self) -> None:
        """Write to the log what was refused; after a crash some of it comes twice."""
        job = self._job
        if job.refused and job.logged < refusals.MOST:
            call = job.caller.call()
            await refusals.report(self._dynamodb, call, job.arn, self._source.s3_bucket, job.refused)
        job.logged += len(job.refused)
        job.refused = []

    async def _put(self, tx: Transaction, table: Table, item: Item) -> None:
        new = stored(item, item_size(item))
        place = address(table.key, item)
        old = await rows.get(tx, table, place)
        await writing.apply(tx, self._dynamodb.changes, table, place, old, new, item)

    def _reader(self) -> JsonReader | CsvReader:
        told = self._job.description
        if told.input_format != "CSV":
            return JsonReader(self._job.table)
        options = told.input_format_options.csv if told.input_format_options is not None else None
        if options is None:
            return CsvReader(self._job.table, ",", None)
        return CsvReader(self._job.table, options.delimiter or ",", options.header_list)

    @property
    def _source(self) -> api.S3BucketSource:
        source = self._job.description.s3_bucket_source
        assert source is not None
        return source
