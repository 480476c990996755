"""One invocation, from a free slot to the last log line. Synchronous and asynchronous invocations share it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.compute import (
    ComputeUnavailable,
    EnvironmentInfo,
    FunctionSpec,
    Invocation,
    NoRoom,
    NotMounted,
    Outcome,
    ResponseStream,
    RestoreFailed,
    RuntimeUnavailable,
)
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import token
from cumulet.services.lambda_ import lineage
from cumulet.services.lambda_.capacity.model import MANAGED
from cumulet.services.lambda_.concurrency.idle import wake
from cumulet.services.lambda_.concurrency.snap_start import SNAP_START
from cumulet.services.lambda_.errors import conflict, recursive, throttled
from cumulet.services.lambda_.file_systems.mounts import not_mounted
from cumulet.services.lambda_.names import Reference
from cumulet.services.lambda_.reporting import reports
from cumulet.services.lambda_.reporting.logs import LogStream
from cumulet.services.lambda_.reporting.metrics import Series
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.targets import Superseded, Target

if TYPE_CHECKING:
    from cumulet.services.lambda_.concurrency.provisioning import Pool

_TRACED_SHARE = 65_536 // 20
_FREE_STORAGE = 512
"""MB of /tmp that cost nothing."""
_FREE_STREAM = 6 << 20
"""Bytes of a streamed response that cost nothing."""


class Run:
    """What an invocation is told and, when it is over, how it ended. `outcome` is set then, `trace` once it runs.

    `patient`: nobody waits for it, so that the limit on requests a second does not apply. `tenant`: whom it is for, of a
    function that keeps its tenants apart.
    """

    __slots__ = (
        "_ended",
        "_invocation",
        "_lambda",
        "_patient",
        "_reference",
        "_started",
        "_stream",
        "_tenant",
        "outcome",
        "request_id",
        "target",
        "trace",
    )

    outcome: Outcome
    _invocation: Invocation

    def __init__(
        self,
        lambda_: Lambda,
        reference: Reference,
        target: Target,
        request_id: str,
        *,
        tenant: str = "",
        patient: bool = False,
    ) -> None:
        self._lambda = lambda_
        self._reference = reference
        self.target = target
        self.request_id = request_id
        self._tenant = tenant
        self._patient = patient
        self._stream: LogStream | None = None
        self._started = False
        self._ended: asyncio.Task[None] | None = None
        self.trace = ""

    async def go(
        self,
        payload: bytes,
        *,
        client_context: bytes | None = None,
        trace: str = "",
        stream: ResponseStream | None = None,
    ) -> Outcome:
        """Run it; its response goes into `stream`, if there is one.

        Raises TooManyRequestsException when there is no slot, RecursiveInvocationException when it is one of a loop, and
        AWS's errors for a function that cannot run.
        """
        lambda_, target = self._lambda, self.target
        series = lambda_.metrics.of(target, self._reference.qualifier)
        self._follow(trace, series, lambda_.clock.now())
        invocation = self._invocation = Invocation(
            request_id=self.request_id,
            payload=payload,
            deadline_ms=int((lambda_.wall() + target.timeout) * 1000),
            function_arn=self._reference.arn,
            client_context=client_context,
            trace=self.trace,
            tenant_id=self._tenant,
            max_response=lambda_.limits.response,
            stream=stream,
        )
        managed = target.managed
        pool = None if managed else lambda_.provisioner.find(target.key, target.number)
        spec = pool.spec if pool is not None else None
        try:
            if pool is not None and spec is not None and lambda_.compute.idle(spec.key):
                self.outcome = await self._in_pool(pool, spec, invocation, series)
            elif managed:
                self.outcome = await self._in_managed(invocation, series)
            else:
                if pool is not None:
                    series.add("ProvisionedConcurrencySpilloverInvocations")
                    pool = None
                self.outcome = await self._in_slot(invocation, series)
        except RuntimeUnavailable as error:
            raise api.InvalidRuntimeException(str(error)) from error
        except NoRoom as error:
            series.add("Throttles")
            raise throttled("ConcurrentInvocationLimitExceeded") from error
        except ComputeUnavailable as error:
            raise _unavailable(error, target) from error
        except RestoreFailed as error:
            raise _not_restored(error) from error
        except api.TooManyRequestsException:
            series.add("Throttles")
            raise
        if self.outcome.finished is None:
            self._over(series, provisioned=pool is not None)
            return self.outcome
        answered = self.outcome
        self._ended = asyncio.ensure_future(self._last(answered, series, provisioned=pool is not None))
        return answered

    async def ended(self) -> None:
        """Wait until the function's extensions are done with the invocation too."""
        if self._ended is not None:
            await self._ended

    async def _last(self, answered: Outcome, series: Series, *, provisioned: bool) -> None:
        assert answered.finished is not None
        try:
            self.outcome = await answered.finished
        except ComputeUnavailable:
            self.outcome = answered
        self._over(series, provisioned=provisioned)

    def _over(self, series: Series, *, provisioned: bool) -> None:
        self._measure(series, provisioned=provisioned)
        self._report()

    async def _in_slot(self, invocation: Invocation, series: Series) -> Outcome:
        """In an environment of those that the function's concurrency allows."""
        lambda_, target = self._lambda, self.target
        key, slots = target.key, lambda_.slots
        unreserved = lambda_.known_unreserved(key)
        if unreserved is None:
            unreserved = await lambda_.unreserved(key.account, key.region)
        reserved = target.function.reserved
        if reserved is not None:
            reserved = max(0, reserved - lambda_.provisioner.requested(key))
        steady = time.monotonic()
        if not self._patient and reserved != 0:
            slots.check_rate(key, reserved, unreserved, steady)
        pooled = slots.take(key, reserved, unreserved)
        lasting: asyncio.Future[Outcome] | None = None

        def release(_: object = None) -> None:
            slots.release(key, pooled)
            lambda_.events.roomier(key)

        try:
            series.add("ConcurrentExecutions", slots.running(key))
            lambda_.metrics.count_pool(target, slots.pooled(key.account, key.region))
            now = lambda_.clock.now()
            spec = target.spec
            if spec is None or now >= target.renew:
                spec = await self._spec(now)
            if self._tenant:
                spec = of_tenant(spec, self._tenant)
            if not lambda_.compute.idle(spec.key):
                slots.check_growth(key, steady)
            outcome = await lambda_.compute.invoke(
                spec, invocation, on_environment=self._environment, on_event=self._event
            )
            lasting = outcome.finished
            if spec.snapshot:
                lambda_.snapshots.used(target, spec, restored=outcome.cold)
            return outcome
        finally:
            if lasting is None:
                release()
            else:
                lasting.add_done_callback(release)

    async def _in_managed(self, invocation: Invocation, series: Series) -> Outcome:
        """In an environment that serves several at once. The account's concurrency is not for those."""
        lambda_, target = self._lambda, self.target
        now = lambda_.clock.now()
        spec = target.spec
        if spec is None or now >= target.renew:
            spec = await self._spec(now)
        series.add("ConcurrentExecutions", lambda_.compute.running(spec.key) + 1)
        return await lambda_.compute.invoke(spec, invocation, on_environment=self._environment, on_event=self._event)

    async def _in_pool(self, pool: Pool, spec: FunctionSpec, invocation: Invocation, series: Series) -> Outcome:
        """In an environment that is provisioned. There must be one: until it is taken, nothing else may run."""
        lambda_ = self._lambda
        pool.busy += 1
        series.add("ProvisionedConcurrencyInvocations")
        series.add("ProvisionedConcurrentExecutions", pool.busy)
        series.add("ProvisionedConcurrencyUtilization", pool.busy / max(pool.allocated, pool.busy))
        series.add("ConcurrentExecutions", lambda_.slots.running(self.target.key) + pool.busy)
        try:
            outcome = await lambda_.compute.invoke(
                spec, invocation, on_environment=self._environment, on_event=self._event
            )
        finally:
            pool.busy -= 1
        if outcome.error is not None:
            lambda_.provisioner.lost(pool)
        return outcome

    def _follow(self, trace: str, series: Series, now: float) -> None:
        """Take the place in the chain of invocations that led here; raises RecursiveInvocationException at its end."""
        target = self.target
        self.trace, before = lineage.step(trace, target.lineage, now)
        if target.traced and "Sampled" not in trace and _is_sampled(target, now):
            self.trace = self.trace.replace("Sampled=0", "Sampled=1")
        if before >= lineage.LIMIT and target.function.recursive_loop != "Allow":
            series.add("RecursiveInvocationsDropped")
            raise recursive()

    def _measure(self, series: Series, *, provisioned: bool) -> None:
        outcome, target = self.outcome, self.target
        series.ran(outcome.duration * 1000, outcome.error is not None)
        if target.managed:
            return  # its instances are paid for, not what runs on them
        seconds = reports.billed(outcome) / 1000
        series.use("provisioned-compute" if provisioned else "compute", seconds * target.memory / 1024)
        stream = self._invocation.stream
        if stream is not None and stream.total > _FREE_STREAM:
            series.use("streamed", float(stream.total - _FREE_STREAM))
        if target.storage_mb > _FREE_STORAGE:
            series.use("storage", seconds * (target.storage_mb - _FREE_STORAGE) / 1024)

    async def _spec(self, now: float) -> FunctionSpec:
        try:
            return await self._lambda.targets.spec(self.target, now)
        except Superseded:
            self.target = await ready_target(self._lambda, self._reference)
            return await self._lambda.targets.spec(self.target, now)

    def tail(self, limit: int = 4096) -> bytes:
        """The end of the log of this invocation."""
        outcome, now = self.outcome, self._lambda.clock.now()
        start = reports.start(self.target, self._invocation, now).encode()
        end = "".join(reports.end(self.target, self._invocation, outcome, now)).encode()
        return (start + outcome.logs + end)[-limit:]

    def _environment(self, info: EnvironmentInfo) -> Mapping[str, str] | None:
        self._stream, variables = open_environment(self._lambda, self.target, info)
        return variables

    def _event(self, _: EnvironmentInfo) -> None:
        """The environment is initialised and gets the event: what it writes from now on is this invocation's."""
        self._start()

    def _start(self) -> None:
        if self._stream is not None and not self._started:
            self._started = True
            now = self._lambda.clock.now()
            text = reports.start(self.target, self._invocation, now)
            self._lambda.logs.add(self._stream, text, platform=True, now=now)

    def _report(self) -> None:
        self._start()  # of an environment that died before it got the event
        if self._stream is not None:
            now = self._lambda.clock.now()
            for line in reports.end(self.target, self._invocation, self.outcome, now):
                self._lambda.logs.add(self._stream, line, platform=True, now=now)


