"""Asynchronous invocations: run, retried, and told of when they are over.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import logging

from cumulet.api import lambda_ as api
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.events.configs import EventConfig, event_config
from cumulet.services.lambda_.events.destinations import Ending, announce
from cumulet.services.lambda_.events.queue import Event
from cumulet.services.lambda_.names import FunctionKey, Reference
from cumulet.services.lambda_.runs import Run, ready_target
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.targets import Target

log = logging.getLogger(__name__)

_NEVER = "Function not invoked. Function isconfigured with zero reserved concurrent executions"
"""AWS's words, as they are."""
_ATTEMPTS = 2
_AGE = 6 * 3600
_RETRY = 60.0
"""Seconds before the first retry of a function that failed; twice that before the second."""
_SHORTEST, _LONGEST = 1.0, 300.0
"""Seconds between tries of a function that had no room, or could not be run."""


class EventWorker:
    """Handles the events of the queue."""

    def __init__(self, lambda_: Lambda) -> None:
        self._lambda = lambda_

    def room(self, key: FunctionKey) -> bool:
        """Whether the function may be run now, as far as is known without a look at the store."""
        lambda_ = self._lambda
        target = lambda_.targets.known(Reference(key, None))
        unreserved = lambda_.known_unreserved(key)
        if target is None or unreserved is None or target.function.reserved == 0:
            return True
        return lambda_.slots.refusal(key, target.function.reserved, unreserved) is None

    async def handle(self, event: Event) -> None:
        """Run an event's invocation; it is removed from the queue, or due again, when this returns."""
        lambda_ = self._lambda
        try:
            target = await ready_target(lambda_, event.reference)
        except api.ResourceNotFoundException:
            await lambda_.events.remove(event)  # deleted meanwhile: AWS drops its events as well
            return
        except AwsError as error:
            await self._refused(event, None, error)
            return
        if target.function.reserved == 0:
            await self._end(event, target, Ending("ZeroReservedConcurrency", 0, message=_NEVER))
            return
        now = lambda_.clock.now()
        lambda_.metrics.of(target, event.reference.qualifier).add("AsyncEventAge", (now - event.accepted) * 1000)
        run = Run(lambda_, event.reference, target, event.request_id, tenant=event.tenant, patient=True)
        try:
            outcome = await run.go(event.payload, trace=event.trace)
        except api.RecursiveInvocationException as error:
            ending = Ending("RecursiveInvocation", event.attempts, None, error.status, error.message, event.trace)
            await self._end(event, target, ending)
            return
        except AwsError as error:
            await self._refused(event, target, error)
            return
        attempts = event.attempts + 1
        if outcome.error is None:
            await self._end(event, run.target, Ending("Success", attempts, outcome, trace=run.trace))
        else:
            await self._failed(event, run.target, Ending("RetriesExhausted", attempts, outcome, trace=run.trace))

    async def _failed(self, event: Event, target: Target, ending: Ending) -> None:
        config = await event_config(self._lambda, event.reference)
        allowed = _ATTEMPTS if config.attempts is None else config.attempts
        if ending.attempts > allowed:
            await self._end(event, target, ending, config)
            return
        due = self._lambda.clock.now() + _RETRY * ending.attempts
        if due > event.accepted + (config.age or _AGE):
            await self._end(event, target, ending._replace(condition="EventAgeExceeded"), config)
        else:
            await self._lambda.events.postpone(event, due, ending.attempts, 0)

    async def _refused(self, event: Event, target: Target | None, error: AwsError) -> None:
        """Throttled, or the platform's fault: tried again until the event is too old."""
        now = self._lambda.clock.now()
        config = await event_config(self._lambda, event.reference)
        due = now + min(_SHORTEST * 2.0**event.refusals, _LONGEST)
        if now > event.accepted + (config.age or _AGE):
            ending = Ending("EventAgeExceeded", event.attempts, None, error.status, error.message, event.trace)
            await self._end(event, target, ending, config)
            return
        if not isinstance(error, api.TooManyRequestsException):
            log.warning("event %s for %s waits: %s", event.id, event.reference.arn, error.message)
        await self._lambda.events.postpone(event, due, event.attempts, min(event.refusals + 1, 16))

    async def _end(
        self, event: Event, target: Target | None, ending: Ending, config: EventConfig | None = None
    ) -> None:
        """Remove the event and, in the same transaction, put down what is to be told of it."""
        lambda_ = self._lambda
        config = config or await event_config(lambda_, event.reference)
        await announce(lambda_, event, target, ending, config)
