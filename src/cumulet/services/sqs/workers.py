"""What goes on without a request: emptying dropped boxes, forgetting what is too old, moving dead letters back."""

import asyncio

from cumulet.kernel.arn import Arn
from cumulet.kernel.clock import Clock, wait_until
from cumulet.kernel.ids import new_id
from cumulet.kernel.tasks import Tasks
from cumulet.services.sqs import boxes, lanes
from cumulet.services.sqs.model import Message, Queue, Sequence, topic
from cumulet.services.sqs.moves_store import Move, MoveStore
from cumulet.services.sqs.store import QueueStore
from cumulet.services.sqs.sweeping import SweepStore
from cumulet.storage.database import Transaction
from cumulet.storage.signals import Signals

_SWEEP_SECONDS = 900.0
_TASK_SECONDS = 7 * 86_400.0
_TURN = 100
"""Messages moved in one transaction when no rate is given."""


class Sweeper:
    """Frees the disk. What it sweeps is out of every answer already: this is never urgent."""

    def __init__(self, store: SweepStore, moves: MoveStore, clock: Clock) -> None:
        self._store = store
        self._moves = moves
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A box was dropped."""
        self._woken.set()

    async def work(self) -> None:
        while True:
            self._woken.clear()
            for box in await self._store.dropped():
                while await self._store.empty(box):
                    pass
                await self._store.forget_box(box)
            now = self._clock.now()
            while await self._store.expire(now):
                pass
            await self._store.expire_records(now)
            await self._moves.forget(now - _TASK_SECONDS)
            await wait_until(self._clock, self._clock.now() + _SWEEP_SECONDS, self._woken)


class _Undeliverable(Exception):
    """A message has nowhere to go; the text is AWS's failure reason."""


class Movers:
    """The message move tasks that run. Each step moves messages and counts them in one transaction."""

    def __init__(
        self, queues: QueueStore, moves: MoveStore, clock: Clock, tasks: Tasks, signals: Signals, sequence: Sequence
    ) -> None:
        self._queues = queues
        self._moves = moves
        self._clock = clock
        self._tasks = tasks
        self._signals = signals
        self._sequence = sequence

    async def resume(self) -> None:
        """Go on with what a stop or a crash interrupted."""
        for move in await self._moves.running():
            self.start(move)

    def start(self, move: Move) -> None:
        self._tasks.start(f"sqs move {move.id}", self._run(move))

    async def _run(self, move: Move) -> None:
        begun = self._clock.now()
        done = 0
        while True:
            wanted = max(1, min(_TURN, move.rate // 10)) if move.rate else _TURN
            try:
                moved = await self._step(move, wanted)
            except _Undeliverable as error:
                await self._moves.end(move.id, "FAILED", str(error))
                return
            if moved is None:
                return
            if moved < wanted:
                await self._moves.end(move.id, "COMPLETED")
                return
            done += moved
            if move.rate:
                await self._clock.sleep_until(begun + done / move.rate)

    async def _step(self, move: Move, wanted: int) -> int | None:
        """Move up to `wanted` messages; gives how many, or None when the task was ended meanwhile."""
        source = await self._find(move.source_arn)
        if source is None:
            raise _Undeliverable("AWS.SimpleQueueService.NonExistentQueue")
        now = self._clock.now()
        reached: set[int] = set()
        async with self._queues.db.transaction() as tx:
            status = await tx.read("SELECT status FROM sqs_move_task WHERE id = $1", (move.id,))
            if not status or status[0][0] != "RUNNING":
                return None
            messages = await (lanes if source.fifo else boxes).take_out(tx, source.box, wanted, now)
            for message in messages:
                target = await self._find(move.destination_arn or message.source_arn or "")
                if target is None:
                    known = bool(move.destination_arn or message.source_arn)
                    raise _Undeliverable(
                        "AWS.SimpleQueueService.NonExistentQueue" if known else "CouldNotDetermineMessageSource"
                    )
                await self._put(tx, message, target, now)
                reached.add(target.box)
            await tx.write("UPDATE sqs_move_task SET moved = moved + $1 WHERE id = $2", (len(messages), move.id))
        for box in reached:
            self._signals.publish(topic(box))
        return len(messages)

    async def _put(self, tx: Transaction, message: Message, target: Queue, now: float) -> None:
        """A redriven message is a new one: another id, another age, never received."""
        message.box, message.id, message.sent, message.seq = target.box, new_id(), now, self._sequence.next(now)
        message.hidden_until, message.first_received, message.receive_count, message.source_arn = 0.0, None, 0, None
        if target.fifo:
            await lanes.put_at_end(tx, message)
        else:
            await tx.write(boxes.insertion(1), boxes.values_of([message]))

    async def _find(self, text: str) -> Queue | None:
        try:
            arn = Arn.parse(text)
        except ValueError:
            return None
        return await self._queues.find(arn.account, arn.region, arn.resource)
