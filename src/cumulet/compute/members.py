"""Environments of which each serves several at once: made when all are full, the least loaded first, ended when idle."""

import asyncio
import collections
import time

from cumulet.compute.environment import Environment
from cumulet.compute.fleet import Fleet
from cumulet.compute.model import EnvironmentInfo, FunctionSpec, Invocation, NoRoom, OnEnvironment, Outcome

NOTHING = Invocation(request_id="", payload=b"", deadline_ms=0, function_arn="")
"""What an environment is made for that is made ahead, or for no invocation."""


class Member:
    """An environment, or one that is being made. `expected`: those who are in it, or wait until it is ready."""

    __slots__ = ("environment", "expected", "failed", "idle_since", "info", "making", "retired")

    environment: Environment
    info: EnvironmentInfo

    def __init__(self) -> None:
        self.expected = 0
        self.failed: Outcome | None = None
        self.retired = False
        self.idle_since = 0.0
        self.making: asyncio.Task[None] | None = None

    def has(self, request_id: str) -> bool:
        """Whether it works at that invocation."""
        return self.making is None and self.environment.crowd is not None and self.environment.crowd.has(request_id)

    @property
    def load(self) -> int:
        if self.making is not None or self.environment.crowd is None:
            return self.expected
        return max(self.expected, self.environment.crowd.load)


class Members:
    """Those of a node, by the key of their function; who makes them useful says how one is initialised."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._members: dict[str, list[Member]] = collections.defaultdict(list)
        self._least: dict[str, int] = {}

    def keep(self, key: str, least: int) -> None:
        """So many of a function stay, however long they serve nothing."""
        if least:
            self._least[key] = least
        else:
            self._least.pop(key, None)

    def trim(self, key: str, count: int) -> None:
        """End those that serve nothing until there are no more than `count`."""
        members = self._members.get(key, [])
        idle = [member for member in members if member.making is None and not member.load]
        for member in idle[: max(0, len(members) - count)]:
            self._end(key, member)

    def retire(self, key: str) -> None:
        """The function is gone or changed: what is there ends as soon as it serves nothing."""
        for member in self._members.pop(key, []):
            member.retired = True
            if member.making is None:
                self._look_at(key, member)

    def reap(self, oldest: float) -> None:
        """End those that have served nothing since `oldest`, in the loop's time."""
        for key, members in list(self._members.items()):
            for member in list(members):
                idle = member.making is None and not member.load and member.idle_since < oldest
                if idle and len(members) > self._least.get(key, 0):
                    self._end(key, member)

    async def _initialise(self, environment: Environment, spec: FunctionSpec, invocation: Invocation) -> Outcome | None:
        """How that failed, if it did."""
        raise NotImplementedError

    def _least_loaded(self, spec: FunctionSpec, request_id: str) -> Member | None:
        members = self._members.get(spec.key) or ()
        member = min((member for member in members if not member.has(request_id)), key=_eagerness, default=None)
        return member if member is not None and member.load < spec.concurrency else None

    def _add(self, spec: FunctionSpec, invocation: Invocation, on_environment: OnEnvironment | None) -> Member:
        members = self._members[spec.key]
        if spec.max_environments and len(members) >= spec.max_environments:
            raise NoRoom(spec.key)
        member = Member()
        members.append(member)
        member.making = asyncio.create_task(self._make(member, spec, invocation, on_environment))
        member.making.add_done_callback(_noticed)
        return member

    async def _make(
        self, member: Member, spec: FunctionSpec, invocation: Invocation, on_environment: OnEnvironment | None
    ) -> None:
        """Its own task: who it is made for may go away, others wait for it as well."""
        started = time.perf_counter()
        try:
            environment, member.info = await self._fleet.begin(spec, on_environment)
        except BaseException:
            self._remove(spec.key, member)
            raise
        member.environment = environment
        try:
            member.failed = await self._initialise(environment, spec, invocation)
        except BaseException:
            self._end(spec.key, member)
            raise
        self._fleet.report_init(environment, member.info, spec, "init", time.perf_counter() - started, member.failed)
        environment.last_logs()
        member.making = None
        if member.failed is not None:
            self._end(spec.key, member, "FAILURE")
            return
        environment.state = "idle"
        member.idle_since = asyncio.get_running_loop().time()
        if environment.crowd is not None:
            environment.crowd.on_room = lambda: self._look_at(spec.key, member)
        ending = environment.hull.ending
        ending.add_done_callback(lambda _: self._end(spec.key, member, "FAILURE"))
        self._look_at(spec.key, member)

    def _look_at(self, key: str, member: Member) -> None:
        """Something has left it, or it is not wanted any more."""
        if member.making is not None or member.failed is not None:
            return
        environment = member.environment
        crowd = environment.crowd
        if crowd is not None and crowd.stuck:
            self._end(key, member, "TIMEOUT")
        elif not member.load and environment.state != "starting":
            environment.state = "idle"
            member.idle_since = asyncio.get_running_loop().time()
            if member.retired or environment.retired:
                self._end(key, member)

    def _end(self, key: str, member: Member, reason: str = "SPINDOWN") -> None:
        self._remove(key, member)
        self._fleet.end(member.environment, reason)

    def _remove(self, key: str, member: Member) -> None:
        members = self._members.get(key)
        if members is not None and member in members:
            members.remove(member)
            if not members:
                del self._members[key]


def _noticed(making: "asyncio.Task[None]") -> None:
    """It is not an error that nobody waits for what has failed."""
    if not making.cancelled():
        making.exception()


def _eagerness(member: Member) -> tuple[int, bool]:
    """The least loaded first; of equals, one that is ready."""
    return member.load, member.making is not None
