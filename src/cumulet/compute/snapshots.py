"""Environments that have been initialised ahead and wait, frozen, until they are restored: SnapStart's.

Each is restored once and is as any other then. https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
"""

import collections
import time
from collections.abc import Awaitable, Callable
from typing import Any

from cumulet.compute import records
from cumulet.compute.ended import Ended
from cumulet.compute.environment import Environment
from cumulet.compute.fleet import Fleet
from cumulet.compute.model import (
    EnvironmentInfo,
    FunctionSpec,
    Invocation,
    OnEnvironment,
    OnEvent,
    Outcome,
    RestoreFailed,
)

_TIMEOUT = 10.0
"""Seconds a restoration may take."""
_MAKE_TIMEOUT = 130.0
"""Seconds an initialisation ahead of events may take, or as long as an invocation, if that is longer."""
_PHASE = "snap-start"

Ready = tuple[Environment, EnvironmentInfo]


Serve = Callable[[Environment, FunctionSpec, Invocation, float, float], Awaitable[Outcome]]
"""Runs an event in an environment that has been restored for it: within so many seconds, after a restoration of so many."""


class Snapshots:
    """The environments of a node that wait to be restored, by function."""

    def __init__(self, fleet: Fleet, serve: Serve) -> None:
        self._fleet = fleet
        self._serve = serve
        self._waiting: dict[str, list[Ready]] = collections.defaultdict(list)

    def count(self, key: str) -> int:
        """How many wait."""
        return len(self._waiting[key]) if key in self._waiting else 0

    def drop(self, key: str) -> None:
        """End those that wait."""
        for environment, _ in self._waiting.pop(key, ()):
            self._fleet.end(environment)

    async def make(self, spec: FunctionSpec, on_environment: OnEnvironment | None) -> Outcome | None:
        """One more; how its initialisation failed, if it did. Raises as `Compute.invoke` does."""
        started = time.perf_counter()
        environment, info = await self._fleet.begin(spec, on_environment)
        nothing = Invocation(request_id="", payload=b"", deadline_ms=0, function_arn="")
        failed = await self._fleet.load(environment, spec, nothing, max(_MAKE_TIMEOUT, spec.timeout))
        self._fleet.report_init(environment, info, spec, _PHASE, time.perf_counter() - started, failed)
        environment.last_logs()
        if failed is not None or environment.retired:
            self._fleet.end(environment)
            return failed
        environment.rest()
        one = (environment, info)
        self._waiting[spec.key].append(one)
        environment.on_end.append(lambda: self._forget(spec.key, one))
        return None

    async def invoke(
        self,
        spec: FunctionSpec,
        invocation: Invocation,
        on_environment: OnEnvironment | None,
        on_event: OnEvent | None,
    ) -> Outcome:
        """Restore one, or one made now, and have it serve. Raises RestoreFailed, and as `Compute.invoke` does."""
        started = time.perf_counter()
        while not self._waiting.get(spec.key):
            failed = await self.make(spec, on_environment)
            if failed is not None:
                return failed
        environment, info = one = self._waiting[spec.key][-1]
        self._forget(spec.key, one)
        if on_environment is not None:
            on_environment(EnvironmentInfo(id=info.id, key=spec.key, runtime=spec.runtime, cold=False))
        restored = await self._restore(environment, info, spec, started)
        if on_event is not None:
            on_event(info)
        return await self._serve(environment, spec, invocation, spec.timeout, restored)

    async def _restore(
        self, environment: Environment, info: EnvironmentInfo, spec: FunctionSpec, started: float
    ) -> float:
        """Seconds it took."""
        self._tell(environment, info, "platform.restoreStart", records.restore_start(spec, info.id))
        environment.wake()
        status, error_type, failure = "success", "", None
        try:
            document = await environment.restore({}, _TIMEOUT)
        except Ended as ended:
            failure = RestoreFailed(timeout=ended.how == "timeout")
            status, error_type = ("timeout", "") if failure.timeout else ("error", "Runtime.ExitError")
        except BaseException:
            self._fleet.end(environment)
            raise
        else:
            if document is not None:
                failure = RestoreFailed(timeout=False)
                status, error_type = "error", "Runtime.RestoreError"
        duration = time.perf_counter() - started
        environment.last_logs()
        for kind, record in records.restored(duration, status, error_type):
            self._tell(environment, info, kind, record)
        if failure is not None:
            self._fleet.end(environment, "FAILURE")
            raise failure
        return duration

    def _tell(self, environment: Environment, info: EnvironmentInfo, kind: str, record: dict[str, Any]) -> None:
        self._fleet.tell(info, kind, record)
        if environment.guests is not None:
            environment.guests.telemetry.emit(kind, record)

    def _forget(self, key: str, one: Ready) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None and one in waiting:
            waiting.remove(one)
            if not waiting:
                del self._waiting[key]
