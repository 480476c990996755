"""Sequence numbers, hash keys and iterators, by their rules."""

import asyncio
import base64

from hypothesis import given
from hypothesis import strategies as st

from cumulet.policy import shard_iterators
from cumulet.services.kinesis import model, sequences
from cumulet.services.kinesis.model import HASHES, Ring, Shard
from cumulet.services.kinesis.reshaping import Plan
from cumulet.services.kinesis.tokens import Tokens

SECONDS = st.integers(1_500_000_000, 4_000_000_000)
NUMBERS = st.integers(0, (1 << 31) - 1)
INDICES = st.integers(1_500_000_000_000_000, 4_000_000_000_000_000)


@given(created=SECONDS, shard=NUMBERS, first=INDICES, second=INDICES)
def test_numbers_tell_what_they_are_made_of_and_grow(created: int, shard: int, first: int, second: int) -> None:
    base = sequences.base(created, shard)
    texts = [sequences.number(base, index) for index in (first, second)]
    assert [sequences.parse(text) for text in texts] == [(created, shard, first), (created, shard, second)]
    assert [len(text) for text in texts] == [56, 56]
    assert (texts[0] < texts[1]) == (first < second)


@given(st.text(max_size=60) | st.integers(0, 10**60).map(str))
def test_other_texts_are_no_numbers(text: str) -> None:
    found = sequences.parse(text)
    assert found is None or sequences.number(sequences.base(found.created, found.shard), found.place) == text


@given(count=st.integers(1, 500), key=st.integers(0, HASHES - 1))
def test_every_hash_key_has_one_shard(count: int, key: int) -> None:
    shards = [_shard(number, low, high) for number, (low, high) in enumerate(model.even(count))]
    found = Ring(shards).of(key)
    assert found.low <= key <= found.high
    assert sum(each.high - each.low + 1 for each in shards) == HASHES


@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=5))
def test_shards_cover_all_hash_keys_however_they_are_scaled(counts: list[int]) -> None:
    """Each step leaves shards of equal size, whose parents were closed and covered them."""
    shards = {number: _shard(number, low, high) for number, (low, high) in enumerate(model.even(counts[0]))}
    for count in counts[1:]:
        plan = Plan(Ring(list(shards.values())).shards, len(shards), 2e9, lambda shard: shard.first + 1)
        asyncio.run(plan.scale(count))
        shards |= {each.number: each for each in plan.added} | {each.number: each for each in plan.closed}
        ring = Ring(list(shards.values())).shards
        assert ring == plan.open
        assert [(each.low, each.high) for each in ring] == model.even(count)
        for each in plan.added:
            parents = [shards[number] for number in (each.parent, each.adjacent) if number is not None]
            assert all(parent.last is not None and parent.created < each.created for parent in parents)
            assert (
                min(parent.low for parent in parents) <= each.low <= each.high <= max(parent.high for parent in parents)
            )


def test_others_have_their_turns_while_many_shards_are_scaled() -> None:
    async def scale() -> int:
        shards = [_shard(number, low, high) for number, (low, high) in enumerate(model.even(1_000))]
        plan = Plan(shards, len(shards), 2e9, lambda shard: shard.first + 1)
        scaling = asyncio.ensure_future(plan.scale(1_500))
        turns = 0
        while not scaling.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(scale()) > 30


def _shard(number: int, low: int, high: int) -> Shard:
    return Shard(number=number, created=1_700_000_000, first=1_700_000_000_000_000, opened=1.7e9, low=low, high=high)


@given(made=st.integers(0, 4_000_000_000), content=st.binary(max_size=60), at=st.integers(0), flip=st.integers(1, 255))
def test_only_what_the_node_made_is_an_iterator(made: int, content: bytes, at: int, flip: int) -> None:
    arn = "arn:aws:kinesis:us-east-1:111122223333:stream/s"
    tokens = Tokens(b"secret")
    text = tokens.make(made, arn, content)
    assert tokens.read(text) == (made, arn, content)
    assert shard_iterators.stream_of(text) == arn
    assert Tokens(b"another").read(text) is None
    data = bytearray(shard_iterators.decode(text) or b"")
    data[at % len(data)] ^= flip

    assert tokens.read(base64.b64encode(data).decode()) is None
    assert isinstance(shard_iterators.stream_of(base64.b64encode(data).decode()), str)


@given(st.text(max_size=100))
def test_any_text_may_be_sent_as_an_iterator(text: str) -> None:
    assert Tokens(b"secret").read(text) is None
    assert isinstance(shard_iterators.stream_of(text), str)
