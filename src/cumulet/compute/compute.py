"""Environments for functions: started when needed, kept warm, ended when idle, retired or broken."""

import asyncio
import collections
import contextlib
import os
import socket
import time
from pathlib import Path
from typing import Any

import msgspec

from cumulet.compute import outcomes, records
from cumulet.compute.config import TRUSTED, ComputeConfig
from cumulet.compute.ended import Ended
from cumulet.compute.environment import Environment
from cumulet.compute.level import Level, detect
from cumulet.compute.model import (
    EnvironmentInfo,
    EnvironmentStatus,
    FunctionSpec,
    Invocation,
    OnEndpoint,
    OnEnvironment,
    OnEvent,
    OnLog,
    OnPlatform,
    Outcome,
    RuntimeUnavailable,
)
from cumulet.compute.platform import Platform
from cumulet.compute.pool import Pool
from cumulet.compute.resolver import name_servers, resolver, text_inside
from cumulet.compute.runtimes import found, node, python
from cumulet.compute.runtimes.image import ImageRuntime, image_zygote
from cumulet.compute.runtimes.installer import Installer
from cumulet.compute.runtimes.runtime import Runtime
from cumulet.compute.sandbox import messages
from cumulet.compute.shared import Shared
from cumulet.compute.snapshots import Snapshots
from cumulet.compute.supervision import Supervision
from cumulet.kernel.tasks import Tasks

_REAP_EVERY = 5.0
_USUAL_MB = 128
_LOOK_AGAIN = 1.0
"""Seconds between looks at what the machine has, when something that it had not is asked for."""


