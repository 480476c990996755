"""The life of a request to a REST API, in order. Each step finds something out, or raises Refused.

A step gives back something to await only when it has to wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from cumulet.services.apigateway.plane.aside import aside
from cumulet.services.apigateway.plane.execution_log import cut, pairs
from cumulet.services.apigateway.rest.pipeline import authorization, bodies, caching, keys
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.pipeline.integrations.invoking import broken

Step = Callable[[Exchange], Awaitable[None] | None]


def find_method(ex: Exchange) -> None:
    """The resource that the path means, and its method."""
    if ex.test:
        return
    found = ex.program.router.find(ex.request.method, ex.path)
    if found is None:
        raise Refused("MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token")
    ex.method, ex.path_values = found


def check_size(ex: Exchange) -> Awaitable[None] | None:
    """10 MB at most; a compressed body is made plain where the API compresses."""
    if ex.request.too_large:
        raise Refused("REQUEST_TOO_LARGE", "Request Too Long")
    coding = ex.request.headers.get("content-encoding")
    return _inflate(ex, coding) if coding and ex.program.compression is not None and ex.request.content else None


async def _inflate(ex: Exchange, coding: str) -> None:
    """On a thread, as a small body can become 10 MB."""
    content = ex.request.content
    plain = await aside(lambda: bodies.inflate(content, coding))
    if plain is None:
        raise Refused("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type")
    if len(plain) > bodies.LARGEST:
        raise Refused("REQUEST_TOO_LARGE", "Request Too Long")
    ex.request.content = plain
    ex.headers.pop("content-encoding", None)  # integrations get it as it is now


def begin_log(ex: Exchange) -> None:
    """The execution log, where the method has one."""
    settings = ex.method.settings
    if ex.log is None and settings.log_level != "OFF":
        ex.log = ex.front.new_log(ex, settings)
    if ex.log is None:
        return
    log = ex.log
    log.say(f"Starting execution for request: {ex.request_id}")
    log.say(f"HTTP Method: {ex.request.method}, Resource Path: {ex.path if ex.test else ex.method.resource_path}")
    log.show(f"Method request path: {pairs(ex.path_params)}")
    log.show(f"Method request query string: {pairs({name: values[-1] for name, values in ex.query.items()})}")
    log.show(f"Method request headers: {pairs({name: values[-1] for name, values in ex.headers.values()})}")
    log.show(f"Method request body before transformations: {cut(bodies.as_text(ex.request.content))}")


def authorize(ex: Exchange) -> Awaitable[None] | None:
    """The API's policy, and the method's authorizer."""
    if ex.test or (ex.method.authorization.kind == "NONE" and ex.program.policy is None):
        return None
    return authorization.check(ex)


def check_key(ex: Exchange) -> Awaitable[None] | None:
    """The API key, and its usage plan."""
    return keys.check(ex) if ex.method.key_required and not ex.test else None


def throttle(ex: Exchange) -> None:
    """The method's rate in its stage, and the account's."""
    if ex.test:
        return
    front, program, settings = ex.front, ex.program, ex.method.settings
    if settings.rate >= 0 or settings.burst >= 0:
        key = ("method", program.api_id, program.stage_name, ex.method.resource_id, ex.method.verb)
        rate = settings.rate if settings.rate >= 0 else front.limits.account_rate
        burst = settings.burst if settings.burst >= 0 else front.limits.account_burst
        if not front.buckets.take(key, rate, burst):
            raise Refused("THROTTLED", "Too Many Requests", reason="Method request rate exceeded")
    if not front.buckets.take((program.account, program.region), front.limits.account_rate, front.limits.account_burst):
        raise Refused("THROTTLED", "Too Many Requests", reason="Account request rate exceeded")


def validate(ex: Exchange) -> None:
    """Required parameters, and the body by its model."""
    if ex.method.validation is not None:
        ex.method.validation.check(ex)


async def integrate(ex: Exchange) -> None:
    """The cache's answer, or the integration's."""
    integration = ex.method.integration
    if integration is None:
        raise broken("Execution failed due to configuration error: No integration defined for method")
    caching_on = ex.method.settings.caching and not ex.test
    if caching_on:
        kept = await caching.find(ex, integration.plan)
        ex.front.counts.cached(ex, hit=kept is not None)
        if kept is not None:
            ex.answer = kept
            return
    ex.answer = await integration.run(ex)
    if caching_on:
        caching.keep(ex, ex.answer)


STEPS: Final[tuple[Step, ...]] = (
    find_method,
    begin_log,
    check_size,
    authorize,
    check_key,
    throttle,
    validate,
    integrate,
)
