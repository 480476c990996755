"""ItemReader: the items of a distributed Map out of S3, while they are read.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.errors import AwsError
from cumulet.services.stepfunctions.asl import Transfer
from cumulet.services.stepfunctions.maps import parquet
from cumulet.services.stepfunctions.maps.formats import Csv, Format, Item, JsonArray, JsonLines, failed, pointed
from cumulet.services.stepfunctions.tasks.shapes import BadField, read_stream, shapes

_MOST_WHOLE = 512 * 1024 * 1024
"""Bytes of a file that has to be held whole: Parquet, and JSON with an ItemsPointer."""
_MOST_MANIFEST = 64 * 1024 * 1024
_PIECE = 1024 * 1024


class Reader:
    """Reads what one ItemReader names, as the machine's role (`call`)."""

    def __init__(self, calls: Calls, call: Call, transfer: Transfer) -> None:
        self._calls = calls
        self._call = call
        self._transfer = transfer
        self._config = transfer.config

    async def items(self) -> AsyncIterator[Item]:
        """The items in order, at most MaxItems. Raises States.ItemReaderFailed."""
        most = self._config.get("MaxItems") or 0
        if most < 0:
            raise failed("field MaxItems must be positive")
        number = 0
        try:
            async for item in self._all():
                yield item
                number += 1
                if number == most:
                    return
        except AwsError as error:
            raise failed(error.message) from error
        except BadField as error:
            raise failed(f"The parameters of the ItemReader cannot be used: {error.problem}.") from error

    def _all(self) -> AsyncIterator[Item]:
        resource = (self._transfer.resource or "").rpartition(":")[2]
        given = self._transfer.arguments or {}
        if resource == "listObjectsV2":
            if self._config.get("Transformation") == "LOAD_AND_FLATTEN":
                return self._loaded(given)
            return self._listed(given)
        if resource != "getObject":
            raise failed(f"The resource {self._transfer.resource} is no item reader.")
        kind = self._config.get("InputType", "JSON")
        manifest = self._config.get("ManifestType")
        if manifest == "ATHENA_DATA":
            return self._athena(given)
        if kind == "MANIFEST" or manifest == "S3_INVENTORY":
            return self._inventory(given)
        return self._file(given, kind)

    # Lists of objects

    async def _objects(self, given: dict[str, Any]) -> AsyncIterator[api.Object]:
        known = shapes("s3", True)
        request: Any = known.request("ListObjectsV2", given)
        while True:
            page: api.ListObjectsV2Output = await self._calls.run(self._call, "s3", "ListObjectsV2", request)
            for found in page.contents or ():
                yield found
            if not page.is_truncated:
                return
            request.continuation_token = page.next_continuation_token

    async def _listed(self, given: dict[str, Any]) -> AsyncIterator[Item]:
        async for found in self._objects(given):
            yield (
                {
                    "Etag": found.e_tag,
                    "Key": found.key,
                    "LastModified": round(found.last_modified or 0.0),
                    "Size": found.size,
                    "StorageClass": found.storage_class or "STANDARD",
                },
                None,
            )

    async def _loaded(self, given: dict[str, Any]) -> AsyncIterator[Item]:
        """Not the objects, but the items in them."""
        kind = self._config.get("InputType", "JSON")
        async for found in self._objects(given):
            if found.key and not found.key.endswith("/"):
                async for item in self._file({"Bucket": given.get("Bucket"), "Key": found.key}, kind):
                    yield item

    # Manifests

    async def _inventory(self, given: dict[str, Any]) -> AsyncIterator[Item]:
        """What an inventory of S3 lists. https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html"""
        text = await self._whole(given, _MOST_MANIFEST)
        try:
            manifest = msgspec.json.decode(text)
            schema = [name.strip() for name in manifest["fileSchema"].split(",")]
            kind, keys = manifest["fileFormat"], [file["key"] for file in manifest["files"]]
            bucket = manifest["destinationBucket"].rpartition(":")[2]
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
            raise failed("The manifest is none of an S3 inventory.") from None
        if kind != "CSV":
            raise failed(f"Inventories can be read as CSV; this one is {kind}.")
        for key in keys:
            async for value, _ in self._parsed({"Bucket": bucket, "Key": key}, Csv(schema)):
                value["Key"] = unquote_plus(value["Key"]) if "Key" in value else None
                yield value, None

    async def _athena(self, given: dict[str, Any]) -> AsyncIterator[Item]:
        """The rows in the files that Athena's UNLOAD lists: an address a line."""
        text = (await self._whole(given, _MOST_MANIFEST)).decode(errors="replace")
        for line in text.splitlines():
            bucket, _, key = line.strip().strip('"').removeprefix("s3://").partition("/")
            if key:
                async for item in self._file({"Bucket": bucket, "Key": key}, self._config.get("InputType", "CSV")):
                    yield item

    # Files

    async def _file(self, given: dict[str, Any], kind: str) -> AsyncIterator[Item]:
        pointer = self._config.get("ItemsPointer")
        if kind == "PARQUET":
            async for row in parquet.rows(await self._whole(given, _MOST_WHOLE)):
                yield row
        elif kind == "JSON" and pointer:
            for item in pointed(await self._whole(given, _MOST_WHOLE), pointer):
                yield item
        else:
            async for item in self._parsed(given, self._format(kind)):
                yield item

    def _format(self, kind: str) -> Format:
        if kind == "JSON":
            return JsonArray()
        if kind == "JSONL":
            return JsonLines()
        if kind != "CSV":
            raise failed(f"The InputType {kind} is not known.")
        headers = self._config.get("CSVHeaders") if self._config.get("CSVHeaderLocation") == "GIVEN" else None
        return Csv(headers, self._config.get("CSVDelimiter", "COMMA"))

    async def _parsed(self, given: dict[str, Any], format: Format) -> AsyncIterator[Item]:
        stream = await self._open(given)
        pieces = _unzipped(stream) if str(given.get("Key", "")).endswith(".gz") else stream
        try:
            async for piece in pieces:
                for item in format.feed(piece):
                    yield item
        except zlib.error:
            raise failed(f"{given.get('Key')} is not compressed by gzip.") from None
        for item in format.end():
            yield item

    async def _open(self, given: dict[str, Any]) -> Any:
        request = shapes("s3", True).request("GetObject", given)
        answer: api.GetObjectOutput = await self._calls.run(self._call, "s3", "GetObject", request)
        return answer.body

    async def _whole(self, given: dict[str, Any], most: int) -> bytes:
        content = await read_stream(await self._open(given), most)
        if content is None:
            raise failed(f"{given.get('Key')} has more than {most // 1_048_576} MB, which is too much for its format.")
        return content


async def _unzipped(stream: Any) -> AsyncIterator[bytes]:
    """What gzip compressed, never more than a megabyte at once."""
    unzip = zlib.decompressobj(31)
    async for piece in stream:
        while piece:
            yield unzip.decompress(piece, _PIECE)
            piece = unzip.unconsumed_tail  # noqa: PLW2901  the rest of it
    yield unzip.flush()
