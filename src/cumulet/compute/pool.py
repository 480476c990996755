"""Blank environments made ahead, by runtime, and the zygotes they come from."""

import asyncio
import collections
import contextlib
import logging
import weakref
from collections.abc import Mapping
from typing import cast

from cumulet.compute.environment import Environment
from cumulet.compute.isolation import Isolation, Sandbox
from cumulet.compute.model import ComputeUnavailable, NoSandboxes
from cumulet.compute.process import Process
from cumulet.compute.runtimes.runtime import Runtime
from cumulet.compute.sandbox import messages
from cumulet.compute.supervision import Supervision
from cumulet.kernel.ids import token
from cumulet.kernel.tasks import Tasks

log = logging.getLogger(__name__)
_AHEAD = 1
_MOST_AHEAD = 8
_MOST_VARIANTS = 3
_DEMAND_WINDOW = 5.0
_REFILL_DELAY = 0.01
"""Seconds: the invocation that took one goes first, while the next new function may be called soon."""
_TRIM_EVERY = 5.5


class Pool:
    """Keeps one blank of each runtime in use, more while demand is high. Refills away from invocations."""

    def __init__(self, supervision: Supervision, tasks: Tasks, level: str, variables: Mapping[str, str]) -> None:
        """`variables` are what programs that are started ahead of their function find, too, in a sandbox."""
        self.level = level
        self._variables = variables
        self._supervision = supervision
        self._tasks = tasks
        self._zygotes: dict[str, asyncio.Future[int]] = {}
        self._ready: dict[str, list[Environment]] = collections.defaultdict(list)
        self._sandboxes: weakref.WeakValueDictionary[str, Sandbox] = weakref.WeakValueDictionary()
        self._taken: dict[str, collections.deque[float]] = collections.defaultdict(collections.deque)
        self._coming: dict[str, list[asyncio.Future[Environment]]] = collections.defaultdict(list)
        self._refilling: set[str] = set()
        self._urgent: dict[str, set[asyncio.Future[None]]] = collections.defaultdict(set)
        self._variants: dict[str, dict[str, None]] = collections.defaultdict(dict)
        self._loop = asyncio.get_running_loop()

    async def take(self, runtime: Runtime) -> Environment:
        """A blank environment: one that is ready, or being made ahead, or made now. Raises ComputeUnavailable."""
        self._wants(runtime)
        self._refill_soon(runtime, _REFILL_DELAY)
        if runtime.lean is not None and not self._is_up(runtime):
            self._refill_soon(runtime.lean, _REFILL_DELAY, runtime)
            runtime = runtime.lean
        ready = self._ready[runtime.blank]
        if not self._taken[runtime.blank]:
            self._loop.call_later(_TRIM_EVERY, self._trim, runtime)
        self._taken[runtime.blank].append(self._loop.time())
        coming = self._coming[runtime.blank]
        if ready:
            environment = ready.pop()
        else:
            environment = await (coming.pop(0) if coming else self._make_now(runtime))
        if environment.hull.ending.done():  # it died waiting
            environment.kill()
            environment = await self._make_now(runtime)
        # Runtimes that share blanks differ in what they become, as servers in their programs: it becomes what was asked for.
        environment.runtime = runtime
        return environment

    def prepare(self, runtime: Runtime) -> None:
        """Make blanks of this runtime in the background if there are none."""
        if runtime.lean is not None and not self._is_up(runtime) and not self._ready[runtime.lean.blank]:
            self._refill_soon(runtime.lean, 0.0, runtime)
        self._wants(runtime)
        if not self._ready[runtime.blank]:
            self._refill_soon(runtime, 0.0)

    async def fill(self, runtime: Runtime) -> None:
        """Make blanks up to what recent demand asks for."""
        ready, coming = self._ready[runtime.blank], self._coming[runtime.blank]
        wanted = self._wanted(runtime) - len(ready)
        making = [asyncio.ensure_future(self._make(runtime, ahead=True)) for _ in range(wanted)]
        coming += making
        made = await asyncio.gather(*making, return_exceptions=True)
        failure: BaseException | None = None
        for task, environment in zip(making, made, strict=True):
            if task not in coming:
                continue  # taken while it was made
            coming.remove(task)
            if isinstance(environment, BaseException):
                failure = environment
            else:
                ready.append(environment)
        if failure is not None:
            raise failure
        if runtime.lean is not None:
            self._drop(runtime.lean.blank)

    def on_report(self, report: messages.Message) -> None:
        """A report of the supervisor."""
        kind = report["report"]
        if kind == "zygote":
            zygote = self._zygotes.get(report["id"])
            if report["ready"]:
                if zygote is not None and not zygote.done():
                    zygote.set_result(report["baseline"])
            else:
                self._zygote_ended(report["id"], report["why"])
        elif kind == "failed":
            sandbox = self._sandboxes.get(report["id"])
            if sandbox is not None:
                sandbox.failed(report["why"])
            else:
                self._zygote_ended(report["id"], report["why"])
        elif kind == "lost":
            for name in list(self._zygotes):
                self._zygote_ended(name, "the supervisor of sandboxes ended")
            self.close()

    def end(self, runtime: str) -> None:
        """End the zygote of this name and the blanks that came from it: what it runs on is going away."""
        self._drop(runtime)
        if runtime in self._zygotes:
            with contextlib.suppress(ComputeUnavailable):
                self._supervision.order({"op": "end", "id": runtime})

    def close(self) -> None:
        """End the blanks."""
        for ready in self._ready.values():
            for environment in ready:
                environment.kill()
        self._ready.clear()

    def _wants(self, runtime: Runtime) -> None:
        """Of a runtime that comes in variants, blanks are kept only of those asked for last."""
        variants = self._variants[runtime.name]
        variants.pop(runtime.blank, None)
        variants[runtime.blank] = None
        if len(variants) > _MOST_VARIANTS:
            oldest = next(iter(variants))
            del variants[oldest]
            self._drop(oldest)

    def _drop(self, blank: str) -> None:
        """End these blanks."""
        ready = self._ready[blank]
        while ready:
            ready.pop().kill()

    async def _make_now(self, runtime: Runtime) -> Environment:
        """One that somebody waits for."""
        made, urgent = self._loop.create_future(), self._urgent[runtime.blank]
        urgent.add(made)
        try:
            return await self._make(runtime, ahead=False)
        finally:
            urgent.remove(made)
            made.set_result(None)

    async def _make(self, runtime: Runtime, *, ahead: bool) -> Environment:
        start = runtime.start if ahead or not runtime.forked else {}
        environment = Environment(runtime, await self._hull(runtime, start))
        await environment.make()
        return environment

    async def _hull(self, runtime: Runtime, start: Mapping[str, object]) -> Isolation:
        id_ = token()
        if self.level == "process":
            return Process(id_, runtime)
        try:
            hierarchy = await self._supervision.up()
        except NoSandboxes as error:
            if self.level != "auto":
                raise
            log.warning("%s Functions run as plain processes, WITHOUT ISOLATION.", error)
            self.level = "process"
            return Process(id_, runtime)
        if "environment" in start:
            start = {**start, "environment": {**self._variables, **cast("dict[str, str]", start["environment"])}}
        baseline = await asyncio.shield(self._zygote(runtime))
        group = hierarchy.group(id_)
        sandbox = Sandbox(id_, runtime, group, baseline if runtime.forked else 0, self._supervision, start)
        self._sandboxes[id_] = sandbox
        return sandbox

    def _zygote(self, runtime: Runtime) -> asyncio.Future[int]:
        zygote = self._zygotes.get(runtime.zygote)
        if zygote is None:
            zygote = self._zygotes[runtime.zygote] = self._loop.create_future()
            if runtime.lean is not None:
                self._tasks.start(f"compute: grow {runtime.zygote}", self._grow(runtime, runtime.lean))
                return zygote
            launch = runtime.launch()
            order = {"op": "runtime", "id": runtime.zygote, "argv": list(launch.argv), "binds": list(launch.binds)}
            order["root"] = launch.root
            self._supervision.order({**order, "environment": dict(launch.environment), "module": launch.module})
        return zygote

    async def _grow(self, runtime: Runtime, lean: Runtime) -> None:
        try:
            await asyncio.shield(self._zygote(lean))
            order = {"op": "grow", "id": runtime.zygote, "lean": lean.zygote, "config": dict(runtime.growth)}
            self._supervision.order(order)
        except ComputeUnavailable as error:
            self._zygote_ended(runtime.zygote, str(error))

    def _is_up(self, runtime: Runtime) -> bool:
        """Whether blanks of it can be made at once, as far as that depends on a zygote."""
        zygote = self._zygotes.get(runtime.zygote)
        return self.level == "process" or (zygote is not None and zygote.done())

    def _zygote_ended(self, name: str, why: str) -> None:
        zygote = self._zygotes.pop(name, None)
        if zygote is not None and not zygote.done():
            zygote.set_exception(ComputeUnavailable(f"{name} could not be started: {why}"))
            zygote.exception()

    def _wanted(self, runtime: Runtime) -> int:
        """By what was taken lately. What starts slowly is a second one ahead: the next may be wanted while one starts."""
        taken = self._taken[runtime.blank]
        while taken and taken[0] < self._loop.time() - _DEMAND_WINDOW:
            taken.popleft()
        least = _AHEAD if runtime.forked or not taken else _AHEAD + 1
        return max(least, min(_MOST_AHEAD, len(taken) // 2))

    def _trim(self, runtime: Runtime) -> None:
        """End the blanks of a rush that is over."""
        ready = self._ready[runtime.blank]
        while len(ready) > self._wanted(runtime):
            ready.pop(0).kill()
        if self._taken[runtime.blank]:
            self._loop.call_later(_TRIM_EVERY, self._trim, runtime)

    def _refill_soon(self, runtime: Runtime, delay: float, grown: Runtime | None = None) -> None:
        """`grown` is what a lean one stands in for: once that is up, no more of the lean one are kept."""
        if runtime.blank not in self._refilling:
            self._refilling.add(runtime.blank)
            self._tasks.start(f"compute: refill {runtime.blank}", self._refill(runtime, delay, grown))

    async def _refill(self, runtime: Runtime, delay: float, grown: Runtime | None) -> None:
        try:
            await asyncio.sleep(delay)
            while runtime.forked and (urgent := self._urgent[runtime.blank]):
                await asyncio.wait(urgent)  # who waits comes first; what starts slowly had better begin at once
            if grown is None or not self._is_up(grown):
                await self.fill(runtime)
            if grown is not None and self._is_up(grown):
                self._drop(runtime.blank)
        except ComputeUnavailable as error:
            log.warning("no %s sandbox could be made ahead: %s", runtime.blank, error)
        finally:
            self._refilling.discard(runtime.blank)
