"""Amazon CloudWatch Logs: groups of streams of events, searchable, kept as long as their retention says."""

from cumulet.api.logs import OPERATIONS
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.logs import events, groups, policies, search, streams, subscriptions, tags
from cumulet.services.logs.event_store import EventStore
from cumulet.services.logs.policy_store import PolicyStore
from cumulet.services.logs.state import Logs
from cumulet.services.logs.store import SCHEMA, Store
from cumulet.services.logs.subscription_store import SubscriptionStore
from cumulet.services.logs.workers import sweep
from cumulet.storage.database import Database
from cumulet.storage.outbox import Outbox


def build(*, db: Database, clock: Clock, calls: Calls, tasks: Tasks) -> Service:
    """The service over one database; its schema is made when it starts."""
    outbox = Outbox(db, clock, tasks)
    logs = Logs(Store(db), EventStore(db), SubscriptionStore(db), PolicyStore(db), calls, outbox, clock)

    async def start() -> None:
        await db.migrate("logs", SCHEMA)
        outbox.handle(subscriptions.KIND, lambda event: subscriptions.hand_on(logs, event))
        await outbox.start()
        tasks.start("logs sweep", sweep(logs))

    async def resource_policy(call: Call, arn: str) -> str | None:
        return await policies.resource_policy(logs, call, arn)

    operations = operations_in(OPERATIONS, events, groups, policies, search, streams, subscriptions, tags)
    return Service("logs", logs, operations, start, resource_policy=resource_policy)
