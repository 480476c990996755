"""Environments whose program is a server: it listens on a port inside, and who uses it connects there.

Nothing is frozen between requests, as a server may work on after it has answered.
"""

import asyncio
import socket
from collections.abc import Callable
from functools import partial

from cumulet.compute import outcomes
from cumulet.compute.ended import Ended
from cumulet.compute.environment import Environment
from cumulet.compute.members import NOTHING, Member, Members
from cumulet.compute.model import EnvironmentInfo, FunctionSpec, Invocation, OnEnvironment, Outcome


class NotServing(Exception):
    """The program did not come to listen, or ended; `outcome` tells how."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail or outcome.error)
        self.outcome = outcome


class Place:
    """A place in an environment whose server listens, until `leave` is called. `cold`: the environment was made for this one."""

    def __init__(self, member: Member, port: int, *, cold: bool, leave: Callable[[], None]) -> None:
        self.info: EnvironmentInfo = member.info
        self.cold = cold
        self._environment = member.environment
        self._port = port
        self._leave: Callable[[], None] | None = leave

    async def connect(self) -> socket.socket:
        """One more connection to the server. Raises OSError."""
        return await self._environment.connect(self._port)

    async def ends(self, seconds: float) -> bool:
        """Whether the environment ends within that time, as one does whose program has."""
        ending = self._environment.hull.ending
        await asyncio.wait({ending}, timeout=seconds)
        return ending.done()

    def leave(self) -> None:
        """Give it to others; calls after the first do nothing."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


class Servers(Members):
    """The environments of a node that are servers."""

    async def take(self, spec: FunctionSpec, on_environment: OnEnvironment | None, done: Callable[[], None]) -> Place:
        """One of the `concurrency` places of the least loaded environment, else of a new one; `done` is called when it is left.

        Raises NotServing, NoRoom, and as `Compute.invoke` does; `done` has been called then.
        """
        assert spec.server is not None
        member: Member | None = None
        try:
            member = self._least_loaded(spec, "")
            cold = member is None
            if member is None:
                member = self._add(spec, NOTHING, on_environment)
            member.expected += 1
            if member.making is not None:
                await asyncio.shield(member.making)
        except BaseException:
            self._leave(spec.key, member, done)
            raise
        if member.failed is not None:
            self._leave(spec.key, member, done)
            raise NotServing(member.failed)
        member.environment.invocations += 1
        member.environment.state = "busy"
        return Place(member, spec.server.port, cold=cold, leave=partial(self._leave, spec.key, member, done))

    def _leave(self, key: str, member: Member | None, done: Callable[[], None]) -> None:
        if member is not None:
            member.expected -= 1
            self._look_at(key, member)
        done()

    async def _initialise(self, environment: Environment, spec: FunctionSpec, invocation: Invocation) -> Outcome | None:
        try:
            await environment.listens(spec, spec.init_timeout)
        except Ended as ended:
            return await outcomes.failure(environment, spec, invocation, ended)
        return None
