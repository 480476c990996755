"""Which environment an invocation joins, where one serves several at once: the least loaded that has room, else a new one."""

import asyncio

from msgspec.structs import replace

from cumulet.compute import outcomes
from cumulet.compute.ended import Ended
from cumulet.compute.environment import Environment
from cumulet.compute.members import NOTHING, Members
from cumulet.compute.model import FunctionSpec, Invocation, OnEnvironment, OnEvent, Outcome

_INIT_TIMEOUT = 130.0
"""Seconds an initialisation may take, or as long as an invocation, if that is longer; as on AWS."""


class Shared(Members):
    """The environments of a node that serve several invocations at once."""

    def room(self, spec_key: str, concurrency: int) -> int:
        """Invocations that could be joined to environments that are ready."""
        members = self._members.get(spec_key) or ()
        return sum(max(0, concurrency - member.load) for member in members if member.making is None)

    async def invoke(
        self,
        spec: FunctionSpec,
        invocation: Invocation,
        on_environment: OnEnvironment | None,
        on_event: OnEvent | None,
    ) -> Outcome:
        """Raises NoRoom, and as `Compute.invoke` does."""
        member = self._least_loaded(spec, invocation.request_id)
        cold = member is None
        if member is None:
            member = self._add(spec, invocation, on_environment)
        member.expected += 1
        try:
            if member.making is not None:
                await asyncio.shield(member.making)
            if not cold and on_environment is not None:
                on_environment(replace(member.info, cold=False, endpoint_port=0))
            if on_event is not None:
                on_event(member.info)
            if member.failed is not None:
                return member.failed
            environment = member.environment
            crowd = environment.crowd
            assert crowd is not None
            environment.invocations += 1
            environment.state = "busy"
            outcome = await crowd.invoke(invocation, spec.timeout)
        finally:
            member.expected -= 1
            self._look_at(spec.key, member)
        return replace(outcome, cold=True) if cold else outcome

    async def initialise(self, spec: FunctionSpec, on_environment: OnEnvironment | None) -> bool:
        """Have one more made; False when the function cannot be loaded."""
        member = self._add(spec, NOTHING, on_environment)
        assert member.making is not None
        await asyncio.shield(member.making)
        return member.failed is None

    async def _initialise(self, environment: Environment, spec: FunctionSpec, invocation: Invocation) -> Outcome | None:
        try:
            document = await environment.initialise(spec, max(_INIT_TIMEOUT, spec.timeout))
        except Ended as ended:
            return await outcomes.failure(environment, spec, invocation, ended)
        return None if document is None else outcomes.not_loaded(environment, spec, document)
