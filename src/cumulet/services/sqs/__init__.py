"""Amazon SQS: queues that hide a message while a consumer works on it."""

from cumulet.api.sqs import OPERATIONS
from cumulet.kernel.call import Call
from cumulet.kernel.clock import Clock
from cumulet.kernel.queues import OPERATION as RETURN_MESSAGES
from cumulet.kernel.service import Operation, Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.sqs import acknowledging, moves, permissions, queues, receiving, sending, tags
from cumulet.services.sqs.arrivals import Arrivals
from cumulet.services.sqs.boxes import MessageStore
from cumulet.services.sqs.directory import Directory
from cumulet.services.sqs.lanes import LaneStore
from cumulet.services.sqs.limits import Approximations, InFlight
from cumulet.services.sqs.model import Sequence
from cumulet.services.sqs.moves_store import MoveStore
from cumulet.services.sqs.state import Sqs, new_number
from cumulet.services.sqs.store import SCHEMA, QueueStore
from cumulet.services.sqs.sweeping import SweepStore
from cumulet.services.sqs.workers import Movers, Sweeper
from cumulet.storage.database import Database
from cumulet.storage.signals import Signals


def build(*, db: Database, signals: Signals, clock: Clock, tasks: Tasks, rename_seconds: float = 60.0) -> Service:
    """The service on a database of its own. `rename_seconds`: how long the name of a deleted queue stays taken,
    60 as on AWS; 0 lets tests create the same queue again at once."""
    store, messages, move_store = QueueStore(db), MessageStore(db), MoveStore(db)
    sequence = Sequence(new_number())
    sweeper = Sweeper(SweepStore(db), move_store, clock)
    sqs = Sqs(
        queues=store,
        directory=Directory(store, signals, clock),
        messages=messages,
        lanes=LaneStore(db),
        moves=move_store,
        clock=clock,
        signals=signals,
        arrivals=Arrivals(signals, clock),
        in_flight=InFlight(messages),
        approximations=Approximations(messages),
        sequence=sequence,
        sweeper=sweeper,
        movers=Movers(store, move_store, clock, tasks, signals, sequence),
        rename_seconds=rename_seconds,
    )

    async def start() -> None:
        await db.migrate("sqs", SCHEMA)
        tasks.start("sqs sweeper", sweeper.work())
        await sqs.movers.resume()

    async def resource_policy(call: Call, arn: str) -> str | None:
        queue = await sqs.queue_by_arn(arn)
        return await sqs.directory.policy(queue) or None if queue else None

    async def wind_down() -> None:
        sqs.arrivals.wind_down()

    modules = (queues, tags, permissions, sending, receiving, acknowledging, moves)
    # Beside AWS's operations, what other parts of the platform ask for: it is in no model, so no client can send it.
    own = {RETURN_MESSAGES: Operation(RETURN_MESSAGES, acknowledging.return_messages)}
    operations = {**operations_in(OPERATIONS, *modules), **own}
    return Service("sqs", sqs, operations, start, wind_down=wind_down, resource_policy=resource_policy)
