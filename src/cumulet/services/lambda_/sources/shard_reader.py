"""Follows one shard: reads, makes batches, has them run until they are dealt with, and puts down how far it is."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from cumulet.kernel.clock import Clock
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.sources import windows
from cumulet.services.lambda_.sources.batches import RECORDS, Batch, Form, Rules, again, cut, dealt_with, expired, lanes
from cumulet.services.lambda_.sources.calls import Answer
from cumulet.services.lambda_.sources.checkpoints import AGE, OVERSIZE, RETRIES, Checkpoint, Discard, Ledger
from cumulet.services.lambda_.sources.port import Record, ShardSource
from cumulet.services.lambda_.sources.queue_poller import Function

OK = "OK"
FAILED = "PROBLEM: Function call failed"
_PATIENCE = 20.0
"""Seconds of real time to wait for a signal, in case one was lost."""
_NAP = 600.0
"""Seconds of the clock after which a shard is looked at, as it may have been closed by then; not often, as whoever moves the clock
stops there."""
_READ = 10_000
_SHORTEST, _LONGEST = 0.1, 60.0


class ShardReader:
    """One shard of one mapping. `source_arn` is shown to functions with a tumbling window; `wanted` are the filters."""

    def __init__(  # noqa: PLR0913  what it works with
        self,
        shard: str,
        checkpoint: Checkpoint,
        *,
        source: ShardSource,
        source_arn: str,
        function: Function,
        ledger: Ledger,
        rules: Rules,
        form: Form = RECORDS,
        wanted: Callable[[Any], bool] | None,
        note: Callable[[str], None],
        count: Callable[[str, int], None],
        clock: Clock,
    ) -> None:
        self.shard = shard
        self._checkpoint = checkpoint
        self._read_to = checkpoint.position
        self._source = source
        self._source_arn = source_arn
        self._function = function
        self._ledger = ledger
        self._rules = rules
        self._form = form
        self._wanted = wanted
        self._note = note
        self._count = count
        self._clock = clock
        self._ended = False
        self._idle = False
        self._under_way = 0
        self._resting = False
        self._rested = asyncio.Event()

    async def rest(self) -> None:
        """Begin no invocation more; returns when those under way have ended and what they dealt with is put down."""
        self._resting = True
        if self._under_way:
            await self._rested.wait()

    async def run(self) -> None:
        """Until the shard is closed and all of it is dealt with; raises SourceGone when it cannot be read."""
        while not self._checkpoint.ended:
            records = await self._gather()
            if records:
                await self._round(records)
            if self._read_to != self._checkpoint.position:  # past what filters did not want
                await self._save(replace(self._checkpoint, position=self._read_to))
            if self._window_over():
                await self._close_window()
            if self._ended:
                await self._save(replace(self._checkpoint, ended=True))

    # Reading

    async def _gather(self) -> list[Record]:
        """What there is, or what comes within the batching window after the first record."""
        rules, end = self._rules, 0.0
        found: list[Record] = []
        most = rules.size * rules.factor
        while True:
            reading = await self._source.read(self.shard, self._read_to, min(most - len(found), _READ))
            self._ended = reading.ended
            self._idle = not reading.records
            self._read_to = reading.position or self._read_to
            if reading.records:
                found += self._kept(reading.records)
            now = self._clock.now()
            if found and not end:
                end = now + rules.window
            if len(found) >= most or sum(len(each.record) for each in found) >= rules.payload or (found and now >= end):
                break
            if reading.records:
                continue
            if self._ended:
                break
            if not found and (self._window_over() or self._read_to != self._checkpoint.position):
                break
            await self._wait(end if found else now + self._patience(now))
        return found

    def _kept(self, records: Sequence[Record]) -> Sequence[Record]:
        """Those that filters want."""
        self._count("PolledEventCount", len(records))
        if self._wanted is None:
            return records
        kept = [each for each in records if self._wanted(self._source.view(each))]
        if len(kept) < len(records):
            self._count("FilteredOutEventCount", len(records) - len(kept))
        return kept

    async def _wait(self, until: float) -> None:
        """For more, until the clock shows `until`."""
        timer = asyncio.ensure_future(self._clock.sleep_until(until))
        more = asyncio.ensure_future(self._source.wait(self.shard, _PATIENCE))
        try:
            await asyncio.wait((timer, more), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            more.cancel()
            # Not each by itself: this reader's own cancellation would be taken for theirs.
            await asyncio.wait((timer, more))
        if not more.cancelled():
            more.result()

    def _patience(self, now: float) -> float:
        window = self._checkpoint.window
        return _NAP if window is None else min(_NAP, max(0.0, window + self._rules.tumbling - now))

    # Dealing with what was read

    async def _round(self, records: Sequence[Record]) -> None:
        """All of these, in lanes side by side; the checkpoint moves as far as everything is dealt with."""
        split = lanes(records, self._rules.factor)
        alone = len(split) == 1
        await asyncio.gather(*(self._lane(lane, alone=alone) for lane in split))

    async def _lane(self, records: Sequence[Record], *, alone: bool) -> None:
        place = 0
        while place < len(records):
            if self._rules.tumbling:
                await self._open_window(records[place])
            count = cut(records[place:], self._rules)
            await self._deal(Batch(records[place : place + count]), alone=alone)
            place += count

    async def _deal(self, first: Batch, *, alone: bool) -> None:
        """One batch and what becomes of it: parts of it, again and again, until they succeed or are given up."""
        waiting, pause = deque([first]), _SHORTEST
        while waiting:
            batch = waiting.popleft()
            old = expired(batch.records, self._rules, self._clock.now())
            if old:
                await self._discard(batch, batch.records[:old], AGE, alone=alone)
                batch = Batch(batch.records[old:], batch.attempts, batch.last)
            if len(batch.records) == 1 and len(batch.records[0].record) > self._rules.payload:
                await self._discard(batch, batch.records, OVERSIZE, alone=alone)
                continue
            if not batch.records:
                continue
            answer, done = await self._attempt(batch, alone=alone)
            if answer is None:
                waiting.appendleft(batch)
                await self._clock.sleep(pause)
                pause = min(pause * 2, _LONGEST)
                continue
            if done:
                pause = _SHORTEST
            if done == len(batch.records):
                self._note(OK)
                continue
            self._note(FAILED)
            self._count("FailedInvokeEventCount", len(batch.records) - done)
            following = again(batch, answer, done, self._rules)
            if not following:
                given_up = Batch(batch.records[done:], batch.attempts + 1, answer)
                await self._discard(given_up, given_up.records, RETRIES, alone=alone)
                continue
            waiting.extendleft(reversed(following))
            await self._clock.sleep(pause)
            pause = min(pause * 2, _LONGEST)

    async def _attempt(self, batch: Batch, *, alone: bool) -> tuple[Answer | None, int]:
        """One invocation: its answer, None when it could not be run, and how many records are dealt with, which is put down."""
        if self._resting:
            await asyncio.Event().wait()  # until this reader is cancelled
        self._under_way += 1
        self._rested.clear()
        try:
            answer = await self._invoke(batch)
            if answer is None:
                return None, 0
            done, state = self._outcome(batch, answer)
            self._count("InvokedEventCount", len(batch.records))
            if done:
                await self._progress(batch.records[done - 1], state, alone=alone)
            return answer, done
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._rested.set()

    def _outcome(self, batch: Batch, answer: Answer) -> tuple[int, dict[str, Any] | None]:
        """How many of the records are dealt with, and the window's state then."""
        state = windows.state_in(answer) if self._rules.tumbling else None
        if self._rules.tumbling and state is None:
            return 0, None
        return dealt_with(batch, answer, self._rules, partial(self._form.failures, self.shard)), state

    async def _invoke(self, batch: Batch) -> Answer | None:
        """The function's answer; None when it could not be run."""
        window = None
        if self._rules.tumbling and self._checkpoint.window is not None:
            window = self._members(self._checkpoint.window)
        return await self._call(self._form.event(self.shard, batch.records, window))

    async def _call(self, payload: bytes) -> Answer | None:
        try:
            return await self._function.invoke(payload)
        except AwsError as error:
            self._note(f"PROBLEM: {error.message}")
            return None

    # Putting it down

    async def _progress(self, record: Record, state: dict[str, Any] | None, *, alone: bool) -> None:
        if state is not None:
            await self._save(replace(self._checkpoint, position=record.sequence, state=state))
            if windows.too_large(state):
                await self._finish_window(early=True)
        elif alone:
            await self._save(replace(self._checkpoint, position=record.sequence))

    async def _discard(self, batch: Batch, records: Sequence[Record], condition: str, *, alone: bool) -> None:
        self._count("DroppedEventCount", len(records))
        last = batch.last
        discard = Discard(
            shard=self.shard,
            records=records,
            condition=condition,
            attempts=batch.attempts,
            outcome=last.outcome if last else None,
            version=last.version if last else "",
            request_id=last.request_id if last else "",
        )
        checkpoint = replace(self._checkpoint, position=records[-1].sequence) if alone else self._checkpoint
        await self._save(checkpoint, discard)

    async def _save(self, checkpoint: Checkpoint, discard: Discard | None = None) -> None:
        self._checkpoint = checkpoint
        await self._ledger.save(self.shard, checkpoint, discard)

    # Tumbling windows

    def _window_over(self) -> bool:
        window = self._checkpoint.window
        if window is None:
            return False
        # While there is more to read, it may be the window's: then the clock alone does not end it.
        return self._ended or (self._idle and self._clock.now() >= window + self._rules.tumbling)

    async def _open_window(self, record: Record) -> None:
        start = windows.window_of(record.arrival, self._rules.tumbling)
        if self._checkpoint.window == start:
            return
        if self._checkpoint.window is not None:
            await self._close_window()
        self._checkpoint = replace(self._checkpoint, window=start, state={})

    async def _close_window(self) -> None:
        await self._finish_window(early=False)
        await self._save(replace(self._checkpoint, window=None, state={}))

    async def _finish_window(self, *, early: bool) -> None:
        """The last invocation with this state: until it succeeds, nothing goes on."""
        window, pause = self._checkpoint.window, _SHORTEST
        if window is None:
            return
        payload = windows.payload((), self._members(window, final=True, early=early))
        while (answer := await self._call(payload)) is None or answer.failed:
            self._note(FAILED)
            await self._clock.sleep(pause)
            pause = min(pause * 2, _LONGEST)
        await self._save(replace(self._checkpoint, state={}))

    def _members(self, window: float, *, final: bool = False, early: bool = False) -> dict[str, Any]:
        return windows.members(
            window,
            self._rules.tumbling,
            self._checkpoint.state,
            shard=self.shard,
            source=self._source_arn,
            final=final,
            early=early,
        )
