"""One invocation, from a free slot to the last log line. Synchronous and asynchronous invocations share it."""

from collections.abc import Mapping

from cumulet.api import lambda_ as api
from cumulet.compute import ComputeUnavailable, EnvironmentInfo, FunctionSpec, Invocation, Outcome, RuntimeUnavailable
from cumulet.services.lambda_ import reports
from cumulet.services.lambda_.errors import conflict
from cumulet.services.lambda_.logs import LogStream
from cumulet.services.lambda_.names import Reference
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.targets import Superseded, Target


class Run:
    """What an invocation is told and, when it is over, how it ended. `outcome` is set then."""

    __slots__ = ("_lambda", "_reference", "_started", "_stream", "outcome", "request_id", "target")

    outcome: Outcome

    def __init__(self, lambda_: Lambda, reference: Reference, target: Target, request_id: str) -> None:
        self._lambda = lambda_
        self._reference = reference
        self.target = target
        self.request_id = request_id
        self._stream: LogStream | None = None
        self._started = False

    async def go(self, payload: bytes, *, client_context: bytes | None = None, trace: str = "") -> Outcome:
        """Run it. Raises TooManyRequestsException when there is no slot, and AWS's errors for a function that cannot run."""
        lambda_, target = self._lambda, self.target
        key = target.key
        unreserved = lambda_.known_unreserved(key)
        if unreserved is None:
            unreserved = await lambda_.unreserved(key.account, key.region)
        pooled = lambda_.slots.take(key, target.function.reserved, unreserved)
        try:
            now = lambda_.clock.now()
            spec = target.spec
            if spec is None or now >= target.renew:
                spec = await self._spec(now)
                target = self.target
            invocation = Invocation(
                request_id=self.request_id,
                payload=payload,
                deadline_ms=int((lambda_.wall() + target.timeout) * 1000),
                function_arn=self._reference.arn,
                client_context=client_context,
                trace=trace,
                max_response=lambda_.limits.response,
            )
            self.outcome = await lambda_.compute.invoke(
                spec, invocation, on_environment=self._environment, on_event=self._event
            )
        except RuntimeUnavailable as error:
            raise api.InvalidRuntimeException(str(error)) from error
        except ComputeUnavailable as error:
            raise api.ServiceException(str(error)) from error
        finally:
            lambda_.slots.release(key, pooled)
            lambda_.events.roomier(key)
        self._report()
        return self.outcome

    async def _spec(self, now: float) -> FunctionSpec:
        try:
            return await self._lambda.targets.spec(self.target, now)
        except Superseded:
            self.target = await ready_target(self._lambda, self._reference)
            return await self._lambda.targets.spec(self.target, now)

    def tail(self, limit: int = 4096) -> bytes:
        """The end of the log of this invocation."""
        outcome, now = self.outcome, self._lambda.clock.now()
        start = reports.start(self.target, self.request_id, now).encode()
        end = "".join(reports.end(self.target, self.request_id, outcome, now)).encode()
        return (start + outcome.logs + end)[-limit:]

    def _environment(self, info: EnvironmentInfo) -> Mapping[str, str] | None:
        lambda_, target = self._lambda, self.target
        stream = lambda_.logs.open(info.id, target.key, target.log_group, target.version.number)
        self._stream = stream
        if not info.cold:
            return None
        lambda_.logs.add(stream, reports.init_start(target, lambda_.clock.now()))
        variables = {"AWS_LAMBDA_LOG_STREAM_NAME": stream.name}
        own = target.version.configuration.environment
        if info.endpoint_port and "AWS_ENDPOINT_URL" not in ((own and own.variables) or {}):
            variables["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{info.endpoint_port}"
        return variables

    def _event(self, _: EnvironmentInfo) -> None:
        """The environment is initialised and gets the event: what it writes from now on is this invocation's."""
        self._start()

    def _start(self) -> None:
        if self._stream is not None and not self._started:
            self._started = True
            now = self._lambda.clock.now()
            self._lambda.logs.add(self._stream, reports.start(self.target, self.request_id, now))

    def _report(self) -> None:
        self._start()  # of an environment that died before it got the event
        if self._stream is not None:
            for line in reports.end(self.target, self.request_id, self.outcome, self._lambda.clock.now()):
                self._lambda.logs.add(self._stream, line)


async def ready_target(lambda_: Lambda, reference: Reference) -> Target:
    """The version to invoke; raises ResourceNotFoundException, or ResourceConflictException when it cannot be invoked."""
    target = lambda_.targets.known(reference)
    if target is not None:
        return target
    target = await lambda_.targets.find(reference)
    if target.version.pending:
        await lambda_.settled(reference.key)
        target = await lambda_.targets.find(reference)
    state = target.version.configuration.state
    if state != "Active":
        raise conflict(
            f"The operation cannot be performed at this time. The function is currently in the following state: {state}"
        )
    return target


def function_error(outcome: Outcome) -> str | None:
    """X-Amz-Function-Error: AWS says Unhandled for all that can go wrong in a function."""
    return None if outcome.error is None else "Unhandled"
