"""The rules of web functions that need no store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from cumulet.api import lambda_web as api
from cumulet.services.lambda_.runtimes import KNOWN
from cumulet.services.lambda_.web.errors import invalid
from cumulet.services.lambda_.web.limits import Limits
from cumulet.services.lambda_.web.model import DISABLED, HOME, LATEST
from cumulet.services.lambda_.web.names import WebKey

T = TypeVar("T")

_RATES = frozenset({0, *range(100, 1000, 100), *range(1000, 10_001, 1000)})
_PAGE = 50
_WHOLE = 100
_ORDER = 60_000
"""Bytes of the order that gives an environment its function; its variables are most of it."""
ENTRYPOINTS = {
    "nodejs": ("AWS_LAMBDA_NODEJS_ENTRYPOINT", "index.js"),
    "python": ("AWS_LAMBDA_PYTHON_ENTRYPOINT", "main.py"),
    "provided": ("AWS_LAMBDA_PROVIDED_ENTRYPOINT", "bootstrap"),
}
"""The variable that names the file to run, and the file where it does not, by the runtime's family. AWS has Node.js alone."""
_RESERVED = frozenset(
    {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_HANDLER",
    }
)


def family(runtime: str) -> str:
    """nodejs of nodejs24.x; empty for a runtime that runs no servers."""
    return next((name for name in ENTRYPOINTS if runtime.startswith(name)), "")


def service_config(key: WebKey, given: api.ServiceConfig, runtime: str, limits: Limits) -> api.ServiceConfig:
    """What a request gives, with AWS's defaults, as answers show it. Raises ValidationException."""
    check_runtime(runtime)
    check_variables(given.environment_variables or {}, limits)
    logging = (given.telemetry_config.logging_config if given.telemetry_config else None) or api.LoggingConfig()
    whole = api.LoggingConfig(
        log_group=logging.log_group or f"/aws/lambda/web/{key.name}",
        application_log_level=logging.application_log_level or "INFO",
        system_log_level=logging.system_log_level or "INFO",
    )
    return replace(
        given,
        timeout_seconds=given.timeout_seconds or 30,
        max_concurrency_per_environment=given.max_concurrency_per_environment or 64,
        telemetry_config=api.TelemetryConfig(logging_config=whole),
    )


def check_runtime(runtime: str) -> None:
    if runtime not in KNOWN or not family(runtime):
        raise invalid(f"The runtime {runtime} is not supported for web functions: choose one of Node.js.")


def check_variables(variables: dict[str, str], limits: Limits) -> None:
    entrypoints = {name for name, _ in ENTRYPOINTS.values()}
    taken = [
        name for name in variables if name in _RESERVED or (name.startswith("AWS_LAMBDA_") and name not in entrypoints)
    ]
    if taken:
        raise invalid(f"The environment variables {', '.join(sorted(taken))} are reserved.")
    if len(msgspec.json.encode(variables)) > limits.environment_size:
        raise invalid(f"The environment variables are larger than {limits.environment_size} bytes.")
    if len(json.dumps(variables)) > _ORDER:
        raise invalid("The environment variables are too large where they are written in ASCII.")


def check_throttle(throttle: api.ThrottleConfig | None) -> api.ThrottleConfig | None:
    """None for one that says nothing."""
    if throttle is None or throttle.rate_limit is None:
        return None
    if throttle.rate_limit not in _RATES:
        raise invalid("rateLimit must be 0, a multiple of 100 up to 1000, or a multiple of 1000 up to 10000.")
    return throttle


def check_scaling(scaling: api.ScalingConfig | None) -> api.ScalingConfig | None:
    """None for one that says nothing."""
    return None if scaling is None or scaling.max_environments is None else scaling


def check_weights(mode: str, weights: list[api.RevisionWeight] | None) -> None:
    """Raises ValidationException for weights that no endpoint can have, whatever revisions there are."""
    if weights is None:
        return
    if mode == LATEST:
        raise invalid("revisionWeights can't be specified when autoDeploymentMode is LatestRevision.")
    if len({weight.revision_id for weight in weights}) != len(weights):
        raise invalid("revisionWeights must name each revision once.")
    if sum(weight.weight for weight in weights) != _WHOLE:
        raise invalid(f"The weights of revisionWeights must add up to {_WHOLE}.")


def regions(home: str, kind: str, mode: str, given: list[str] | None) -> list[str]:
    """The regions of an endpoint, the home region first. Raises ValidationException."""
    others = sorted({region for region in given or [] if region != home})
    if kind == HOME:
        if others:
            raise invalid("An endpoint of type HomeRegion has no regions but the home Region.")
        return [home]
    if mode != DISABLED:
        raise invalid(f"autoDeploymentMode {LATEST} is supported for endpoints of type HomeRegion only.")
    if not others:
        raise invalid(f"An endpoint of type {kind} needs at least one Region other than the home Region.")
    return [home, *others]


def filtered(
    items: Sequence[T], filters: list[api.Filter] | None, names: dict[str, Callable[[T], str | None]]
) -> list[T]:
    """The items that every filter lets through. Raises ValidationException for a filter of another name."""
    for one in filters or []:
        value = names.get(one.name)
        if value is None:
            raise invalid(f"The filter {one.name} is not supported: choose of {', '.join(sorted(names))}.")
        wanted = frozenset(one.values)
        items = [item for item in items if value(item) in wanted]
    return list(items)


def page(
    items: Sequence[T], most: int | None, token: str | None, name: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """One page of the items, and the token of the next. Raises ValidationException for a token of nothing that is there."""
    start = 0
    if token is not None:
        start = next((at + 1 for at, item in enumerate(items) if _token(name(item)) == token), -1)
        if start < 0:
            raise invalid("The pagination token is not valid.")
    end = start + min(most or _PAGE, _PAGE)
    more = _token(name(items[end - 1])) if end < len(items) else None
    return list(items[start:end]), more


def _token(name: str) -> str:
    """AWS's are UUIDs."""
    text = hashlib.sha256(name.encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"
