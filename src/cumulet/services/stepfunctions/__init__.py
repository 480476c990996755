"""AWS Step Functions: workflows that finish whatever crashes.

https://docs.aws.amazon.com/step-functions/latest/dg/welcome.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec import Struct

from cumulet.api.stepfunctions import OPERATIONS
from cumulet.delivery.log_groups import LogWriter
from cumulet.delivery.roles import Roles
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Operation, Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.kernel.web import Apis, Client, Inner
from cumulet.services.stepfunctions import callbacks, executions, histories, machines
from cumulet.services.stepfunctions.apart import Apart
from cumulet.services.stepfunctions.engine import store as execution_store
from cumulet.services.stepfunctions.engine import usage
from cumulet.services.stepfunctions.engine.engine import Engine
from cumulet.services.stepfunctions.limits import Limits
from cumulet.services.stepfunctions.logging import ExecutionLog
from cumulet.services.stepfunctions.machines import control, pruning
from cumulet.services.stepfunctions.machines.keys import DataKeys
from cumulet.services.stepfunctions.maps import map_runs
from cumulet.services.stepfunctions.maps import store as map_run_store
from cumulet.services.stepfunctions.maps.running import MapRuns
from cumulet.services.stepfunctions.maps.store import MapRunStore
from cumulet.services.stepfunctions.mocks.known import KnownMocks
from cumulet.services.stepfunctions.mocks.tasks import MockedTasks
from cumulet.services.stepfunctions.state import StepFunctions
from cumulet.services.stepfunctions.tasks import activities, activity_store, http_tasks
from cumulet.services.stepfunctions.tasks.parts import Check, Parts
from cumulet.services.stepfunctions.tasks.queue import ActivityQueue
from cumulet.services.stepfunctions.tasks.work import Work
from cumulet.services.stepfunctions.trials import operation
from cumulet.storage.database import Database
from cumulet.storage.signals import Signals

__all__ = ["Limits", "StepFunctions", "build"]

_MODULES = (executions, histories, callbacks, activities, map_runs, operation, *control.MODULES)
_SCHEMAS = {
    **machines.SCHEMAS,
    "stepfunctions_execution": execution_store.SCHEMA,
    "sfn_usage": usage.SCHEMA,
    "sfn_activities": activity_store.SCHEMA,
    "sfn_map_runs": map_run_store.SCHEMA,
}
"""Of each noun's store, by the name it is migrated under."""


def build(  # noqa: PLR0913  what the service is made of
    *,
    db: Database,
    signals: Signals,
    clock: Clock,
    wall: Callable[[], float],
    calls: Calls,
    tasks: Tasks,
    client: Client | None = None,
    inner: Inner | None = None,
    apis: Apis | None = None,
    check: Check | None = None,
    enforce: bool = False,
    limits: Limits | None = None,
    mock_file: Path | None = None,
) -> Service:
    """The service on a database of its own.

    `wall` is real time, in which executions that only wait leave memory; `enforce` whether permissions are enforced;
    `check(service, operation, request)` validates the requests of tasks by their models. `apis` are those of this node.
    `mock_file` is a mock configuration, see `mocks`.
    """
    limits = limits or Limits()
    apart = Apart()
    known = machines.build(db, signals, limits, apart)
    engine = Engine(db, clock, tasks, known, limits, apart)
    roles = Roles(calls, clock, enforce)
    queue = ActivityQueue(activity_store.ActivityStore(db), tasks)
    parts = Parts(
        calls=calls,
        roles=roles,
        clock=clock,
        engine=engine,
        check=check or _anything,
        client=client,
        apis=apis,
        queue=queue,
    )
    state = StepFunctions(
        db=db,
        clock=clock,
        calls=calls,
        tasks=tasks,
        signals=signals,
        roles=roles,
        wall=wall,
        limits=limits,
        client=client,
        inner=inner,
        machines=known,
        engine=engine,
        activities=queue,
        maps=MapRuns(parts, MapRunStore(db), engine, clock, tasks),
        mocks=KnownMocks(mock_file),
        apart=apart,
        data_keys=DataKeys(calls, roles, clock),
    )
    log = _tie(state, parts)

    async def wind_down() -> None:
        queue.wind_down()

    async def stop() -> None:
        await engine.close()
        await log.flush()

    # Beside AWS's operations, a permission that tasks ask for: it is in no model, so no client can send it.
    own = {http_tasks.PERMISSION: Operation(http_tasks.PERMISSION, http_tasks.permitted)}
    operations = {**operations_in(OPERATIONS, *_MODULES), **own}
    return Service("stepfunctions", state, operations, partial(_start, state), stop, wind_down=wind_down)


async def _start(state: StepFunctions) -> None:
    for name, schema in _SCHEMAS.items():
        await state.db.migrate(name, schema)
    await state.activities.start()
    await state.engine.start()
    state.tasks.start(
        "machine revisions that are old", pruning.sweep(state.machines.store, state.engine.store, state.clock)
    )
    state.tasks.start("map runs that are old", state.maps.expire(state.limits.history_days))
    await control.resume(state)


def _tie(state: StepFunctions, parts: Parts) -> ExecutionLog:
    """Have the nouns know of each other what their ports say. Gives the log, which is to be flushed at the end."""
    state.machines.tagged["activity"] = partial(activities.exists, state)
    state.machines.has_case = state.mocks.has
    state.engine.maps = state.maps
    state.engine.work = MockedTasks(Work(parts), state.mocks, state.calls, state.tasks)
    state.engine.log = log = ExecutionLog(LogWriter(state.calls, state.clock, state.tasks, "executions"))
    return log


def _anything(service: str, operation: str, request: Struct) -> None:
    """Where nobody validates requests."""
