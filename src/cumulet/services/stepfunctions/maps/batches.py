"""ItemSelector and ItemBatcher: what each child execution is given.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from msgspec import Struct

from cumulet.services.stepfunctions.asl import Batching
from cumulet.services.stepfunctions.asl.patience import exceeds
from cumulet.services.stepfunctions.asl.payload import LIMIT, check, encode, too_large
from cumulet.services.stepfunctions.engine.ports import MapCall
from cumulet.services.stepfunctions.maps.formats import Item


class Share(Struct, frozen=True):
    """The input of one child (JSON text), how many items it has, and its number, from 0."""

    number: int
    input: str
    items: int


async def shares(call: MapCall, items: AsyncIterator[Item]) -> AsyncIterator[Share]:
    """One for each item, or for each batch of them. Raises States.DataLimitExceeded for what no child can be given."""
    batcher = call.distribution.batcher
    if batcher is not None:
        async for share in _batches(call, batcher, items):
            yield share
        return
    number = 0
    async for value, key in items:
        selected = await _selected(call, number, value, key)
        yield Share(number, check(encode(selected), call.state.name).decode(), 1)
        number += 1


async def _selected(call: MapCall, number: int, value: Any, key: str | None) -> Any:
    """The input of an item. Raises States.DataLimitExceeded for one that could not even be written."""
    made = await call.apart.evaluated(partial(call.state.item, call.input, call.begun, number, value, call.scope, key))
    if call.state.weight.spreads and exceeds(made):
        raise too_large(call.state.name)
    return made


async def _batches(call: MapCall, batcher: Batching, items: AsyncIterator[Item]) -> AsyncIterator[Share]:
    made: dict[str, Any] = {"BatchInput": batcher.batch_input} if batcher.has_input else {}
    frame = len(encode({**made, "Items": []}))
    most_bytes = min(batcher.max_bytes or LIMIT, LIMIT)
    held: list[Any] = []
    size, number, index = frame, 0, 0

    def share() -> Share:
        return Share(number, check(encode({**made, "Items": held}), call.state.name).decode(), len(held))

    async for value, key in items:
        selected = await _selected(call, index, value, key)
        index += 1
        more = len(encode(selected)) + 1
        full = batcher.max_items is not None and len(held) >= batcher.max_items
        if held and (full or size + more - 1 > most_bytes):
            yield share()
            number += 1
            held, size = [], frame
        held.append(selected)
        size += more
    if held:
        yield share()