def open_environment(
    lambda_: Lambda, target: Target, info: EnvironmentInfo, kind: str = ""
) -> tuple[LogStream, Mapping[str, str] | None]:
    """The log stream of an environment, and the variables that one just made gets in addition."""
    kind = kind or (SNAP_START if target.snapshots else MANAGED if target.managed else "on-demand")
    stream = lambda_.logs.open(info.id, target)
    if not info.cold:
        return stream, None
    if stream.style is None:  # not the same environment again, after its initialisation failed
        stream.style = reports.Style(target)
        lambda_.logs.add(stream, reports.init_start(target, lambda_.clock.now(), kind))
    variables = {"AWS_LAMBDA_INITIALIZATION_TYPE": kind}
    if kind != SNAP_START:  # an environment's stream is not known when its snapshot is made
        variables["AWS_LAMBDA_LOG_STREAM_NAME"] = stream.name
    own = target.version.configuration.environment
    if info.endpoint_port and "AWS_ENDPOINT_URL" not in ((own and own.variables) or {}):
        variables["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{info.endpoint_port}"
    return stream, variables


async def initialise(lambda_: Lambda, target: Target, spec: FunctionSpec) -> bool:
    """Have an environment made and initialised that waits for events; False when the function cannot be loaded."""
    return await lambda_.compute.initialise(
        spec, on_environment=lambda info: open_environment(lambda_, target, info, "provisioned-concurrency")[1]
    )


def _unavailable(error: ComputeUnavailable, target: Target) -> AwsError:
    if isinstance(error, NotMounted):
        return not_mounted(target.version.configuration.file_system_configs, str(error))
    return api.ServiceException(str(error))


def _not_restored(error: RestoreFailed) -> api.SnapStartException | api.SnapStartTimeoutException:
    if error.timeout:
        return api.SnapStartTimeoutException("Lambda couldn't restore the snapshot within the timeout limit.")
    return api.SnapStartException(
        "The afterRestore() runtime hook encountered an error. For more information, check the Amazon CloudWatch logs."
    )


def _is_sampled(target: Target, now: float) -> bool:
    """The first invocation of a second, and a twentieth of the others.

    https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
    """
    if now >= target.sample_at:
        target.sample_at = now + 1.0
        return True
    return int(token(2), 16) < _TRACED_SHARE


def of_tenant(spec: FunctionSpec, tenant: str) -> FunctionSpec:
    """The same for environments that serve one tenant alone."""
    return replace(spec, key=f"{spec.key}.{hashlib.sha256(tenant.encode()).hexdigest()[:32]}")


async def ready_target(lambda_: Lambda, reference: Reference) -> Target:
    """The version to invoke; raises ResourceNotFoundException, or ResourceConflictException when it cannot be invoked."""
    target = lambda_.targets.known(reference)
    if target is not None and not target.idles:
        return target
    target = target or await lambda_.targets.find(reference)
    if target.version.pending:
        await lambda_.settled(reference.key)
        target = await lambda_.targets.find(reference)
    state = target.version.configuration.state
    if target.idles:
        lambda_.idle.note(reference.key, lambda_.clock.now())
    if state == "Inactive":
        await wake(lambda_, reference.key)
    if state != "Active":
        raise conflict(
            f"The operation cannot be performed at this time. The function is currently in the following state: {state}"
        )
    return target


def function_error(outcome: Outcome) -> str | None:
    """X-Amz-Function-Error: AWS says Unhandled for all that can go wrong in a function."""
    return None if outcome.error is None else "Unhandled"