class Compute:
    """All environments of a node. Used from one event loop."""

    def __init__(
        self,
        config: ComputeConfig,
        on_log: OnLog,
        on_endpoint: OnEndpoint | None = None,
        on_platform: OnPlatform | None = None,
    ) -> None:
        self._config = config
        self._on_platform = on_platform
        self._leaving: dict[Environment, asyncio.Task[None]] = {}
        self._on_log = on_log
        self._on_endpoint = on_endpoint
        self._runtimes: dict[str, Runtime] = {}
        self._looked = 0.0
        self._installer = Installer(config.folder, config.search_path, allowed=config.install_runtimes)
        self._supervision: Supervision | None = None
        self._platform: Platform | None = None
        self._pool: Pool | None = None
        self._idle: dict[str, list[Environment]] = collections.defaultdict(list)
        self._all: dict[str, Environment] = {}
        self._running: collections.Counter[str] = collections.Counter()
        self._turns: dict[str, asyncio.Lock] = {}
        self._shared = Shared(self)
        self._snapshots = Snapshots(self)
        self._tasks = Tasks()
        self._level: Level | None = None

    async def start(self) -> None:
        """Begin; returns at once, while the supervisor comes up in the background."""
        config = self._config
        self._runtimes = self._find()
        names = resolver()
        self._platform = Platform(name_servers(names), self._on_endpoint)
        order = {
            "name": config.name,
            "root": os.getuid() == 0,
            "ports": config.ports,
            "platform_ports": config.platform_ports,
            "resolver": text_inside(names),
            "binds": [] if config.trusted is None else [(str(config.trusted), TRUSTED)],
            "name_servers": name_servers(names),
            "tool_path": config.tool_path,
            "internal_ports": config.internal_ports,
            "folder": str(config.folder),
        }
        self._supervision = Supervision(order, self._on_report, self._platform.share)
        if config.level != "process":
            self._supervision.start()
        self._pool = Pool(self._supervision, self._tasks, config.level, config.trusting)
        if (preferred := self._runtimes.get(config.preferred_runtime or python.own())) is not None:
            self._pool.prepare(preferred.lean or preferred.for_function(_USUAL_MB, {}))
        self._tasks.start("compute: reap", self._reap())

    async def stop(self) -> None:
        """End every environment and everything that made them."""
        await self._tasks.close()
        for environment in list(self._all.values()):
            self.end(environment)
        if self._leaving:
            await asyncio.wait(self._leaving.values())
        self._all.clear()
        self._idle.clear()
        if self._pool is not None:
            self._pool.close()
        if self._supervision is not None:
            await self._supervision.stop()
        if self._platform is not None:
            self._platform.close()

    def runtimes(self) -> dict[str, str]:
        """Runtime identifiers that work here, and the interpreter of each."""
        return {name: runtime.path for name, runtime in self._runtimes.items()}

    def refresh(self) -> None:
        """See what has been installed or removed since."""
        self._runtimes = self._find()

    def _find(self) -> dict[str, Runtime]:
        config = self._config
        places = found.Places(
            search_path=config.search_path,
            home=config.home,
            folder=config.folder,
            sdk_path=config.sdk_path,
            node_sdk=self.node_sdk(),
            java_home=config.java_home,
        )
        return found.find(places)

    def node_sdk(self) -> Path | None:
        """The folder whose AWS SDK for JavaScript Node.js functions get; None where there is none."""
        return node.sdk_folder(self._config.node_sdk_path or node.sdk_places(self._config.folder))

    async def level(self) -> Level:
        """How well functions are isolated on this machine; found by trying, once."""
        if self._level is None:
            self._level = await detect(self._config.name, self._config.level, self._config.tool_path)
        return self._level

    def check(self, runtime: str) -> None:
        """Raises RuntimeUnavailable when functions of this runtime cannot run here."""
        self._runtime(runtime)

    async def provide(self, runtime: str) -> None:
        """Have a runtime that is missing installed, where that is allowed and possible; `check` tells whether it is there."""

        def has() -> bool:
            if runtime not in self._runtimes:
                self.refresh()
            return runtime in self._runtimes

        if runtime not in self._runtimes:
            await self._installer.provide(runtime, has)
            self.refresh()

    def prepare(self, runtime: str, memory_mb: int = _USUAL_MB) -> None:
        """Have a blank of this runtime made in the background: a function that may soon be called is new here."""
        if self._pool is not None and (found := self._runtimes.get(runtime)) is not None:
            self._pool.prepare(found.for_function(memory_mb, {}))

    def forget_image(self, id: str) -> None:
        """No function is made of this image any more, and its root is going away."""
        if self._pool is not None:
            self._pool.end(image_zygote(id))

    def running(self, key: str) -> int:
        """Invocations of this function in flight."""
        return self._running[key]

    def held(self) -> set[str]:
        """The functions that environments hold, or are being made for."""
        return {*self._running, *(environment.key for environment in self._all.values())}

    def idle(self, key: str) -> int:
        """Environments of this function that wait for an event: the next invocations need no cold start."""
        idle = self._idle.get(key)
        return len(idle) if idle else 0

    def holding(self, key: str) -> int:
        """Environments that hold this function, whatever they do."""
        return sum(environment.key == key for environment in self._all.values())

    def environments(self) -> list[EnvironmentStatus]:
        """The environments that hold a function."""
        return [environment.status() for environment in self._all.values()]

    async def invoke(
        self,
        spec: FunctionSpec,
        invocation: Invocation,
        on_environment: OnEnvironment | None = None,
        on_event: OnEvent | None = None,
    ) -> Outcome:
        """Run one event through a function, in a warm environment if there is one, else in one made now.

        `on_event` is called when the environment gets the event: what it logged before belongs to its initialisation.
        Whatever the function does is an Outcome. Raises RuntimeUnavailable when nothing here runs its runtime,
        ComputeUnavailable when no environment could be made, NoRoom when no more may be made, and RestoreFailed.
        """
        self._running[spec.key] += 1
        turn: asyncio.Lock | None = None
        try:
            if spec.debugged:
                turn = await self._turn(spec.key)
            if spec.concurrency > 1:
                return await self._shared.invoke(spec, invocation, on_environment, on_event)
            idle = self._idle.get(spec.key)
            if idle:
                return await self._invoke_warm(idle.pop(), spec, invocation, on_environment, on_event)
            if spec.snapshot:
                return await self._snapshots.invoke(spec, invocation, on_environment, on_event)
            return await self._invoke_cold(spec, invocation, on_environment, on_event)
        finally:
            self._done(spec.key, turn)

    async def initialise(self, spec: FunctionSpec, on_environment: OnEnvironment | None = None) -> bool:
        """Make an environment and have it load the function, without an event; it waits for invocations of `spec.key`.

        False when the function cannot be loaded: its environment is ended then. Raises as `invoke` does.
        """
        self._running[spec.key] += 1  # its code is not to be removed meanwhile
        turn: asyncio.Lock | None = None
        try:
            if spec.debugged:
                turn = await self._turn(spec.key)
            if spec.concurrency > 1:
                return await self._shared.initialise(spec, on_environment)
            if spec.snapshot:
                return await self._snapshots.make(spec, on_environment) is None
            return await self._initialise_ahead(spec, on_environment)
        finally:
            self._done(spec.key, turn)

    async def snapshot(self, spec: FunctionSpec, on_environment: OnEnvironment | None = None) -> Outcome | None:
        """Make an environment of a function that has snapshots, and initialise it; it waits to be restored, once.

        How that failed, if it did: nothing is left of it then. Raises as `invoke` does.
        """
        self._running[spec.key] += 1  # its code is not to be removed meanwhile
        try:
            return await self._snapshots.make(spec, on_environment)
        finally:
            self._done(spec.key, None)

    def snapshots(self, key: str) -> int:
        """Environments of this function that wait to be restored."""
        return self._snapshots.count(key)

    def drop_snapshots(self, key: str) -> None:
        """End those."""
        self._snapshots.drop(key)

    async def _turn(self, key: str) -> asyncio.Lock:
        """A debugged function has one environment, the debugger's: who comes while it is in use waits."""
        turn = self._turns.setdefault(key, asyncio.Lock())
        await turn.acquire()
        return turn

    def _done(self, key: str, turn: asyncio.Lock | None) -> None:
        if turn is not None:
            turn.release()
        self._running[key] -= 1
        if not self._running[key]:
            del self._running[key]
            self._turns.pop(key, None)

    async def _initialise_ahead(self, spec: FunctionSpec, on_environment: OnEnvironment | None) -> bool:
        started = time.perf_counter()
        environment, info = await self._start(spec, on_environment)
        nothing = Invocation(request_id="", payload=b"", deadline_ms=0, function_arn="")
        failed = await self._initialise(environment, spec, nothing, spec.init_timeout)
        self.report_init(environment, info, spec, "init", time.perf_counter() - started, failed)
        environment.last_logs()
        if failed is not None:
            self.end(environment)
            return False
        self._release(environment)
        return True

    async def connect(self, key: str, port: int) -> socket.socket:
        """A connection to what listens on a port inside the environment of a debugged function. Raises OSError."""
        for environment in list(self._all.values()):
            if environment.key == key:
                return await environment.connect(port)
        raise ConnectionRefusedError("there is no environment")

    def keep(self, key: str, least: int) -> None:
        """Of a function whose environments serve several invocations at once, so many stay when they are idle."""
        self._shared.keep(key, least)

    def trim(self, key: str, count: int) -> None:
        """End idle environments of this function until no more than `count` hold it."""
        self._shared.trim(key, count)
        for environment in self._idle.get(key, [])[: max(0, self.holding(key) - count)]:
            self.end(environment)

    async def retire(self, key: str) -> None:
        """The function is gone or changed: its idle environments end now, busy ones after their invocation."""
        self._idle.pop(key, None)
        self._shared.retire(key)
        for environment in list(self._all.values()):
            if environment.key == key:
                environment.retired = True
                if environment.state == "idle" and environment.crowd is None:
                    self.end(environment)

    async def _invoke_warm(
        self,
        environment: Environment,
        spec: FunctionSpec,
        invocation: Invocation,
        on_environment: OnEnvironment | None,
        on_event: OnEvent | None,
    ) -> Outcome:
        environment.wake()
        info = self._info(environment, spec, cold=False)
        if on_environment is not None:
            on_environment(info)
        if on_event is not None:
            on_event(info)
        return await self._invoke_in(environment, spec, invocation, spec.timeout)

    async def _invoke_in(
        self,
        environment: Environment,
        spec: FunctionSpec,
        invocation: Invocation,
        limit: float,
        init_duration: float | None = None,
        restore_duration: float | None = None,
    ) -> Outcome:
        try:
            outcome = await environment.invoke(spec, invocation, limit)
        except Ended as ended:
            return await self._broken(environment, spec, invocation, ended)
        except BaseException:
            self.end(environment)  # cancelled: nobody waits for its answer any more, and it may never come
            raise
        guests = environment.guests
        if guests is None:
            self._release(environment)
            return outcome
        cold = init_duration is not None or restore_duration is not None
        whole = msgspec.structs.replace(
            outcome, init_duration=init_duration, restore_duration=restore_duration, cold=cold
        )
        if guests.busy:
            left = max(0.0, limit - outcome.duration)
            finishing = asyncio.ensure_future(self._finish(environment, spec, invocation, whole, left))
            return msgspec.structs.replace(whole, finished=finishing)
        guests.report(invocation, whole)
        self._release(environment)
        return whole

    async def _finish(
        self, environment: Environment, spec: FunctionSpec, invocation: Invocation, answered: Outcome, limit: float
    ) -> Outcome:
        """The answer is given; wait until the extensions are done too, and give what there is to report."""
        assert environment.guests is not None
        try:
            await environment.settle(limit)
        except Ended as ended:
            outcome = await self._broken(environment, spec, invocation, ended)
            return msgspec.structs.replace(
                outcome,
                init_duration=answered.init_duration,
                restore_duration=answered.restore_duration,
                cold=answered.cold,
            )
        except BaseException:
            self.end(environment)
            raise
        duration = time.perf_counter() - environment.started
        memory = environment.max_memory(spec)
        outcome = msgspec.structs.replace(answered, duration=duration, max_memory=memory)
        environment.guests.report(invocation, outcome)
        self._release(environment)
        return outcome

    async def _invoke_cold(
        self,
        spec: FunctionSpec,
        invocation: Invocation,
        on_environment: OnEnvironment | None,
        on_event: OnEvent | None,
    ) -> Outcome:
        started = time.perf_counter()
        environment, info = await self._start(spec, on_environment)
        failed = await self._initialise(environment, spec, invocation, spec.init_timeout)
        initialised = time.perf_counter() - started
        init_logs = environment.last_logs()
        self.report_init(environment, info, spec, "init", initialised, failed)
        if failed is not None:
            self.end(environment, _reason(failed))
            return await self._invoke_slow(spec, invocation, on_environment, on_event, info)
        if on_event is not None:
            on_event(info)
        outcome = await self._invoke_in(environment, spec, invocation, spec.timeout, initialised)
        return msgspec.structs.replace(outcome, cold=True, init_duration=initialised, init_logs=init_logs)

    async def _invoke_slow(
        self,
        spec: FunctionSpec,
        invocation: Invocation,
        on_environment: OnEnvironment | None,
        on_event: OnEvent | None,
        first: EnvironmentInfo,
    ) -> Outcome:
        """Loading failed or took longer than its phase: it is done again, as a part of the invocation, within its time.

        For others it is the environment it was the `first` time.
        https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
        """
        environment, info = await self._start(spec, on_environment, first.id)
        started = environment.started = time.perf_counter()
        failed = await self._initialise(environment, spec, invocation, spec.timeout)
        self.report_init(environment, info, spec, "invoke", time.perf_counter() - started, failed)
        if on_event is not None:
            on_event(info)
        if failed is not None:
            self.end(environment, _reason(failed))
            outcome = failed
        else:
            left = max(0.0, started + spec.timeout - time.perf_counter())
            outcome = await self._invoke_in(environment, spec, invocation, left)
        return msgspec.structs.replace(outcome, cold=True, duration=time.perf_counter() - started)

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

    async def begin(
        self, spec: FunctionSpec, on_environment: OnEnvironment | None
    ) -> tuple[Environment, EnvironmentInfo]:
        """An environment that has begun to load a function."""
        return await self._start(spec, on_environment)

    async def load(
        self, environment: Environment, spec: FunctionSpec, invocation: Invocation, limit: float
    ) -> Outcome | None:
        """None once it has loaded its function; how that failed otherwise, after which it is to be ended."""
        return await self._initialise(environment, spec, invocation, limit)

    async def serve(
        self,
        environment: Environment,
        spec: FunctionSpec,
        invocation: Invocation,
        limit: float,
        restore_duration: float,
    ) -> Outcome:
        """Run an event in an environment that has been restored for it."""
        outcome = await self._invoke_in(environment, spec, invocation, limit, None, restore_duration)
        return msgspec.structs.replace(outcome, restore_duration=restore_duration, cold=True)

    def tell(self, info: EnvironmentInfo, kind: str, record: dict[str, Any]) -> None:
        """Something of an environment, to whom it concerns."""
        if self._on_platform is not None:
            self._on_platform(info, kind, record)

    async def _start(
        self, spec: FunctionSpec, on_environment: OnEnvironment | None, known_as: str = ""
    ) -> tuple[Environment, EnvironmentInfo]:
        """Take a blank environment and have it load the function. `known_as` is its id for others, if not its own."""
        assert self._pool is not None
        runtime = self._runtime_of(spec)
        environment = await self._pool.take(runtime)
        if spec.image is not None:
            environment.runtime = runtime  # a blank serves every function of its image, each with its own program
        self._all[environment.id] = environment
        environment.key, environment.kept = spec.key, spec.kept
        environment.hull.ending.add_done_callback(lambda _: self._end_idle(environment))
        try:
            info = self._info(environment, spec, cold=True)
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
            if spec.image is None and self._pool.level != "process":
                variables |= self._config.trusting
            variables |= {"LANG": "en_US.UTF-8", "TZ": ":UTC", **spec.environment}
            if on_environment is not None:
                variables |= on_environment(info) or {}
            self._serve_endpoint(environment, info)
            environment.start(spec, info, variables, self._on_log)
        except BaseException:
            self.end(environment)
            raise
        return environment, info

    async def _initialise(
        self, environment: Environment, spec: FunctionSpec, invocation: Invocation, limit: float
    ) -> Outcome | None:
        """None once it is initialised; how it failed otherwise, after which it is to be ended."""
        try:
            document = await environment.initialise(spec, limit)
        except Ended as ended:
            return await self._failure(environment, spec, invocation, ended)
        except BaseException:
            self.end(environment)  # cancelled: nobody waits for it any more
            raise
        return None if document is None else outcomes.not_loaded(environment, spec, document)

    async def _broken(
        self, environment: Environment, spec: FunctionSpec, invocation: Invocation, ended: Ended
    ) -> Outcome:
        """The outcome of an invocation that its environment did not survive."""
        outcome = await self._failure(environment, spec, invocation, ended)
        if environment.guests is not None:
            environment.guests.report(invocation, outcome)
        self.end(environment, _reason(outcome))
        return outcome

    async def _failure(
        self, environment: Environment, spec: FunctionSpec, invocation: Invocation, ended: Ended
    ) -> Outcome:
        try:
            return await outcomes.failure(environment, spec, invocation, ended)
        except BaseException:
            self.end(environment)
            raise

    def _release(self, environment: Environment) -> None:
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

    def _info(self, environment: Environment, spec: FunctionSpec, *, cold: bool) -> EnvironmentInfo:
        listeners = environment.hull.listeners
        port = listeners[0].getsockname()[1] if cold and listeners else 0
        return EnvironmentInfo(id=environment.id, key=spec.key, runtime=spec.runtime, cold=cold, endpoint_port=port)

    def _serve_endpoint(self, environment: Environment, info: EnvironmentInfo) -> None:
        if self._on_endpoint is None or self._platform is None:
            return
        for listener in self._platform.take_own(environment.hull.listeners, environment.on_end):
            close = self._on_endpoint(info, listener)
            if close is not None:
                environment.on_end.append(close)

    def _runtime_of(self, spec: FunctionSpec) -> Runtime:
        if spec.image is not None:
            return ImageRuntime(spec.image)
        return self._runtime(spec.runtime).for_function(spec.memory_mb, spec.environment)

    def _runtime(self, name: str) -> Runtime:
        if name not in self._runtimes and time.monotonic() > self._looked + _LOOK_AGAIN:
            self._looked = time.monotonic()
            self.refresh()
        try:
            return self._runtimes[name]
        except KeyError:
            have = ", ".join(sorted(self._runtimes)) or "none"
            raise RuntimeUnavailable(
                f"This machine has nothing that runs {name} (it has: {have}). {found.advice(name)}."
            ) from None

    async def _reap(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_REAP_EVERY)
            oldest = loop.time() - self._config.idle_timeout
            self._shared.reap(oldest)
            for idle in list(self._idle.values()):
                for environment in [one for one in idle if one.idle_since < oldest and not one.kept]:
                    self.end(environment)

    def _on_report(self, report: messages.Message) -> None:
        if self._pool is not None:
            self._pool.on_report(report)


def _reason(outcome: Outcome) -> str:
    """Why an environment that failed so is ended, as its extensions are told."""
    return "TIMEOUT" if outcome.error == "timeout" else "FAILURE"
