"""One MicroVM from its start to its end: its states, its hooks, and what the clock asks of it.

https://docs.aws.amazon.com/lambda/latest/dg/microvms-how-it-works.html
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from cumulet.compute import BootedMachine, ComputeUnavailable, EnvironmentInfo, Upstream
from cumulet.kernel.call import Principal
from cumulet.kernel.clock import wait_until
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.images.images import Unusable
from cumulet.services.lambda_.microvms.builds import up
from cumulet.services.lambda_.microvms.hooks import HookFailed, Hooks
from cumulet.services.lambda_.microvms.model import (
    PENDING,
    RUNNING,
    SUSPENDED,
    SUSPENDING,
    TERMINATED,
    TERMINATING,
    Microvm,
    Program,
    Spec,
)
from cumulet.services.lambda_.microvms.names import ALL, HTTP, SHELL, connector_kind
from cumulet.services.lambda_.microvms.programs import group_of, log_to, spec_of
from cumulet.services.lambda_.microvms.state import Microvms

log = logging.getLogger(__name__)

DONE = "Success."
_STALE = 4.0
"""Seconds after which an idle connection is not used again: Node.js closes its end after five."""
_MOST_IDLE = 100
"""Connections kept for later, to all of a MicroVM's ports: it may have thousands of them, and each is a descriptor of the node's."""


class NotAwake(Exception):
    """It takes no requests, and does not come to."""


class Life:
    """`vm` is what is known of it, and stored. Changes of its state happen one at a time."""

    def __init__(self, service: Microvms, vm: Microvm, spec: Spec, program: Program, payload: str) -> None:
        self.vm = vm
        self.program = program
        self.machine: BootedMachine | None = None
        self.secret = ""
        self.shells = 0
        self.open = 0
        self._service = service
        self._spec = spec
        self._hooks = Hooks(spec.hooks)
        self._payload = payload
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._last = vm.started
        self._since = vm.started
        self._busy = 0
        self._idle: dict[int, list[Upstream]] = {}
        self._tunnels: set[Callable[[], None]] = set()

    # What others ask

    @property
    def takes_http(self) -> bool:
        return any(connector_kind(arn) in {HTTP, ALL} for arn in self.vm.ingress)

    @property
    def takes_shells(self) -> bool:
        return any(connector_kind(arn) in {SHELL, ALL} for arn in self.vm.ingress)

    def begin(self) -> None:
        """Start it, in the background."""
        self._service.tasks.start(f"start {self.vm.id}", self._start())
        self._service.tasks.start(f"watch {self.vm.id}", self._watch())

    async def suspend(self) -> None:
        """Have it suspended: it is SUSPENDING when this returns."""
        async with self._turn:
            if self.vm.state != RUNNING:
                return
            await self._be(SUSPENDING)
        self._service.tasks.start(f"suspend {self.vm.id}", self._suspend())

    def resume(self) -> "asyncio.Task[None]":
        """Have it resumed, in the background."""
        return self._service.tasks.start(f"resume {self.vm.id}", self._resume())

    async def terminate(self, reason: str = DONE) -> None:
        """Have it ended: it is TERMINATING when this returns."""
        async with self._turn:
            if self.vm.state in {TERMINATING, TERMINATED}:
                return
            was = self.vm.state
            await self._be(TERMINATING, reason)
        self._service.tasks.start(f"terminate {self.vm.id}", self._end(ask=was in {RUNNING, SUSPENDED}))

    async def close(self, reason: str) -> None:
        """End it now: the node is stopping."""
        if self.vm.state != TERMINATED:
            await self._end(ask=False, reason=reason)

    # What requests ask

    async def awake(self) -> BootedMachine:
        """The machine, once it takes requests. Raises NotAwake."""
        if self.vm.state == RUNNING and self.machine is not None:
            return self.machine
        deadline = asyncio.get_running_loop().time() + self._service.limits.hold_seconds
        try:
            async with asyncio.timeout_at(deadline):
                while self.vm.state in {PENDING, SUSPENDING}:
                    await self._next_change()
                if self.vm.state == SUSPENDED and self.vm.idle is not None and self.vm.idle.auto_resume_enabled:
                    await asyncio.shield(self.resume())  # whoever asked may go away meanwhile
        except TimeoutError:
            raise NotAwake from None
        if self.vm.state != RUNNING or self.machine is None:
            raise NotAwake
        return self.machine

    def touch(self) -> None:
        """Traffic has come."""
        self._last = self._service.clock.now()

    def enter(self) -> None:
        """A request begins, which is traffic until `leave`."""
        self._busy += 1
        self.touch()

    def leave(self) -> None:
        self._busy -= 1
        self.touch()

    async def connection(self, machine: BootedMachine, port: int, *, fresh: bool = False) -> Upstream:
        """To a port inside: one that waits for a request, or a new one. Raises OSError."""
        now = asyncio.get_running_loop().time()
        idle = self._idle.get(port, [])
        while idle and not fresh:
            found = idle.pop()
            if not idle:
                del self._idle[port]
            if found.idle and found.idle_since + _STALE > now:
                return found
            found.close()
        inside = await machine.connect(port)
        _, connection = await asyncio.get_running_loop().create_connection(Upstream, sock=inside)
        return connection

    def give_back(self, port: int, connection: Upstream) -> None:
        """The request is over, well or not."""
        if self.vm.state != RUNNING or not connection.reusable:
            connection.close()
            return
        connection.rest()
        self._idle.setdefault(port, []).append(connection)
        if sum(map(len, self._idle.values())) > _MOST_IDLE:
            oldest = min((kept[0].idle_since, where) for where, kept in self._idle.items())[1]
            self._idle[oldest].pop(0).close()
            if not self._idle[oldest]:
                del self._idle[oldest]

    def hold(self, close: Callable[[], None]) -> Callable[[], None]:
        """Something is connected for long, which `close` ends when the MicroVM is suspended or ends; gives what forgets it."""
        self._tunnels.add(close)
        self.open += 1

        def forget() -> None:
            if close in self._tunnels:
                self._tunnels.discard(close)
                self.open -= 1

        return forget

    # Its life

    async def _start(self) -> None:
        try:
            machine = await self._boot()
            await up(machine, self._hooks, self.program, self._service.limits.start_seconds)
            body = {"microvmId": self.vm.id, "runHookPayload": self._payload}
            await self._hooks.call(machine, "run", msgspec.json.encode(body))
        except (HookFailed, Unusable, ComputeUnavailable) as failed:
            await self.terminate(str(failed))
            return
        except AwsError as error:
            await self.terminate(f"The execution role cannot be assumed: {error.message}")
            return
        except Exception:
            await self.terminate("The MicroVM could not be started.")
            raise
        async with self._turn:
            if self.vm.state == PENDING:
                self.touch()
                await self._be(RUNNING)

    async def _boot(self) -> BootedMachine:
        service, vm = self._service, self.vm
        principal = await self._principal()
        group = group_of(vm.image_arn.rpartition(":")[2])
        logging = vm.logging or self._spec.logging
        log_line = log_to(service, vm, group, vm.id, logging, principal)

        def opened(info: EnvironmentInfo) -> Mapping[str, str]:
            if log_line is not None:
                log_line(info)
            return self._inside(info)

        environment = {
            **(self._spec.environment or {}),
            "AWS_REGION": vm.region,
            "AWS_DEFAULT_REGION": vm.region,
        }
        spec = await spec_of(service, vm.id, self.program, vm.memory_mb, environment)
        machine = await service.compute.boot(spec, opened)
        async with self._turn:
            if self.vm.state != PENDING:  # it has been terminated meanwhile
                machine.end()
                raise HookFailed("The MicroVM was terminated.")
            self.machine = machine
        machine.ended.add_done_callback(lambda _: service.tasks.start(f"ended {vm.id}", self._ended(machine)))
        return machine

    async def _principal(self) -> Principal | None:
        role = self.vm.role
        if role is None:
            return None
        return (await self._service.credentials.get(self.vm, self.vm.id, role)).principal

    def _inside(self, info: EnvironmentInfo) -> dict[str, str]:
        """Variables that tell where the platform is, and the credentials."""
        if not info.endpoint_port:
            return {}
        base = f"http://127.0.0.1:{info.endpoint_port}"
        variables = {"AWS_ENDPOINT_URL": base}
        if self.vm.role is not None:
            variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = base + self._service.credentials_path
            variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = self.secret
        return {name: value for name, value in variables.items() if name not in (self._spec.environment or {})}

    async def _suspend(self) -> None:
        machine = self.machine
        assert machine is not None
        try:
            await self._hooks.call(machine, "suspend")
        except HookFailed as failed:
            async with self._turn:
                if self.vm.state == SUSPENDING:
                    self.touch()
                    await self._be(RUNNING, str(failed))
            return
        async with self._turn:
            if self.vm.state != SUSPENDING:
                return
            self._cut()
            machine.freeze()
            self._since = self._service.clock.now()
            await self._be(SUSPENDED)

    async def _resume(self) -> None:
        """It stays SUSPENDED until its hook has returned."""
        async with self._turn:
            machine = self.machine
            if self.vm.state != SUSPENDED or machine is None:
                return
            machine.thaw()
            try:
                await self._hooks.call(machine, "resume")
            except HookFailed as failed:
                machine.freeze()
                log.warning("%s could not be resumed: %s", self.vm.id, failed)
                await self._be(SUSPENDED, str(failed))
                return
            self.touch()
            await self._be(RUNNING)

    async def _ended(self, machine: BootedMachine) -> None:
        """Its program is gone."""
        machine.drain()
        if self.vm.state in {RUNNING, SUSPENDING, SUSPENDED}:
            await self.terminate(f"The application ended: {await machine.how()}.")

    async def _end(self, *, ask: bool, reason: str = "") -> None:
        machine = self.machine
        if machine is not None:
            if ask and not machine.ended.done():
                machine.thaw()
                try:
                    await self._hooks.call(machine, "terminate")
                except HookFailed as failed:
                    log.info("%s: %s", self.vm.id, failed)
            self._cut()
            machine.thaw()
            machine.end()
        async with self._turn:
            self.vm = replace(self.vm, ended=self._service.clock.now())
            await self._be(TERMINATED, reason or self.vm.reason)
        self._service.lives.pop(self.vm.id, None)
        self._service.front.forget(self.vm.host)
        self._service.credentials.forget(self.vm.id)

    def _cut(self) -> None:
        """End what is connected."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()
        for close in list(self._tunnels):
            close()

    async def _be(self, state: str, reason: str | None = None) -> None:
        """In a turn: durable first, then told."""
        changed = replace(self.vm, state=state, reason=reason[:2048] if reason else None)
        await self._service.keep(changed)
        self.vm = changed
        self._changed.set()
        self._changed = asyncio.Event()

    async def _next_change(self) -> None:
        await self._changed.wait()

    async def _watch(self) -> None:
        """Do what the clock asks for, until it has ended."""
        clock = self._service.clock
        while self.vm.state not in {TERMINATING, TERMINATED}:
            changed, due = self._changed, self._due()
            if due > clock.now():
                await wait_until(clock, due, changed)
                continue
            if clock.now() >= self.vm.started + self.vm.most_seconds:
                await self.terminate()
            elif self.vm.state == RUNNING:
                await self.suspend()
            else:
                await self.terminate()

    def _due(self) -> float:
        """When something is to be looked at again."""
        vm, end = self.vm, self.vm.started + self.vm.most_seconds
        stays = self.machine is not None and not self.machine.can_freeze
        if vm.idle is None or vm.state not in {RUNNING, SUSPENDED} or stays:
            return end
        if vm.state == SUSPENDED:
            return min(end, self._since + (vm.idle.suspended_duration_seconds or 0))
        last = self._service.clock.now() if self._busy else self._last
        return min(end, last + (vm.idle.max_idle_duration_seconds or 0))
