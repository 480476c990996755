"""Requests to REST APIs: from an address to an answer.

`answer` is what the gateway calls; what each request goes through is in `steps`.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cumulet.delivery.roles import Roles
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.tasks import Tasks
from cumulet.kernel.web import Client, Inner, Visit, WebAnswer
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.plane.authorizers import Cache
from cumulet.services.apigateway.plane.execution_log import ExecutionLog
from cumulet.services.apigateway.plane.lambdas import Functions
from cumulet.services.apigateway.plane.links import Links
from cumulet.services.apigateway.plane.logs import LogWriter
from cumulet.services.apigateway.plane.throttle import Buckets
from cumulet.services.apigateway.rest.keys.gate import Gate
from cumulet.services.apigateway.rest.pipeline import failures, finish, program
from cumulet.services.apigateway.rest.pipeline.caching import ResponseCache
from cumulet.services.apigateway.rest.pipeline.certificates import Certificates
from cumulet.services.apigateway.rest.pipeline.counts import Counts
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.pipeline.program import Program
from cumulet.services.apigateway.rest.pipeline.settings import Settings
from cumulet.services.apigateway.rest.pipeline.steps import STEPS
from cumulet.services.apigateway.rest.running import Rest, Running

if TYPE_CHECKING:
    from cumulet.services.apigateway.plane.jwt import Verifier

log = logging.getLogger(__name__)

_chance = random.Random()  # noqa: S311  which requests a canary gets


class RestFront:
    """Answers requests to REST APIs. `wall` is real time, in which issuers of tokens live."""

    def __init__(  # noqa: PLR0913  the service passes each part once
        self,
        *,
        rest: Rest,
        gate: Gate,
        certificates: Certificates,
        links: Links,
        calls: Calls,
        clock: Clock,
        tasks: Tasks,
        client: Client,
        inner: Inner,
        limits: Limits,
        enforce: bool,
        wall: Callable[[], float],
    ) -> None:
        self.rest = rest
        self.gate = gate
        self._certificates = certificates
        self.links = links
        self.clock = clock
        self.client = client
        self.inner = inner
        self.limits = limits
        self.roles = Roles(calls, clock, enforce)
        self.functions = Functions(calls, self.roles)
        self.buckets = Buckets(clock.now)
        self.answers = Cache(clock.now)
        self.responses = ResponseCache(clock.now)
        self.logs = LogWriter(calls, clock, tasks)
        self.counts = Counts()
        rest.on_flush.append(self._flush)
        self._verifier: Verifier | None = None
        self._wall = wall

    async def answer(
        self, visit: Visit, api_id: str, path: str, *, mapped: bool = False, base_path: str = ""
    ) -> WebAnswer:
        """The answer of an API; `path` begins with the stage. Never raises an AwsError.

        `mapped`: a custom domain led here, so it counts no more that the API's own address is closed; `base_path` is what it
        took off the path.
        """
        stage, rest = split(path)
        found = await self.program(api_id, stage) if stage else None
        if found is None:
            return finish.unknown_stage(visit)
        if not mapped and (found.closed or (found.strict and not _is_strict(visit))):
            return finish.closed(visit)
        if found.canary is not None and _chance.random() < found.canary_share:
            found = found.canary
        exchange = Exchange(self, found, visit, rest, self.clock.now())
        exchange.mapped, exchange.base_path = mapped, base_path
        return await self.run(exchange)

    async def run(self, ex: Exchange) -> WebAnswer:
        """Take an exchange through the steps to its answer."""
        began = time.perf_counter()
        try:
            for step in STEPS:
                if (waiting := step(ex)) is not None:
                    await waiting
            answer = ex.answer
        except Refused as refused:
            answer = failures.answer(ex, refused)
        except Exception:
            log.exception("request %s to %s failed", ex.request_id, ex.program.arn)
            answer = failures.answer(ex, Refused("DEFAULT_5XX", "Internal server error"))
        if ex.program.compression is not None:
            await finish.compress(ex, answer)
        return finish.complete(ex, answer, (time.perf_counter() - began) * 1000)

    async def program(self, api_id: str, stage: str) -> Program | None:
        """What a stage runs, compiled once for as long as nothing changes."""
        running: Running | None = await self.rest.running(api_id, stage)
        if running is None:
            return None
        if running.kept is not None:
            known: Program = running.kept
            return known
        compiled = program.compile(
            running.definition, running.stage, running.account, running.region, canary=running.canary
        )
        compiled.strict = running.strict
        certificate = running.stage.client_certificate_id
        if certificate:
            compiled.certificate = await self._certificates.pem(running.account, running.region, certificate)
            if compiled.canary is not None:
                compiled.canary.certificate = compiled.certificate
        running.kept = compiled
        return compiled

    def new_log(self, ex: Exchange, settings: Settings) -> ExecutionLog:
        """An execution log as a method's settings want it."""
        return ExecutionLog(ex.request_id, ex.now, level=settings.log_level, traced=settings.data_trace)

    def _flush(self, what: str, api_id: str, stage: str) -> None:
        """FlushStageCache and FlushStageAuthorizersCache."""
        if what == "cache":
            self.responses.flush(api_id, stage)
        else:
            self.answers.forget((api_id, stage))

    def verifier(self) -> Verifier:
        """Of tokens."""
        if self._verifier is None:
            from cumulet.services.apigateway.plane.jwt import Verifier  # noqa: PLC0415  with the first authorizer that needs it

            self._verifier = Verifier(self.client, self._wall, time.monotonic)
        return self._verifier


def _is_strict(visit: Visit) -> bool:
    """Whether a request names the host that its TLS was made for."""
    host = visit.request.headers.get("host", "").partition(":")[0].lower()
    return visit.tls is not None and visit.tls.server_name == host


def split(path: str) -> tuple[str, str]:
    """The stage, and the path after it; slashes before the stage do not count."""
    trimmed = path.lstrip("/")
    stage, slash, rest = trimmed.partition("/")
    return stage, slash + rest if slash else "/"
