"""What the operations of Step Functions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from cumulet.delivery.roles import Roles
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.tasks import Tasks
from cumulet.kernel.web import Client, Inner
from cumulet.services.stepfunctions.apart import Apart
from cumulet.services.stepfunctions.engine.engine import Engine
from cumulet.services.stepfunctions.limits import Limits
from cumulet.storage.database import Database
from cumulet.storage.signals import Signals

if TYPE_CHECKING:
    from cumulet.services.stepfunctions.machines.directory import Machines
    from cumulet.services.stepfunctions.machines.keys import DataKeys
    from cumulet.services.stepfunctions.maps.running import MapRuns
    from cumulet.services.stepfunctions.mocks.known import KnownMocks
    from cumulet.services.stepfunctions.tasks.queue import ActivityQueue


class StepFunctions(Struct, kw_only=True):
    """The parts of the service. `wall` is real time; `client` and `inner` call addresses, and services by their own protocols.

    Each noun's parts are set by `build`, which knows them all.
    """

    db: Database
    clock: Clock
    calls: Calls
    tasks: Tasks
    signals: Signals
    roles: Roles
    wall: Callable[[], float]
    limits: Limits
    client: Client | None
    inner: Inner | None
    machines: Machines
    engine: Engine
    activities: ActivityQueue
    maps: MapRuns
    mocks: KnownMocks
    apart: Apart
    data_keys: DataKeys
