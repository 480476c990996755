"""Items in Parquet files, where the library for it is installed: it is large, and few need it."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import decimal
import importlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from cumulet.services.stepfunctions.maps.formats import Item, failed

_ROWS = 1_000


async def rows(content: bytes) -> AsyncIterator[Item]:
    """The rows of a file as objects, some at a time, decoded on a thread. Raises States.ItemReaderFailed."""
    try:
        library: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise failed(
            "Parquet files need the Python package pyarrow where Cumulet runs: install it and start the node again."
        ) from None
    try:
        batches = parquet.ParquetFile(library.BufferReader(content)).iter_batches(batch_size=_ROWS)
        while (found := await asyncio.to_thread(_next, batches)) is not None:
            for row in found:
                yield row, None
    except library.ArrowException as error:
        raise failed(f"The Parquet file cannot be read: {error}.") from None


def _next(batches: Iterator[Any]) -> list[Any] | None:
    batch = next(batches, None)
    return None if batch is None else [_json(row) for row in batch.to_pylist()]


def _json(value: Any) -> Any:
    """A value of Parquet's as JSON has it."""
    if isinstance(value, dict):
        return {str(key): _json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_json(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value) if isinstance(value, dt.timedelta) else value
