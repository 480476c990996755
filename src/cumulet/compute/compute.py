"""Functions run here: in a warm environment if there is one, else in one made now."""

import asyncio
import collections
import contextlib
import os
import socket
import time
from pathlib import Path

import msgspec

from cumulet.compute.catalogue import Catalogue
from cumulet.compute.config import TRUSTED, ComputeConfig
from cumulet.compute.ended import Ended
from cumulet.compute.environment import Environment
from cumulet.compute.fleet import Fleet
from cumulet.compute.level import Level, detect
from cumulet.compute.machines import BootedMachine, Machines
from cumulet.compute.model import (
    ComputeUnavailable,
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
)
from cumulet.compute.platform import Platform
from cumulet.compute.pool import Pool
from cumulet.compute.resolver import name_servers, resolver, text_inside
from cumulet.compute.runtimes import python
from cumulet.compute.runtimes.image import image_zygote
from cumulet.compute.sandbox import messages
from cumulet.compute.servers import Place, Servers
from cumulet.compute.shared import Shared
from cumulet.compute.snapshots import Snapshots
from cumulet.compute.supervision import Supervision
from cumulet.kernel.tasks import Tasks

_REAP_EVERY = 5.0
_USUAL_MB = 128


class Compute:
    """The way in to a node's environments. Used from one event loop."""

    def __init__(
        self,
        config: ComputeConfig,
        on_log: OnLog,
        on_endpoint: OnEndpoint | None = None,
        on_platform: OnPlatform | None = None,
    ) -> None:
        self._config = config
        self._on_endpoint = on_endpoint
        self._catalogue = Catalogue(config)
        self._fleet = Fleet(config, self._catalogue, on_log, on_endpoint, on_platform)
        self._shared = Shared(self._fleet)
        self._servers = Servers(self._fleet)
        self._snapshots = Snapshots(self._fleet, self._serve)
        self._machines = Machines(self._fleet, lambda: self._supervision)
        self._supervision: Supervision | None = None
        self._platform: Platform | None = None
        self._pool: Pool | None = None
        self._running: collections.Counter[str] = collections.Counter()
        self._turns: dict[str, asyncio.Lock] = {}
        self._tasks = Tasks()
        self._level: Level | None = None

    async def start(self) -> None:
        """Begin; returns at once, while the supervisor comes up in the background."""
        config = self._config
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
        self._fleet.open(self._pool, self._platform)
        self._tasks.start("compute: first blank", self._make_first(self._supervision, self._pool))
        self._tasks.start("compute: reap", self._reap())

    async def _make_first(self, supervision: Supervision, pool: Pool) -> None:
        """See what runs here, and have a blank of what most functions want: once the supervisor is there, which takes
        longer than the first calls of an API that come meanwhile."""
        if self._config.level != "process":
            with contextlib.suppress(ComputeUnavailable):
                await supervision.up()
        preferred = self._catalogue.find(self._config.preferred_runtime or python.own())
        if preferred is not None:
            pool.prepare(preferred.lean or preferred.for_function(_USUAL_MB, {}))

    async def stop(self) -> None:
        """End every environment and everything that made them."""
        await self._tasks.close()
        await self._fleet.close()
        if self._pool is not None:
            self._pool.close()
        if self._supervision is not None:
            await self._supervision.stop()
        if self._platform is not None:
            self._platform.close()

    # What runs here

    def runtimes(self) -> dict[str, str]:
        """Runtime identifiers that work here, and the interpreter of each."""
        return self._catalogue.paths()

    def node_sdk(self) -> Path | None:
        """The folder whose AWS SDK for JavaScript Node.js functions get; None where there is none."""
        return self._catalogue.node_sdk()

    def check(self, runtime: str) -> None:
        """Raises RuntimeUnavailable when functions of this runtime cannot run here."""
        self._catalogue.get(runtime)

    async def provide(self, runtime: str) -> None:
        """Have a runtime that is missing installed, where that is allowed and possible; `check` tells whether it is there."""
        await self._catalogue.provide(runtime)

    async def level(self) -> Level:
        """How well functions are isolated on this machine; found by trying, once."""
        if self._level is None:
            self._level = await detect(self._config.name, self._config.level, self._config.tool_path)
        return self._level

    def prepare(self, runtime: str, memory_mb: int = _USUAL_MB) -> None:
        """Have a blank of this runtime made in the background: a function that may soon be called is new here."""
        if self._pool is not None and (found := self._catalogue.find(runtime)) is not None:
            self._pool.prepare(found.for_function(memory_mb, {}))

    def forget_image(self, id: str) -> None:
        """No function is made of this image any more, and its root is going away."""
        if self._pool is not None:
            self._pool.end(image_zygote(id))

    # Which environments there are

    def running(self, key: str) -> int:
        """Invocations of this function in flight."""
        return self._running[key]

    def held(self) -> set[str]:
        """The functions that environments hold, or are being made for."""
        return self._fleet.keys() | self._running.keys()

    def idle(self, key: str) -> int:
        """Environments of this function that wait for an event: the next invocations need no cold start."""
        return self._fleet.idle(key)

    def holding(self, key: str) -> int:
        """Environments that hold this function, whatever they do."""
        return self._fleet.holding(key)

    def environments(self) -> list[EnvironmentStatus]:
        """The environments that hold a function."""
        return self._fleet.statuses()

    async def connect(self, key: str, port: int) -> socket.socket:
        """A connection to what listens on a port inside the environment of a debugged function. Raises OSError."""
        return await self._fleet.connect(key, port)

    def keep(self, key: str, least: int) -> None:
        """Of a function whose environments serve several invocations at once, so many stay when they are idle."""
        self._shared.keep(key, least)

    def trim(self, key: str, count: int) -> None:
        """End idle environments of this function until no more than `count` hold it."""
        self._shared.trim(key, count)
        self._fleet.trim(key, count)

    async def retire(self, key: str) -> None:
        """The function is gone or changed: its idle environments end now, busy ones after their invocation."""
        self._shared.retire(key)
        self._servers.retire(key)
        self._fleet.retire(key)

    def end(self, key: str) -> None:
        """End every environment of this function now, whatever it does."""
        self._fleet.end_all(key)

    # Running

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
            warm = self._fleet.take_idle(spec.key)
            if warm is not None:
                warm.wake()
                info = warm.known_as
                if on_environment is not None:
                    on_environment(info)
                if on_event is not None:
                    on_event(info)
                return await self._invoke_in(warm, spec, invocation, spec.timeout)
            if spec.snapshot:
                return await self._snapshots.invoke(spec, invocation, on_environment, on_event)
            return await self._invoke_cold(spec, invocation, on_environment, on_event)
        finally:
            self._done(spec.key, turn)

    async def place(self, spec: FunctionSpec, on_environment: OnEnvironment | None = None) -> Place:
        """A place in an environment whose program, `spec.server`, listens. It is to be left.

        Each environment has `spec.concurrency` places, and is ended when none was taken for the idle timeout. Raises
        NotServing when the program does not come to listen, and as `invoke` does.
        """
        self._running[spec.key] += 1
        return await self._servers.take(spec, on_environment, lambda: self._done(spec.key, None))

    async def boot(self, spec: FunctionSpec, on_environment: OnEnvironment | None = None) -> BootedMachine:
        """Start a program with a file system of its own, `spec.machine`. It runs until it is ended.

        Raises ComputeUnavailable.
        """
        return await self._machines.boot(spec, on_environment)

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
        environment, info = await self._fleet.begin(spec, on_environment)
        nothing = Invocation(request_id="", payload=b"", deadline_ms=0, function_arn="")
        failed = await self._fleet.load(environment, spec, nothing, spec.init_timeout)
        self._fleet.report_init(environment, info, spec, "init", time.perf_counter() - started, failed)
        environment.last_logs()
        if failed is not None:
            self._fleet.end(environment)
            return False
        self._fleet.release(environment)
        return True

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
            self._fleet.end(environment)  # cancelled: nobody waits for its answer any more, and it may never come
            raise
        guests = environment.guests
        if guests is None:
            self._fleet.release(environment)
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
        self._fleet.release(environment)
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
            self._fleet.end(environment)
            raise
        duration = time.perf_counter() - environment.started
        memory = environment.max_memory(spec)
        outcome = msgspec.structs.replace(answered, duration=duration, max_memory=memory)
        environment.guests.report(invocation, outcome)
        self._fleet.release(environment)
        return outcome

    async def _invoke_cold(
        self,
        spec: FunctionSpec,
        invocation: Invocation,
        on_environment: OnEnvironment | None,
        on_event: OnEvent | None,
    ) -> Outcome:
        started = time.perf_counter()
        environment, info = await self._fleet.begin(spec, on_environment)
        failed = await self._fleet.load(environment, spec, invocation, spec.init_timeout)
        initialised = time.perf_counter() - started
        init_logs = environment.last_logs()
        self._fleet.report_init(environment, info, spec, "init", initialised, failed)
        if failed is not None:
            self._fleet.end(environment, _reason(failed))
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
        environment, info = await self._fleet.begin(spec, on_environment, first.id)
        started = environment.started
        failed = await self._fleet.load(environment, spec, invocation, spec.timeout)
        self._fleet.report_init(environment, info, spec, "invoke", time.perf_counter() - started, failed)
        if on_event is not None:
            on_event(info)
        if failed is not None:
            self._fleet.end(environment, _reason(failed))
            outcome = failed
        else:
            left = max(0.0, started + spec.timeout - time.perf_counter())
            outcome = await self._invoke_in(environment, spec, invocation, left)
        return msgspec.structs.replace(outcome, cold=True, duration=time.perf_counter() - started)

    async def _serve(
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

    async def _broken(
        self, environment: Environment, spec: FunctionSpec, invocation: Invocation, ended: Ended
    ) -> Outcome:
        """The outcome of an invocation that its environment did not survive."""
        outcome = await self._fleet.failure(environment, spec, invocation, ended)
        if environment.guests is not None:
            environment.guests.report(invocation, outcome)
        self._fleet.end(environment, _reason(outcome))
        return outcome

    async def _reap(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_REAP_EVERY)
            oldest = loop.time() - self._config.idle_timeout
            self._shared.reap(oldest)
            self._servers.reap(oldest)
            self._fleet.reap(oldest)

    def _on_report(self, report: messages.Message) -> None:
        if self._machines.heard(report):
            return
        if report["report"] == "lost":
            self._machines.lost()
        if self._pool is not None:
            self._pool.on_report(report)


def _reason(outcome: Outcome) -> str:
    """Why an environment that failed so is ended, as its extensions are told."""
    return "TIMEOUT" if outcome.error == "timeout" else "FAILURE"
