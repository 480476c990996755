"""The records of files that bulk puts read, and of those that they write; nothing here waits or stores.

A record is a line of JSON with the members of PutItem that say what to put and when: Item and, where it has a condition,
ConditionExpression, ExpressionAttributeNames and ExpressionAttributeValues. Anything else makes it an error, so no condition
that is stated in another way is ever passed over.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.Format.html
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.asked import AnyCondition, condition_of
from cumulet.services.dynamodb.expressions import OF_WRITE, check_parameters
from cumulet.services.dynamodb.items import stored
from cumulet.services.dynamodb.keys import check_item_keys
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Address, Stored, address
from cumulet.services.dynamodb.values import Item, check_item
from cumulet.services.dynamodb.vectors.entries import check as check_vectors


class _Line(Struct, forbid_unknown_fields=True):
    item: dict[str, api.AttributeValue] = msgspec.field(name="Item")
    condition: str | None = msgspec.field(name="ConditionExpression", default=None)
    names: dict[str, str] | None = msgspec.field(name="ExpressionAttributeNames", default=None)
    values: dict[str, api.AttributeValue] | None = msgspec.field(name="ExpressionAttributeValues", default=None)


class Record(Struct, frozen=True):
    """An item to put, where it belongs, and its condition."""

    item: Item
    stored: Stored
    place: Address
    condition: AnyCondition | None


class Reader:
    """Records for a table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._decode = msgspec.json.Decoder(_Line).decode

    def read(self, line: bytes) -> Record | None:
        """The record of a line; None for an empty line. Raises AwsError or ValueError for what is none."""
        if not line.strip():
            return None
        found = self._decode(line)
        request = api.PutItemInput(
            table_name=self._table.name,
            item=found.item,
            condition_expression=found.condition,
            expression_attribute_names=found.names,
            expression_attribute_values=found.values,
        )
        check_parameters(request, OF_WRITE)
        item = found.item
        new = stored(item, check_item(item))
        condition = condition_of(request)
        check_item_keys(self._table, item)
        check_vectors(self._table, item)
        return Record(item, new, address(self._table.key, item), condition)


class Pointer(Struct, rename="camel"):
    """Where a record is: a file, and the number of its line, from 0; None for the file as a whole."""

    bucket: str
    key: str
    item_index: int | None


class _Failure(Struct):
    pointer: Pointer = msgspec.field(name="itemS3Pointer")
    messages: list[str] = msgspec.field(name="errorMessages")


class _Unmet(Struct, omit_defaults=True):
    pointer: Pointer = msgspec.field(name="itemS3Pointer")
    item: Raw = msgspec.field(name="Item")
    existing: Raw | None = msgspec.field(name="ExistingItem", default=None)


def failure(pointer: Pointer, reason: str) -> bytes:
    """The line of the error report on a record, or a file, that could not be processed."""
    return msgspec.json.encode(_Failure(pointer, [reason]))


def unmet(pointer: Pointer, item: Stored, existing: Stored | None) -> bytes:
    """The line of the report on conditions: the item that was not put, and the one that is there."""
    return msgspec.json.encode(_Unmet(pointer, Raw(item.body), Raw(existing.body) if existing is not None else None))
