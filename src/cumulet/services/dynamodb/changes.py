"""What follows from a change of an item: a record in the table's stream, one for each stream of Kinesis that it goes to, and what
the item was before, for restores.

All are rows of the transaction that changes the item, so none is ever there without the others.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from __future__ import annotations

import msgspec

from cumulet.kernel.clock import Clock
from cumulet.services.dynamodb import expiry, history, item_collections
from cumulet.services.dynamodb.destinations.outgoing import Outgoing
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Address, Stored, decode_item, encode_item
from cumulet.services.dynamodb.streams import store as streams
from cumulet.services.dynamodb.streams.model import SHARD_SECONDS, Shard, Stream, sequence_number, topic
from cumulet.services.dynamodb.values import Item, equal, item_size
from cumulet.storage.database import Database, Transaction
from cumulet.storage.signals import Signals

_NEW, _OLD = frozenset({"NEW_IMAGE", "NEW_AND_OLD_IMAGES"}), frozenset({"OLD_IMAGE", "NEW_AND_OLD_IMAGES"})


class Changes:
    """Records changes of items, for the tables whose `recorded` says so. `alarm` rings when an item is to expire soon;
    `most` is how many bytes an item collection may have."""

    def __init__(self, db: Database, clock: Clock, signals: Signals, most: int, outgoing: Outgoing) -> None:
        self.most = most
        self._outgoing = outgoing
        self._db = db
        self._clock = clock
        self._signals = signals
        self.alarm = expiry.Alarm()
        self._last = 0
        self._open: dict[tuple[int, str], tuple[Stream, Shard]] = {}

    async def start(self) -> None:
        """Make the tables, and find the last number given, so that numbers grow whatever the clock does."""
        await self._db.migrate("dynamodb_streams", streams.SCHEMA)
        await self._db.migrate("dynamodb_history", history.SCHEMA)
        await self._db.migrate("dynamodb_expiry", expiry.SCHEMA)
        await self._db.migrate("dynamodb_collections", item_collections.SCHEMA)
        await self._outgoing.start()
        self._last = max(
            await streams.last_sequence(self._db),
            await history.last_sequence(self._db),
            await self._outgoing.last_sequence(),
        )

    def moment(self) -> int:
        """A number that grows with each change: microseconds since 1970, or one more than the last."""
        self._last = max(self._last + 1, int(self._clock.now() * 1e6))
        return self._last

    async def record(
        self,
        tx: Transaction,
        table: Table,
        place: Address,
        item: Item,
        old: Stored | None,
        new: Stored | None,
        *,
        by_ttl: bool = False,
    ) -> None:
        """Note that the item at `place` was `old` and is now `new` (None: not there), within the transaction of that.

        `item` has at least the key's attributes. What changes nothing leaves no trace. `by_ttl`: it had expired.
        """
        if unchanged(old, new):
            return
        moment = self.moment()
        if table.remembered:
            await history.keep(tx, table.id, place, moment, old)
        if table.streams:
            stream, _ = await self._shard(tx, table)
            body = _stream_record(table, item, old, new, moment)
            kind = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
            await streams.add(tx, stream.id, moment, kind, body, by_ttl=by_ttl)
            tx.after_commit(stream.publisher(self._signals.publish))
        if table.sent:
            await self._outgoing.add(tx, table, place, item, old, new, moment, by_ttl=by_ttl)

    async def expire(self, tx: Transaction, table: Table, place: Address, old: Item | None, new: Item | None) -> None:
        """Note when an item of a table with a time to live expires now, within the transaction that changes it."""
        await expiry.note(tx, self.alarm, table, place, old, new)

    async def open_stream(self, tx: Transaction, table: Table) -> None:
        """Begin the stream that `table.stream` names; its label is new."""
        assert table.stream is not None
        stream = Stream(
            id=await streams.next_id(tx),
            table=table.id,
            account=table.account,
            region=table.region,
            name=table.name,
            label=table.stream.label,
            view=table.stream.view,
            key=table.key,
            created=self._clock.now(),
        )
        await streams.insert(tx, stream)
        await streams.open_shard(tx, Shard.opening(stream.id, self.moment(), self._clock.now()))

    async def close_stream(self, tx: Transaction, table: Table) -> None:
        """End the open stream of a table, if it has one: what is in it can be read for a day."""
        for stream in await streams.opened_by(tx, table.id):
            await streams.close(tx, stream, self.moment(), self._clock.now())
            self._forget(tx, (table.id, stream.label), stream)

    async def forget_table(self, tx: Transaction, table: Table) -> None:
        """A table goes: its stream ends. What else is kept of it, the sweeper removes."""
        await self.close_stream(tx, table)

    async def _shard(self, tx: Transaction, table: Table) -> tuple[Stream, Shard]:
        """The table's stream and its open shard; a shard that has been open for four hours is followed by another."""
        assert table.stream is not None
        key = (table.id, table.stream.label)
        found = self._open.get(key)
        if found is None:
            found = self._open[key] = await streams.open_of(tx, *key)
        stream, shard = found
        now = self._clock.now()
        if now - shard.opened < SHARD_SECONDS:
            return found
        self._open.pop(key)  # whatever becomes of this transaction, the store knows
        stream, shard = await streams.open_of(tx, *key)
        if now - shard.opened >= SHARD_SECONDS:
            following = Shard.opening(stream.id, self._last, now, parent=shard.id)
            await streams.end_shard(tx, shard, self._last - 1, now)
            await streams.open_shard(tx, following)
            shard = following
        return stream, shard

    def _forget(self, tx: Transaction, key: tuple[int, str], stream: Stream) -> None:
        def act() -> None:
            self._open.pop(key, None)
            self._signals.publish(topic(stream.arn))

        tx.after_commit(act)


def unchanged(old: Stored | None, new: Stored | None) -> bool:
    """Whether an item is as it was before; the order of attributes and of sets does not count."""
    if old is None or new is None:
        return old is new
    if old.size != new.size:
        return False
    if old.body == new.body:
        return True
    before, after = decode_item(old.body), decode_item(new.body)
    return before.keys() == after.keys() and all(equal(value, after[name]) for name, value in before.items())


def _stream_record(table: Table, item: Item, old: Stored | None, new: Stored | None, moment: int) -> bytes:
    """The record's `dynamodb` member, as JSON; its size is that of the key and of the images in it."""
    assert table.stream is not None
    view = table.stream.view
    keys = {name: item[name] for name in table.key.names}
    size = item_size(keys)
    parts = [b'{"ApproximateCreationDateTime":%d.0,"Keys":%s' % (moment // 1_000_000, encode_item(keys))]
    for name, image, views in ((b"NewImage", new, _NEW), (b"OldImage", old, _OLD)):
        if image is not None and view in views:
            parts.append(b',"%s":%s' % (name, image.body))
            size += image.size
    parts.append(
        b',"SequenceNumber":"%s","SizeBytes":%d,"StreamViewType":%s}'
        % (sequence_number(moment).encode(), size, msgspec.json.encode(view))
    )
    return b"".join(parts)
