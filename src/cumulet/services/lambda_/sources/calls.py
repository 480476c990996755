"""Invocations that a source makes: with a slot of the function's concurrency and a log like any other, and no HTTP."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from cumulet.compute import Outcome
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.access.credentials import RoleCredentials
from cumulet.services.lambda_.runs import Run, ready_target
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.state import CHANGED, Lambda
from cumulet.services.lambda_.targets import Target

_BACKSTOP = 30.0
"""Seconds after which a function that could not run is looked at again, in case nobody said that it can."""
_BUSY_WAIT = 0.05


class Answer(NamedTuple):
    """How an invocation ended, of which version, under which request id."""

    outcome: Outcome
    version: str
    request_id: str

    @property
    def failed(self) -> bool:
        return self.outcome.error is not None


class Invoker:
    """One mapping's function."""

    def __init__(self, lambda_: Lambda, mapping: Mapping) -> None:
        self._lambda = lambda_
        self._mapping = mapping
        self._reference = mapping.reference
        self._changed = asyncio.Event()
        self._name = "\0".join(self._reference.key).encode()
        self._acting: tuple[Target, RoleCredentials] | None = None

    async def invoke(self, payload: bytes, trace: str = "") -> Answer:
        """Raises AwsError when the function was not run: throttled, gone, or not able to."""
        reference = self._reference
        target = await ready_target(self._lambda, reference)
        run = Run(self._lambda, reference, target, new_id(), patient=True)
        outcome = await run.go(payload, trace=trace)
        return Answer(outcome, run.target.version.number, run.request_id)

    async def as_role(self) -> Call:
        """A call as the function's execution role; raises AwsError when there is no such function, or its role is refused."""
        lambda_, acting = self._lambda, self._acting
        target = lambda_.targets.known(self._reference)
        if acting is None or target is not acting[0] or lambda_.clock.now() >= acting[1].renew:
            target = target or await lambda_.targets.find(self._reference)
            self._acting = acting = (target, await _credentials(lambda_, target))
        return _call(self._mapping, acting[1])

    @property
    def role(self) -> str:
        """The ARN of the role that `as_role` last gave a call of; empty before."""
        return (self._acting[0].version.configuration.role or "") if self._acting is not None else ""

    @staticmethod
    async def role_call(lambda_: Lambda, mapping: Mapping) -> Call:
        """The same for a mapping that nothing works for yet."""
        return _call(mapping, await _credentials(lambda_, await lambda_.targets.find(mapping.reference)))

    async def room(self, note: Callable[[str], None]) -> None:
        """Return once the function can run; `note` is told what keeps it from that."""
        wait = _BUSY_WAIT
        while True:
            try:
                target = await ready_target(self._lambda, self._reference)
            except AwsError as error:
                note(f"PROBLEM: {error.message}")
                await self._change()
                continue
            if target.function.reserved == 0:
                note("PROBLEM: Function call failed because it was throttled")
                await self._change()
                continue
            if self._lambda.events.room(target.key):
                note("")
                return
            await self._lambda.clock.sleep(wait)
            wait = min(wait * 2, 1.0)

    async def _change(self) -> None:
        """Until something of the function changed."""
        self._changed.clear()
        end = self._lambda.signals.subscribe(CHANGED, self._note)
        try:
            async with asyncio.timeout(_BACKSTOP):
                await self._changed.wait()
        except TimeoutError:
            return
        finally:
            end()

    def _note(self, payload: bytes) -> None:
        if payload == self._name:
            self._changed.set()


async def _credentials(lambda_: Lambda, target: Target) -> RoleCredentials:
    version = target.version
    return await lambda_.credentials.get(target.key, version.deployment, version.configuration.role or "")


def _call(mapping: Mapping, role: RoleCredentials) -> Call:
    return Call(mapping.account, mapping.region, role.principal, new_id(), source_arn=mapping.arn)
