"""Tables as they were: whatever was done to items, every former moment comes back, in pieces of any size."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cumulet.services.dynamodb import history, rows
from cumulet.services.dynamodb.model import Key, Table
from cumulet.services.dynamodb.rows import Address, Stored
from cumulet.services.dynamodb.store import SCHEMA
from cumulet.storage.sqlite import SqliteDatabase

TABLE = Table(
    id=7, uuid="", account="", region="", name="t", created=0.0, key=Key("id", "S"), definitions=(), recovery=True
)
OTHER = 8
Change = tuple[int, int, bytes | None]
"""Hash, range, and what the item is then."""
changes = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.none() | st.binary(min_size=1, max_size=3)), max_size=30
)


@settings(max_examples=40, deadline=None)
@given(changes, st.integers(1, 5))
def test_every_moment_comes_back(made: list[Change], limit: int) -> None:
    asyncio.run(_check(made, limit))


async def _check(made: list[Change], limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        db = SqliteDatabase(Path(folder) / "test.db")
        await db.migrate("dynamodb", SCHEMA)
        await db.migrate("dynamodb_history", history.SCHEMA)
        states: list[dict[Address, bytes]] = [{}]
        async with db.transaction() as tx:
            for moment, (hash_, range_, body) in enumerate(made, 1):
                place = Address(bytes([hash_ + 1]), bytes([range_]))
                await history.keep(tx, TABLE.id, place, moment, await rows.get(tx, TABLE, place))
                await history.keep(tx, OTHER, place, moment, Stored(b"of another table", 1))
                state = dict(states[-1])
                if body is None:
                    state.pop(place, None)
                    await rows.delete(tx, TABLE, place)
                else:
                    state[place] = body
                    await rows.put(tx, TABLE, place, Stored(body, len(body)))
                states.append(state)
        for moment, state in enumerate(states):
            assert await _read(db, moment, limit) == sorted(state.items())
        await _check_trimmed(db, states)
        await db.close()


async def _read(db: SqliteDatabase, moment: int, limit: int) -> list[tuple[Address, bytes]]:
    found: list[tuple[Address, bytes]] = []
    after: Address | None = Address(b"", b"")
    while after is not None:
        async with db.transaction() as tx:
            items, after = await history.piece(tx, TABLE.id, moment, after, limit)
        found += [(place, stored.body) for place, stored in items]
    return found


async def _check_trimmed(db: SqliteDatabase, states: list[dict[Address, bytes]]) -> None:
    """What is older than a moment is forgotten, without harm to what is younger."""
    middle = len(states) // 2
    while await history.trim(db, TABLE.id, middle + 1):
        pass
    for moment in range(middle, len(states)):
        assert await _read(db, moment, 100) == sorted(states[moment].items())
    rows_left = await db.read("SELECT COUNT(*) FROM ddb_former WHERE tbl = $1", (TABLE.id,))
    assert rows_left[0][0] == len(states) - 1 - middle
