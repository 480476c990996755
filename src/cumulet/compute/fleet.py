"""The environments of a node that hold a function: begun, loaded, idle, ended."""

import asyncio
import collections
import contextlib
import socket
from typing import Any

import msgspec

from cumulet.compute import outcomes, records
from cumulet.compute.catalogue import Catalogue
from cumulet.compute.config import ComputeConfig
from cumulet.compute.ended import Ended
from cumulet.compute.environment import Environment
from cumulet.compute.model import (
    EnvironmentInfo,
    EnvironmentStatus,
    FunctionSpec,
    Invocation,
    OnEndpoint,
    OnEnvironment,
    OnLog,
    OnPlatform,
    Outcome,
)
from cumulet.compute.platform import Platform
from cumulet.compute.pool import Pool


class Fleet:
    """All environments with a function, and which of them wait for an event. `open` must be called before the first."""

    pool: Pool
    platform: Platform

    def __init__(
        self,
        config: ComputeConfig,
        catalogue: Catalogue,
        on_log: OnLog,
        on_endpoint: OnEndpoint | None,
        on_platform: OnPlatform | None,
    ) -> None:
        self._config = config
        self._catalogue = catalogue
        self._on_log = on_log
        self._on_endpoint = on_endpoint
        self._on_platform = on_platform
        self._all: dict[str, Environment] = {}
        self._idle: dict[str, list[Environment]] = collections.defaultdict(list)
        self._leaving: dict[Environment, asyncio.Task[None]] = {}

    def open(self, pool: Pool, platform: Platform) -> None:
        """From here come blank environments, and what they reach of the platform."""
        self.pool, self.platform = pool, platform

    async def close(self) -> None:
        """End every environment, in order."""
        for environment in list(self._all.values()):
            self.end(environment)
        if self._leaving:
            await asyncio.wait(self._leaving.values())
        self._all.clear()
        self._idle.clear()

    # Looking

    def keys(self) -> set[str]:
        """The functions that environments hold."""
        return {environment.key for environment in self._all.values()}

    def idle(self, key: str) -> int:
        """Environments of this function that wait for an event: the next invocations need no cold start."""
        idle = self._idle.get(key)
        return len(idle) if idle else 0

    def holding(self, key: str) -> int:
        """Environments that hold this function, whatever they do."""
        return sum(environment.key == key for environment in self._all.values())

    def statuses(self) -> list[EnvironmentStatus]:
        return [environment.status() for environment in self._all.values()]

    def take_idle(self, key: str) -> Environment | None:
        """The one that was used last, which is not idle any more."""
        idle = self._idle.get(key)
        return idle.pop() if idle else None

    async def connect(self, key: str, port: int) -> socket.socket:
        """A connection to what listens on a port inside the environment of a debugged function. Raises OSError."""
        for environment in list(self._all.values()):
            if environment.key == key:
                return await environment.connect(port)
        raise ConnectionRefusedError("there is no environment")

    # Beginning

    async def begin(
        self, spec: FunctionSpec, on_environment: OnEnvironment | None, known_as: str = ""
    ) -> tuple[Environment, EnvironmentInfo]:
        """Take a blank environment and have it load the function. `known_as` is its id for others, if not its own."""
        runtime = self._catalogue.of(spec)
        environment = await self.pool.take(runtime)
        if spec.image is not None or spec.machine is not None:
            environment.runtime = runtime  # a blank serves every function of its image, each with its own program
        self._all[environment.id] = environment
        environment.key, environment.kept = spec.key, spec.kept
        environment.hull.ending.add_done_callback(lambda _: self._end_idle(environment))
        try:
            info = self._info(environment, spec)
            if known_as:
                info = msgspec.structs.replace(info, id=known_as)
            environment.on_platform = self._on_platform
            environment.on_broken = lambda: self.end(environment, "FAILURE")
            variables = {
                **environment.runtime.variables(),
                "LAMBDA_TASK_ROOT": "/var/task",
                "LAMBDA_RUNTIME_DIR": "/var/runtime",
                "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
            }
            if spec.concurrency > 1:
                variables["AWS_LAMBDA_MAX_CONCURRENCY"] = str(spec.concurrency)
            if (
                spec.image is None
                and (spec.machine is None or spec.machine.image is None)
                and self.pool.level != "process"
            ):
                variables |= self._config.trusting
            variables |= {"LANG": "en_US.UTF-8", "TZ": ":UTC"}
            variables = {
                **(variables if spec.machine is None else self._few(environment, variables)),
                **spec.environment,
            }
            if on_environment is not None:
                variables |= on_environment(info) or {}
            self._serve_endpoint(environment, info)
            environment.start(spec, info, variables, self._on_log)
        except BaseException:
            self.end(environment)
            raise
        return environment, info

    def _info(self, environment: Environment, spec: FunctionSpec) -> EnvironmentInfo:
        listeners = environment.hull.listeners
        port = listeners[0].getsockname()[1] if listeners else 0
        return EnvironmentInfo(id=environment.id, key=spec.key, runtime=spec.runtime, cold=True, endpoint_port=port)

    def _few(self, environment: Environment, variables: dict[str, str]) -> dict[str, str]:
        """Of the variables, those that a program finds which is no function."""
        kept = {*environment.runtime.variables(), *self._config.trusting}
        return {name: value for name, value in variables.items() if name in kept}

    async def load(
        self, environment: Environment, spec: FunctionSpec, invocation: Invocation, limit: float
    ) -> Outcome | None:
        """None once it is initialised; how it failed otherwise, after which it is to be ended."""
        try:
            document = await environment.initialise(spec, limit)
        except Ended as ended:
            return await self.failure(environment, spec, invocation, ended)
        except BaseException:
            self.end(environment)  # cancelled: nobody waits for it any more
            raise
        return None if document is None else outcomes.not_loaded(environment, spec, document)

    async def failure(
        self, environment: Environment, spec: FunctionSpec, invocation: Invocation, ended: Ended
    ) -> Outcome:
        """The outcome of what an environment did not survive; it is still to be ended."""
        try:
            return await outcomes.failure(environment, spec, invocation, ended)
        except BaseException:
            self.end(environment)
            raise

    def report_init(
        self,
        environment: Environment,
        info: EnvironmentInfo,
        spec: FunctionSpec,
        phase: str,
        duration: float,
        failed: Outcome | None,
    ) -> None:
        """Tell of an initialisation that is over; `duration` in seconds."""
        status, error_type = ("success", "") if failed is None else (records.status(failed), failed.error_type)
        if environment.guests is not None:
            environment.guests.initialised(phase, duration, status, error_type)
        if self._on_platform is not None:
            record = records.init_report(spec, phase, duration, status, error_type)
            self._on_platform(info, "platform.initReport", record)

    def tell(self, info: EnvironmentInfo, kind: str, record: dict[str, Any]) -> None:
        """Something of an environment, to whom it concerns."""
        if self._on_platform is not None:
            self._on_platform(info, kind, record)

    # Ending

    def release(self, environment: Environment) -> None:
        """Its invocation is over."""
        if environment.retired:
            self.end(environment)
        else:
            environment.rest()
            self._idle[environment.key].append(environment)

    def _end_idle(self, environment: Environment) -> None:
        """It died between invocations."""
        if environment.state == "idle" and environment.crowd is None:
            self.end(environment)

    def end(self, environment: Environment, reason: str = "SPINDOWN") -> None:
        """End it; its extensions are told the `reason` and have a little time."""
        self._all.pop(environment.id, None)
        idle = self._idle.get(environment.key)
        if idle is not None:
            with contextlib.suppress(ValueError):
                idle.remove(environment)
            if not idle:
                del self._idle[environment.key]
        if environment.guests is None:
            environment.kill()
        elif environment not in self._leaving:
            self._leaving[environment] = asyncio.ensure_future(self._leave(environment, reason))

    async def _leave(self, environment: Environment, reason: str) -> None:
        try:
            await environment.shut_down(reason)
        finally:
            environment.kill()
            del self._leaving[environment]

    def trim(self, key: str, count: int) -> None:
        """End idle environments of this function until no more than `count` hold it."""
        for environment in self._idle.get(key, [])[: max(0, self.holding(key) - count)]:
            self.end(environment)

    def retire(self, key: str) -> None:
        """Idle environments of this function end now, busy ones after their invocation."""
        self._idle.pop(key, None)
        for environment in list(self._all.values()):
            if environment.key == key:
                environment.retired = True
                if environment.state == "idle" and environment.crowd is None:
                    self.end(environment)

    def end_all(self, key: str) -> None:
        """End all of this function now, what they do included."""
        for environment in [one for one in self._all.values() if one.key == key]:
            environment.retired = True
            environment.kill()
            self.end(environment)

    def reap(self, oldest: float) -> None:
        """End those that have been idle since before a moment of the loop's clock."""
        for idle in list(self._idle.values()):
            for environment in [one for one in idle if one.idle_since < oldest and not one.kept]:
                self.end(environment)

    def _serve_endpoint(self, environment: Environment, info: EnvironmentInfo) -> None:
        if self._on_endpoint is None:
            return
        for listener in self.platform.take_own(environment.hull.listeners, environment.on_end):
            close = self._on_endpoint(info, listener)
            if close is not None:
                environment.on_end.append(close)
