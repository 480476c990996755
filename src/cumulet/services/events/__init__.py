"""Amazon EventBridge: connections, which are how HTTP endpoints elsewhere are authorized at. Its buses are not here yet."""

from cumulet.api.events import OPERATIONS
from cumulet.kernel import connections as port
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Operation, Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.kernel.web import Client
from cumulet.services.events import connections
from cumulet.services.events.authorizing import Authorizing
from cumulet.services.events.state import Events
from cumulet.services.events.store import SCHEMA, ConnectionStore
from cumulet.storage.database import Database
from cumulet.storage.seal import Seal


def build(*, db: Database, clock: Clock, calls: Calls, tasks: Tasks, client: Client | None, secret: bytes) -> Service:
    """The service on a database of its own. `secret` is the node's key, which seals secrets at rest."""
    store = ConnectionStore(db, Seal(secret, "events connection"))
    authorizing = Authorizing(store, client, clock, tasks)
    events = Events(connections=store, authorizing=authorizing, calls=calls, clock=clock)

    async def start() -> None:
        await db.migrate("events", SCHEMA)
        await authorizing.resume()

    # Beside AWS's operations, what other parts of the platform ask for: it is in no model, so no client can send it.
    own = {port.OPERATION: Operation(port.OPERATION, connections.retrieve_credentials)}
    return Service("events", events, {**operations_in(OPERATIONS, connections), **own}, start)
