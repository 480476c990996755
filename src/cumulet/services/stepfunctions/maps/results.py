"""What a distributed Map gives: the outputs of its children, or files of them in S3.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import BytesStream
from cumulet.services.stepfunctions.asl import StatesError, Transfer
from cumulet.services.stepfunctions.asl.payload import LIMIT, encode, loads, too_large
from cumulet.services.stepfunctions.engine.ports import MapCall
from cumulet.services.stepfunctions.maps.batches import Share
from cumulet.services.stepfunctions.maps.store import MapRun, MapRunStore, Outcome
from cumulet.services.stepfunctions.tasks.shapes import BadField, instant, shapes

WRITER_FAILED = "States.ResultWriterFailed"
_PIECE = 256 * 1024
_NONE = object()


class _Rows:
    """Rows as a file of JSON or JSON Lines, while it is sent. `size` is its bytes so far."""

    length: int | None = None

    def __init__(self, rows: AsyncIterator[Any], lines: bool) -> None:
        self._rows = rows
        self._lines = lines
        self.size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        held = bytearray(b"" if self._lines else b"[")
        first = True
        async for row in self._rows:
            if not self._lines and not first:
                held += b","
            held += encode(row)
            if self._lines:
                held += b"\n"
            first = False
            if len(held) >= _PIECE:
                self.size += len(held)
                yield bytes(held)
                held.clear()
        held += b"" if self._lines else b"]"
        self.size += len(held)
        yield bytes(held)


def _record(run: MapRun, outcome: Outcome) -> dict[str, Any]:
    """A child as a whole: Transformation NONE."""
    record: dict[str, Any] = {
        "ExecutionArn": outcome.arn,
        "Input": outcome.input,
        "InputDetails": {"Included": True},
        "Name": outcome.arn.rpartition(":")[2],
    }
    if outcome.output is not None:
        record |= {"Output": outcome.output, "OutputDetails": {"Included": True}}
    if outcome.error is not None:
        record["Error"] = outcome.error
    if outcome.cause is not None:
        record["Cause"] = outcome.cause
    return record | {
        "StartDate": instant(outcome.started),
        "StateMachineArn": run.machine,
        "Status": outcome.status,
        "StopDate": instant(outcome.stopped),
    }


def _transformed(run: MapRun, outcome: Outcome, transformation: str) -> list[Any]:
    """What one child contributes. One that failed is told as a whole, whatever was asked for."""
    if transformation == "NONE" or outcome.status != "SUCCEEDED" or outcome.output is None:
        return [_record(run, outcome)]
    output = loads(outcome.output)
    return output if transformation == "FLATTEN" and isinstance(output, list) else [output]


async def gathered(store: MapRunStore, run: MapRun, call: MapCall) -> Any:
    """The outputs as a list, in the order of the items. Raises States.DataLimitExceeded."""
    config = call.distribution.writer.config if call.distribution.writer is not None else {}
    transformation = config.get("Transformation", "COMPACT")
    found: list[Any] = []
    size = 0
    async for outcome in store.outcomes(run.id):
        size += len(outcome.output or "") + 1
        if size > LIMIT:
            raise too_large(call.state.name)
        found += _transformed(run, outcome, transformation)
    if config.get("OutputType") == "JSONL":
        return "".join(f"{encode(value).decode()}\n" for value in found)
    return found


class ResultWriter:
    """Writes the files of one ResultWriter, as the machine's role (`call`)."""

    def __init__(self, calls: Calls, call: Call, transfer: Transfer, store: MapRunStore, run: MapRun) -> None:
        self._calls = calls
        self._call = call
        self._arguments: dict[str, Any] = transfer.arguments or {}
        self._store = store
        self._run = run
        self._transformation: str = transfer.config.get("Transformation", "NONE")
        self._lines = transfer.config.get("OutputType") == "JSONL"

    async def write(self, pending: AsyncIterator[Share] | None) -> dict[str, Any]:
        """The files and their manifest; gives the Map's result. `pending` are shares that were never begun.

        Raises States.ResultWriterFailed.
        """
        run = self._run
        prefix = self._arguments.get("Prefix") or ""
        place = f"{prefix}{'/' if prefix and not prefix.endswith('/') else ''}{run.id}"
        files = {
            "FAILED": await self._file(place, "FAILED", self._outcomes(succeeded=False)),
            "PENDING": await self._file(place, "PENDING", self._pending(pending)) if pending is not None else [],
            "SUCCEEDED": await self._file(place, "SUCCEEDED", self._outcomes(succeeded=True)),
        }
        bucket = self._arguments.get("Bucket")
        manifest = {"DestinationBucket": bucket, "MapRunArn": run.arn, "ResultFiles": files}
        key = f"{place}/manifest.json"
        await self._put(key, BytesStream(msgspec.json.format(encode(manifest), indent=2)))
        return {"MapRunArn": run.arn, "ResultWriterDetails": {"Bucket": bucket, "Key": key}}

    async def _outcomes(self, *, succeeded: bool) -> AsyncIterator[Any]:
        async for outcome in self._store.outcomes(self._run.id, succeeded=succeeded):
            for row in _transformed(self._run, outcome, self._transformation):
                yield row

    async def _pending(self, shares: AsyncIterator[Share]) -> AsyncIterator[Any]:
        async for share in shares:
            yield {
                "Input": share.input,
                "InputDetails": {"Included": True},
                "StateMachineArn": self._run.machine,
                "Status": "PENDING",
            }

    async def _file(self, place: str, name: str, rows: AsyncIterator[Any]) -> list[dict[str, Any]]:
        """One file; none for no rows."""
        first = await anext(rows, _NONE)
        if first is _NONE:
            return []
        stream = _Rows(_chained(first, rows), self._lines)
        key = f"{place}/{name}_0.{'jsonl' if self._lines else 'json'}"
        await self._put(key, stream)
        return [{"Key": key, "Size": stream.size}]

    async def _put(self, key: str, body: Any) -> None:
        given = {name: value for name, value in self._arguments.items() if name != "Prefix"}
        try:
            request: Any = shapes("s3", True).request("PutObject", {**given, "Key": key})
            request.body = body
            request.content_type = request.content_type or "application/json"
            await self._calls.run(self._call, "s3", "PutObject", request)
        except AwsError as error:
            raise StatesError(WRITER_FAILED, error.message) from error
        except BadField as error:
            raise StatesError(WRITER_FAILED, f"The ResultWriter cannot be used: {error.problem}.") from error


async def _chained(first: Any, rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    yield first
    async for row in rest:
        yield row
