"""What the operations of SQS share."""

from msgspec import Struct

from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.clock import Clock
from cumulet.kernel.ids import token
from cumulet.services.sqs.arrivals import Arrivals
from cumulet.services.sqs.boxes import MessageStore
from cumulet.services.sqs.directory import Directory
from cumulet.services.sqs.errors import NoSuchQueue
from cumulet.services.sqs.lanes import LaneStore
from cumulet.services.sqs.limits import Approximations, InFlight
from cumulet.services.sqs.model import LONGEST_WAIT, Queue, Sequence, queue_key, topic
from cumulet.services.sqs.moves_store import MoveStore
from cumulet.services.sqs.store import QueueStore
from cumulet.services.sqs.workers import Movers, Sweeper
from cumulet.storage.signals import Signals


class Sqs(Struct, frozen=True):
    """The parts of the service. `rename_seconds` is how long a deleted queue's name stays taken."""

    queues: QueueStore
    directory: Directory
    messages: MessageStore
    lanes: LaneStore
    moves: MoveStore
    clock: Clock
    signals: Signals
    arrivals: Arrivals
    in_flight: InFlight
    approximations: Approximations
    sequence: Sequence
    sweeper: Sweeper
    movers: Movers
    rename_seconds: float

    def known(self, call: Call, url: str) -> Queue | None:
        """As `queue`, of those that are remembered; None for any other."""
        return self.directory.known(queue_key(call, url))

    async def queue(self, call: Call, url: str) -> Queue:
        """The queue a URL names; raises QueueDoesNotExist."""
        queue = await self.directory.find(queue_key(call, url))
        if queue is None:
            raise NoSuchQueue
        return queue

    async def queue_by_arn(self, text: str) -> Queue | None:
        """The queue with this ARN, if the text is one and the queue is there."""
        try:
            arn = Arn.parse(text)
        except ValueError:
            return None
        return await self.directory.find((arn.account, arn.region, arn.resource)) if arn.service == "sqs" else None

    def announce(self, box: int, visible_at: float, now: float) -> None:
        """Wake who waits on a box, for a message that becomes visible while they may still wait."""
        if visible_at <= now + LONGEST_WAIT:
            self.signals.publish(topic(box))


def new_number() -> int:
    """An id for a queue or a box: 48 random bits."""
    return int(token(6), 16)
