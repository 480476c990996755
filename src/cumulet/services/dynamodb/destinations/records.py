"""What a stream of Kinesis gets of a change: a document of its own for each item that changed.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_gettingstarted.html
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from cumulet.kernel.ids import new_id
from cumulet.services.dynamodb.model import MICROSECOND, Destination, Table
from cumulet.services.dynamodb.rows import Address, Stored, encode_item
from cumulet.services.dynamodb.values import Item, item_size

_BY_TTL = b'{"principalId":"dynamodb.amazonaws.com","type":"Service"}'


def partition_key(place: Address) -> str:
    """The same for all changes of an item, so that they stay in order."""
    return blake2b(place.hash + b"\0" + place.range, digest_size=16).hexdigest()


def document(
    table: Table,
    destination: Destination,
    item: Item,
    old: Stored | None,
    new: Stored | None,
    moment: int,
    *,
    by_ttl: bool,
) -> bytes:
    """The record, as JSON. `item` has at least the key's attributes, `moment` is in microseconds since 1970."""
    keys = {name: item[name] for name in table.key.names}
    kind = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
    fine = destination.precision == MICROSECOND
    size = item_size(keys) + (old.size if old else 0) + (new.size if new else 0)
    parts = [
        b'{"awsRegion":%s,"eventID":"%s","eventName":"%s","userIdentity":%s,"recordFormat":"application/json","tableName":%s,'
        % (
            msgspec.json.encode(table.region),
            new_id().encode(),
            kind.encode(),
            _BY_TTL if by_ttl else b"null",
            msgspec.json.encode(table.name),
        ),
        b'"dynamodb":{"ApproximateCreationDateTime":%d,"Keys":%s'
        % (moment if fine else moment // 1000, encode_item(keys)),
    ]
    for name, image in ((b"NewImage", new), (b"OldImage", old)):
        if image is not None:
            parts.append(b',"%s":%s' % (name, image.body))
    parts.append(b',"SizeBytes":%d' % size)
    if destination.precision:
        parts.append(b',"ApproximateCreationDateTimePrecision":"%s"' % destination.precision.encode())
    parts.append(b'},"eventSource":"aws:dynamodb"}')
    return b"".join(parts)
