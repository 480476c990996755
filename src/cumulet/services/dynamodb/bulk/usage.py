"""The bytes that a bulk operation used: the sizes of the items it put, and of their entries in indexes."""

from __future__ import annotations

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.bulk.model import Description
from cumulet.services.dynamodb.items import Written
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import entry_address
from cumulet.services.dynamodb.vectors.entries import write_bytes
from cumulet.services.dynamodb.writing import projected


def add_usage(told: Description, table: Table, written: Written) -> None:
    """Add what one item took."""
    new, item = written.new, written.new_item
    assert new is not None
    assert item is not None
    if not told.bulk_operation_usage:
        told.bulk_operation_usage = [api.BulkOperationUsage(table_name=table.arn)]
    usage = told.bulk_operation_usage[0]
    usage.table = _more(usage.table, new.size)
    total = new.size
    for index in table.indexes:
        if entry_address(index.key, item) is None:
            continue
        size = projected(table, index, item, new).size
        total += size
        if index.local:
            usage.local_secondary_indexes = usage.local_secondary_indexes or {}
            of = usage.local_secondary_indexes
        else:
            usage.global_secondary_indexes = usage.global_secondary_indexes or {}
            of = usage.global_secondary_indexes
        of[index.name] = _more(of.get(index.name), size)
    usage.bulk_put_bytes = (usage.bulk_put_bytes or 0) + total
    for name, bytes_ in write_bytes(table, written.old_item, item).items():
        usage.vector_indexes = usage.vector_indexes or {}
        was = usage.vector_indexes.get(name, api.BulkOperationVectorBytes())
        usage.vector_indexes[name] = api.BulkOperationVectorBytes(
            bulk_put_vector_bytes=(was.bulk_put_vector_bytes or 0) + int(bytes_)
        )


def _more(was: api.BulkOperationBytes | None, size: int) -> api.BulkOperationBytes:
    return api.BulkOperationBytes(bulk_put_bytes=((was.bulk_put_bytes if was else 0) or 0) + size)
